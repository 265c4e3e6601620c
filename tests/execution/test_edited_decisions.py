"""What a person may send in place of a decision: mended, or asked for again; it never fails."""

from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from llm_compiler import Context, build_graph
from tests.support.scripted import Ledger, ScriptedModel
from tests.support.stored import deep

pytestmark = pytest.mark.timeout(30)

THREAD: Any = {"configurable": {"thread_id": "1"}}
APPROVE = Context(approve=("echo",))
APPROVED: Any = Command(resume={"decisions": ["approve"]})


async def asked(ledger: Ledger) -> Any:
    """A graph that has asked about `echo('x')`."""
    compiled = build_graph(
        ledger.tools,
        planner=ScriptedModel("echo('x')"),
        joiner=ScriptedModel("Done."),
        checkpointer=InMemorySaver(),
    )
    ask: Any = {"messages": [("user", "What?")]}
    await compiled.ainvoke(ask, THREAD, context=APPROVE)
    return compiled


def edit(args: Any) -> Any:
    decision = {"type": "edit", "edited_action": {"name": "echo", "args": args}}
    return Command(resume={"decisions": [decision]})


@pytest.mark.parametrize(
    ("args", "ran"),
    [
        ({"value": (1, (2,))}, [1, [2]]),
        ({"value": {5: None, None: 1}}, {"5": None, "None": 1}),
        ({"value": "a\ud800"}, "a\ufffd"),
        ({"value": deep(90)}, deep(90)),
    ],
)
async def test_edited_arguments_are_reduced_to_json_data(
    ledger: Ledger, args: Any, ran: Any
) -> None:
    state = await (await asked(ledger)).ainvoke(edit(args), THREAD, context=APPROVE)
    assert ledger.begun == [ran]
    assert state["outcomes"]["1"]["args"] == {"value": ran}
    assert state["messages"][-1].text == "Done."


@pytest.mark.parametrize(
    ("args", "error"),
    [
        ({"value": float("nan")}, "Out of range float values are not JSON compliant"),
        ({"value": b"x"}, "Object of type bytes is not JSON serializable"),
        ({"value": {1, 2}}, "Object of type set is not JSON serializable"),
        ({"value": deep(120)}, "more than 100 levels"),
        ({"value": deep(240)}, "more than 100 levels"),
        ({5: 1}, "echo has no argument '5'; there are value"),
        ({None: 1}, "echo has no argument 'None'; there are value"),
        ([("value", 1)], "write an edit as {'edited_action': {'name': …, 'args': {…}}}"),
    ],
)
async def test_edited_arguments_that_are_none_are_asked_for_again(
    ledger: Ledger, args: Any, error: str
) -> None:
    compiled = await asked(ledger)
    state = await compiled.ainvoke(edit(args), THREAD, context=APPROVE)
    [request] = state["__interrupt__"]
    assert error in request.value["error"]
    assert ledger.begun == []
    state = await compiled.ainvoke(APPROVED, THREAD, context=APPROVE)
    assert (ledger.begun, state["messages"][-1].text) == (["x"], "Done.")


@pytest.mark.parametrize("value", [2**70, object(), deep(2000)], ids=["long", "object", "deep"])
async def test_an_answer_that_cannot_be_stored_is_refused_before_anything_runs(
    ledger: Ledger, value: Any
) -> None:
    compiled = await asked(ledger)
    with pytest.raises(ValueError, match="no checkpointer can store this: "):
        await compiled.ainvoke(edit({"value": value}), THREAD, context=APPROVE)
    assert ledger.begun == []
    state = await compiled.ainvoke(APPROVED, THREAD, context=APPROVE)
    assert (ledger.begun, state["messages"][-1].text) == (["x"], "Done.")


@pytest.mark.parametrize(
    ("message", "error"),
    [("no\ud800", "no\ufffd"), ({"a": 1}, "{'a': 1}"), (None, "a person rejected it")],
)
async def test_the_reason_of_a_rejection_is_a_text(
    ledger: Ledger, message: Any, error: str
) -> None:
    rejection: Any = Command(resume={"decisions": [{"type": "reject", "message": message}]})
    state = await (await asked(ledger)).ainvoke(rejection, THREAD, context=APPROVE)
    assert (state["outcomes"]["1"]["status"], state["outcomes"]["1"]["error"]) == (
        "rejected",
        error,
    )
