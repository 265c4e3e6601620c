"""The tasks of a turn and what they wait for: from planned to needs met, and how each ended."""

from collections import defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any, Literal

from llm_compiler.language.task import Outcome, Refused, Task
from llm_compiler.language.task_ids import TaskId
from llm_compiler.scheduling.critical_path import Heights, find_cycle
from llm_compiler.scheduling.effects import data_needs
from llm_compiler.scheduling.facts import Order, Prior, Settle
from llm_compiler.scheduling.shared_calls import Call
from llm_compiler.scheduling.task_record import TaskRecord


class TaskGraph:
    """Keeps the records of the tasks, and notifies each when its needs have ended.

    Args:
        orders: Where tasks that settle are announced.
    """

    def __init__(self, orders: list[Order]) -> None:
        self.records: dict[TaskId, TaskRecord] = {}
        """In the order of planning."""
        self.unsettled = 0
        self.heights = Heights(self._waiting_needs)
        self._orders = orders
        self._dependants: defaultdict[TaskId, list[TaskId]] = defaultdict(list)
        """Who waits for whom, also for a task that is not planned yet."""
        self._moved: deque[TaskRecord] = deque()
        """Settled tasks whose dependants are to be notified, and tasks whose needs are met."""

    def add(self, task: Task | Refused, priors: Sequence[Prior], asked: bool) -> TaskRecord:
        record = self.records[task.id] = TaskRecord(task.id, task, priors, bool(priors), asked)
        if isinstance(task, Task):
            record.data = data_needs(task)
        self.unsettled += 1
        return record

    def connect(self, record: TaskRecord) -> None:
        """Let a new task wait for its needs; settle it if it does not compile with the others."""
        task = record.task
        if isinstance(task, Refused):
            self.drop(record, "failed", task.error)
        elif (refused := _refused_before(record.priors, task)) is not None:
            self.settle(record, refused, announce=False)
        elif (task.id in self._dependants or task.id in task.needs) and (
            cycle := find_cycle(task, self._waiting_needs, self._dependants_of)
        ):
            drawn = " → ".join(map(str, cycle))
            for id in cycle[:-1]:
                self._refuse(self.records[id], f"dependency cycle: {drawn}")
        else:
            self._wait(record)

    def end(self) -> None:
        """No more tasks come: a need that no task has as its id is unknown."""
        self.heights.complete = True
        for record in self.records.values():
            task = record.task
            if record.state != "waiting" or not isinstance(task, Task):
                continue
            unknown = [need for need in task.needs if need not in self.records]
            if certain := [need for need in unknown if need not in task.maybe]:
                known = ", ".join(map(str, islice(self.records, 20)))
                self._refuse(record, f"no task has the id {certain[0]}; there are {known}")
            elif unknown:
                # "a $5 bill", and no task 5: it was plain text after all.
                needs = tuple(need for need in task.needs if need in self.records)
                record.task = replace(task, needs=needs)
                record.unmet -= len(unknown)
                if not record.unmet:
                    self._moved.append(record)

    def forget_plan(self) -> dict[TaskId, TaskRecord]:
        """Forget the tasks of this round; return their records, as they were."""
        forgotten = {id: record for id, record in self.records.items() if not record.earlier}
        for id, record in forgotten.items():
            del self.records[id]
            if record.outcome is None:
                self.unsettled -= 1
                why = "the planner's stream broke off; a new plan follows"
                self._orders.append(Settle(Outcome(id, record.task.tool, "skipped", error=why)))
        # The remaining tasks are of earlier rounds: edited ones, which may wait for each other.
        self._dependants.clear()
        self.heights.clear()
        for record in self.records.values():
            if record.state == "waiting":
                self._wait(record)
        return forgotten

    def met(self) -> Iterator[TaskRecord]:
        """Notify the waiting tasks; yield those whose needs have all ended, those for data ok.

        A task that comes after one that failed is yielded too, with its `stopper`.
        Skipping one task can strand another, and so can what the caller does with a yielded task,
        so this continues until nothing moves.
        """
        while self._moved:
            moved = self._moved.popleft()
            if moved.outcome is None:
                yield moved
                continue
            for id in self._dependants.pop(moved.id, ()):
                record = self.records[id]
                if record.state not in ("waiting", "asked") or not self._goes_on(record, moved):
                    continue
                record.unmet -= 1
                if not record.unmet:
                    yield record

    def waiting_in_order(self) -> list[TaskRecord]:
        """The waiting tasks that have their data, and come after others that have not ended."""
        return [
            record
            for record in self.records.values()
            if record.state == "waiting"
            and record.stopper is None
            and all(need not in record.data or self._ended(need) for need in record.needs)
        ]

    # ── settling ──────────────────────────────────────────────────────────────────────────────

    def settle(self, record: TaskRecord, outcome: Outcome, *, announce: bool = True) -> None:
        """A task has ended. One that ends as it did before is not announced again."""
        for prior in reversed(record.priors):
            if prior.outcome.status == outcome.status:
                outcome, announce = prior.outcome, False
                break
        record.priors = ()
        record.move("settled")
        record.outcome = outcome
        self.unsettled -= 1
        self._moved.append(record)
        if announce:
            self._orders.append(Settle(outcome))

    def drop(
        self,
        record: TaskRecord,
        status: Literal["failed", "skipped"],
        error: str,
        args: Mapping[str, Any] | None = None,
    ) -> None:
        """A task ends without a call; `args` are its arguments with the references filled in."""
        task = record.task
        if args is None:
            args = task.args
        self.settle(record, Outcome(task.id, task.tool, status, args, error=error))

    def stop(self, record: TaskRecord, stopper: Outcome, args: Mapping[str, Any]) -> None:
        """Skip a task that comes after one that failed."""
        self.drop(record, "skipped", f"comes after {stopper.id}, which {_how(stopper)}", args)

    def settle_owners(self, call: Call) -> None:
        """Give the tasks that wait for a call its outcome."""
        for id in call.owners:
            self.settle(self.records[id], call.outcome(id))

    def _refuse(self, record: TaskRecord, error: str) -> None:
        """A task that parsed turns out not to compile with the others."""
        task = record.task
        assert isinstance(task, Task)
        record.task = Refused(task.id, task.tool, error, task.text)
        self.drop(record, "failed", error)

    # ── who waits for whom ────────────────────────────────────────────────────────────────────

    def _ended(self, need: TaskId) -> bool:
        return need in self.records and self.records[need].outcome is not None

    def _goes_on(self, record: TaskRecord, need: TaskRecord) -> bool:
        """Whether a task goes on now that one of its needs has ended; else it is skipped."""
        if need.id not in record.data:
            record.stopper = record.stopper or need.stops
        elif need.outcome is not None and not need.outcome.ok:
            self.drop(record, "skipped", f"needs {need.id}, which {_how(need.outcome)}")
            return False
        return True

    def _wait(self, record: TaskRecord) -> None:
        """Wait for the needs that have not ended; skip the task if one for data is not ok."""
        record.unmet = 0
        record.stopper = None
        for need in record.needs:
            known = self.records.get(need)
            if known is None or known.outcome is None:
                record.unmet += 1
                self._dependants[need].append(record.id)
            elif not self._goes_on(record, known):
                return
        if record.unmet:
            self.heights.add(record.id)
        else:
            self._moved.append(record)

    def _waiting_needs(self, id: TaskId) -> tuple[TaskId, ...]:
        record = self.records.get(id)
        if record is None or record.state != "waiting":
            return ()
        return record.needs

    def _dependants_of(self, id: TaskId) -> Iterator[TaskId]:
        return (it for it in self._dependants.get(id, ()) if self.records[it].state == "waiting")

    # ── invariants ────────────────────────────────────────────────────────────────────────────

    def validate(self) -> None:
        """Raises AssertionError if states, outcomes, needs and counts disagree."""
        assert not self._moved, "a task has moved and its dependants were not notified"
        unsettled = sum(record.state != "settled" for record in self.records.values())
        assert unsettled == self.unsettled, f"{self.unsettled} counted, {unsettled} unsettled"
        for id, record in self.records.items():
            record.validate()
            assert record.id == id, f"task {record.id} is stored under {id}"
            if record.state == "waiting" or (record.state == "asked" and record.unmet):
                self._validate_waiting(record)
            elif record.state != "settled":
                self._validate_met(record)

    def _validate_waiting(self, record: TaskRecord) -> None:
        ended = [need for need in record.needs if self._ended(need)]
        unmet = len(record.needs) - len(ended)
        assert record.unmet == unmet > 0, f"{record} counts {record.unmet} of {unmet} unmet needs"
        data = [self.records[need] for need in ended if need in record.data]
        assert all(map(record.is_met_by, data)), f"{record} waits though a need is not ok"
        for need in record.needs:
            if not self._ended(need):
                assert record.id in self._dependants[need], f"{need} will not notify {record}"

    def _validate_met(self, record: TaskRecord) -> None:
        for need in record.needs:
            known = self.records.get(need)
            if record.earlier and (known is None or not known.earlier):
                continue  # the plan of the need may have broken off since
            if record.state == "asked" and need not in record.data:
                continue  # it may be rejected though it comes after a failure
            ok = known is not None and record.is_met_by(known)
            assert ok, f"{record} is {record.state} and its need {need} is not ok"


def _how(outcome: Outcome) -> str:
    return "failed" if outcome.status == "failed" else f"was {outcome.status}"


def _refused_before(priors: Sequence[Prior], task: Task) -> Outcome | None:
    """How a task failed without a call, if it was not edited since: its tool was not there, say.

    It stands, whatever its tool would take by now.
    """
    for prior in reversed(priors):
        it = prior.outcome
        if (it.status, it.attempts, it.tool, it.args) == ("failed", 0, task.tool, task.args):
            return it
    return None
