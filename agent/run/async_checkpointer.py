"""Gives a sync-only checkpointer the async methods that the graph calls, in threads."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver

WRAPPED = "wrapped_saver"
"""The attribute of a wrapper that holds what it wraps."""


class ThreadedSaver(BaseCheckpointSaver[Any]):
    """A wrapper for a saver that has sync methods only, such as `SqliteSaver`."""

    def __init__(self, saver: BaseCheckpointSaver[Any]) -> None:
        super().__init__(serde=saver.serde)
        self.wrapped_saver = saver

    def __getattr__(self, name: str) -> Any:
        return getattr(self.wrapped_saver, name)

    def get_next_version(self, current: Any, channel: None) -> Any:
        return self.wrapped_saver.get_next_version(current, channel)

    def get_tuple(self, *args: Any, **kwargs: Any) -> Any:
        return self.wrapped_saver.get_tuple(*args, **kwargs)

    def list(self, *args: Any, **kwargs: Any) -> Any:
        return self.wrapped_saver.list(*args, **kwargs)

    def put(self, *args: Any, **kwargs: Any) -> Any:
        return self.wrapped_saver.put(*args, **kwargs)

    def put_writes(self, *args: Any, **kwargs: Any) -> Any:
        return self.wrapped_saver.put_writes(*args, **kwargs)

    def delete_thread(self, *args: Any, **kwargs: Any) -> Any:
        return self.wrapped_saver.delete_thread(*args, **kwargs)

    def with_allowlist(self, extra_allowlist: Any) -> "ThreadedSaver":
        return ThreadedSaver(self.wrapped_saver.with_allowlist(extra_allowlist))

    async def aget_tuple(self, *args: Any, **kwargs: Any) -> Any:
        return await asyncio.to_thread(self.wrapped_saver.get_tuple, *args, **kwargs)

    async def alist(self, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        for found in await asyncio.to_thread(lambda: [*self.wrapped_saver.list(*args, **kwargs)]):
            yield found

    async def aput(self, *args: Any, **kwargs: Any) -> Any:
        return await asyncio.to_thread(self.wrapped_saver.put, *args, **kwargs)

    async def aput_writes(self, *args: Any, **kwargs: Any) -> Any:
        return await asyncio.to_thread(self.wrapped_saver.put_writes, *args, **kwargs)

    async def adelete_thread(self, *args: Any, **kwargs: Any) -> Any:
        return await asyncio.to_thread(self.wrapped_saver.delete_thread, *args, **kwargs)


def with_async(saver: BaseCheckpointSaver[Any]) -> BaseCheckpointSaver[Any]:
    """`saver` itself if it has async methods of its own, else a wrapper for it."""
    # `SqliteSaver` has some that only raise; no sync saver has this one.
    sync_only = type(saver).aput_writes is BaseCheckpointSaver.aput_writes
    return ThreadedSaver(saver) if sync_only else saver


def unwrapped(saver: BaseCheckpointSaver[Any]) -> BaseCheckpointSaver[Any]:
    """The checkpointer that an application made, without its wrappers."""
    while (wrapped := getattr(saver, WRAPPED, None)) is not None:
        saver = wrapped
    return saver
