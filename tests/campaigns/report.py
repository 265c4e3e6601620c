"""What a campaign says while it runs, and what it found."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Say = Callable[[str], None]


@dataclass
class Report:
    """The figures of one campaign, and the promises that broke."""

    figures: dict[str, Any] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)

    def add(self, other: "Report", name: str) -> None:
        """Take in the report of a part, under its name."""
        self.figures |= {f"{name}: {key}": value for key, value in other.figures.items()}
        self.broken += [f"{name}: {what}" for what in other.broken]

    def text(self) -> str:
        lines = [f"  {key}: {_shown(value)}" for key, value in self.figures.items()]
        lines += [f"  BROKEN {what}" for what in self.broken]
        return "\n".join(lines)


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_shown(item)}" for key, item in value.items())
    return f"{value:,}" if isinstance(value, int) else str(value)


class Progress:
    """Says how far a campaign is, every few seconds."""

    def __init__(self, say: Say, total: int, *, every: float = 5.0) -> None:
        self._say, self._total, self._every = say, total, every
        self._next = time.monotonic() + every

    def at(self, done: int, what: str) -> None:
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + self._every
            self._say(f"  {done:,} of {self._total:,} {what}")
