"""`invoke` and `stream` work wherever `ainvoke` and `astream` do."""

import asyncio
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import END, START, StateGraph

from llm_compiler import Context, build_graph
from llm_compiler.run.sync_bridge import LoopThreads
from llm_compiler.state import State
from tests.support.interrupted import interrupted
from tests.support.scripted import Ledger, ScriptedModel

ASK: Any = {"messages": [HumanMessage("What?")]}
THREAD: Any = {"configurable": {"thread_id": "1"}}
PLAN = "a = add(1, 2)\nadd(a, 4)"


def graph(ledger: Ledger, **options: Any) -> Any:
    return build_graph(
        ledger.tools, planner=ScriptedModel(PLAN), joiner=ScriptedModel("Seven."), **options
    )


def test_stream_yields_what_astream_yields() -> None:
    modes: Any = ["updates", "custom", "messages"]
    chunks = list(graph(Ledger()).stream(ASK, stream_mode=modes))
    assert {mode for mode, _ in chunks} == set(modes)
    assert [list(chunk) for mode, chunk in chunks if mode == "updates"] == [
        ["planner"],
        ["scheduler"],
        ["joiner"],
    ]


async def test_invoke_works_inside_a_running_loop() -> None:
    assert graph(Ledger()).invoke(ASK)["messages"][-1].text == "Seven."


def test_many_threads_at_once() -> None:
    # Built before: LangChain's `@tool` sets Python's filters of warnings, which all threads share.
    graphs = [graph(Ledger()) for _ in range(16)]
    with ThreadPoolExecutor(8) as pool:
        states = list(pool.map(lambda compiled: compiled.invoke(ASK), graphs))
    assert [state["outcomes"]["2"]["value"] for state in states] == [7] * 16


def test_a_sync_only_checkpointer(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "db", check_same_thread=False) as connection:
        compiled = graph(Ledger(), checkpointer=SqliteSaver(connection))
        compiled.invoke(ASK, THREAD)
        assert compiled.get_state(THREAD).values["outcomes"]["2"]["value"] == 7
    connection.close()


async def test_a_sync_only_checkpointer_is_called_from_threads_by_ainvoke(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "db", check_same_thread=False)
    compiled = graph(Ledger(), checkpointer=SqliteSaver(connection))
    state = await compiled.ainvoke(ASK, THREAD)
    assert state["outcomes"]["2"]["value"] == 7
    connection.close()


def test_as_a_node_of_a_sync_parent_graph(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "db", check_same_thread=False)
    builder = StateGraph(State)
    builder.add_node("compiler", graph(Ledger()))
    builder.add_edge(START, "compiler")
    builder.add_edge("compiler", END)
    parent = builder.compile(checkpointer=SqliteSaver(connection))
    assert parent.invoke(ASK, THREAD)["messages"][-1].text == "Seven."
    connection.close()


@pytest.mark.parametrize("count", [8, 32])
def test_sync_tools_all_run_at_once(count: int) -> None:
    barrier = threading.Barrier(count, timeout=30)

    def meet(place: int) -> int:
        """Wait until all are there."""
        barrier.wait()
        return place

    plan = "".join(f"meet({i})\n" for i in range(count))
    compiled = build_graph([meet], planner=ScriptedModel(plan), joiner=ScriptedModel("Met."))
    state = compiled.invoke(ASK, context=Context(max_parallel=count))
    assert [outcome["status"] for outcome in state["outcomes"].values()] == ["ok"] * count


def test_closing_a_stream_early_cancels_its_calls() -> None:
    ledger = Ledger()
    ledger.gate("never")
    planner = ScriptedModel("echo('never')")
    compiled = build_graph(ledger.tools, planner=planner, joiner=ScriptedModel())
    stream: Any = compiled.stream(ASK, stream_mode="custom")
    for event in stream:
        if event["event"] == "task.started":
            break
    stream.close()
    assert ledger.cancelled == ["never"]


async def test_cancelling_ainvoke_cancels_its_calls() -> None:
    ledger = Ledger()
    ledger.gate("never")
    planner = ScriptedModel("echo('never')")
    compiled = build_graph(ledger.tools, planner=planner, joiner=ScriptedModel())
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await compiled.ainvoke(ASK)
    assert ledger.cancelled == ["never"]
    assert asyncio.all_tasks() == {asyncio.current_task()}


SCRIPT = """
import asyncio, sys
from llm_compiler import build_graph
from tests.support.interrupted import interrupted
from tests.support.scripted import ScriptedModel
async def never() -> str:
    "Never."
    print("begun", flush=True)
    try:
        await asyncio.Event().wait()
    finally:
        print("cancelled", flush=True)
planner = ScriptedModel("never()")
graph = build_graph([never], planner=planner, joiner=ScriptedModel())
try:
    graph.invoke({"messages": [("user", "x")]})
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


@pytest.mark.slow
@pytest.mark.alone
def test_ctrl_c_cancels_a_sync_run_within_a_second() -> None:
    begun, output, errors, took = interrupted(SCRIPT, 1)
    assert begun == {"begun\n"}
    assert output.split() == ["cancelled", "interrupted"]
    assert errors == ""
    assert took < 1.0


def test_a_tool_may_itself_invoke_a_graph() -> None:
    inner = graph(Ledger())

    async def nested(question: str) -> str:
        """Ask another agent, synchronously."""
        return str(inner.invoke(ASK)["messages"][-1].text)

    compiled = build_graph(
        [nested], planner=ScriptedModel("nested('x')"), joiner=ScriptedModel("Yes.")
    )
    assert compiled.invoke(ASK)["outcomes"]["1"]["value"] == "Seven."


def test_a_keyboard_interrupt_inside_a_tool_does_not_end_the_loop() -> None:
    def stop() -> None:
        """Stop."""
        raise KeyboardInterrupt

    compiled = build_graph([stop], planner=ScriptedModel("stop()"), joiner=ScriptedModel("Well."))
    assert compiled.invoke(ASK)["outcomes"]["1"]["status"] == "failed"
    assert graph(Ledger()).invoke(ASK)["messages"][-1].text == "Seven."


def test_stream_waits_for_its_reader() -> None:
    ledger = Ledger()
    chunks = graph(ledger).stream(ASK, stream_mode="updates")
    assert list(next(chunks)) == ["planner"]
    chunks.close()
    assert (3, 4) not in ledger.ended or len(ledger.ended) <= 2


def test_a_reset_ends_the_loops_and_the_next_run_starts_one() -> None:
    threads = LoopThreads()
    before = threads.loop()
    assert threads.loops() == [before]
    threads.reset()
    while not before.is_closed():
        time.sleep(0.001)
    assert threads.loops() == []
    after = threads.loop()
    assert after is not before
    assert asyncio.run_coroutine_threadsafe(asyncio.sleep(0, "runs"), after).result(5) == "runs"
    threads.reset()
    while not after.is_closed():
        time.sleep(0.001)
