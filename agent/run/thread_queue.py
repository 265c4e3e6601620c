"""Runs of one thread follow one another: in this process, one at a time, in order of arrival.

LangGraph lets two runs of a thread begin from the same checkpoint. Each would end with its own
answer, but the thread would keep one of them only, and a decision sent twice would run its call
twice. A server rules this for itself (`multitask_strategy`); across processes there is a fence
(thread_fence.py), which lets the run that began last go on.

A queue spans event loops, since sync runs have a loop of their own, so an `asyncio.Lock` cannot be
used.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Hashable
from types import TracebackType
from typing import Final, NamedTuple

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver

from llm_compiler.langgraph_private import in_node, own_namespace
from llm_compiler.run.saver_wrapper import unwrapped
from llm_compiler.run.sync_bridge import reader


class ThreadQueues:
    """The runs that wait for each thread; the first one has it. An empty queue is not kept."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._queues: dict[Hashable, deque[PlaceInQueue]] = {}

    def join(self, thread: Hashable, place: "PlaceInQueue") -> "PlaceInQueue":
        """Go to the end of the queue for a thread; return the first in it."""
        with self._guard:
            queue = self._queues.setdefault(thread, deque())
            queue.append(place)
            return queue[0]

    def leave(self, thread: Hashable, place: "PlaceInQueue") -> "PlaceInQueue | None":
        """Leave the queue for a thread; return the first in it now."""
        with self._guard:
            queue = self._queues.get(thread, deque())
            if place in queue:
                queue.remove(place)
            if not queue:
                self._queues.pop(thread, None)
            return queue[0] if queue else None

    def lengths(self) -> list[int]:
        """How many runs are in each queue."""
        with self._guard:
            return [len(queue) for queue in self._queues.values()]

    def reset(self) -> None:
        """For tests: forget all queues."""
        with self._guard:
            self._queues.clear()


QUEUES: Final = ThreadQueues()
"""One per process."""


class Thread(NamedTuple):
    """What the runs of a thread wait for."""

    saver: int
    """Which checkpointer of this process it is in."""
    id: str
    namespace: str


def thread_of(config: RunnableConfig, saver: object) -> Thread | None:
    """The thread that a run waits for; None for runs that do not wait.

    Those are runs without a checkpointer, and those of a subgraph, which its parent's run controls.
    """
    thread = config.get("configurable", {}).get("thread_id")
    if not isinstance(saver, BaseCheckpointSaver) or thread is None or in_node(config):
        return None
    return Thread(id(unwrapped(saver)), str(thread), own_namespace(config))


class PlaceInQueue:
    """A run's place in the queue for its thread: `async with` waits until it is the first.

    If the reader of an unfinished run starts another, it would wait for itself: the earlier run is
    ended then.

    Args:
        thread: What is waited for.
        leave: Ends the run, if it is read in the task that began it.
    """

    def __init__(self, thread: Hashable, leave: Callable[[], Awaitable[None]]) -> None:
        self._thread = thread
        self._task, self._reader = asyncio.current_task(), reader()
        self._leave = leave
        self._loop = asyncio.get_running_loop()
        self._first: asyncio.Future[None] = self._loop.create_future()

    async def __aenter__(self) -> None:
        first = QUEUES.join(self._thread, self)
        try:
            if first is not self and first._reader == self._reader:
                await first._end()
            first._step_up()
            await self._first
        except BaseException:
            self._step_out()
            raise

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._step_out()

    async def _end(self) -> None:
        """End a run that its reader has not read to the end."""
        if self._task is asyncio.current_task():
            await self._leave()
        elif self._task is not None:  # a sync run, which a task of its own reads for its reader
            self._loop.call_soon_threadsafe(self._task.cancel)

    def _step_up(self) -> None:
        """Tell this run that it is the first. One whose loop is gone leaves the queue."""
        try:
            self._loop.call_soon_threadsafe(
                lambda: None if self._first.done() else self._first.set_result(None)
            )
        except RuntimeError:
            self._step_out()

    def _step_out(self) -> None:
        if (first := QUEUES.leave(self._thread, self)) is not None:
            first._step_up()
