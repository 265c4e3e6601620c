"""Our graph in graphs of others, begun by a node's function, and graphs of others in our tools."""

import asyncio
import sqlite3
from collections.abc import Callable
from typing import Annotated, Any

import pytest
from langchain_core.messages import AIMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.prebuilt import ToolNode
from langgraph.types import Command, interrupt
from typing_extensions import TypedDict

from llm_compiler import Context, build_graph
from llm_compiler.errors import SetupError
from tests.support.scripted import Ledger, ScriptedModel, until

THREAD: Any = {"configurable": {"thread_id": "1"}}
APPROVE = Context(approve=("echo",))
APPROVED = {"decisions": [{"type": "approve"}]}
PLAN = "a = add(1, 2)\ne = echo(a)\nanswer(f'It is {e}.')"


class Outer(TypedDict, total=False):
    messages: Annotated[list[Any], add_messages]
    topic: str
    note: str


def ours(ledger: Ledger, *plans: str, **options: Any) -> Any:
    return build_graph(ledger.tools, model=ScriptedModel(*plans), **options)


def around(saver: Any, **nodes: Any) -> Any:
    """A graph whose nodes all run at once."""
    builder = StateGraph(Outer, Context)
    for name, node in nodes.items():
        builder.add_node(name, node)
        builder.add_edge(START, name)
    return builder.compile(saver)


def begun_by(graph: Any) -> Callable[[Outer], Outer]:
    """A node that runs a graph on its own messages."""

    def node(state: Outer) -> Outer:
        found = graph.invoke({"messages": [("user", state["topic"])]}, context=APPROVE)
        return {"note": found["messages"][-1].text}

    return node


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_what_a_nodes_function_begins_asks_through_the_parent(kind: str, ledger: Ledger) -> None:
    connection = sqlite3.connect(":memory:", check_same_thread=False)
    saver: Any = InMemorySaver() if kind == "memory" else SqliteSaver(connection)
    above = around(saver, node=begun_by(ours(ledger, PLAN)))
    [asked] = above.invoke({"topic": "What?"}, THREAD)["__interrupt__"]
    assert asked.value["action_requests"][0]["args"] == {"value": 3}
    assert above.invoke(Command(resume=APPROVED), THREAD)["note"] == "It is 3."
    assert ledger.begun == [(1, 2), 3]
    connection.close()


async def test_a_sync_run_in_a_thread_uses_the_saver_in_its_own_loop() -> None:
    ledger = Ledger()
    async with AsyncSqliteSaver.from_conn_string(":memory:") as saver:
        # Many at once, so that they meet at the saver's lock.
        nodes = {f"n{number}": begun_by(ours(ledger, PLAN)) for number in range(4)}
        above = around(saver, **{name: _threaded(node) for name, node in nodes.items()})
        stopped = await above.ainvoke({"topic": "What?"}, THREAD)
        answers = {it.id: APPROVED for it in stopped["__interrupt__"]}
        assert len(answers) == 4
        await above.ainvoke(Command(resume=answers), THREAD)
    assert sorted(map(str, ledger.begun)) == [*["(1, 2)"] * 4, *["3"] * 4]


def _threaded(node: Callable[[Outer], Outer]) -> Any:
    async def begun(state: Outer) -> dict[str, Any]:
        await asyncio.to_thread(node, state)
        return {}

    return begun


def test_a_run_that_names_its_thread_stands_on_its_own(ledger: Ledger) -> None:
    own = InMemorySaver()
    inner = ours(ledger, PLAN, checkpointer=own)
    thread: Any = {"configurable": {"thread_id": "own"}}

    def node(state: Outer) -> Outer:
        found = inner.invoke({"messages": "What?"}, thread, context=APPROVE)
        return {"note": str(len(found["__interrupt__"]))}

    assert around(InMemorySaver(), node=node).invoke({"topic": ""}, THREAD)["note"] == "1"
    assert inner.get_state(thread).next == ("scheduler",)


def test_two_agents_called_by_one_message_have_different_call_ids(ledger: Ledger) -> None:
    plan = "a = add({}, 2)\nanswer(f'It is {{a}}.')"
    above = around(InMemorySaver(), a=ours(ledger, plan.format(1)), b=ours(ledger, plan.format(2)))
    state = above.invoke({"messages": [("user", "What?")], "topic": "mine"}, THREAD)
    ids = [
        call["id"]
        for it in state["messages"]
        if isinstance(it, AIMessage)
        for call in it.tool_calls
    ]
    assert len(set(ids)) == len(ids) == 2
    assert state["topic"] == "mine"
    assert state.keys() == {"messages", "topic"}


@pytest.mark.parametrize(("checkpointer", "turns"), [(None, 1), (True, 2)])
def test_a_memory_of_its_own_lasts_over_the_parents_turns(
    checkpointer: Any, turns: int, ledger: Ledger
) -> None:
    inner = ours(ledger, *["answer(f'It is {add(1, 2)}.')"] * 2, checkpointer=checkpointer)

    def node(state: Outer) -> Outer:
        found = inner.invoke({"messages": [("user", state["topic"])]})
        return {"note": str(sum(it.type == "human" for it in found["messages"]))}

    above = around(InMemorySaver(), node=node)
    above.invoke({"topic": "One?"}, THREAD)
    assert above.invoke({"topic": "Two?"}, THREAD)["note"] == str(turns)


