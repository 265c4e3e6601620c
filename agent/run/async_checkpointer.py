"""Gives a sync-only checkpointer the async methods that the graph calls, in threads."""

import asyncio
from collections.abc import AsyncIterator
from functools import wraps
from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver

from llm_compiler.run.saver_wrapper import SaverWrapper, with_path


def _in_thread(name: str) -> Any:
    @wraps(getattr(BaseCheckpointSaver, f"a{name}"))
    async def method(self: "ThreadedSaver", *args: Any, **kwargs: Any) -> Any:
        return await asyncio.to_thread(getattr(self.wrapped_saver, name), *args, **kwargs)

    return method


class ThreadedSaver(SaverWrapper):
    """A wrapper for a saver that has sync methods only, such as `SqliteSaver`."""

    async def alist(self, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        for found in await asyncio.to_thread(lambda: [*self.wrapped_saver.list(*args, **kwargs)]):
            yield found

    async def aput_writes(
        self, config: Any, writes: Any, task_id: str, task_path: str = ""
    ) -> None:
        put: Any = self.wrapped_saver.put_writes
        await asyncio.to_thread(put, config, writes, task_id, *with_path(put, task_path))

    aget_tuple = _in_thread("get_tuple")
    aput = _in_thread("put")
    adelete_thread = _in_thread("delete_thread")
    adelete_for_runs = _in_thread("delete_for_runs")
    acopy_thread = _in_thread("copy_thread")
    aprune = _in_thread("prune")
    aget_delta_channel_history = _in_thread("get_delta_channel_history")


def with_async(saver: BaseCheckpointSaver[Any]) -> BaseCheckpointSaver[Any]:
    """`saver` itself if it has async methods of its own, else a wrapper for it."""
    # `SqliteSaver` has some that only raise; no sync saver has this one.
    sync_only = type(saver).aput_writes is BaseCheckpointSaver.aput_writes
    return ThreadedSaver(saver) if sync_only else saver
