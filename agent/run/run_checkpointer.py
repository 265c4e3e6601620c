"""A run's view of its checkpointer: it knows what is stored, and stays behind its thread's fence.

A checkpointer tells nobody when it has stored a checkpoint, and stores whatever it is given. Here a
destructive call can wait until its plan is stored; and of two processes that run the same thread at
once, one goes on, and the other ends with an error that says why.
"""

import asyncio
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver, CheckpointTuple

from llm_compiler.langgraph_private import own_namespace
from llm_compiler.run.large_reads import LargeReads
from llm_compiler.run.large_writes import LargeWrites
from llm_compiler.run.saver_wrapper import SaverWrapper, with_path
from llm_compiler.run.thread_fence import ThreadFence


class RunCheckpointer(SaverWrapper):
    """The checkpointer that a run's config carries; LangGraph's copies share what it knows.

    Args:
        saver: A checkpointer with async methods.
        fence: Of the thread, if nobody else may write to it while the run does.
    """

    def __init__(self, saver: BaseCheckpointSaver[Any], fence: ThreadFence | None = None) -> None:
        super().__init__(saver)
        self._fence = fence
        self._stored: set[str] = set()
        self._waiting: dict[str, asyncio.Future[None]] = {}
        self._reading = asyncio.Lock()
        self._large: LargeWrites | None = None
        self._reads: LargeReads | None = None

    async def confirm(self, config: RunnableConfig) -> None:
        """Return when the checkpoint that a config names is stored, and the thread is still ours.

        Raises:
            ThreadTakenError: the thread has gone on without this run.
        """
        id = config["configurable"]["checkpoint_id"]
        async with self._reading:  # one reads for all
            if id not in self._stored and await self.aget_tuple(config) is not None:
                self._stored.add(id)
        if id not in self._stored:
            loop = asyncio.get_running_loop()
            await asyncio.shield(self._waiting.setdefault(id, loop.create_future()))
        if self._fence is not None:
            await self._fence.check()

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        if self._reads is None or self._reads.of is not self.wrapped_saver:
            self._reads = LargeReads(self.wrapped_saver)
        return await self._reads.get(config)

    async def aput(
        self, config: RunnableConfig, checkpoint: Any, metadata: Any, new_versions: Any
    ) -> RunnableConfig:
        await self._check(config)
        values = [*checkpoint.get("channel_values", {}).values()]
        async with self._large_writes().saver(values, checkpoint) as saver:
            written = await saver.aput(config, checkpoint, metadata, new_versions)
        self._stored.add(checkpoint["id"])
        if (waiting := self._waiting.pop(checkpoint["id"], None)) is not None:
            waiting.set_result(None)
        return written

    async def aput_writes(
        self, config: Any, writes: Any, task_id: str, task_path: str = ""
    ) -> None:
        await self._check(config)
        async with self._large_writes().saver([value for _, value in writes]) as saver:
            put: Any = saver.aput_writes
            await put(config, writes, task_id, *with_path(put, task_path))

    def _large_writes(self) -> LargeWrites:
        if self._large is None or self._large.of is not self.wrapped_saver:
            self._large = LargeWrites(self.wrapped_saver)
        return self._large

    async def _check(self, config: RunnableConfig) -> None:
        if self._fence is not None and own_namespace(config) == self._fence.namespace:
            await self._fence.check()
