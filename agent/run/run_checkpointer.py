"""A run's view of its checkpointer: it knows what is stored, and stays behind its thread's fence.

A checkpointer tells nobody when it has stored a checkpoint, and stores whatever it is given. Here a
destructive call can wait until its plan is stored; and of two processes that run the same thread at
once, one goes on, and the other ends with an error that says why.
"""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver

from llm_compiler.run.async_checkpointer import with_async
from llm_compiler.run.saver_wrapper import SaverWrapper, remember
from llm_compiler.run.thread_fence import ThreadFence


@dataclass(eq=False)
class _Stored:
    """What one run has stored; shared by the copies that LangGraph makes of its checkpointer."""

    ids: set[str] = field(default_factory=set)
    waiting: dict[str, "asyncio.Future[None]"] = field(default_factory=dict)
    reading: asyncio.Lock = field(default_factory=asyncio.Lock)


class RunCheckpointer(SaverWrapper):
    """The checkpointer that a run's config carries.

    Args:
        saver: A checkpointer with sync or async methods.
        fence: Of the thread, if nobody else may write to it while the run does.
    """

    def __init__(
        self,
        saver: BaseCheckpointSaver[Any],
        fence: ThreadFence | None = None,
        stored: _Stored | None = None,
    ) -> None:
        super().__init__(with_async(saver))
        self._fence = fence
        self._stored = stored or _Stored()

    async def confirm(self, config: RunnableConfig) -> None:
        """Return when the checkpoint that a config names is stored, and the thread is still ours.

        Raises:
            ThreadTakenError: the thread has gone on without this run.
        """
        id, ids = config["configurable"]["checkpoint_id"], self._stored.ids
        async with self._stored.reading:  # one reads for all
            if id not in ids and await self.aget_tuple(config) is not None:
                ids.add(id)
        if id not in ids:
            loop = asyncio.get_running_loop()
            await asyncio.shield(self._stored.waiting.setdefault(id, loop.create_future()))
        if self._fence is not None:
            await self._fence.check()

    def with_allowlist(self, extra_allowlist: Any) -> "RunCheckpointer":
        saver = self.wrapped_saver.with_allowlist(extra_allowlist)
        remember(self.wrapped_saver, saver)
        return RunCheckpointer(saver, self._fence, self._stored)

    async def aput(
        self, config: RunnableConfig, checkpoint: Any, metadata: Any, new_versions: Any
    ) -> RunnableConfig:
        await self._check(config)
        written = await self.wrapped_saver.aput(config, checkpoint, metadata, new_versions)
        self._stored.ids.add(checkpoint["id"])
        if (waiting := self._stored.waiting.pop(checkpoint["id"], None)) is not None:
            waiting.set_result(None)
        return written

    async def aput_writes(
        self, config: Any, writes: Any, task_id: str, task_path: str = ""
    ) -> None:
        await self._check(config)
        await super().aput_writes(config, writes, task_id, task_path)

    async def _check(self, config: RunnableConfig) -> None:
        namespace = config["configurable"].get("checkpoint_ns", "")
        if self._fence is not None and namespace == self._fence.namespace:
            await self._fence.check()
