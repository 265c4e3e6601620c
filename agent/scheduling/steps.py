"""Facts are handled one after another, each in steps: what follows from one may be long.

    facts ─► waiting ─► handled, some steps a turn ─► orders

Whoever drives a schedule gives others a turn between; to the rules, a fact is handled at once.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator

from llm_compiler.scheduling.facts import Fact

Steps = Iterable[None]
"""Work that may be left after each item, and gone on with later."""
STEPS = 64
"""Of what follows from facts, the most in one turn; a step takes up to 0.1 ms."""
EVERY = 16
"""Of tasks that are only looked at or moved, as many as make one step."""


class Backlog:
    """The facts that are not handled yet, or not to their end.

    Args:
        handle: Handles a fact.
        steps: The most that are made in one turn.
    """

    def __init__(self, handle: Callable[[Fact], Steps], steps: int = STEPS) -> None:
        self._handle = handle
        self._steps = steps
        self._waiting: deque[Fact] = deque()
        self._under_way: Iterator[None] = iter(())
        self.behind = False
        """Whether a fact has been begun, or waits for one that has."""

    def add(self, fact: Fact) -> None:
        """A fact has come."""
        self._waiting.append(fact)

    def go_on(self) -> None:
        """Handle the facts, as far as one turn goes; a fact is a step, too."""
        left, self.behind = self._steps, True
        while left > 0:
            for _ in self._under_way:
                left -= 1
                if left <= 0:
                    return
            if not self._waiting:
                self.behind = False
                return
            self._under_way = iter(self._handle(self._waiting.popleft()))
            left -= 1
