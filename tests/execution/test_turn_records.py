"""Records of a turn beside its checkpoints, with every checkpointer."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

from llm_compiler.execution.turn_records import TurnRecords


@pytest.fixture(params=["memory", "sqlite", "postgres"])
async def saver(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Any]:
    if request.param == "memory":
        yield InMemorySaver()
    elif request.param == "sqlite":
        async with AsyncSqliteSaver.from_conn_string(str(tmp_path / "s.db")) as saver:
            yield saver
    else:
        address = request.getfixturevalue("postgres")
        async with AsyncPostgresSaver.from_conn_string(address) as saver:
            yield saver


def records(saver: Any, turn: str, thread: str = "records", namespace: str = "") -> TurnRecords:
    return TurnRecords(saver, thread, namespace, turn)


async def test_what_was_added_is_read_by_the_next_process(saver: Any) -> None:
    ours = records(saver, "added")
    await ours.add("journal", [{"no": 1}, {"no": 2}])
    await ours.add("journal", [{"no": 3}])
    again = records(saver, "added")
    await again.add("journal", [{"no": 4}])
    assert sorted(it["no"] for it in await again.read("journal")) == [1, 2, 3, 4]


async def test_sections_turns_threads_and_graphs_are_kept_apart(saver: Any) -> None:
    await records(saver, "apart").add("journal", ["ours"])
    assert await records(saver, "apart").read("other section") == []
    assert await records(saver, "other turn").read("journal") == []
    assert await records(saver, "apart", thread="other").read("journal") == []
    assert await records(saver, "apart", namespace="node:1").read("journal") == []


async def test_of_several_only_one_is_first(saver: Any) -> None:
    claims = [records(saver, "first").first("claims", "claim 3", {"by": n}) for n in range(5)]
    told = await asyncio.gather(*claims)
    assert told == [[told[0][0]]] * 5
    assert await records(saver, "first").first("claims", "claim 3", {"by": "late"}) == told[0]


async def test_the_thread_does_not_see_them(saver: Any) -> None:
    await records(saver, "unseen", thread="unseen").add("journal", ["ours"])
    config: Any = {"configurable": {"thread_id": "unseen", "checkpoint_ns": ""}}
    assert await saver.aget_tuple(config) is None
    assert [it async for it in saver.alist(config)] == []
