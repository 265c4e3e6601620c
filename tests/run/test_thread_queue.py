"""Runs of one thread follow one another, and never wait for themselves."""

import asyncio
import gc
from collections import Counter
from contextlib import aclosing
from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command

from llm_compiler import Context, build_graph
from llm_compiler.run.thread_queue import QUEUES, ThreadQueues, thread_of
from llm_compiler.state import State
from tests.support.protocol import follows_protocol
from tests.support.scripted import Ledger, ScriptedModel, until

pytestmark = pytest.mark.timeout(30)

THREAD: Any = {"configurable": {"thread_id": "1"}}


def ask(text: str) -> Any:
    return {"messages": [HumanMessage(text)]}


def plan(value: str) -> str:
    return f"echo('{value}')"


@pytest.fixture
def ledger() -> Any:
    yield Ledger()
    gc.collect()
    assert QUEUES.lengths() == []  # no line is left standing


def graph(ledger: Ledger, *plans: Any, answers: Any, saver: Any = None) -> Any:
    return build_graph(
        ledger.tools,
        planner=ScriptedModel(*plans),
        joiner=ScriptedModel(*answers),
        checkpointer=saver or InMemorySaver(),
    )


async def test_two_turns_at_once_answer_each_its_own_question(ledger: Ledger) -> None:
    compiled = graph(ledger, plan("a"), plan("b"), answers=["A.", "B."])
    first, second = await asyncio.gather(
        compiled.ainvoke(ask("A?"), THREAD), compiled.ainvoke(ask("B?"), THREAD)
    )
    assert [m.text for m in first["messages"] if m.text] == ["A?", "a", "A."]
    assert [m.text for m in second["messages"] if m.text] == ["A?", "a", "A.", "B?", "b", "B."]
    assert [state["outcomes"]["1"]["value"] for state in (first, second)] == ["a", "b"]
    assert ledger.begun == ["a", "b"]
    kept = (await compiled.aget_state(THREAD)).values["messages"]
    assert kept == second["messages"]
    assert follows_protocol(kept)


async def test_sync_and_async_runs_stand_in_one_line(ledger: Ledger) -> None:
    compiled = graph(ledger, *(plan(str(i)) for i in range(6)), answers=["Done."] * 6)
    await asyncio.gather(
        *(compiled.ainvoke(ask("?"), THREAD) for _ in range(3)),
        *(asyncio.to_thread(compiled.invoke, ask("?"), THREAD) for _ in range(3)),
    )
    messages = (await compiled.aget_state(THREAD)).values["messages"]
    assert Counter(m.text for m in messages)["Done."] == 6
    assert follows_protocol(messages)


async def test_a_decision_sent_twice_runs_its_call_once(ledger: Ledger) -> None:
    compiled = graph(ledger, "add(1, 2)", answers=["Three."])
    context = Context(approve=("add",))
    await compiled.ainvoke(ask("?"), THREAD, context=context)
    approve: Any = Command(resume={"decisions": [{"type": "approve"}]})
    both = await asyncio.gather(
        *(compiled.ainvoke(approve, THREAD, context=context) for _ in range(2))
    )
    assert [state["messages"][-1].text for state in both] == ["Three.", "Three."]
    assert ledger.begun == [(1, 2)]


async def test_other_threads_and_runs_without_one_do_not_wait(ledger: Ledger) -> None:
    gate = ledger.gate("slow")
    compiled = graph(ledger, plan("slow"), plan("b"), answers=["B.", "A."])
    running = asyncio.ensure_future(compiled.ainvoke(ask("A?"), THREAD))
    await until(lambda: ledger.begun == ["slow"])
    other = await compiled.ainvoke(ask("B?"), {"configurable": {"thread_id": "2"}})
    assert other["messages"][-1].text == "B."
    gate.set()
    await running


@pytest.mark.parametrize("how", ["cancelled", "failed", "closed", "dropped"])
async def test_a_run_that_ends_in_any_way_makes_room(ledger: Ledger, how: str) -> None:
    ledger.gate("never")
    first = [ValueError("broken")] if how == "failed" else plan("never")
    compiled = graph(ledger, first, plan("b"), answers=["B."])

    async def read() -> None:
        async with aclosing(compiled.astream(ask("A?"), THREAD)) as stream:
            async for _ in stream:
                if how == "closed":
                    return

    async def read_and_drop() -> None:
        async for _ in compiled.astream(ask("A?"), THREAD):
            return

    running = asyncio.ensure_future(read_and_drop() if how == "dropped" else read())
    if how == "cancelled":
        await until(lambda: ledger.begun == ["never"])
    waiting = asyncio.ensure_future(compiled.ainvoke(ask("B?"), THREAD))
    if how == "cancelled":
        running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert (await waiting)["messages"][-1].text == "B."


