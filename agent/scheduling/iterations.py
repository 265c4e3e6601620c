"""Goes through the lists of loops: one instance of the body for each item, some at a time.

    its data are there ─► the list ─► instances, a slice a turn ─► all ended: its value

An instance is a task like any other. What a loop comes to follows from its instances, so it is made
anew by each run and in each round.
"""

from collections.abc import Callable, Container
from dataclasses import replace

from llm_compiler.errors import PlanError
from llm_compiler.language.tasks.task import Refused, Task, is_call
from llm_compiler.language.tasks.task_ids import TaskId
from llm_compiler.scheduling.effects import EffectOrder
from llm_compiler.scheduling.facts import Known, Planned, Tools
from llm_compiler.scheduling.filling import Filling
from llm_compiler.scheduling.loop import Loop
from llm_compiler.scheduling.orders import Added, Continue, Loops, Order
from llm_compiler.scheduling.task_graph import TaskGraph
from llm_compiler.scheduling.task_record import TaskRecord

HARD_MAX_INSTANCES = 100_000
"""Of one loop, those that only compute included."""
SLICE = 32
"""Instances that are made before others get a turn."""
_NOTHING = Known()


class Iterations:
    """The loops of a schedule.

    Args:
        graph: Keeps the instances, and settles the loops.
        tools: Tell reads from writes.
        filling: Fills the lists in.
        orders: Where orders go.
        max_tasks: The most calls of a plan; None is no limit.
        plan: Takes an instance in, which is one of the loop with this record.
    """

    def __init__(
        self,
        graph: TaskGraph,
        tools: Tools,
        filling: Filling,
        orders: list[Order],
        max_tasks: int | None,
        plan: Callable[[Task | Refused, Known, TaskRecord], None],
    ) -> None:
        self._graph = graph
        self._tools = tools
        self._filling = filling
        self._orders = orders
        self._max_tasks = max_tasks
        self._plan = plan
        self._continuing: dict[TaskId, EffectOrder] = {}
        """The loops that have more iterations to make."""
        self._known: dict[TaskId, Known] = {}
        self._allowed: dict[TaskId, int] = {}
        self.calls: dict[TaskId, int] = {}
        """How many calls each loop makes, without those of loops inside."""
        self.room = SLICE
        """Instances that may be made until others get a turn: loops inside loops begin at once."""
        self._calls = 0
        """Calls of this plan so far, and those that loops are allowed to make."""

    @property
    def idle(self) -> bool:
        """No loop has more iterations to make."""
        return not self._continuing

    def note(self, planned: Planned) -> Task | Refused:
        """A task was planned. It is refused if it is a call too many."""
        task = planned.task
        counts = is_call(task.tool) and not planned.priors
        too_many = self._max_tasks is not None and self._calls >= self._max_tasks
        if counts and too_many and isinstance(task, Task):
            those = ", those of its loops included" if self.calls else ""
            why = f"the plan has more than {self._max_tasks:,} calls (max_tasks){those}; plan fewer"
            text = task.text or task.source or f"{task.tool}(…)"
            return Refused(task.id, task.tool, why, text, task.args)
        self._calls += counts
        self._known |= planned.instances
        self._allowed |= planned.allowed
        if not planned.priors:
            self._calls += sum(planned.allowed.values())
        return task

    def forget_plan(self) -> None:
        """The plan of this round broke off."""
        self._calls = 0
        records = self._graph.records
        self.calls = {id: it for id, it in self.calls.items() if id in records}
        self._continuing = {id: it for id, it in self._continuing.items() if id in records}

    def clear(self) -> None:
        """Make no more iterations."""
        self._continuing.clear()

    def begin(self, record: TaskRecord) -> None:
        """The data of a loop are there; so is its list if that was ordered."""
        task = record.task
        assert isinstance(task, Task)
        if record.state == "waiting":
            stops = (it.stops for need in record.told if (it := self._graph.records.get(need)))
            if (stopper := next(filter(None, stops), None)) is not None:
                self._graph.stop(record, stopper, task.args)
                return
            record.move("looping")
            record.unmet = 1  # until all iterations are made
            self._graph.wait_for(record, record.later_needs)
        if (filled := self._filling.begin(record)) is None:
            return
        record.filled = None
        if filled.args is None:
            self._graph.drop(record, "failed", str(filled.error))
            return
        loop = Loop(task, filled.args)
        try:
            self._check(task, loop)
        except PlanError as error:
            self._graph.drop(record, "failed", str(error))
            return
        record.loop = loop
        assert record.last_writes is not None
        before = [need for need in task.needs if need in self._graph.records]
        self._continuing[task.id] = EffectOrder(
            self._tools, (task.id, *task.needs), since=before, last_of=record.last_writes
        )
        if loop.calls:
            self.calls[task.id] = loop.calls * len(loop.items)
            self._orders.append(Loops(task.id, self.calls[task.id]))
        self.go_on(record)

    def go_on(self, record: TaskRecord | None) -> None:
        """Make some iterations of a loop, unless its plan broke off or its time passed since."""
        if record is None or record.loop is None or record.id not in self._continuing:
            return
        loop, order = record.loop, self._continuing[record.id]
        while self.room > 0 and not loop.complete:
            before = len(loop.tasks)
            for task in loop.next_iteration():
                self._make(order.ordered(task), record)
            self._graph.wait_for(record, loop.tasks[before:])
            self.room -= loop.size
        if loop.complete:
            del self._continuing[record.id]
            self._graph.made_all(record)
        else:
            self._orders.append(Continue(record.id))

    def _make(self, made: Task | Refused, record: TaskRecord) -> None:
        known = self._known.get(made.id, _NOTHING)
        records = self._graph.records
        task = _as_stored(made, known.task, records) if isinstance(made, Task) else made
        self._orders.append(Added(task, bool(known.priors)))
        self._plan(task, known, record)

    def _check(self, task: Task, loop: Loop) -> None:
        """Check that a loop does not make too much.

        Raises:
            PlanError: it would.
        """
        count = len(loop.items)
        calls = loop.calls * count
        more = calls - self._allowed.get(task.id, 0)
        left = 0 if self._max_tasks is None else max(0, self._max_tasks - self._calls)
        if more > 0 and self._max_tasks is not None and more > left:
            most = "up to " if loop.conditional else ""
            raise PlanError(
                f"line {task.line} would make {most}{calls:,} calls; max_tasks leaves {left:,}"
            )
        if loop.size * count > HARD_MAX_INSTANCES:
            raise PlanError(
                f"line {task.line} would make {loop.size * count:,} tasks; at most"
                f" {HARD_MAX_INSTANCES:,} are possible, so go through less"
            )
        self._calls += max(0, more)


def _as_stored(
    made: Task, stored: Task | Refused | None, planned: Container[TaskId]
) -> Task | Refused:
    """An instance, with what a person made of it and what was stored when it was planned.

    It waits for what the person wrote among its needs, as far as that comes before it in the
    program.
    """
    if stored is None or isinstance(stored, Refused):
        return stored or made
    added = [need for need in stored.needs if need not in made.needs]
    if unknown := [need for need in added if isinstance(need, int) and need not in planned]:
        error = f"no task has the id {unknown[0]}; take it out of the needs of {made.id}"
        return Refused(made.id, stored.tool, error, f"{stored.tool}(…)", stored.args)
    needs = (*made.needs, *(need for need in added if need in planned))
    rules = (*made.rules, *stored.rules)
    return replace(
        made, tool=stored.tool, args=stored.args, needs=needs, taint=stored.taint or "", rules=rules
    )
