"""The calls that run: each is launched when a slot is free, until it returns or is stopped."""

from llm_compiler.scheduling.facts import Returned
from llm_compiler.scheduling.orders import Cancel, Order
from llm_compiler.scheduling.ready_queue import ReadyQueue
from llm_compiler.scheduling.shared_calls import Call, SharedCalls
from llm_compiler.scheduling.steps import Steps
from llm_compiler.scheduling.task_graph import TaskGraph
from llm_compiler.scheduling.task_record import TaskRecord


class Running:
    """Starts and ends the calls of a turn.

    Args:
        graph: Settles the tasks of calls that have ended.
        queue: Has the slots.
        calls: Knows whose each call is.
        orders: What is to be done.
    """

    def __init__(
        self, graph: TaskGraph, queue: ReadyQueue, calls: SharedCalls, orders: list[Order]
    ) -> None:
        self._graph = graph
        self._queue = queue
        self._calls = calls
        self._orders = orders

    def enqueue(self, record: TaskRecord) -> None:
        """A task's call may start, once a slot is free."""
        call = record.known_call
        self._queue.add(record.id, call.number, call.rules.limits)

    def launch(self) -> Steps:
        """Fill the free slots, the call with the longest path of waiting tasks behind it first."""
        for id in self._queue.start():
            if id is None:
                yield
                continue
            record = self._graph.records[id]
            record.move("running")
            call = record.known_call
            call.launched_for = id
            self._orders.append(call.launch(id))

    def end(self, returned: Returned) -> Steps:
        """A call returned, unless it was stopped before."""
        if returned.call in self._queue.running:
            self._queue.release(returned.call)
            call = self._calls.known[returned.call]
            call.returned = returned
            yield from self._graph.settle_owners(call)

    def stop_kept(self) -> None:
        """Stop the calls that were kept for a plan which has ended without them."""
        for call in [it for it in self._running() if it.kept]:
            self._stop(call)
            self._calls.forget(call)

    def expire(self, why: str) -> Steps:
        """Stop all calls, and let none start any more."""
        for call in self._running():
            call.returned = Returned(call.number, error=why)
            yield from self._graph.settle_owners(call)
            self._stop(call)
            if not call.kept:
                self._calls.forget(call)
        self._queue.clear()

    def _running(self) -> list[Call]:
        return [self._calls.known[number] for number in self._queue.running]

    def _stop(self, call: Call) -> None:
        self._queue.release(call.number)
        self._orders.append(Cancel(call.number))
