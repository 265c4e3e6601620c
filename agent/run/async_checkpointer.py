"""Calls a checkpointer where it can be called: in threads, or in the event loop that it belongs to.

A sync-only checkpointer gets the async methods that the graph calls. An async one has connections
and locks that are bound to its loop; a sync run, say of a tool of another graph, has another.
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from functools import wraps
from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver

from llm_compiler.run.saver_wrapper import METHODS, SaverWrapper, with_path
from llm_compiler.run.sync_bridge import waiting_loops


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


def _at_home(name: str) -> Any:
    @wraps(getattr(BaseCheckpointSaver, f"a{name}"))
    async def method(self: "HomeLoopSaver", *args: Any, **kwargs: Any) -> Any:
        return await self.at_home(getattr(self.wrapped_saver, f"a{name}")(*args, **kwargs))

    return method


class HomeLoopSaver(SaverWrapper):
    """A wrapper for an async saver that belongs to another loop, which runs."""

    async def at_home(self, call: Coroutine[Any, Any, Any]) -> Any:
        """Await a call of the saver, which runs in the saver's loop."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(call, self.loop))

    async def alist(self, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        async def found() -> list[Any]:
            return [it async for it in self.wrapped_saver.alist(*args, **kwargs)]

        for it in await self.at_home(found()):
            yield it

    async def aput_writes(
        self, config: Any, writes: Any, task_id: str, task_path: str = ""
    ) -> None:
        await self.at_home(super().aput_writes(config, writes, task_id, task_path))


for _name in METHODS:
    setattr(ThreadedSaver, f"a{_name}", _in_thread(_name))
    setattr(HomeLoopSaver, f"a{_name}", _at_home(_name))


def at_home(saver: BaseCheckpointSaver[Any]) -> BaseCheckpointSaver[Any]:
    """`saver` itself if it may be called in the current loop, else a wrapper for it.

    The savers of LangGraph name their loop. One that waits for this run cannot be asked.
    """
    home = getattr(saver, "loop", None)
    if not isinstance(home, asyncio.AbstractEventLoop) or not home.is_running():
        return saver
    here = home is asyncio.get_running_loop() or home in waiting_loops()
    return saver if here else HomeLoopSaver(saver)


def with_async(saver: BaseCheckpointSaver[Any]) -> BaseCheckpointSaver[Any]:
    """`saver` itself if it has async methods of its own, else a wrapper for it."""
    # `SqliteSaver` has some that only raise; no sync saver has this one.
    sync_only = type(saver).aput_writes is BaseCheckpointSaver.aput_writes
    return ThreadedSaver(saver) if sync_only else saver
