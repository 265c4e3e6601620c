"""The longest that the event loop stood still while something ran."""

import asyncio
import time
from types import TracebackType
from typing import Self


class LoopWatch:
    """Measures the gaps between the turns of the running loop.

        async with LoopWatch() as watch:
            await work()
        assert watch.busy < 0.05

    A task wakes every 5 ms. Between two wakes it takes the processor time of the loop's own thread,
    so that other processes of a busy machine do not count: what is left is work done on the loop.
    A thread that keeps the interpreter to itself (a long regular expression, say) takes none of the
    loop's processor time: `still` counts it, and what the machine's other processes take too.
    """

    EVERY = 0.005

    def __init__(self) -> None:
        self.busy = 0.0
        """Seconds of processor time that the loop's thread took at most between two turns."""
        self.still = 0.0
        """Seconds of wall time at most between two turns, less the 5 ms that the task slept."""

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._watch())
        await asyncio.sleep(2 * self.EVERY)
        self.busy = self.still = 0.0
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # The last gap too: the task is due to wake after it.
        await asyncio.sleep(2 * self.EVERY)
        self._task.cancel()

    async def _watch(self) -> None:
        while True:
            busy, woke = time.thread_time(), time.perf_counter()
            await asyncio.sleep(self.EVERY)
            self.busy = max(self.busy, time.thread_time() - busy)
            self.still = max(self.still, time.perf_counter() - woke - self.EVERY)
