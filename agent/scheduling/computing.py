"""Tasks that only compute: they take no slot, are never shared, and run as soon as they can."""

from itertools import count

from llm_compiler.language.compute import references
from llm_compiler.language.task import Outcome, Status, Task
from llm_compiler.scheduling.facts import Compute, Computed, Order
from llm_compiler.scheduling.results import Results
from llm_compiler.scheduling.task_graph import TaskGraph
from llm_compiler.scheduling.task_record import TaskRecord


class Computing:
    """Orders the expressions of a schedule, and takes their values in.

    They follow from the results, so they are computed anew by each run and in each round: what a
    person makes of a result reaches all that was computed from it.
    """

    def __init__(self, graph: TaskGraph, orders: list[Order]) -> None:
        self._graph = graph
        self._orders = orders
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
        record.computing = Compute(next(self._numbers), task.id, expression, results)
        record.move("computing")
        self._running += 1
        self._orders.append(record.computing)

    def end(self, record: TaskRecord | None, computed: Computed) -> None:
        """Settle a task with its value, unless its plan broke off or its time passed meanwhile."""
        self._running -= 1
        if record is None or record.state != "computing" or record.computing is None:
            return
        if record.computing.number != computed.number:
            return
        task, it = record.task, computed
        status: Status = "ok" if it.error is None else "skipped" if it.skipped else "failed"
        times = it.started_at, it.ended_at
        outcome = Outcome(task.id, task.tool, status, task.args, it.value, it.error, *times, 1)
        self._graph.settle_anew(record, outcome)
