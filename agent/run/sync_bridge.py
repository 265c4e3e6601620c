"""One long-lived event loop on a daemon thread, for the sync methods.

Not `asyncio.run` per call: pooled HTTP clients die with their loop. Not node by node: bodies that
wait would block LangGraph's pool of threads.
"""

import asyncio
import os
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing
from contextvars import ContextVar
from queue import SimpleQueue
from typing import Any

_lock = threading.Lock()
_loops: dict[tuple[int, int], asyncio.AbstractEventLoop] = {}
_depth: ContextVar[int] = ContextVar("depth", default=0)
"""How many sync runs the caller is inside of: a tool may itself call `invoke`."""
_reader: ContextVar[tuple[Any, int] | None] = ContextVar("reader", default=None)
"""The task that runs a sync run, and the thread that reads it."""
_PATIENCE = 5.0
"""Seconds that a closed stream is given to clean up."""


class _End:
    """The last thing in the queue: how the stream ended."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


def loop() -> asyncio.AbstractEventLoop:
    """The process's loop, started with its first use.

    A fork starts one of its own, and so does a sync run inside another: it blocks the outer loop.
    """
    with _lock:
        key = os.getpid(), _depth.get()
        if key not in _loops:
            _loops[key] = asyncio.new_event_loop()
            run = _loops[key].run_forever
            threading.Thread(target=run, name="llm-compiler loop", daemon=True).start()
        return _loops[key]


def reader() -> object:
    """Who reads what the current task yields: the task itself, or the thread of a sync run."""
    task, read_by = asyncio.current_task(), _reader.get()
    return read_by[1] if read_by is not None and read_by[0] is task else task


def iterate(stream: Callable[[], AsyncGenerator[Any]]) -> Iterator[Any]:
    """Run an async generator on the loop thread, and yield here what it yields there.

    It goes on when the reader asks for more, as it would without a thread in between. Closing
    this iterator, or an exception in the reader's thread such as Ctrl-C, cancels it and waits
    until it has cleaned up.
    """
    chunks: SimpleQueue[Any] = SimpleQueue()
    wanted = asyncio.Semaphore()
    ended = threading.Event()
    tasks: list[asyncio.Task[None]] = []

    read_by = threading.get_ident()

    async def pump() -> None:
        _depth.set(_depth.get() + 1)
        _reader.set((asyncio.current_task(), read_by))
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

    running = loop()
    running.call_soon_threadsafe(start)
    try:
        while not isinstance(chunk := chunks.get(), _End):
            yield chunk
            running.call_soon_threadsafe(wanted.release)
        if chunk.error is not None:
            raise chunk.error
    finally:
        running.call_soon_threadsafe(stop)
        ended.wait(_PATIENCE)
