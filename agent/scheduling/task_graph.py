"""The tasks of a turn and what they wait for: from planned to needs met, and how each ended."""

from collections import defaultdict, deque
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any, Literal

from llm_compiler.language.tasks.task import Outcome, Refused, Task, is_call
from llm_compiler.language.tasks.task_ids import TaskId
from llm_compiler.scheduling.conditions import why_skipped
from llm_compiler.scheduling.critical_path import Heights, find_cycle
from llm_compiler.scheduling.effects import data_needs
from llm_compiler.scheduling.facts import Prior
from llm_compiler.scheduling.invariants import validate_needs
from llm_compiler.scheduling.orders import Order, Settle
from llm_compiler.scheduling.results import how
from llm_compiler.scheduling.shared_calls import Call
from llm_compiler.scheduling.steps import EVERY, Steps
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

    def add(
        self,
        task: Task | Refused,
        priors: Sequence[Prior],
        asked: bool,
        loop: TaskRecord | None = None,
    ) -> TaskRecord:
        """Take a task in, an instance of `loop` if that is given."""
        earlier = bool(priors) if loop is None else loop.earlier
        record = self.records[task.id] = TaskRecord(task.id, task, priors, earlier, asked)
        if isinstance(task, Task):
            record.data = data_needs(task)
        self.unsettled += 1
        return record

    def connect(self, record: TaskRecord) -> None:
        """Let a new task wait for its needs; settle it if it does not compile with the others."""
        task = record.task
        if isinstance(task, Refused):
            self.drop(record, "failed", task.error)
        elif (refused := record.refused_before()) is not None:
            self.settle(record, refused, announce=False)
        elif (task.id in self._dependants or task.id in task.needs) and (
            cycle := find_cycle(task, self._waiting_needs, self._dependants_of)
        ):
            drawn = " → ".join(map(str, cycle))
            for id in cycle[:-1]:
                self._refuse(self.records[id], f"dependency cycle: {drawn}")
        else:
            self._wait(record)

    def end(self) -> Steps:
        """No more tasks come: a need that no task has as its id is unknown."""
        for number, record in enumerate(self.records.values()):
            if number % EVERY == EVERY - 1:
                yield
            task = record.task
            if record.state not in ("waiting", "looping") or not isinstance(task, Task):
                continue
            unknown = [need for need in task.needs if need not in self.records]
            follows = record.loop is not None or isinstance(record.id, str)
            if certain := [need for need in unknown if not (follows or need in task.maybe)]:
                known = ", ".join(map(str, islice(self.records, 20)))
                self._refuse(record, f"no task has the id {certain[0]}; there are {known}")
            elif unknown:
                # "a $5 bill", and no task 5: it was plain text after all. Or a person wrote the id
                # into the needs of a loop that goes on by now.
                needs = tuple(need for need in task.needs if need in self.records)
                record.task = replace(task, needs=needs)
                record.unmet -= len(unknown)
                if not record.unmet:
                    self._moved.append(record)

    def forget_plan(self) -> Generator[None, None, dict[TaskId, TaskRecord]]:
        """Forget the tasks of this round; return their records, as they were."""
        forgotten = {id: record for id, record in self.records.items() if not record.earlier}
        for id, record in forgotten.items():
            yield
            del self.records[id]
            if record.outcome is None:
                self.unsettled -= 1
                why = "the planner's stream broke off; a new plan follows"
                self._orders.append(Settle(Outcome(id, record.task.tool, "skipped", error=why)))
        # The remaining tasks are of earlier rounds: edited ones, which may wait for each other.
        self._dependants.clear()
        self.heights.clear()
        for record in self.records.values():
            yield
            if record.state == "waiting":
                self._wait(record)
            elif record.state == "looping":
                self.wait_for_instances(record)
        return forgotten

    def met(self) -> Iterator[TaskRecord | None]:
        """Notify the waiting tasks; yield those whose needs have all ended, those for data ok, and
        None after other steps.

        A task that comes after one that failed is yielded too, with its `stopper`, and one that its
        condition skips, `untaken`; a loop is once for its data and once for its instances.
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
                is_met = False
                if record.state in ("waiting", "asked", "looping") and self._goes_on(record, moved):
                    record.unmet -= 1
                    is_met = not record.unmet
                yield record if is_met else None

    def waiting_in_order(self) -> Iterator[TaskRecord | None]:
        """The waiting tasks that have their data, and come after others that have not ended; None
        after other steps."""
        for number, record in enumerate(self.records.values()):
            if (
                record.state == "waiting"
                and is_call(record.task.tool)
                and record.stopper is None
                and not record.untaken
                and (record.when is None or self._ended(record.when.id))
                and all(need not in record.data or self._ended(need) for need in record.needs)
            ):
                yield record
            elif number % EVERY == EVERY - 1:
                yield None

    # ── settling ──────────────────────────────────────────────────────────────────────────────

    def settle(self, record: TaskRecord, outcome: Outcome, *, announce: bool = True) -> None:
        """A task has ended. One that ends as it did before is not announced again."""
        for prior in reversed(record.priors):
            it = prior.outcome
            if (it.status, it.untaken) == (outcome.status, outcome.untaken):
                outcome, announce = it, False
                break
        record.priors = ()
        record.move("settled")
        record.outcome = outcome
        self.unsettled -= 1
        self._moved.append(record)
        if announce:
            self._orders.append(Settle(outcome))

    def settle_anew(self, record: TaskRecord, outcome: Outcome) -> None:
        """A task that follows from others has ended; it is not announced if it ends as before."""
        same = record.same_before(outcome)
        record.priors = ()
        self.settle(record, same or outcome, announce=same is None)

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

    def skip_untaken(self, record: TaskRecord) -> None:
        """Skip a task whose condition says no, which is no failure."""
        task, why = record.task, record.untaken
        if record.writes:
            stops = (self.records[need].stops for need in record.needs if need in self.records)
            record.stopper = next(filter(None, stops), None)
        outcome = Outcome(task.id, task.tool, "skipped", task.args, error=why, untaken=True)
        self.settle(record, outcome)

    def stop(self, record: TaskRecord, stopper: Outcome, args: Mapping[str, Any]) -> None:
        """Skip a task that comes after one that failed."""
        self.drop(record, "skipped", f"comes after {stopper.id}, which {how(stopper)}", args)

    def settle_owners(self, call: Call) -> Steps:
        """Give the tasks that wait for a call its outcome."""
        for id in call.owners:
            self.settle(self.records[id], call.outcome(id))
            yield

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
        """Whether a task goes on now that one of its needs has ended; else it ends by that."""
        condition = None if record.when is None else self.records.get(record.when.id)
        was_untaken = bool(record.untaken)
        known = None if condition is None else condition.outcome
        if why := why_skipped(record, need, known):
            self.drop(record, "skipped", why)
            return False
        if was_untaken or not record.untaken:
            return True
        if record.writes:
            # What comes after it waits for it alone, and must not start before its needs end.
            self.wait_for(record, record.later_needs)
            return True
        self.skip_untaken(record)
        return False

    def wait_for(self, record: TaskRecord, needs: Iterable[TaskId]) -> None:
        """Let a loop wait for more tasks."""
        for need in needs:
            if self._ended(need):
                self._goes_on(record, self.records[need])
            else:
                record.unmet += 1
                self._dependants[need].append(record.id)

    def wait_for_instances(self, record: TaskRecord) -> None:
        """Let a loop wait for the instances that there are, and until all are made."""
        loop = record.loop
        record.unmet = 0 if loop is not None and loop.complete else 1
        self.wait_for(record, [*record.later_needs, *(() if loop is None else loop.tasks)])

    def made_all(self, record: TaskRecord) -> None:
        """All instances of a loop are there: it ends when they have."""
        record.unmet -= 1
        if not record.unmet:
            self._moved.append(record)

    def _wait(self, record: TaskRecord) -> None:
        """Wait for the needs that have not ended; skip the task if one for data is not ok."""
        record.unmet = 0
        record.stopper, record.untaken, record.lacking = None, "", ""
        for need in record.first_needs:
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
        if record is None or record.state not in ("waiting", "looping"):
            return ()
        return record.needs if record.loop is None else (*record.needs, *record.loop.tasks)

    def _dependants_of(self, id: TaskId) -> Iterator[TaskId]:
        waiting = ("waiting", "looping")
        return (it for it in self._dependants.get(id, ()) if self.records[it].state in waiting)

    def validate(self) -> None:
        """Raises AssertionError if states, outcomes, needs and counts disagree."""
        assert not self._moved, "a task has moved and its dependants were not notified"
        unsettled = sum(record.state != "settled" for record in self.records.values())
        assert unsettled == self.unsettled, f"{self.unsettled} counted, {unsettled} unsettled"
        validate_needs(self.records, self._dependants)
