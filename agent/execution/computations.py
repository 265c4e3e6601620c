"""Carries out what a schedule has computed: expressions, arguments, and the values of loops.

small ─► in the event loop, for some milliseconds at a time
large ─► in a thread
"""

import asyncio
from collections import deque
from collections.abc import Callable
from functools import partial

from llm_compiler.clock import Clock
from llm_compiler.errors import ToolError
from llm_compiler.execution.tool_threads import Threads
from llm_compiler.language.evaluation.budget import MissingError
from llm_compiler.language.evaluation.compute import evaluate, has_loop
from llm_compiler.language.evaluation.references import NoRoomError, Room
from llm_compiler.language.tasks.weight import exceeds
from llm_compiler.redaction import one_line
from llm_compiler.scheduling.computing import gather
from llm_compiler.scheduling.facts import Computed, Filled, Tools
from llm_compiler.scheduling.filling import IN_LINE, fill
from llm_compiler.scheduling.orders import Compute, Fill, Gather

_TURN_SECONDS = 0.005
"""After which the event loop gets a turn."""
_MAX_INLINE = 2000
"""Parts and characters of the results that an expression is evaluated over in the event loop."""
_MAX_GATHERED = 1000
"""Tasks of a loop whose value is put together in the event loop."""
_MAX_THREADS = 2
"""More would only wait for each other, and the event loop for all of them."""

Work = Compute | Fill | Gather


class Computations:
    """What is to be computed in a round, in order.

    Args:
        tools: Check arguments.
        clock: Tells when each expression began and ended.
        threads: Where what is large is computed.
        done: Told of each value; it may add more.
        failed: Told of an error that is no outcome.
    """

    def __init__(
        self,
        tools: Tools,
        clock: Clock,
        threads: Threads,
        done: Callable[[Computed | Filled], None],
        failed: Callable[[BaseException], None],
    ) -> None:
        self._tools = tools
        self._clock = clock
        self._threads = threads
        self._done = done
        self._failed = failed
        self._waiting: deque[Work] = deque()
        self._large: deque[Work] = deque()
        self._handle: asyncio.Handle | None = None
        self.in_threads: set[asyncio.Task[None]] = set()

    def add(self, order: Work) -> None:
        """Carry out an order soon."""
        self._waiting.append(order)
        if self._handle is None:
            self._handle = asyncio.get_running_loop().call_soon(self._run)

    def close(self) -> None:
        """Compute nothing more."""
        self._waiting.clear()
        self._large.clear()
        for task in self.in_threads:
            task.cancel()

    def _run(self) -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + _TURN_SECONDS
        while self._waiting and loop.time() < until:
            order = self._waiting.popleft()
            try:
                fact = None if self._is_large(order) else self._carry_out(order, Room(IN_LINE))
            except NoRoomError:
                fact = None
            except Exception as error:
                self._failed(error)
                continue
            if fact is not None:
                self._done(fact)
                continue
            self._large.append(order)
            if len(self.in_threads) < _MAX_THREADS:
                task = loop.create_task(self._in_thread(), name="compute")
                self.in_threads.add(task)
                task.add_done_callback(self.in_threads.discard)
        self._handle = loop.call_soon(self._run) if self._waiting else None

    async def _in_thread(self) -> None:
        while self._large:
            order = self._large.popleft()
            try:
                fact = await self._threads.run(partial(self._carry_out, order))
            except Exception as error:
                self._failed(error)
            else:
                self._done(fact)

    def _is_large(self, order: Work) -> bool:
        match order:
            case Compute():
                values = order.results.values()
                large = exceeds(values, _MAX_INLINE, characters_per_part=1)
                return large or has_loop(order.expression)
            case Fill():
                return order.large
            case Gather():
                return len(order.loop.tasks) > _MAX_GATHERED

    def _carry_out(self, order: Work, room: Room | None = None) -> Computed | Filled:
        match order:
            case Compute():
                return self._computed(order)
            case Fill():
                return fill(order, self._tools, room)
            case Gather():
                return gather(order, room)

    def _computed(self, order: Compute) -> Computed:
        started_at, value, error, skipped = self._clock.now(), None, None, False
        try:
            value = evaluate(order.expression, order.results.__getitem__)
        except ToolError as raised:
            error = one_line(raised)
            skipped = isinstance(raised, MissingError) and raised.skips
        times = started_at, self._clock.now()
        return Computed(order.number, order.id, value, error, *times, skipped)
