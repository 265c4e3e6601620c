"""A run's view of its checkpointer: it knows what is stored, and notices a second writer.

A checkpointer tells nobody when it has stored a checkpoint, and stores whatever it is given. Here a
destructive call can wait until its plan is stored; and of two processes that run the same thread at
once, one goes on, and the other ends with an error that says why.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver

from llm_compiler.errors import ThreadTakenError
from llm_compiler.run.async_checkpointer import with_async


@dataclass(eq=False)
class _Stored:
    """What one run has stored; shared by the copies that LangGraph makes of its checkpointer."""

    on_taken: Callable[[ThreadTakenError], None]
    namespace: str | None
    """The checkpoint namespace that this run alone may write to; None for a subgraph's."""
    branches: bool
    """Whether the run has put no checkpoint yet, and begins at one that it was told, which may
    have others behind it."""
    ids: set[str]
    """The checkpoints that this run, and runs of its own tools, have stored."""
    waiting: dict[str, "asyncio.Future[None]"] = field(default_factory=dict)


class RunCheckpointer(BaseCheckpointSaver[Any]):
    """The checkpointer that a run's config carries."""

    def __init__(self, saver: BaseCheckpointSaver[Any], stored: _Stored) -> None:
        super().__init__(serde=saver.serde)
        self.wrapped_saver = with_async(saver)
        self._stored = stored

    @classmethod
    def of_run(
        cls,
        saver: BaseCheckpointSaver[Any],
        config: RunnableConfig,
        *,
        alone: bool,
        ids: set[str],
        on_taken: Callable[[ThreadTakenError], None],
    ) -> "RunCheckpointer":
        """Wrap the checkpointer of a run.

        Args:
            saver: A checkpointer with sync or async methods.
            config: The run's.
            alone: Whether nobody else may write to the thread while the run does.
            ids: The checkpoints that the runs around this one have stored.
            on_taken: Told when another process has gone on with the thread.
        """
        configurable = config.get("configurable", {})
        namespace = str(configurable.get("checkpoint_ns") or "") if alone else None
        return cls(saver, _Stored(on_taken, namespace, "checkpoint_id" in configurable, ids))

    async def stored(self, config: RunnableConfig) -> None:
        """Return when the checkpoint that a config names is stored."""
        id = config["configurable"]["checkpoint_id"]
        if id in self._stored.ids or await self.wrapped_saver.aget_tuple(config) is not None:
            return
        if id not in self._stored.ids:
            loop = asyncio.get_running_loop()
            await asyncio.shield(self._stored.waiting.setdefault(id, loop.create_future()))

    def get_next_version(self, current: Any, channel: None) -> Any:
        return self.wrapped_saver.get_next_version(current, channel)

    def with_allowlist(self, extra_allowlist: Any) -> "RunCheckpointer":
        return RunCheckpointer(self.wrapped_saver.with_allowlist(extra_allowlist), self._stored)

    async def aget_tuple(self, config: RunnableConfig) -> Any:
        return await self.wrapped_saver.aget_tuple(config)

    async def alist(self, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        async for found in self.wrapped_saver.alist(*args, **kwargs):
            yield found

    async def aput(
        self, config: RunnableConfig, checkpoint: Any, metadata: Any, new_versions: Any
    ) -> RunnableConfig:
        await self._check_taken(config)
        written = await self.wrapped_saver.aput(config, checkpoint, metadata, new_versions)
        self._stored.ids.add(checkpoint["id"])
        if (waiting := self._stored.waiting.pop(checkpoint["id"], None)) is not None:
            waiting.set_result(None)
        return written

    async def aput_writes(
        self, config: RunnableConfig, writes: Any, task_id: str, task_path: str = ""
    ) -> None:
        await self.wrapped_saver.aput_writes(config, writes, task_id, task_path)

    async def _check_taken(self, config: RunnableConfig) -> None:
        """Raise if the thread has gone on without this run since its last checkpoint."""
        configurable = config["configurable"]
        namespace = configurable.get("checkpoint_ns", "")
        if namespace != self._stored.namespace:
            return
        branches, self._stored.branches = self._stored.branches, False
        if branches:
            return
        thread = {"thread_id": configurable["thread_id"], "checkpoint_ns": namespace}
        latest = await self.wrapped_saver.aget_tuple(RunnableConfig(configurable=thread))
        known = {*self._stored.ids, configurable.get("checkpoint_id")}
        if latest is not None and latest.checkpoint["id"] not in known:
            error = ThreadTakenError(
                f"another process has gone on with the thread {configurable['thread_id']!r};"
                " this run ends. Send the message again when the other has answered"
            )
            self._stored.on_taken(error)
            raise error
