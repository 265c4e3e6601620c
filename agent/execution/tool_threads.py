"""Daemon threads for sync tools.

The loop's default pool has six threads on two cores, and delays the interpreter's exit until the
last tool returns; anyio's threads are not daemons either. A thread cannot be stopped, so a result
that arrives after a cancellation is dropped. The schedule limits how many calls run at once.
"""

import asyncio
import contextvars
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, Self, TypeVar

from llm_compiler.errors import ToolError
from llm_compiler.language.tasks.weight import exceeds

_Job = tuple[Callable[[], Any], asyncio.AbstractEventLoop, "asyncio.Future[Any]"]

_LARGE = 20_000
"""Parts of data that are gone through in a thread (`exceeds`)."""

T = TypeVar("T")


class Threads:
    """Runs functions in threads, which are reused until `close`."""

    def __init__(self) -> None:
        self._all: list[SimpleQueue[_Job | None]] = []
        self._idle: list[SimpleQueue[_Job | None]] = []
        self._closed = False

    async def run(self, function: Callable[[], Any]) -> Any:
        """Await `function()`, run in a thread with a copy of the caller's context."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        context = contextvars.copy_context()
        if self._idle:
            jobs = self._idle.pop()
        else:
            jobs = SimpleQueue()
            self._all.append(jobs)
            name = "llm-compiler tool"
            threading.Thread(target=self._work, args=(jobs,), name=name, daemon=True).start()
        jobs.put((lambda: context.run(function), loop, future))
        if self._closed:
            jobs.put(None)
        return await future

    async def where_it_fits(self, value: Any, work: Callable[[], T]) -> T:
        """Await `work()`, which goes through `value`: in a thread if that is large."""
        if not exceeds([value], _LARGE):
            return work()
        result: T = await self.run(work)
        return result

    def close(self) -> None:
        """End idle threads now, and each busy one when its function returns."""
        self._closed = True
        # Busy threads are told too: their loop may be gone before they can report.
        for jobs in self._all:
            jobs.put(None)
        self._all, self._idle = [], []

    def _work(self, jobs: "SimpleQueue[_Job | None]") -> None:
        while (job := jobs.get()) is not None:
            function, loop, future = job
            try:
                result, error = function(), None
            except BaseException as raised:  # passed to the future, whatever it is
                result, error = None, raised
            try:
                loop.call_soon_threadsafe(self._report, jobs, future, result, error)
            except RuntimeError:  # the loop has been closed, so nobody waits
                return
            del job, function, future, result, error

    def _report(
        self,
        jobs: "SimpleQueue[_Job | None]",
        future: "asyncio.Future[Any]",
        result: Any,
        error: BaseException | None,
    ) -> None:
        if not self._closed:
            self._idle.append(jobs)
        if future.done():
            return
        if error is None:
            future.set_result(result)
        elif isinstance(error, StopIteration | KeyboardInterrupt | GeneratorExit):
            # A future refuses the first, the second ends a loop, and the third a coroutine.
            future.set_exception(RuntimeError(f"the tool raised {type(error).__name__}"))
        else:
            future.set_exception(error)


class LoopWork:
    """What a call in a thread leaves to the loop: awaiting the coroutine that its function made.

    When the `with` block ends, that is cancelled.
    """

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop
        self._lock = threading.Lock()
        self._begun: list[Future[Any]] | None = []

    def __enter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            begun, self._begun = self._begun or [], None
        for future in begun:
            future.cancel()

    def wait(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of `work`, which runs in the loop. For a thread.

        Raises:
            ToolError: the call has ended without it.
        """
        with self._lock:
            if self._begun is None:
                work.close()
                raise ToolError("it was cancelled")
            future = asyncio.run_coroutine_threadsafe(work, self._loop)
            self._begun.append(future)
        return future.result()
