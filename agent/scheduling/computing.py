"""What is only computed: expressions, and the values of loops whose instances have ended.

It takes no slot, is never shared, and runs as soon as it can.
"""

from itertools import count

from llm_compiler.errors import PlanError
from llm_compiler.language.evaluation.compute import references
from llm_compiler.language.evaluation.references import NoRoomError, Room
from llm_compiler.language.tasks.task import Outcome, Status, Task
from llm_compiler.language.tasks.task_ids import loops_around
from llm_compiler.scheduling.facts import Computed
from llm_compiler.scheduling.orders import Compute, Gather, Order
from llm_compiler.scheduling.results import Results
from llm_compiler.scheduling.task_graph import TaskGraph
from llm_compiler.scheduling.task_record import TaskRecord

_PARTS_OF_AN_INSTANCE = 10
_SHARE_OF_ALL = 8
"""A loop with a larger share of all tasks gets all results: to copy them takes less time."""


class Computing:
    """Orders what a schedule computes, and takes the values in.

    They follow from the results, so they are computed anew by each run and in each round: what a
    person makes of a result reaches all that was computed from it.

    Args:
        graph: Settles the tasks.
        orders: Where orders go.
        room: How much of loops' values is put together without an order.
    """

    def __init__(self, graph: TaskGraph, orders: list[Order], room: Room) -> None:
        self._graph = graph
        self._orders = orders
        self._room = room
        self._numbers = count()
        self._running = 0

    @property
    def idle(self) -> bool:
        """Nothing is being computed."""
        return not self._running

    def begin(self, record: TaskRecord, found: Results) -> None:
        """All needs of a task have ended: order its expression."""
        task = record.task
        assert isinstance(task, Task)
        expression = str(task.args["expression"])
        results = {id: found.found(id) for id in references(expression)}
        self._order(record, Compute(next(self._numbers), task.id, expression, results))

    def gather(self, record: TaskRecord, found: Results) -> None:
        """All instances of a loop have ended: put its value together, or order that."""
        loop, task, number = record.loop, record.task, next(self._numbers)
        assert loop is not None
        assert isinstance(task, Task)
        self._room.left -= _PARTS_OF_AN_INSTANCE * len(loop.tasks)
        if self._room.left > 0:
            try:
                computed = gather(Gather(number, task.id, loop, found), self._room)
            except NoRoomError:
                pass
            else:
                self._settle(record, computed)
                return
        if len(loop.tasks) > len(self._graph.records) // _SHARE_OF_ALL:
            results = found.all()
        else:
            results = found.only([*loop.tasks, *task.needs, task.id, *loops_around(task.id)])
        self._order(record, Gather(number, task.id, loop, results))

    def _order(self, record: TaskRecord, order: Compute | Gather) -> None:
        record.computing = order
        record.move("computing")
        self._running += 1
        self._orders.append(order)

    def end(self, record: TaskRecord | None, computed: Computed) -> None:
        """Settle a task with its value, unless its plan broke off or its time passed meanwhile."""
        self._running -= 1
        if record is None or record.state != "computing" or record.computing is None:
            return
        if record.computing.number == computed.number:
            self._settle(record, computed)

    def _settle(self, record: TaskRecord, it: Computed) -> None:
        task = record.task
        status: Status = "ok" if it.error is None else "skipped" if it.skipped else "failed"
        times = it.started_at, it.ended_at
        outcome = Outcome(task.id, task.tool, status, task.args, it.value, it.error, *times, 1)
        self._graph.settle_anew(record, outcome)


def gather(order: Gather, room: Room | None = None) -> Computed:
    """The value of a loop, none of whose instances has failed; or why there is none.

    Raises:
        NoRoomError: there is not enough room.
    """
    find, value = order.results.outcome, None
    if (error := order.loop.failure(find)) is None:
        try:
            value = order.loop.value(find, order.results.value, room)
        except PlanError as raised:
            error = str(raised)
    return Computed(order.number, order.id, value, error)
