"""A turn begins because of the user's message, known by its id; each task knows its round.

What other agents write into the thread begins no turn of ours and makes no replan.
"""

from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph

from llm_compiler import Context, build_graph
from llm_compiler.run.stored_state import mended
from llm_compiler.state import InputState, begins_turn, next_round
from tests.support.protocol import follows_protocol
from tests.support.scripted import Ledger, ScriptedModel

pytestmark = pytest.mark.timeout(30)

THREAD: Any = {"configurable": {"thread_id": "1"}}
FIRST, SECOND = "echo('x')", "echo('y')"
REPLANNED = "echo('y')"


def handoff(id: str = "h") -> list[Any]:
    """What a supervisor writes when it hands a conversation over."""
    call = {"name": "transfer_to_compiler", "args": {}, "id": id}
    return [AIMessage("", tool_calls=[call]), ToolMessage("Transferred.", tool_call_id=id)]


def graph(ledger: Ledger, *plans: Any, answers: Any = ("First.", "Second."), **more: Any) -> Any:
    return build_graph(
        ledger.tools, planner=ScriptedModel(*plans), joiner=ScriptedModel(*answers), **more
    )


def kept(ledger: Ledger, *plans: Any, answers: Any = ("First.", "Second.")) -> Any:
    return graph(ledger, *plans, answers=answers, checkpointer=InMemorySaver())


def rounds(state: Any) -> dict[int, int]:
    return {task["id"]: task["round"] for task in state["plan"]}


# ── other agents' messages ────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "messages",
    [
        [ToolMessage("Transferred.", tool_call_id="h"), HumanMessage("What?", id="q")],
        [*handoff(), HumanMessage("What?", id="q")],
        [HumanMessage("What?", id="q"), *handoff()],
        [*handoff("h"), HumanMessage("What?", id="q"), *handoff("i")],
    ],
    ids=["begins with its result", "begins with it", "ends in it", "around the question"],
)
async def test_a_handoff_in_the_thread_begins_a_turn(ledger: Ledger, messages: Any) -> None:
    compiled = kept(ledger, FIRST, SECOND)
    state = await compiled.ainvoke({"messages": messages}, THREAD)
    assert (state["turn"], state["round"], state["messages"][-1].text) == ("q", 1, "First.")
    later = [HumanMessage("And now?", id="r"), *handoff("j")]
    state = await compiled.ainvoke({"messages": later}, THREAD)
    assert (state["turn"], state["round"], state["messages"][-1].text) == ("r", 1, "Second.")
    assert [task["args"] for task in state["plan"]] == [{"value": "y"}]
    assert [*state["outcomes"]] == ["1"]
    assert state["usage"]["planner"]["calls"] == 1


async def test_a_handoff_without_a_question_is_no_replan_of_the_turn_before(
    ledger: Ledger,
) -> None:
    planner = ScriptedModel(FIRST, SECOND)
    joiner = ScriptedModel("First.", "Second.")
    compiled = build_graph(
        ledger.tools, planner=planner, joiner=joiner, checkpointer=InMemorySaver()
    )
    await compiled.ainvoke({"messages": [HumanMessage("What?", id="q")]}, THREAD)
    state = await compiled.ainvoke({"messages": handoff()}, THREAD)
    assert (state["turn"], state["round"], rounds(state)) == ("q", 1, {1: 1})
    assert [m.text for m in planner.seen[1][1:]] == ["What?"]


async def test_a_thread_without_a_question_begins_a_turn(ledger: Ledger) -> None:
    answers = ("REPLAN: more", "First.", "Second.")
    compiled = kept(ledger, FIRST, REPLANNED, SECOND, answers=answers)
    state = await compiled.ainvoke({"messages": handoff()}, THREAD)
    assert (state["turn"], state["round"], state["messages"][-1].text) == ("", 2, "First.")
    state = await compiled.ainvoke({"messages": [HumanMessage("What?", id="q")]}, THREAD)
    assert (state["turn"], state["round"], state["messages"][-1].text) == ("q", 1, "Second.")


