"""The process's time source. It is passed to all code that reads the time, so tests can set it."""

import time
from dataclasses import dataclass
from datetime import date
from typing import Protocol


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> float:
        """The time of day, as epoch seconds."""
        ...

    def monotonic(self) -> float:
        """Seconds since an arbitrary moment; they never decrease."""
        ...


@dataclass(frozen=True, slots=True)
class SystemClock:
    """The operating system's clock."""

    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        # Finer than `time.monotonic` on Windows, and the same elsewhere.
        return time.perf_counter()


SYSTEM_CLOCK: Clock = SystemClock()


def today(clock: Clock) -> date:
    """The date where the process runs."""
    return date.fromtimestamp(clock.now())
