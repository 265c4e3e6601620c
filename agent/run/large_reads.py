"""Reads large checkpoints in a thread: a checkpointer would turn their bytes into objects on the
event loop.

    checkpointer ─► bytes, but for the first of them ─► a thread ─► messages, plan, outcomes
"""

import asyncio
from contextvars import ContextVar
from copy import copy
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver, CheckpointTuple

from llm_compiler.run.saver_wrapper import SaverWrapper, remember

_AT_ONCE = 100_000
"""Bytes of a checkpoint and its writes that are read on the event loop."""
_LEFT: ContextVar["_Left | None"] = ContextVar("llm_compiler_bytes_left", default=None)


class LargeReads:
    """Reads from a checkpointer, of which some may be large."""

    def __init__(self, saver: BaseCheckpointSaver[Any]) -> None:
        self.of = saver
        self._copy = copy(saver)
        self._copy.serde = _Later(saver.serde)
        self._looks_inside = isinstance(saver, SaverWrapper)  # it is called from threads
        """Whether the checkpointer itself needs what it has read."""
        remember(saver, self._copy)

    async def get(self, config: RunnableConfig) -> CheckpointTuple | None:
        """As `aget_tuple` of the checkpointer."""
        if not self._looks_inside:
            left = _Left()
            token = _LEFT.set(left)
            try:
                found = await self._copy.aget_tuple(config)
            except Exception:
                if not left.unread:
                    raise
            else:
                if found is None or not left.unread:
                    return found
                whole = await asyncio.to_thread(_whole, found, left)
                if not left.unread:
                    return whole
            finally:
                _LEFT.reset(token)
            self._looks_inside = True
        return await self.of.aget_tuple(config)


class _Left:
    """What is left of one read."""

    def __init__(self) -> None:
        self.bytes = _AT_ONCE
        self.unread = 0
        """How many values are to be read in a thread."""


class _Unread:
    """Stands for a value that is bytes until a thread reads it."""

    __slots__ = ("data", "serde")

    def __init__(self, serde: Any, data: tuple[str, bytes]) -> None:
        self.serde = serde
        self.data = data


class _Later:
    """A serializer that leaves what is too much at once to be read later."""

    def __init__(self, serde: Any) -> None:
        self._serde = serde

    def __getattr__(self, name: str) -> Any:
        return getattr(self._serde, name)

    def loads_typed(self, data: tuple[str, bytes]) -> Any:
        if (left := _LEFT.get()) is not None:
            left.bytes -= len(data[1] or b"")
            if left.bytes < 0:
                left.unread += 1
                return _Unread(self._serde, data)
        return self._serde.loads_typed(data)


def _whole(found: CheckpointTuple, left: _Left) -> CheckpointTuple:
    def read(value: Any) -> Any:
        if type(value) is not _Unread:
            return value
        left.unread -= 1
        return value.serde.loads_typed(value.data)

    checkpoint = read(found.checkpoint)
    values = checkpoint.get("channel_values")
    if isinstance(values, dict):
        checkpoint = {**checkpoint, "channel_values": {k: read(it) for k, it in values.items()}}
    writes = found.pending_writes
    if writes is not None:
        writes = [(task, channel, read(value)) for task, channel, value in writes]
    metadata = read(found.metadata)
    return found._replace(checkpoint=checkpoint, metadata=metadata, pending_writes=writes)
