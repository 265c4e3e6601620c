"""Checks which promises about restarts a ledger breaks. Pure: lines in, faults out.

A plan is stored once the checkpoint that it was written for is stored too, and an outcome once its
plan is. With durability "async", LangGraph may write the one before the other, and without its
checkpoint it is not found again.
"""

import calendar
import re
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tests.campaigns.dag import Step, ends
from tests.campaigns.ledger import Line
from tests.campaigns.restartable import ANSWER

_SINCE = re.compile(r"may have run: it began at ([\d-]+ [\d:]+) UTC")
_LONGEST_CLAIM = 10.0
"""Seconds between a claim and the beginning of its call, on a machine that does much else."""


@dataclass
class Found:
    """What a ledger tells of one turn."""

    broken: list[str] = field(default_factory=list)
    cut: int = 0
    """Destructive calls that a kill cut in the middle."""
    maybe: int = 0
    """Destructive calls that may have run, by their outcome."""
    again: int = 0
    """Other calls that were begun again, since their result had not been journaled."""


class Kept:
    """What is in the store for good."""

    def __init__(self) -> None:
        self.rounds: set[int] = set()
        self.calls: set[int] = set()
        self._checkpoints: set[str] = set()
        self._waiting: defaultdict[str, list[Line]] = defaultdict(list)

    def take(self, line: Line) -> None:
        """A checkpoint, or what waits until one is stored: a plan, or an outcome for its plan."""
        checkpoint = line["checkpoint"]
        if line["what"] == "checkpoint":
            self._checkpoints.add(checkpoint)
        else:
            self._waiting[checkpoint].append(line)
        if checkpoint in self._checkpoints:
            for it in self._waiting.pop(checkpoint, ()):
                if it["what"] == "saved":
                    self.rounds.add(it["round"])
                    for plan in it.get("plans", ()):
                        self.take({"what": "checkpoint", "checkpoint": plan})
                else:
                    self.calls.add(it["id"])


def judged(
    rounds: Sequence[Sequence[Step]],
    lines: Sequence[Line],
    longest_claim: float = _LONGEST_CLAIM,
    ids: Mapping[int, str] | None = None,
) -> Found:
    """Hold the ledger of a turn against the promises.

    Args:
        rounds: The steps of its plans.
        lines: The ledger.
        longest_claim: Seconds between a claim and the beginning of its call.
        ids: What the tasks of steps are called that are not called by their numbers.
    """
    found = Found()
    numbers = {id: number for number, id in (ids or {}).items()}
    lines = [by_number(line, numbers) for line in lines]
    steps = {step.id: step for steps in rounds for step in steps}
    kept = Kept()
    begun: Counter[int] = Counter()
    ended: set[int] = set()
    began: dict[int, float] = {}
    for line in lines:
        id = line.get("id", 0)
        match line["what"]:
            case "checkpoint" | "saved" | "journaled":
                kept.take(line)
            case "planner" if line["round"] in kept.rounds:
                found.broken.append(f"the planner wrote round {line['round']} again")
            case "begin":
                began[id] = line["at"]
                begun[id] += 1
                if id in kept.calls:
                    found.broken.append(f"task {id} ran again after it was journaled")
                if steps[id].destructive and begun[id] > 1:
                    found.broken.append(f"task {id} is destructive and began {begun[id]} times")
            case "end":
                ended.add(id)
    found.again = sum(times - 1 for times in begun.values())
    found.cut = sum(steps[id].destructive and id not in ended for id in begun)
    answers = [line for line in lines if line["what"] == "answer"]
    if answers:
        found.maybe = len(_maybe(answers[-1]))
        found.broken += _in_the_answer(rounds, lines, answers[-1], began, ended, longest_claim)
    else:
        found.broken.append("no answer came")
    return found


def by_number(line: Line, numbers: Mapping[str, int]) -> Line:
    """A line of the ledger with the numbers of steps in place of what their tasks are called."""
    if line["what"] == "journaled":
        return {**line, "id": numbers.get(str(line["id"]), line["id"])}
    if line["what"] in ("answer", "state"):
        ended = {str(numbers.get(id, id)): it for id, it in line["outcomes"].items()}
        # Loops, and those inside loops, have outcomes too.
        return {**line, "outcomes": {id: it for id, it in ended.items() if id.isdecimal()}}
    return line


def _maybe(answer: Line) -> dict[int, str]:
    errors = {int(id): outcome["error"] or "" for id, outcome in answer["outcomes"].items()}
    return {id: error for id, error in errors.items() if error.startswith("may have run")}


def _in_the_answer(
    rounds: Sequence[Sequence[Step]],
    lines: Sequence[Line],
    answer: Line,
    began: dict[int, float],
    ended: set[int],
    longest_claim: float,
) -> list[str]:
    """What is wrong with the outcomes, the messages, and what the joiner was told."""
    broken = []
    steps = [step for steps in rounds for step in steps]
    maybe = _maybe(answer)
    if answer["text"] != ANSWER:
        broken.append(f"the answer is {answer['text']!r}")
    if not answer["paired"]:
        broken.append("a tool call has no tool message")
    told = [line["prompt"] for line in lines if line["what"] == "joiner"]
    for id, error in maybe.items():
        if not next(step for step in steps if step.id == id).destructive:
            broken.append(f"task {id} is not destructive: {error}")
        if not told or error not in told[-1]:
            broken.append(f"the joiner was not told of task {id}: {error}")
        if (at := began.get(id)) is not None and not 0 <= at - _since(error) <= longest_claim:
            broken.append(f"task {id} began at {at}: {error}")
    expected = ends(rounds, maybe)
    for step in steps:
        outcome = answer["outcomes"].get(str(step.id))
        end = outcome and (outcome["status"], outcome["value"])
        if step.destructive and step.id in began and step.id not in ended and step.id not in maybe:
            broken.append(f"task {step.id} was cut in the middle, and its outcome is {outcome}")
        elif end != expected[step.id]:
            broken.append(f"task {step.id} ended {outcome} and not {expected[step.id]}")
    return broken


def _since(error: str) -> float:
    since = _SINCE.match(error)
    return calendar.timegm(time.strptime(since[1], "%Y-%m-%d %H:%M:%S")) if since else 0.0
