"""One long-lived event loop on a daemon thread, for the sync methods.

Not `asyncio.run` per call: pooled HTTP clients die with their loop. Not node by node: bodies that
wait would block LangGraph's pool of threads.
"""

import asyncio
import os
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing
from queue import SimpleQueue
from typing import Any

_lock = threading.Lock()
_loops: dict[int, asyncio.AbstractEventLoop] = {}
_PATIENCE = 5.0
"""Seconds that a closed stream is given to clean up."""


class _End:
    """The last thing in the queue: how the stream ended."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


def loop() -> asyncio.AbstractEventLoop:
    """The process's loop, started with its first use; a fork starts one of its own."""
    with _lock:
        process = os.getpid()
        if process not in _loops:
            _loops[process] = asyncio.new_event_loop()
            run = _loops[process].run_forever
            threading.Thread(target=run, name="llm-compiler loop", daemon=True).start()
        return _loops[process]


def iterate(stream: Callable[[], AsyncGenerator[Any]]) -> Iterator[Any]:
    """Run an async generator on the loop thread, and yield here what it yields there.

    Closing this iterator, or an exception in the caller's thread such as Ctrl-C, cancels it and
    waits until it has cleaned up.
    """
    chunks: SimpleQueue[Any] = SimpleQueue()
    ended = threading.Event()
    tasks: list[asyncio.Task[None]] = []

    async def pump() -> None:
        error: BaseException | None = None
        try:
            async with aclosing(stream()) as produced:
                async for chunk in produced:
                    chunks.put(chunk)
        except BaseException as raised:  # carried over to the caller's thread
            error = raised
        chunks.put(_End(error))

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
        if chunk.error is not None:
            raise chunk.error
    finally:
        running.call_soon_threadsafe(stop)
        ended.wait(_PATIENCE)
