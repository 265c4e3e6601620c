"""Tools in `approve` stop the run until a person has decided."""

from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from llm_compiler import Context, build_graph
from tests.support.journals import entries
from tests.support.scripted import Ledger, ScriptedModel

ASK: Any = {"messages": [HumanMessage("What?")]}
THREAD: Any = {"configurable": {"thread_id": "1"}}
APPROVE = Context(approve=("add",))


def graph(ledger: Ledger, *plans: str, saver: Any = None, answers: int = 1) -> Any:
    joiner = ScriptedModel(*["REPLAN: more"] * (answers - 1), "Done.")
    return build_graph(
        ledger.tools, planner=ScriptedModel(*plans), joiner=joiner, checkpointer=saver
    )


def decisions(*each: Any) -> Command[Any]:
    return Command(resume={"decisions": list(each)})


async def test_all_ready_calls_are_asked_about_in_one_request(ledger: Ledger) -> None:
    plan = "a = echo(3)\nb = add(a, 1)\nadd(5, 5)\necho(b)"
    compiled = graph(ledger, plan, saver=InMemorySaver())
    state = await compiled.ainvoke(ASK, THREAD, context=APPROVE)
    [request] = state["__interrupt__"]
    assert [(r["name"], r["args"]) for r in request.value["action_requests"]] == [
        ("add", {"a": 3, "b": 1}),
        ("add", {"a": 5, "b": 5}),
    ]
    assert request.value["review_configs"] == [
        {"action_name": "add", "allowed_decisions": ["approve", "edit", "reject"]}
    ]
    assert ledger.begun == [3]
    state = await compiled.ainvoke(
        decisions({"type": "approve"}, {"type": "reject", "message": "not that"}),
        THREAD,
        context=APPROVE,
    )
    outcomes = state["outcomes"]
    assert [outcomes[id]["status"] for id in "1234"] == ["ok", "ok", "rejected", "ok"]
    assert outcomes["3"]["error"] == "not that"
    assert ledger.begun == [3, (3, 1), 4]


async def test_an_edited_call_runs_as_edited(ledger: Ledger) -> None:
    compiled = graph(ledger, "add(1, 2)", saver=InMemorySaver())
    await compiled.ainvoke(ASK, THREAD, context=APPROVE)
    edit = {"type": "edit", "edited_action": {"name": "add", "args": {"a": 40, "b": 2}}}
    state = await compiled.ainvoke(decisions(edit), THREAD, context=APPROVE)
    assert state["outcomes"]["1"]["value"] == 42
    assert state["outcomes"]["1"]["args"] == {"a": 40, "b": 2}


async def test_a_decision_is_not_taken_for_the_next_question_too(ledger: Ledger) -> None:
    """LangGraph would, where a run goes on without an answer."""
    compiled = graph(ledger, "a = add(1, 2)\nadd(a, 10)", saver=InMemorySaver())
    yes = decisions({"type": "approve"})
    await compiled.ainvoke(ASK, THREAD, context=APPROVE)
    await compiled.ainvoke(yes, THREAD, context=APPROVE)
    for _ in range(2):
        state = await compiled.ainvoke(None, THREAD, context=APPROVE)
        [request] = state["__interrupt__"]
        assert request.value["action_requests"][0]["args"] == {"a": 3, "b": 10}
    assert ledger.begun == [(1, 2)]
    await compiled.ainvoke(yes, THREAD, context=APPROVE)
    assert ledger.begun == [(1, 2), (3, 10)]


async def test_without_a_checkpointer_nobody_can_be_asked(ledger: Ledger) -> None:
    state = await graph(ledger, "add(1, 2)").ainvoke(ASK, context=APPROVE)
    assert state["outcomes"]["1"]["status"] == "rejected"
    assert "approval needs a checkpointer" in state["outcomes"]["1"]["error"]
    assert ledger.begun == []


async def test_a_rejected_call_is_not_proposed_again_in_the_turn(ledger: Ledger) -> None:
    compiled = graph(
        ledger,
        "add(1, 2)",
        "add(1, 2)",
        saver=InMemorySaver(),
        answers=2,
    )
    await compiled.ainvoke(ASK, THREAD, context=APPROVE)
    state = await compiled.ainvoke(decisions({"type": "reject"}), THREAD, context=APPROVE)
    assert "__interrupt__" not in state
    assert [o["status"] for o in state["outcomes"].values()] == ["rejected", "rejected"]


