"""A turn's clock: the seconds that the turn has run, summed over all its runs.

It does not count the time between two runs, in which the turn waited for a person or was stopped.
"""

from llm_compiler.clock import SYSTEM_CLOCK, Clock


class TurnClock:
    """Counts a turn's seconds, beginning now.

    Args:
        source: Where the time is read.
    """

    def __init__(self, source: Clock = SYSTEM_CLOCK) -> None:
        self.source = source
        self._began = source.monotonic()
        """When the turn began, had it run without interruption."""

    def restart(self) -> None:
        """A new turn begins now."""
        self._began = self.source.monotonic()

    def count_on(self, seconds: float) -> None:
        """Count on from the seconds that the turn had run before, if those are more."""
        self._began = min(self._began, self.source.monotonic() - seconds)

    def seconds(self) -> float:
        """Seconds that the turn has run."""
        return self.source.monotonic() - self._began

    def until(self, deadline: float) -> float:
        """Seconds until the turn's deadline; negative once it has passed."""
        return deadline - self.seconds()
