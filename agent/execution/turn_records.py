"""A turn's records, stored beside its thread's checkpoints in a namespace of their own.

A checkpointer stores two things: checkpoints, and the writes that belong to one. Here a checkpoint
without content stands for a section, and the writes to it are the section's records. So they
outlive whatever happens to the thread's own checkpoints: forks, edits, a run that is begun a second
time. LangGraph's own journal, `@task`, does not: it finds an entry by its order and its function's
name, in one checkpoint alone.
"""

import asyncio
import uuid
from collections.abc import Sequence
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver, empty_checkpoint

_NAMESPACE = "llm_compiler"
_CHANNEL = "llm_compiler"
_IDS = uuid.UUID("6d1f0a52-5d0e-5c3b-9a53-0d8a1c1f7c11")
"""The root of the sections' ids, which all processes must compute alike."""


def records_namespace(namespace: str) -> str:
    """The namespace beside a graph's own checkpoints, where what is kept with them lies."""
    return f"{namespace}|{_NAMESPACE}" if namespace else _NAMESPACE


def place_in(namespace: str, thread: str, id: str | None = None) -> RunnableConfig:
    """The place of a thread's kept checkpoint, or (without an id) where one is put."""
    of = {"thread_id": thread, "checkpoint_ns": records_namespace(namespace)}
    return RunnableConfig(configurable=of if id is None else {**of, "checkpoint_id": id})


def blank_checkpoint(id: str, **label: Any) -> tuple[Any, Any, Any]:
    """What a checkpointer is given for a checkpoint without content; `label` is its metadata."""
    metadata = {"source": "update", "step": -1, "parents": {}, **label}
    return {**empty_checkpoint(), "id": id}, metadata, {}


class TurnRecords:
    """The records of one turn, in sections that are known by name.

    Args:
        saver: The checkpointer.
        thread: The thread's id.
        namespace: The graph's own checkpoint namespace; empty for a graph that is no subgraph.
        turn: The id of the message that began the turn.
    """

    def __init__(
        self, saver: BaseCheckpointSaver[Any], thread: str, namespace: str, turn: str
    ) -> None:
        self._saver = saver
        self._thread = thread
        self._namespace = namespace
        self._turn = uuid.uuid5(_IDS, turn)
        self._put: set[str] = set()
        self._putting = asyncio.Lock()

    async def read(self, section: str) -> list[Any]:
        """The records of a section, in no order."""
        saved = await self._saver.aget_tuple(self._place(section))
        writes = (saved and saved.pending_writes) or ()
        return [value for _, channel, value in writes if channel == _CHANNEL]

    async def add(self, section: str, records: Sequence[Any]) -> None:
        """Add records to a section; they are stored when this returns."""
        await self._write(section, records, str(uuid.uuid4()))

    async def first(self, section: str, place: str, record: Any) -> list[Any]:
        """Put a record in a place of a section unless one is there; return the section's records.

        Of several processes that do so at once, all are told of the same first record: a
        checkpointer ignores a write under a task and an index that it has.
        """
        await self._write(section, [record], str(self._id(place)))
        return await self.read(section)

    async def _write(self, section: str, records: Sequence[Any], task: str) -> None:
        place = self._place(section)
        async with self._putting:
            if section not in self._put:
                # Putting it again changes nothing, and keeps its records.
                parent = place_in(self._namespace, self._thread)
                await self._saver.aput(parent, *blank_checkpoint(str(self._id(section))))
                self._put.add(section)
        await self._saver.aput_writes(place, [(_CHANNEL, record) for record in records], task)

    def _place(self, section: str) -> RunnableConfig:
        return place_in(self._namespace, self._thread, str(self._id(section)))

    def _id(self, section: str) -> uuid.UUID:
        return uuid.uuid5(self._turn, section)
