"""One long-lived event loop on a daemon thread, for the sync methods.

Not `asyncio.run` per call: pooled HTTP clients die with their loop. Not node by node: bodies that
wait would block LangGraph's pool of threads.
"""

import asyncio
import os
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, suppress
from contextvars import ContextVar
from queue import SimpleQueue
from typing import Any, Final

_depth: ContextVar[int] = ContextVar("depth", default=0)
"""How deeply sync runs are nested: a tool may itself call `invoke`."""
_reader: ContextVar[tuple[Any, int] | None] = ContextVar("reader", default=None)
"""The task that runs a sync run, and the thread that reads it."""
_waiting: ContextVar[frozenset[asyncio.AbstractEventLoop]] = ContextVar(
    "waiting", default=frozenset()
)
_CLEANUP_SECONDS = 5.0
"""The time that a closed stream has to clean up."""


class _End:
    """The last thing in the queue: how the stream ended."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


class LoopThreads:
    """The loops of the process that run on threads of their own, each started by its first use."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loops: dict[tuple[int, int], asyncio.AbstractEventLoop] = {}
        """By process and depth."""

    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop for a sync run that begins here.

        A fork has its own, and so has a sync run inside another, which blocks the outer loop.
        """
        with self._lock:
            key = os.getpid(), _depth.get()
            if key not in self._loops:
                self._loops[key] = loop = asyncio.new_event_loop()
                threading.Thread(
                    target=_run_loop, args=(loop,), name="llm-compiler loop", daemon=True
                ).start()
            return self._loops[key]

    def loops(self) -> list[asyncio.AbstractEventLoop]:
        """The running loops."""
        with self._lock:
            return list(self._loops.values())

    def reset(self) -> None:
        """For tests: end the loops; the next sync run starts another."""
        with self._lock:
            ended, self._loops = self._loops, {}
        for (process, _), loop in ended.items():
            if process == os.getpid():  # a fork has copies of loops that are not its own
                loop.call_soon_threadsafe(loop.stop)


def _run_loop(loop: asyncio.AbstractEventLoop) -> None:
    """Run a loop until it is stopped."""
    stopped = False
    while not stopped:
        # These two end a loop; but here they belong to the task that raised them, which has them.
        with suppress(KeyboardInterrupt, SystemExit):
            loop.run_forever()
            stopped = True
    loop.close()


LOOP_THREADS: Final = LoopThreads()
"""One per process."""


def reader() -> object:
    """Who reads what the current task yields: the task itself, or the thread of a sync run."""
    task, read_by = asyncio.current_task(), _reader.get()
    return read_by[1] if read_by is not None and read_by[0] is task else task


def waiting_loops() -> frozenset[asyncio.AbstractEventLoop]:
    """The loops that stand still until the sync run ends in which this is called."""
    return _waiting.get()


def iterate(stream: Callable[[], AsyncGenerator[Any]]) -> Iterator[Any]:
    """Run an async generator on the loop thread, and yield here what it yields there.

    It continues when the reader asks for more, as it would without a thread in between. Closing
    this iterator, or an exception in the reader's thread such as Ctrl-C, cancels it and waits
    until it has cleaned up.
    """
    chunks: SimpleQueue[Any] = SimpleQueue()
    wanted = asyncio.Semaphore()
    ended = threading.Event()
    tasks: list[asyncio.Task[None]] = []

    read_by = threading.get_ident()
    waiting = _waiting.get()
    with suppress(RuntimeError):
        waiting |= {asyncio.get_running_loop()}

    async def pump() -> None:
        _depth.set(_depth.get() + 1)
        _reader.set((asyncio.current_task(), read_by))
        _waiting.set(waiting)
        end = _End(None)
        try:
            async with aclosing(stream()) as produced:
                async for chunk in produced:
                    await wanted.acquire()
                    chunks.put(chunk)
        except BaseException as error:  # carried over to the reader's thread
            end = _End(error)
        chunks.put(end)

    def start() -> None:
        tasks.append(asyncio.ensure_future(pump()))
        tasks[0].add_done_callback(lambda _: ended.set())

    def stop() -> None:
        if tasks:
            tasks[0].cancel()

    running = LOOP_THREADS.loop()
    running.call_soon_threadsafe(start)
    try:
        while not isinstance(chunk := chunks.get(), _End):
            yield chunk
            running.call_soon_threadsafe(wanted.release)
        if chunk.error is not None:
            raise chunk.error
    finally:
        running.call_soon_threadsafe(stop)
        ended.wait(_CLEANUP_SECONDS)
