"""Which of the promises about a changing world a ledger breaks. Pure: lines in, faults out.

A rule holds if it held when a call was planned, or holds in the world in which it would run.
"""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.campaigns.dag import Step, value
from tests.campaigns.ledger import Line
from tests.campaigns.promises import Kept, by_number

WRITES = ("write", "destroy")
_END = ("status", "value", "error")


@dataclass
class Judge:
    """Reads the ledger of one turn, line by line."""

    rounds: Sequence[Sequence[Step]]
    ids: Mapping[int, str] = field(default_factory=dict)
    """What the tasks of steps in loops are called."""
    broken: list[str] = field(default_factory=list)
    asked: int = 0
    """Calls that a person was asked about."""
    rejected: set[int] = field(default_factory=set)
    maybe: int = 0
    """Destructive calls that may have run, by their outcome."""

    def __post_init__(self) -> None:
        self._steps = {step.id: step for steps in self.rounds for step in steps}
        self._round = {step.id: n for n, steps in enumerate(self.rounds, 1) for step in steps}
        self._numbers = {id: number for number, id in self.ids.items()}
        self._now: Mapping[str, Any] = {}
        self._planned: dict[int, Mapping[str, Any]] = {}
        """The world in which each round was planned."""
        self._begun: defaultdict[int, list[Mapping[str, Any]]] = defaultdict(list)
        """The worlds in which each task has begun."""
        self._ended: set[int] = set()
        self._was_asked: set[int] = set()
        self._approved: dict[int, Mapping[str, Any]] = {}
        self._kept = Kept()
        self._journaled: dict[int, Any] = {}
        self._final: dict[int, Any] = {}
        """How tasks have ended for good."""

    def read(self, lines: Sequence[Line]) -> "Judge":
        for line in lines:
            self._read(by_number(line, self._numbers))
        if not any(line["what"] == "answer" for line in lines):
            self.broken.append("no answer came")
        return self

    def _read(self, line: Line) -> None:
        match line["what"]:
            case "process":
                self._now = line["world"]
            case "planner":
                if line["round"] in self._kept.rounds:
                    self.broken.append(f"the planner wrote round {line['round']} again")
                self._plan(line["round"])
            case "checkpoint" | "saved" | "journaled":
                self._keep(line)
            case "begin":
                self._begin(line["id"], line["args"])
            case "end":
                self._ended.add(line["id"])
            case "asked":
                self.asked += len(line["calls"])
                self._was_asked |= {call["id"] for call in line["calls"]}
            case "decided":
                self._decide(line)
            case "state":
                for id, outcome in self._of_steps(line).items():
                    self._end(id, outcome)
            case "answer":
                self._answer(line)

    def _plan(self, round: int) -> None:
        self._planned[round] = self._now
        for id, worlds in self._begun.items():
            if self._round[id] == round:
                # What had begun is of a plan that nobody finds; none of that was destructive.
                tool = self._steps[id].tool
                worlds[:] = [world for world in worlds if _effect(tool, world) == "destroy"]

    # ── decisions ─────────────────────────────────────────────────────────────────────────────

    def _decide(self, line: Line) -> None:
        for call, decision in zip(line["calls"], line["decisions"], strict=True):
            if decision["type"] == "reject":
                self.rejected.add(call["id"])
            elif decision["type"] == "approve":
                self._approved[call["id"]] = call
            else:
                self._approved[call["id"]] = decision["edited_action"]["args"]

    def _begin(self, id: int, args: Mapping[str, Any]) -> None:
        planned = self._planned[self._round[id]]
        tool = self._steps[id].tool
        before = self._begun[id]
        if id in self._final:
            self.broken.append(f"task {id} ran again after it had ended")
        destroys = [_effect(tool, world) == "destroy" for world in (planned, *before)]
        if before and any(destroys):
            self.broken.append(f"task {id} ({tool}) is destructive and began again")
        before.append(self._now)
        if not self._steps[id].taken:
            self.broken.append(f"task {id} ({tool}) ran though its condition says no")
        if id in self.rejected:
            self.broken.append(f"task {id} ({tool}) was rejected and ran")
        elif id in self._approved:
            if args != self._approved[id]:
                self.broken.append(f"task {id} ({tool}) ran with {args}, not as approved")
        elif id in self._was_asked:
            self.broken.append(f"task {id} ({tool}) was asked about and ran undecided")
        elif self._asks(id, planned):
            self.broken.append(
                f"task {id} ({tool}) had to ask when it was planned, and ran unasked"
            )
        elif self._asks(id, self._now):
            self.broken.append(f"task {id} ({tool}) has to ask now, and ran unasked")

    def _asks(self, id: int, world: Mapping[str, Any]) -> bool:
        """Whether a person must decide on a task in a world."""
        tool = self._steps[id].tool
        if tool not in world["tools"]:
            return False  # it cannot run there, and no setting may name it
        if tool in world["approve"]:
            return True
        writes = _effect(tool, world) in WRITES and tool not in world["trusted_writes"]
        return writes and (self._read_before(id) or self._reached(id, world))

    def _read_before(self, id: int) -> bool:
        """Whether the planner of a task had read an untrusted result."""
        worlds = self._planned
        return any(
            _effect(step.tool, worlds[round]) == "open" and step.id in self._ended
            for round in range(1, self._round[id])
            for step in self.rounds[round - 1]
        )

    def _reached(self, id: int, world: Mapping[str, Any]) -> bool:
        return any(
            _effect(self._steps[need].tool, world) == "open" or self._reached(need, world)
            for need in (*self._steps[id].inputs, *self._steps[id].decided_by)
        )

    # ── outcomes ──────────────────────────────────────────────────────────────────────────────

    def _of_steps(self, line: Line) -> dict[int, Mapping[str, Any]]:
        """The outcomes of steps; loops, conditions and answers have some too."""
        outcomes = {int(id): outcome for id, outcome in line["outcomes"].items() if id.isdecimal()}
        return {
            id: it for id, it in outcomes.items() if id in self._steps and it["tool"] != "answer"
        }

    def _keep(self, line: Line) -> None:
        if line["what"] == "journaled":
            self._journaled[line["id"]] = line["ended"]
        kept = set(self._kept.calls)
        self._kept.take(line)
        for id in (self._kept.calls - kept) & self._steps.keys():
            self._end(id, self._journaled[id])

    def _end(self, id: int, outcome: Mapping[str, Any]) -> None:
        ended = {key: outcome[key] for key in _END}
        before = self._final.setdefault(id, ended)
        if before != ended:
            self.broken.append(f"task {id} ended {before}, and then {ended}")

    def _answer(self, line: Line) -> None:
        outcomes = self._of_steps(line)
        for id, outcome in outcomes.items():
            self._end(id, outcome)
            if (outcome["error"] or "").startswith("may have run"):
                self.maybe += 1
            if outcome["status"] == "ok":
                needs = {need: outcomes[need] for need in self._steps[id].inputs}
                if bad := [need for need, it in needs.items() if it["status"] != "ok"]:
                    self.broken.append(f"task {id} is ok and its needs {bad} are not")
                elif outcome["value"] != value(
                    id, [needs[need]["value"] for need in self._steps[id].inputs]
                ):
                    self.broken.append(f"task {id} ended {outcome['value']}")
        if lost := set(self._final) - set(outcomes):
            self.broken.append(f"the outcomes of {sorted(lost)} are lost")
        if not line["text"]:
            self.broken.append("the answer is empty")
        if not line["paired"]:
            self.broken.append("a tool call has no tool message")
        planned = ["_".join(re.findall(r"\d+", str(id))) for id in line["plan"]]
        if sorted(planned) != sorted(call.split("_", 2)[2] for call in line["calls"]):
            self.broken.append(f"the messages are of {line['calls']}, the plan is {line['plan']}")


def _effect(tool: str, world: Mapping[str, Any]) -> str | None:
    effect: str | None = world["tools"].get(tool)
    return effect
