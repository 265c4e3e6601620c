"""How much one expression may cost: steps, and sizes of what it makes.

A step is a node of the expression, evaluated once more by a loop; straight code cannot be longer
than its text. A size is a character, or a tenth of an item. Both grow with the data that come in,
so that work on large results is linear in them, and small data cannot be blown up.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from llm_compiler.errors import ToolError
from llm_compiler.language.tasks.task import MAX_LEVELS

MAX_STEPS = 50_000
STEPS_PER_ITEM = 50
MAX_SIZE = 500_000
SIZE_PER_ITEM = 20
LOOP_TIMES = 10
"""How many times as much a block with a loop may cost."""
ITEM = 10
"""What an item of a list or a dict weighs."""


class ComputeError(ToolError):
    """An expression has no value; the message says why and what to write instead."""


@dataclass(frozen=True, slots=True)
class Missing:
    """Takes the place of a result that is not there; an expression that reads it has no value."""

    why: str
    skips: bool = False
    """Whether the task that reads it is skipped because of it, rather than failed."""


class MissingError(ComputeError):
    """An expression reads a result that is not there."""

    def __init__(self, missing: Missing) -> None:
        super().__init__(missing.why)
        self.skips = missing.skips


class Budget:
    """What is left for one expression over `inputs`, so many times as much as is usual."""

    def __init__(self, inputs: Iterable[Any] = (), times: int = 1) -> None:
        items = sum(len(value) for value in inputs if isinstance(value, str | list | dict))
        self._steps = times * (MAX_STEPS + STEPS_PER_ITEM * items)
        self._size = times * (MAX_SIZE + SIZE_PER_ITEM * items)

    def step(self, count: int) -> None:
        """Raises ComputeError if that was too much."""
        self._steps -= count
        if self._steps < 0:
            raise ComputeError("the expression takes too many steps; compute less at once")

    def make(self, size: int) -> None:
        """Pay for what is about to be made. Raises ComputeError if it is too large."""
        self._size -= size
        if self._size < 0:
            raise ComputeError("the expression makes too much text or data; make less at once")

    def weigh(self, value: Any) -> None:
        """Pay for a walk through all of `value`, in which a part may stand many times.

        Without recursion, which costs several times as much where Python's stack grows by a piece.
        """
        waiting = [(value, MAX_LEVELS)]
        while waiting:
            value, levels = waiting.pop()
            if isinstance(value, str):
                self.step(len(value) // 100)
                continue
            if not isinstance(value, list | dict):
                continue
            if not levels:
                raise ComputeError(f"the data are nested more than {MAX_LEVELS} levels deep")
            self.step(1 + len(value))
            if isinstance(value, dict):
                value = value.values()
            elif set(map(type, value)) <= _FLAT:
                continue
            waiting += [(item, levels - 1) for item in value]


_FLAT = frozenset((int, float, bool, type(None)))