async def test_a_run_that_gives_up_waiting_leaves_the_line(ledger: Ledger) -> None:
    gate = ledger.gate("slow")
    compiled = graph(ledger, plan("slow"), plan("c"), answers=["A.", "C."])
    first = asyncio.ensure_future(compiled.ainvoke(ask("A?"), THREAD))
    await until(lambda: ledger.begun == ["slow"])
    second = asyncio.ensure_future(compiled.ainvoke(ask("B?"), THREAD))
    third = asyncio.ensure_future(compiled.ainvoke(ask("C?"), THREAD))
    await until(lambda: QUEUES.lengths() == [3])
    second.cancel()
    await asyncio.wait([second])
    gate.set()
    assert (await first)["messages"][-1].text == "A."
    assert (await third)["messages"][-1].text == "C."


async def test_who_leaves_a_run_half_read_does_not_wait_for_it(ledger: Ledger) -> None:
    ledger.gate("never")
    compiled = graph(ledger, plan("never"), plan("b"), answers=["B."])
    stream = compiled.astream(ask("A?"), THREAD)
    await anext(stream)
    assert (await compiled.ainvoke(ask("B?"), THREAD))["messages"][-1].text == "B."
    assert [chunk async for chunk in stream] == []
    assert ledger.cancelled == ["never"]


def test_who_leaves_a_sync_run_half_read_does_not_wait_for_it(ledger: Ledger) -> None:
    ledger.gate("never")
    compiled = graph(ledger, plan("never"), plan("b"), answers=["B."])
    stream = compiled.stream(ask("A?"), THREAD)
    next(stream)
    assert compiled.invoke(ask("B?"), THREAD)["messages"][-1].text == "B."
    stream.close()


async def test_a_tool_that_asks_in_its_own_thread_does_not_wait_for_itself(ledger: Ledger) -> None:
    saver = InMemorySaver()
    inner = graph(ledger, plan("inner"), answers=["Inner."], saver=saver)

    @tool
    async def think(about: str) -> str:
        """Think."""
        state = await inner.ainvoke(ask(about), {"configurable": {"thread_id": "1"}})
        return str(state["messages"][-1].text)

    outer = build_graph(
        [think],
        planner=ScriptedModel("think('x')"),
        joiner=ScriptedModel("Outer."),
        checkpointer=saver,
    )
    state = await outer.ainvoke(ask("?"), THREAD)
    assert state["outcomes"]["1"]["value"] == "Inner."


async def test_two_subgraphs_of_one_parent_run_at_once(ledger: Ledger) -> None:
    """Each waits for the other's call, which would last for ever if they ran in turn."""
    gates = {"a": asyncio.Event(), "b": asyncio.Event()}

    @tool
    async def meet(me: str, other: str) -> str:
        """Meet."""
        gates[me].set()
        await gates[other].wait()
        return me

    def child(me: str, other: str) -> Any:
        planner = ScriptedModel(f"meet('{me}', '{other}')")
        return build_graph([meet], planner=planner, joiner=ScriptedModel(f"{me}."))

    async def of(graph: Any, state: State, config: RunnableConfig) -> Any:
        answered = await graph.ainvoke({"messages": state["messages"]}, config)
        return {"messages": answered["messages"][-1:]}

    first, second = child("a", "b"), child("b", "a")
    builder = StateGraph(State)

    async def a(state: State, config: RunnableConfig) -> Any:
        return await of(first, state, config)

    async def b(state: State, config: RunnableConfig) -> Any:
        return await of(second, state, config)

    for name, node in {"a": a, "b": b}.items():
        builder.add_node(name, node)
        builder.add_edge(START, name)
        builder.add_edge(name, END)
    state = await builder.compile(InMemorySaver()).ainvoke(ask("?"), THREAD)
    assert {m.text for m in state["messages"]} == {"?", "a.", "b."}


async def test_a_reset_forgets_who_waits() -> None:
    queues = ThreadQueues()
    place: Any = object()
    assert queues.join("1", place) is place
    assert queues.join("1", object()) is place  # type: ignore[arg-type]
    assert queues.lengths() == [2]
    queues.reset()
    assert queues.lengths() == []
    assert queues.leave("1", place) is None


async def test_graphs_that_share_a_checkpointer_stand_in_one_line(ledger: Ledger) -> None:
    """LangGraph gives each graph a copy of it, which knows the types that the graph stores."""
    saver = InMemorySaver()
    one, other = (graph(ledger, "", answers=[], saver=saver) for _ in range(2))
    assert one.checkpointer is not other.checkpointer
    assert thread_of(THREAD, one.checkpointer) == thread_of(THREAD, other.checkpointer)
    assert thread_of(THREAD, one.checkpointer) == thread_of(THREAD, saver)