async def test_a_parent_graph_may_pass_what_other_agents_wrote(ledger: Ledger) -> None:
    """Its child is asked twice in the parent's thread, each time after a handoff."""
    compiled = graph(ledger, FIRST, REPLANNED, SECOND, answers=("REPLAN: y", "First.", "Second."))
    builder = StateGraph(InputState)
    said = iter("ab")
    builder.add_node("supervisor", lambda _: {"messages": handoff(next(said))})
    builder.add_node("compiler", compiled)
    builder.add_edge(START, "supervisor")
    builder.add_edge("supervisor", "compiler")
    builder.add_edge("compiler", END)
    parent: Any = builder.compile(InMemorySaver())
    for question, answer in (("What?", "First."), ("And now?", "Second.")):
        state = await parent.ainvoke({"messages": [HumanMessage(question)]}, THREAD)
        assert state["messages"][-1].text == answer
        assert follows_protocol(state["messages"])
    assert ledger.begun == ["x", "y", "y"]


# ── the user's messages ───────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("stopped", ["answered", "asked", "before the replan"])
async def test_a_question_sent_again_under_its_id_is_asked_again(
    ledger: Ledger, stopped: str
) -> None:
    """As Agent Chat UI does when its user edits a message."""
    planner = ScriptedModel("add(1, 2)", SECOND)
    joiner = ScriptedModel(
        "REPLAN: more" if stopped == "before the replan" else "First.", "Second."
    )
    if stopped == "asked":
        joiner = ScriptedModel("Second.")
    compiled = build_graph(
        ledger.tools, planner=planner, joiner=joiner, checkpointer=InMemorySaver()
    )
    options: Any = {"context": Context(approve=("add",))} if stopped == "asked" else {}
    until = ["joiner"] if stopped == "before the replan" else None
    ask: Any = {"messages": [HumanMessage("What?", id="q")]}
    await compiled.ainvoke(ask, THREAD, interrupt_after=until, **options)
    edited: Any = {"messages": [HumanMessage("What else?", id="q")]}
    state = await compiled.ainvoke(edited, THREAD, **options)
    assert (state["turn"], state["round"], state["messages"][-1].text) == ("q", 1, "Second.")
    assert [task["args"] for task in state["plan"]] == [{"value": "y"}]
    assert planner.prompts[1].endswith("What else?")
    assert follows_protocol(state["messages"])


async def test_a_question_that_is_added_before_a_replan_begins_a_turn(ledger: Ledger) -> None:
    compiled = kept(ledger, FIRST, SECOND, answers=("REPLAN: more", "Second."))
    ask: Any = {"messages": [HumanMessage("What?", id="q")]}
    await compiled.ainvoke(ask, THREAD, interrupt_after=["joiner"])
    added = {"messages": [HumanMessage("No: what else?", id="r")]}
    await compiled.aupdate_state(THREAD, added, as_node="joiner")
    state = await compiled.ainvoke(None, THREAD)
    assert (state["turn"], state["round"], rounds(state)) == ("r", 1, {1: 1})


async def test_a_replan_goes_on_behind_what_others_wrote(ledger: Ledger) -> None:
    compiled = kept(ledger, FIRST, REPLANNED, answers=("REPLAN: more", "Second."))
    ask: Any = {"messages": [HumanMessage("What?", id="q")]}
    await compiled.ainvoke(ask, THREAD, interrupt_after=["joiner"])
    await compiled.aupdate_state(THREAD, {"messages": [AIMessage("Aside.")]}, as_node="joiner")
    state = await compiled.ainvoke(None, THREAD)
    assert (state["turn"], state["round"], rounds(state)) == ("q", 2, {1: 1, 2: 2})


async def test_two_graphs_in_one_thread_each_begin_their_turn(ledger: Ledger) -> None:
    saver = InMemorySaver()
    first = graph(ledger, FIRST, FIRST, answers=("A.", "C."), checkpointer=saver)
    second = graph(ledger, SECOND, REPLANNED, answers=("REPLAN: more", "B."), checkpointer=saver)
    for compiled, id, answer, ended in (
        (first, "q", "A.", {1: 1}),
        (second, "r", "B.", {1: 1, 2: 2}),
        (first, "s", "C.", {1: 1}),
    ):
        ask: Any = {"messages": [HumanMessage("What?", id=id)]}
        state = await compiled.ainvoke(ask, THREAD)
        assert (state["turn"], state["messages"][-1].text, rounds(state)) == (id, answer, ended)
    assert follows_protocol(state["messages"])


