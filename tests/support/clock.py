"""A clock that only a test moves."""

from dataclasses import dataclass


@dataclass
class FakeClock:
    """Both of its times are `time`, in seconds."""

    time: float = 1000.0

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time
