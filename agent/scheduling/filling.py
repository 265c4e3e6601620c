"""Fills the arguments of tasks in: at once where they are small, else by an order of their own.

What a result of millions of parts takes to be filled in and checked would hold up everything else.
"""

from collections.abc import Sequence
from itertools import count

from llm_compiler.errors import PlanError, ToolError
from llm_compiler.language.evaluation.budget import Budget
from llm_compiler.language.evaluation.parts import items
from llm_compiler.language.evaluation.references import NoRoomError, Room, references, substitute
from llm_compiler.language.tasks.task import EACH, Task
from llm_compiler.scheduling.facts import Filled, Prior, Tools
from llm_compiler.scheduling.orders import Fill, Found, Order
from llm_compiler.scheduling.results import Results
from llm_compiler.scheduling.task_record import TaskRecord

IN_LINE = 20_000
"""Parts that are filled in at once while one fact is handled."""
_PARTS_OF_A_TASK = 100
"""What a task counts besides."""


class Filling:
    """The tasks of a schedule whose arguments are being filled in.

    Args:
        results: What references refer to.
        tools: Check the arguments.
        orders: Where orders go.
        room: How much is filled in without an order.
    """

    def __init__(self, results: Results, tools: Tools, orders: list[Order], room: Room) -> None:
        self._results = results
        self._tools = tools
        self._orders = orders
        self._room = room
        self._numbers = count()
        self._ordered = 0

    @property
    def idle(self) -> bool:
        """Nothing is being filled in."""
        return not self._ordered

    def begin(self, record: TaskRecord) -> Filled | None:
        """The filled arguments of a task whose data are there; None if they are on their way."""
        if record.filled is not None or record.filling is not None:
            return record.filled
        task, number, large = record.task, next(self._numbers), False
        assert isinstance(task, Task)
        self._room.left -= _PARTS_OF_A_TASK
        if self._room.left > 0:
            try:
                return _fill(number, task, record.priors, self._results, self._tools, self._room)
            except NoRoomError:
                large = True
        given = task.args["items"] if task.tool == EACH else task.args
        ids = [it.id for it in references(given) if it.certain or it.id in task.needs]
        record.filling = Fill(number, task, record.priors, self._results.only(ids), large)
        self._ordered += 1
        self._orders.append(record.filling)
        return None

    def end(self, record: TaskRecord | None, filled: Filled) -> list[TaskRecord]:
        """An order was carried out; return the task if it has waited for that alone.

        Its plan may have broken off or its time may have passed meanwhile.
        """
        self._ordered -= 1
        ordered = None if record is None else record.filling
        if record is None or ordered is None or ordered.number != filled.number:
            return []
        record.filling, record.filled = None, filled
        return [record] if record.state in ("filling", "looping") else []


def fill(order: Fill, tools: Tools, room: Room | None = None) -> Filled:
    """Carry an order out.

    Raises:
        NoRoomError: there is not enough room.
    """
    return _fill(order.number, order.task, order.priors, order.results, tools, room)


def _fill(
    number: int,
    task: Task,
    priors: Sequence[Prior],
    results: Found,
    tools: Tools,
    room: Room | None,
) -> Filled:
    loops = task.tool == EACH
    given, needs = task.args["items"] if loops else task.args, task.needs
    try:
        args = substitute(given, results.value, lambda id: id in needs, room, computed=loops)
        if loops:
            return Filled(number, task.id, items(args, Budget([args])))
    except (PlanError, ToolError) as error:
        return Filled(number, task.id, error=str(error))
    prior = next((it for it in reversed(priors) if it.holds(task.tool, args)), None)
    try:
        key, refused = tools.check(task.tool, args), None
    except PlanError as error:
        key, refused = None, str(error)
    return Filled(number, task.id, args, key, refused, prior)
