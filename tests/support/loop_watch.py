"""The longest that the event loop stood still while something ran."""

import asyncio
import gc
import time
from typing import Self


class LoopWatch:
    """Measures the gaps between the turns of the running loop, in seconds of processor time.

        async with LoopWatch() as watch:
            await work()
        assert watch.busy < 0.05

    A task wakes every 5 ms and reads the time that the processor has given to this thread, and to
    this process, since it woke last. The load of other processes counts for neither, so that it
    can be tested on a busy machine. Python's collector rests meanwhile: what it takes depends on
    all that the process holds.
    """

    EVERY = 0.005

    def __init__(self) -> None:
        self.busy = 0.0
        """What the loop's own thread computed at most between two of its turns."""
        self.held = 0.0
        """What all threads computed at most between two turns: a thread that does not let others
        run (inside a long regular expression, say) holds the loop too."""

    async def __aenter__(self) -> Self:
        gc.collect()
        gc.disable()
        self._task = asyncio.create_task(self._watch())
        await asyncio.sleep(2 * self.EVERY)
        self.busy = self.held = 0.0
        return self

    async def __aexit__(self, *_: object) -> None:
        # The last gap counts too: the task wakes behind it. What the collector then has to do does
        # not.
        await asyncio.sleep(2 * self.EVERY)
        self._task.cancel()
        gc.enable()

    async def _watch(self) -> None:
        while True:
            busy, held = time.thread_time(), time.process_time()
            await asyncio.sleep(self.EVERY)
            self.busy = max(self.busy, time.thread_time() - busy)
            self.held = max(self.held, time.process_time() - held)
