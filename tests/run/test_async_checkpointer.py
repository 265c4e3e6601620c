"""Checkpointers that have sync methods only work wherever others do."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import START, MessagesState, StateGraph

from llm_compiler.graph import build_graph
from llm_compiler.run.async_checkpointer import ThreadedSaver, with_async
from llm_compiler.run.compiled_graph import LLMCompiler
from tests.support.scripted import ScriptedModel

CONFIG: Any = {"configurable": {"thread_id": "1"}}
QUESTION: Any = {"messages": [("user", "How high?")]}


def shout(text: str) -> str:
    """Shout."""
    return text.upper()


def graph(checkpointer: Any = None) -> LLMCompiler:
    plan = 'a = shout("k2")\nshout(a + "!")'
    planner, joiner = ScriptedModel(plan, plan), ScriptedModel("So high.", "Higher.")
    return build_graph([shout], planner=planner, joiner=joiner, checkpointer=checkpointer)


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[SqliteSaver]:
    with SqliteSaver.from_conn_string(str(tmp_path / "checkpoints.db")) as saver:
        yield saver


def check(state: dict[str, Any]) -> None:
    assert [outcome["value"] for outcome in state["outcomes"].values()] == ["K2", "K2!", "K2!"]
    assert state["messages"][-1].text == "So high."


async def test_async_run_with_a_sync_saver(sqlite: SqliteSaver) -> None:
    compiled = graph(sqlite)
    check(await compiled.ainvoke(QUESTION, CONFIG))
    assert len(list(sqlite.list(CONFIG))) >= 4
    assert (await compiled.ainvoke(QUESTION, CONFIG))["messages"][-1].text == "Higher."


def test_sync_run_with_a_sync_saver(sqlite: SqliteSaver) -> None:
    compiled = graph(sqlite)
    check(compiled.invoke(QUESTION, CONFIG))
    assert compiled.get_state(CONFIG).values["messages"][-1].text == "So high."
    assert compiled.invoke(QUESTION, CONFIG)["messages"][-1].text == "Higher."


def parent(child: LLMCompiler, checkpointer: Any = None) -> Any:
    builder = StateGraph(MessagesState)
    builder.add_node("child", child)
    builder.add_edge(START, "child")
    return builder.compile(checkpointer)


def test_node_of_a_sync_parent() -> None:
    assert parent(graph()).invoke(QUESTION)["messages"][-1].text == "So high."


def test_node_of_a_sync_parent_that_lends_its_sync_saver(sqlite: SqliteSaver) -> None:
    above = parent(graph(), sqlite)
    assert above.invoke(QUESTION, CONFIG)["messages"][-1].text == "So high."
    assert above.get_state(CONFIG).values["messages"][-1].text == "So high."


async def test_node_of_an_async_parent() -> None:
    answered = await parent(graph(), InMemorySaver()).ainvoke(QUESTION, CONFIG)
    assert answered["messages"][-1].text == "So high."


async def test_saver_with_async_methods_stays_as_it_is() -> None:
    async with AsyncSqliteSaver.from_conn_string(":memory:") as saver:
        assert with_async(saver) is saver
    memory = InMemorySaver()
    assert with_async(memory) is memory


async def test_wrapper_returns_what_the_saver_returns(sqlite: SqliteSaver) -> None:
    compiled = graph(sqlite)
    await compiled.ainvoke(QUESTION, CONFIG)
    wrapper = with_async(sqlite)
    assert isinstance(wrapper, ThreadedSaver)
    assert with_async(wrapper) is wrapper
    assert await wrapper.aget_tuple(CONFIG) == wrapper.get_tuple(CONFIG) == sqlite.get_tuple(CONFIG)
    assert [found async for found in wrapper.alist(CONFIG, limit=2)] == list(
        wrapper.list(CONFIG, limit=2)
    )
    assert wrapper.get_next_version(None, None) is not None
    assert wrapper.conn is sqlite.conn
    assert isinstance(wrapper.conn, sqlite3.Connection)
    await wrapper.adelete_thread("1")
    assert await wrapper.aget_tuple(CONFIG) is None
