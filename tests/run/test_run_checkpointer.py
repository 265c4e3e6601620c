"""A run's checkpointer knows what is stored, and writes only while the thread is its run's."""

import asyncio
from typing import Any

import pytest
from langgraph.checkpoint.base import empty_checkpoint
from langgraph.checkpoint.memory import InMemorySaver

from llm_compiler.errors import ThreadTakenError
from llm_compiler.run.run_checkpointer import RunCheckpointer
from llm_compiler.run.thread_fence import ThreadFence
from tests.support.scripted import until


def place(namespace: str = "", id: str | None = None) -> Any:
    of = {"thread_id": "1", "checkpoint_ns": namespace}
    return {"configurable": of if id is None else {**of, "checkpoint_id": id}}


class Reads(InMemorySaver):
    """Notes how often it is read, its copies included."""

    def __init__(self) -> None:
        super().__init__()
        self.reads: list[Any] = []

    async def aget_tuple(self, config: Any) -> Any:
        self.reads.append(config)
        await asyncio.sleep(0)
        return await super().aget_tuple(config)


async def test_confirming_waits_until_the_checkpoint_is_stored() -> None:
    checkpoint = empty_checkpoint()
    of_run = RunCheckpointer(InMemorySaver())
    waiting = [asyncio.ensure_future(of_run.confirm(place(id=checkpoint["id"]))) for _ in range(3)]
    for _ in range(20):
        await asyncio.sleep(0)
    assert not any(it.done() for it in waiting)
    # By another copy of it: LangGraph makes one for each graph.
    await of_run.with_allowlist(set()).aput(place(), checkpoint, {}, {})
    await asyncio.gather(*waiting)


async def test_what_an_earlier_run_stored_is_looked_for_once() -> None:
    saver, checkpoint = Reads(), empty_checkpoint()
    saver.put(place(), checkpoint, {}, {})
    of_run = RunCheckpointer(saver)
    await asyncio.gather(*(of_run.confirm(place(id=checkpoint["id"])) for _ in range(100)))
    assert len(saver.reads) == 1


async def test_a_run_that_lost_its_thread_writes_nothing_more() -> None:
    saver = InMemorySaver()
    fence = ThreadFence(saver, "1", "")
    await fence.enter()
    of_run, checkpoint = RunCheckpointer(saver, fence), empty_checkpoint()
    await of_run.aput(place(), checkpoint, {}, {})
    await ThreadFence(saver, "1", "").enter()
    here = place(id=checkpoint["id"])
    with pytest.raises(ThreadTakenError):
        await of_run.aput(here, empty_checkpoint(), {}, {})
    with pytest.raises(ThreadTakenError):
        await of_run.aput_writes(here, [("a", 1)], "task")
    with pytest.raises(ThreadTakenError):
        await of_run.confirm(here)
    assert [it.checkpoint["id"] for it in saver.list(place())] == [checkpoint["id"]]
    assert saver.get_tuple(here).pending_writes == []  # type: ignore[union-attr]
    # What runs inside its tools, and its journal, have namespaces of their own.
    await of_run.aput(place("scheduler:1"), empty_checkpoint(), {}, {})


async def test_a_run_that_lost_its_thread_tells_at_once() -> None:
    saver, told = InMemorySaver(), list[ThreadTakenError]()
    fence = ThreadFence(saver, "1", "")
    await fence.enter()
    async with fence.watched(told.append):
        await ThreadFence(saver, "1", "").enter()
        writing = asyncio.ensure_future(
            RunCheckpointer(saver, fence).aput(place(), empty_checkpoint(), {}, {})
        )
        await until(writing.done)
        assert told == [writing.exception()]
