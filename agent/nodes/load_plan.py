"""Plans the tasks of the state again: those that have ended settle at once if not edited."""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from llm_compiler.language.evaluation.references import literal
from llm_compiler.language.stored_tasks import as_planned, compile_data
from llm_compiler.language.tasks.task import (
    EACH,
    Outcome,
    OutcomeData,
    Refused,
    Task,
    TaskData,
    did_not_compile,
)
from llm_compiler.language.tasks.task_ids import TaskId, is_instance, loop_of, loops_around, root_of
from llm_compiler.pacing import MANY, off_loop, paced
from llm_compiler.run.resources import Round
from llm_compiler.scheduling.facts import Known, Planned, Prior


@dataclass(frozen=True)
class Stored:
    """What is stored of a turn."""

    plan: Sequence[TaskData]
    """The tasks, of all rounds, and the instances of loops that have run."""
    outcomes: Mapping[str, OutcomeData]
    names: Mapping[str, str]
    """What the variables of the turn stand for."""
    journaled: Mapping[str, Sequence[Prior]] = field(default_factory=dict)
    """How calls ended that the state does not have yet, by their tasks' keys."""
    asked: Collection[str] = ()
    """The keys of the tasks whose calls a person was asked about."""
    loops: Mapping[str, int] = field(default_factory=dict)
    """How many calls loops make that the state does not have yet, by key."""


async def load(round: Round, stored: Stored) -> None:
    """Plan the tasks of the state again."""
    loading = await off_loop(len(stored.plan) > MANY, _Loading, round, stored)
    async for data in paced(stored.plan):
        if not is_instance(data["id"]):
            many = len(loading.instances[data["id"]]) > MANY
            round.unit.tell(await off_loop(many, loading.planned, data))


class _Loading:
    def __init__(self, round: Round, stored: Stored) -> None:
        self._round = round
        self._stored = stored
        self.instances = self._by_loop()
        self._calls = Counter(
            loop for it in stored.outcomes.values() if (loop := loop_of(it["id"])) is not None
        )

    def planned(self, data: TaskData) -> Planned:
        """A task of the plan, with all that is known of it and of its instances."""
        known = self._known(data["id"], data["key"], data)
        assert known.task is not None
        if data["tool"] != EACH:
            return Planned(known.task, known.priors, known.asked)
        key, instances = data["key"], self.instances[data["id"]]
        allowed = {it: n for it, n in self._calls.items() if root_of(it)[0] == data["id"]}
        for loop, calls in self._stored.loops.items():
            if loop == key or loop.startswith(f"{key}["):
                rest = loop[len(key) :]
                allowed[f"{data['id']}{rest}" if rest else data["id"]] = calls
        entries = {
            id: self._known(id, f"{key}{root_of(id)[1]}", it) for id, it in instances.items()
        }
        return Planned(known.task, known.priors, known.asked, entries, allowed)

    def _by_loop(self) -> Mapping[TaskId, dict[TaskId, TaskData | None]]:
        """The instances of which something is known, by the task of the plan that they belong to.

        An entry of the plan counts unless its loop was edited since: then it is made anew.
        """
        found: defaultdict[TaskId, dict[TaskId, TaskData | None]] = defaultdict(dict)
        stored, roots = self._stored, dict[str, TaskId]()
        for data in stored.plan:
            if data["tool"] == EACH:
                roots[data["key"]] = data["id"]
        for key in (*stored.journaled, *stored.asked):
            root, bracket, rest = key.partition("[")
            if bracket and root in roots:
                found[roots[root]][f"{roots[root]}[{rest}"] = None
        for outcome in stored.outcomes.values():
            if is_instance(id := outcome["id"]):
                found[root_of(id)[0]][id] = None
        edited = {it["id"] for it in stored.plan if it["tool"] == EACH and self._is_edited(it)}
        for data in stored.plan:
            if is_instance(data["id"]) and edited.isdisjoint(loops_around(data["id"])):
                found[root_of(data["id"])[0]][data["id"]] = data
        return found

    def _is_edited(self, loop: TaskData) -> bool:
        ended = self._stored.outcomes.get(str(loop["id"]))
        return ended is not None and ended["args"] != loop["args"]

    def _known(self, id: TaskId, key: str, data: TaskData | None) -> Known:
        before = self._stored.outcomes.get(str(id))
        found = self._stored.journaled.get(key, ())
        priors = [prior for prior in found if prior.outcome.id == id]
        if before is not None:
            priors.append(Prior.of(Outcome.of(before)))
        task = None if data is None else self._task(data, priors)
        return Known(task, tuple(priors), key in self._stored.asked)

    def _task(self, data: TaskData, priors: Sequence[Prior]) -> Task | Refused:
        if priors and did_not_compile(data) and _failed_without_a_call(last := priors[-1].outcome):
            text = data.get("text", "")
            return Refused(data["id"], data["tool"], last.error or "", text, data["args"])
        # Of a loop that has begun, what has ended stands without its tool; other iterations fail.
        names, ended = self._stored.names, bool(priors or self.instances.get(data["id"]))
        task = compile_data(self._round.tools, data, names=names, ended=ended)
        if priors and isinstance(task, Refused) and did_not_compile(data):
            # Its text compiled when it ran; by now its tool is not there.
            ran = priors[-1]
            return as_planned(Task(data["id"], ran.outcome.tool, literal(dict(ran.planned))), data)
        return task


def _failed_without_a_call(outcome: Outcome) -> bool:
    return outcome.status == "failed" and not outcome.attempts