def test_without_a_checkpointer_of_any_kind_nobody_is_asked(ledger: Ledger) -> None:
    above = around(InMemorySaver(), node=ours(ledger, PLAN + "\n", "answer(1)", checkpointer=False))
    state = above.invoke({"messages": [("user", "What?")]}, THREAD, context=APPROVE)
    assert "approval needs a checkpointer" in state["messages"][3].text


@pytest.mark.parametrize("sync", [True, False])
def test_graphs_inside_tools_ask_once_and_each_goes_on_where_it_stopped(sync: bool) -> None:
    done: list[str] = []

    def ask(state: Outer) -> Outer:
        done.append(f"asks {state['topic']}")
        return {"note": interrupt(state["topic"])}

    def act(state: Outer) -> Outer:
        done.append(f"{state['topic']} {state['note']}")
        return {}

    builder = StateGraph(Outer)
    builder.add_sequence([ask, act])
    builder.add_edge(START, "ask")
    inner = builder.compile()

    def helper(topic: str) -> str:
        """Have it done."""
        return str(inner.invoke({"topic": topic})["note"])

    async def ahelper(topic: str) -> str:
        """Have it done."""
        return str((await inner.ainvoke({"topic": topic}))["note"])

    name = "helper" if sync else "ahelper"
    plan = f"a = {name}('A')\nb = {name}('B')\nanswer(f'{{a}} and {{b}}.')"
    graph = build_graph([helper, ahelper], model=ScriptedModel(plan), checkpointer=InMemorySaver())
    asked = graph.invoke({"messages": "Do."}, THREAD)["__interrupt__"]
    assert sorted(it.value for it in asked) == ["A", "B"]
    answers = {it.id: f"{it.value.lower()}!" for it in asked}
    state = graph.invoke(Command(resume=answers), THREAD)
    assert state["messages"][-1].text == "a! and b!."
    # A node that interrupts runs again from its top.
    assert sorted(done) == ["A a!", "B b!", *["asks A"] * 2, *["asks B"] * 2]


@pytest.mark.parametrize("how", ["node", "function", "tool"])
async def test_what_had_ended_does_not_run_again_when_the_graph_around_goes_on(how: str) -> None:
    ledger, saver = Ledger(), InMemorySaver()
    gate = ledger.gate("slow")
    plan = "a = add(1, 2)\nb = echo('slow')\nanswer(f'It is {a} and {b}.')"

    def built(*plans: str) -> Any:
        inner = ours(ledger, *plans, name="inner")

        async def node(state: Outer) -> dict[str, Any]:
            return {"messages": (await inner.ainvoke({"messages": state["messages"]}))["messages"]}

        if how == "tool":
            outer = (
                ScriptedModel("answer(inner('What?'))", "Told.")
                if plans
                else ScriptedModel("Told.")
            )
            return build_graph([inner.as_tool()], model=outer, checkpointer=saver)
        return around(saver, node=inner if how == "node" else node)

    run = asyncio.ensure_future(built(plan).ainvoke({"messages": [("user", "What?")]}, THREAD))
    await until(lambda: len(ledger.begun) == 2 and bool(ledger.ended))
    await until(lambda: _has_ended(saver))
    run.cancel()
    await asyncio.wait([run])
    gate.set()
    # No model has a plan left: none is asked for again.
    state = await built().ainvoke(None, THREAD)
    assert state["messages"][-1].text == ("Told." if how == "tool" else "It is 3 and slow.")
    assert ledger.begun == [(1, 2), "slow", "slow"]


def _has_ended(saver: InMemorySaver) -> bool:
    """Whether a call's outcome is in the journal, which is beside the checkpoints."""
    kept = (it for it in saver.list(THREAD) if it.metadata["source"] == "update")
    return any("'status': 'ok'" in str(it.pending_writes) for it in kept)


@pytest.mark.parametrize(
    ("given", "remedy"),
    [
        (ToolNode([]), r"ToolNode cannot be a tool: .* write \*node.tools_by_name.values\(\)"),
        (around(None, a=lambda state: {}), r"CompiledStateGraph cannot be a tool: .*\.as_tool"),
    ],
    ids=["tool node", "graph"],
)
def test_what_is_no_tool_as_it_is_says_how_it_becomes_one(given: Any, remedy: str) -> None:
    with pytest.raises(SetupError, match=remedy):
        build_graph([given])


@pytest.mark.parametrize("name", ["", " ", 5])
def test_what_is_no_name_is_refused_when_the_graph_is_built(name: Any) -> None:
    with pytest.raises(SetupError, match="name: give a string"):
        build_graph(name=name)


def test_a_handoff_of_a_graph_inside_a_tool_is_an_error_of_the_call() -> None:
    builder = StateGraph(Outer)
    builder.add_node("out", lambda state: Command(graph=Command.PARENT, goto="nowhere"))
    builder.add_edge(START, "out")
    inner = builder.compile()

    def helper() -> str:
        """Have it done."""
        return str(inner.invoke({"topic": ""}))

    model = ScriptedModel(*["helper()"] * 3)
    state = build_graph([helper], model=model).invoke({"messages": "Do."})
    assert "handed off to its parent" in state["messages"][2].text
