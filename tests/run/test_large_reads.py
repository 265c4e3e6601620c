"""What is large in a checkpoint is read in a thread; what comes is what the checkpointer has."""

import threading
from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from langgraph.checkpoint.base import BaseCheckpointSaver, empty_checkpoint
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

from llm_compiler.run.run_checkpointer import RunCheckpointer

LARGE = [HumanMessage("x" * 200_000, id="1")]
HERE: Any = {"configurable": {"thread_id": "1", "checkpoint_ns": ""}}


class Noting(JsonPlusSerializer):
    """Notes the threads in which what is large is read."""

    def __init__(self) -> None:
        super().__init__()
        self.threads: list[threading.Thread] = []

    def loads_typed(self, data: tuple[str, bytes]) -> Any:
        if len(data[1]) > 100_000:
            self.threads.append(threading.current_thread())
        return super().loads_typed(data)


async def put(saver: BaseCheckpointSaver[Any], messages: list[Any]) -> Any:
    """Store a checkpoint with messages, and with writes beside it."""
    checkpoint = empty_checkpoint()
    checkpoint["channel_values"] = {"messages": messages, "round": 1}
    versions: Any = {"messages": "1", "round": "1"}
    checkpoint["channel_versions"] = versions
    place = await saver.aput(HERE, checkpoint, {"source": "loop", "step": 1}, versions)
    await saver.aput_writes(place, [("feedback", None), ("messages", messages)], "task")
    return place


async def check(saver: BaseCheckpointSaver[Any], *, in_thread: bool) -> None:
    await put(saver, LARGE)
    saver.serde = serde = Noting()
    found = await RunCheckpointer(saver).aget_tuple(HERE)
    assert found == await saver.aget_tuple(HERE)
    assert found is not None
    assert found.checkpoint["channel_values"]["messages"] == LARGE
    main = threading.current_thread()
    mine = serde.threads[: len(serde.threads) // 2]
    assert all((it is not main) == in_thread for it in mine)


async def test_large_checkpoint_in_memory_is_read_in_a_thread() -> None:
    await check(InMemorySaver(), in_thread=True)


async def test_large_checkpoint_of_sqlite_is_read_in_a_thread() -> None:
    async with AsyncSqliteSaver.from_conn_string(":memory:") as saver:
        await check(saver, in_thread=True)


class Curious(InMemorySaver):
    """Needs the messages itself."""

    async def aget_tuple(self, config: Any) -> Any:
        found = await super().aget_tuple(config)
        assert found is not None
        len(found.checkpoint["channel_values"]["messages"])
        return found


class Wrapping(InMemorySaver):
    """Puts the values where nobody expects them."""

    async def aget_tuple(self, config: Any) -> Any:
        found = await super().aget_tuple(config)
        assert found is not None
        kept: Any = {"of": found.checkpoint}
        return found._replace(checkpoint=kept)


@pytest.mark.parametrize("kind", [Curious, Wrapping])
async def test_checkpointer_that_looks_inside_is_read_as_it_is(kind: Any) -> None:
    saver = kind()
    await put(saver, LARGE)
    read = RunCheckpointer(saver).aget_tuple
    assert await read(HERE) == await read(HERE) == await saver.aget_tuple(HERE)


async def test_error_of_a_checkpointer_is_its_own() -> None:
    class Broken(InMemorySaver):
        async def aget_tuple(self, config: Any) -> Any:
            raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        await RunCheckpointer(Broken()).aget_tuple(HERE)
