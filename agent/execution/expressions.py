"""Evaluates the expressions of `compute` tasks: in the event loop, and long ones in a thread."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

from llm_compiler.clock import Clock
from llm_compiler.errors import ToolError
from llm_compiler.execution.tool_threads import Threads
from llm_compiler.language.budget import MissingError
from llm_compiler.language.compute import evaluate
from llm_compiler.redaction import one_line
from llm_compiler.scheduling.facts import Compute, Computed

_TURN_SECONDS = 0.005
"""After which the event loop gets a turn."""
_MAX_INLINE = 2000
"""Items and characters of the results that an expression is evaluated over in the event loop."""


class Expressions:
    """The expressions of a round that are to be evaluated, in order.

    Args:
        clock: Tells when each began and ended.
        threads: Where long ones are evaluated.
        done: Told of each value; it may add more.
    """

    def __init__(self, clock: Clock, threads: Threads, done: Callable[[Computed], None]) -> None:
        self._clock = clock
        self._threads = threads
        self._done = done
        self._waiting: deque[Compute] = deque()
        self._handle: asyncio.Handle | None = None
        self.in_threads: set[asyncio.Task[None]] = set()

    def add(self, order: Compute) -> None:
        """Evaluate one soon."""
        self._waiting.append(order)
        if self._handle is None:
            self._handle = asyncio.get_running_loop().call_soon(self._run)

    def close(self) -> None:
        """Evaluate nothing more."""
        self._waiting.clear()
        for task in self.in_threads:
            task.cancel()

    def _run(self) -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + _TURN_SECONDS
        while self._waiting and loop.time() < until:
            order = self._waiting.popleft()
            if sum(map(_size, order.results.values())) > _MAX_INLINE:
                task = loop.create_task(self._in_thread(order), name=f"compute {order.id}")
                self.in_threads.add(task)
                task.add_done_callback(self.in_threads.discard)
            else:
                self._done(self._computed(order))
        self._handle = loop.call_soon(self._run) if self._waiting else None

    async def _in_thread(self, order: Compute) -> None:
        self._done(await self._threads.run(lambda: self._computed(order)))

    def _computed(self, order: Compute) -> Computed:
        started_at, value, error, skipped = self._clock.now(), None, None, False
        try:
            value = evaluate(order.expression, order.results.__getitem__)
        except ToolError as raised:
            error = one_line(raised)
            skipped = isinstance(raised, MissingError) and raised.skips
        times = started_at, self._clock.now()
        return Computed(order.number, order.id, value, error, *times, skipped)


def _size(value: Any) -> int:
    """About how much an expression reads of a result."""
    if isinstance(value, str | list):
        return len(value)
    return sum(map(_size, value.values())) + len(value) if isinstance(value, dict) else 1