# ── rounds ────────────────────────────────────────────────────────────────────────────────────


async def test_each_task_knows_its_round(ledger: Ledger) -> None:
    plans = "echo(1)\nad(1, 2)\necho(2)", 'answer("Done.")'
    compiled = graph(ledger, *plans, answers=("REPLAN: more",))
    ended = []
    ask: Any = {"messages": [("user", "What?")]}
    async for kind, part in compiled.astream(ask, stream_mode=["custom", "values"]):
        if kind == "values":
            state = part
        elif part["event"] == "round.end":
            ended.append((part["round"], part["ids"]))
    assert rounds(state) == {1: 1, 2: 1, 3: 1, 4: 2}
    assert ended == [(1, [1, 2, 3]), (2, [4])]


@pytest.mark.parametrize("round", [None, "2", 2, "odd", 99, -1])
async def test_a_task_that_a_person_adds_is_of_the_current_round(
    ledger: Ledger, round: object
) -> None:
    compiled = kept(ledger, FIRST, REPLANNED, answers=("REPLAN: more", "Done."))
    ask: Any = {"messages": [("user", "What?")]}
    await compiled.ainvoke(ask, THREAD, interrupt_after=["joiner"])
    await compiled.ainvoke(None, THREAD, interrupt_before=["scheduler"])
    plan = compiled.get_state(THREAD).values["plan"]
    added = {"id": 9, "tool": "echo", "args": {"value": "mine"}}
    plan.append(added if round is None else {**added, "round": round})
    await compiled.aupdate_state(THREAD, {"plan": plan}, as_node="planner")
    state = await compiled.ainvoke(None, THREAD)
    assert rounds(state) == {1: 1, 2: 2, 9: 2}
    assert state["outcomes"]["9"]["value"] == "mine"


# ── states as they were stored before there was a turn and a round ────────────────────────────


@pytest.mark.parametrize("node", ["planner", "scheduler", "joiner"])
async def test_an_older_state_goes_on(ledger: Ledger, node: str) -> None:
    compiled = kept(ledger, FIRST, REPLANNED, answers=("REPLAN: more", "Done."))
    ask: Any = {"messages": [HumanMessage("What?", id="q")]}
    await compiled.ainvoke(ask, THREAD, interrupt_before=["planner"])
    await compiled.ainvoke(None, THREAD, interrupt_after=["joiner"])
    if node != "planner":
        await compiled.ainvoke(None, THREAD, interrupt_before=[node])
    values = compiled.get_state(THREAD).values
    plan = [{k: v for k, v in task.items() if k != "round"} for task in values["plan"]]
    before = {"scheduler": "planner", "joiner": "scheduler", "planner": "joiner"}[node]
    await compiled.aupdate_state(THREAD, {"plan": plan, "turn": None}, as_node=before)
    state = await compiled.ainvoke(None, THREAD)
    assert (state["round"], state["messages"][-1].text) == (2, "Done.")
    assert ledger.begun == ["x", "y"]
    assert {id: o["value"] for id, o in state["outcomes"].items()} == {"1": "x", "2": "y"}


@pytest.mark.parametrize(
    ("state", "begins", "round"),
    [
        ({}, True, 1),
        ({"feedback": None, "turn": "q", "round": 2}, True, 1),
        ({"feedback": "more", "turn": "q", "round": 2}, False, 3),
        ({"feedback": "", "turn": "q", "round": 2}, False, 3),
        ({"feedback": "more", "turn": "p", "round": 2}, True, 1),
        ({"feedback": "more", "turn": "", "round": 2}, True, 1),
        ({"feedback": "more", "turn": None, "round": 2}, False, 3),
        ({"feedback": "more", "round": 1}, False, 2),
        ({"feedback": "more", "turn": "q"}, False, 1),
    ],
)
def test_a_turn_is_known_by_its_question(state: Any, begins: bool, round: int) -> None:
    given: Any = mended({"messages": [HumanMessage("?", id="q"), *handoff()]} | state)
    assert (begins_turn(given), next_round(given)) == (begins, round)