async def test_a_second_batch_is_asked_about_after_the_first(ledger: Ledger) -> None:
    compiled = graph(ledger, "a = add(1, 2)\nadd(a, 1)", saver=InMemorySaver())
    await compiled.ainvoke(ASK, THREAD, context=APPROVE)
    state = await compiled.ainvoke(decisions({"type": "approve"}), THREAD, context=APPROVE)
    [request] = state["__interrupt__"]
    assert request.value["action_requests"][0]["args"] == {"a": 3, "b": 1}
    state = await compiled.ainvoke(decisions({"type": "approve"}), THREAD, context=APPROVE)
    assert state["outcomes"]["2"]["value"] == 4
    assert ledger.begun == [(1, 2), (3, 1)]  # what was approved before did not run again


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ("yes", "one for each of the 1 calls"),
        ({"decisions": ["perhaps"]}, "'perhaps' is not one of approve, edit, reject"),
        (
            {"decisions": [{"type": "edit", "edited_action": {"args": {"a": "x", "b": 2}}}]},
            "add: a: Input should be a valid integer",
        ),
    ],
)
async def test_wrong_decisions_are_asked_for_again(ledger: Ledger, answer: Any, error: str) -> None:
    compiled = graph(ledger, "add(1, 2)", saver=InMemorySaver())
    await compiled.ainvoke(ASK, THREAD, context=APPROVE)
    state = await compiled.ainvoke(Command(resume=answer), THREAD, context=APPROVE)
    [request] = state["__interrupt__"]
    assert error in request.value["error"]
    state = await compiled.ainvoke(decisions({"type": "approve"}), THREAD, context=APPROVE)
    assert state["outcomes"]["1"]["value"] == 3


async def test_a_destructive_call_waits_for_the_checkpoint_and_runs_once(ledger: Ledger) -> None:
    saver = InMemorySaver()
    seen = []

    @tool
    async def wipe(what: str) -> str:
        """Wipe it."""
        planned = await saver.aget_tuple(THREAD)
        assert planned is not None
        claimed = [it["claim"]["id"] for it in entries(saver) if isinstance(it.get("claim"), dict)]
        seen.append((planned.checkpoint["channel_values"]["round"], claimed))
        return what

    wipe.metadata = {"destructiveHint": True}
    planner = ScriptedModel("wipe('a')\nwipe('a')")
    compiled = build_graph(
        [wipe], planner=planner, joiner=ScriptedModel("Done."), checkpointer=saver
    )
    state = await compiled.ainvoke(ASK, THREAD)
    assert [o["status"] for o in state["outcomes"].values()] == ["ok", "ok"]
    assert len(seen) == 2  # equal destructive calls are two calls
    assert seen[0][0] == seen[1][0] == 1
    assert 1 in seen[0][1]
    assert 2 in seen[1][1]


async def test_a_destructive_call_needs_a_durability_that_writes(ledger: Ledger) -> None:
    @tool
    def wipe(what: str) -> str:
        """Wipe it."""
        raise AssertionError("must not run")

    wipe.metadata = {"destructiveHint": True}
    compiled = build_graph(
        [wipe],
        planner=ScriptedModel("wipe('a')"),
        joiner=ScriptedModel("Done."),
        checkpointer=InMemorySaver(),
    )
    state = await compiled.ainvoke(ASK, THREAD, durability="exit")
    assert "its claim cannot be stored in time" in state["outcomes"]["1"]["error"]


async def test_max_concurrency_does_not_turn_the_journal_off(ledger: Ledger) -> None:
    plan = "a = echo('x')\nadd(len(a), 2)"
    compiled = graph(ledger, plan, saver=InMemorySaver())
    config = {**THREAD, "max_concurrency": 1}
    await compiled.ainvoke(ASK, config, context=APPROVE)
    await compiled.ainvoke(decisions({"type": "approve"}), config, context=APPROVE)
    assert ledger.begun == ["x", (1, 2)]


async def test_a_tool_that_interrupts_lets_the_others_end(ledger: Ledger) -> None:
    from langgraph.types import interrupt

    gate = ledger.gate("slow")

    async def confirm() -> str:
        """Confirm."""
        gate.set()
        return str(interrupt("sure?"))

    compiled = build_graph(
        [*ledger.tools, confirm],
        planner=ScriptedModel("echo('slow')\nconfirm()"),
        joiner=ScriptedModel("Done."),
        checkpointer=InMemorySaver(),
    )
    await compiled.ainvoke(ASK, THREAD)
    assert ledger.ended == ["slow"]
    state = await compiled.ainvoke(Command(resume="yes"), THREAD)
    assert state["outcomes"]["2"]["value"] == "yes"
    assert ledger.begun == ["slow"]
