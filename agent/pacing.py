"""Lets the event loop run others while there is much to do: in pieces, or in a thread."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

_PIECE_SECONDS = 0.005
MANY = 500
"""Tasks of which a thread makes what is made of all at once."""


class Pace:
    """Of one piece of work, which may be done by many calls: when others are to run."""

    def __init__(self) -> None:
        self._since = time.perf_counter()

    async def keep(self) -> None:
        """Let the event loop run others if it has not for a few milliseconds."""
        if time.perf_counter() - self._since > _PIECE_SECONDS:
            await asyncio.sleep(0)
            self._since = time.perf_counter()


async def paced(items: Iterable[T], pace: Pace | None = None) -> AsyncIterator[T]:
    """Go through `items`; every few milliseconds the event loop runs others."""
    pace = pace or Pace()
    for item in items:
        yield item
        await pace.keep()


async def off_loop(large: bool, work: Callable[P, T], *args: P.args, **options: P.kwargs) -> T:
    """What `work` returns: from a thread if it is large, else at once.

    Also a caller that is cancelled waits for the thread, so that the two never work on the same.
    """
    if not large:
        return work(*args, **options)
    working = asyncio.ensure_future(asyncio.to_thread(work, *args, **options))
    try:
        return await asyncio.shield(working)
    except asyncio.CancelledError:
        await asyncio.wait([working])
        raise
