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


async def paced(items: Iterable[T]) -> AsyncIterator[T]:
    """Go through `items`; every few milliseconds the event loop runs others."""
    since = time.perf_counter()
    for item in items:
        yield item
        if time.perf_counter() - since > _PIECE_SECONDS:
            await asyncio.sleep(0)
            since = time.perf_counter()


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
