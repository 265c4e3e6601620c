"""What a client writes into a thread: the turn says what is wrong, the next one is answered."""

from typing import Any

import pytest
from langchain_core.messages import HumanMessage, RemoveMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from llm_compiler import build_graph
from tests.support.protocol import follows_protocol
from tests.support.scripted import Ledger, ScriptedModel

pytestmark = pytest.mark.timeout(30)

THREAD: Any = {"configurable": {"thread_id": "1"}}
FIRST, SECOND = "echo('x')", "echo('y')"


def ask(text: str) -> Any:
    return {"messages": [HumanMessage(text)]}


async def stopped(ledger: Ledger, *plans: str, before: str | None = "scheduler") -> Any:
    """A graph whose first turn has stopped before a node, or has ended."""
    compiled = build_graph(
        ledger.tools,
        planner=ScriptedModel(FIRST, *plans),
        joiner=ScriptedModel("First.", "Second."),
        checkpointer=InMemorySaver(),
    )
    await compiled.ainvoke(ask("What?"), THREAD, interrupt_before=[before] if before else None)
    return compiled


async def test_a_plan_that_is_none_is_told_to_the_planner(ledger: Ledger) -> None:
    planner = ScriptedModel(FIRST, "echo('again')")
    compiled = build_graph(
        ledger.tools,
        planner=planner,
        joiner=ScriptedModel("First."),
        checkpointer=InMemorySaver(),
    )
    await compiled.ainvoke(ask("What?"), THREAD, interrupt_before=["scheduler"])
    await compiled.aupdate_state(THREAD, {"plan": 5}, as_node="planner")
    state = await compiled.ainvoke(None, THREAD)
    assert "the stored plan is a number, not a list of tasks" in planner.prompts[1]
    assert (state["messages"][-1].text, ledger.begun) == ("First.", ["again"])
    assert [task["id"] for task in state["plan"]] == [1, 2]


@pytest.mark.parametrize("stored", [{"1": {}}, {"1": 5}, 5, {"1": {"status": "done"}}])
async def test_an_outcome_that_cannot_be_read_is_told_and_repeats_no_call(
    ledger: Ledger, stored: Any
) -> None:
    compiled = await stopped(ledger)
    await compiled.aupdate_state(THREAD, {"outcomes": stored}, as_node="planner")
    state = await compiled.ainvoke(None, THREAD)
    assert state["outcomes"]["1"]["status"] == "failed"
    assert "the stored outcome" in state["outcomes"]["1"]["error"]
    assert (state["messages"][-1].text, ledger.begun) == ("First.", [])


async def test_an_outcome_is_that_of_the_task_of_its_key(ledger: Ledger) -> None:
    compiled = await stopped(ledger)
    given = {"5": {"id": 1, "status": "ok", "value": 1}, "1": {"id": 9, "status": "ok", "value": 2}}
    await compiled.aupdate_state(THREAD, {"outcomes": given}, as_node="planner")
    state = await compiled.ainvoke(None, THREAD)
    assert {id: o["value"] for id, o in state["outcomes"].items()} == {"1": 2}
    assert (state["messages"][-1].text, ledger.begun) == ("First.", [])


async def test_what_no_node_writes_is_mended_in_the_store_too(ledger: Ledger) -> None:
    compiled = await stopped(ledger)
    await compiled.aupdate_state(THREAD, {"round": "x", "usage": 5, "seconds": "x"}, "planner")
    state = await compiled.ainvoke(None, THREAD)
    assert (state["round"], type(state["seconds"])) == (1, float)
    assert state["usage"].keys() == {"joiner"}


@pytest.mark.parametrize("node", [None, "planner", "scheduler", "joiner"])
@pytest.mark.parametrize("before", ["scheduler", "joiner", None])
async def test_a_refused_write_leaves_the_thread_as_it_was(
    ledger: Ledger, node: str | None, before: str | None
) -> None:
    """LangGraph stores what it is given before it finds that it cannot be reduced."""
    compiled = await stopped(ledger, SECOND, before=before)
    stood = await compiled.aget_state(THREAD)
    for wrong in ({"messages": 5}, {"messages": [{"role": "odd"}]}, {"plan": 2**70, "round": 7}):
        with pytest.raises(ValueError, match=r"these are not messages|no checkpointer can store"):
            await compiled.aupdate_state(THREAD, wrong, node)
        with pytest.raises(ValueError, match=r"these are not messages|no checkpointer can store"):
            await compiled.ainvoke(Command(update=wrong), THREAD)
    assert (await compiled.aget_state(THREAD)).values == stood.values
    state = await compiled.ainvoke(ask("And now?"), THREAD)
    assert ledger.begun[-1] == "y"
    assert follows_protocol(state["messages"])


async def test_the_removal_of_a_message_that_is_gone_is_nothing(ledger: Ledger) -> None:
    compiled = await stopped(ledger, SECOND, before=None)
    await compiled.aupdate_state(THREAD, {"messages": [RemoveMessage("no such")]})
    assert (await compiled.ainvoke(ask("And now?"), THREAD))["messages"][-1].text == "Second."


async def test_a_replan_that_is_written_behind_the_end_is_none_of_the_next_message(
    ledger: Ledger,
) -> None:
    compiled = await stopped(ledger, SECOND, before=None)
    await compiled.ainvoke(Command(update={"feedback": "more", "turn": None}), THREAD)
    state = await compiled.ainvoke(ask("And now?"), THREAD)
    assert (state["round"], state["messages"][-1].text) == (1, "Second.")
    assert [task["args"] for task in state["plan"]] == [{"value": "y"}]
