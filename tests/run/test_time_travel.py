"""Going back to a checkpoint, as Studio's edit and re-run does."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.types import Command
from pydantic import PrivateAttr

from llm_compiler import Context, build_graph
from tests.support.protocol import follows_protocol
from tests.support.scripted import Ledger, ScriptedModel, wiping

pytestmark = pytest.mark.timeout(60)

THREAD: Any = {"configurable": {"thread_id": "1"}}
ASK: Any = {"messages": [HumanMessage("What?")]}
APPROVE: Any = Command(resume={"decisions": [{"type": "approve"}]})
FIRST = "a = add(1, 2)\nb = add(a, 10)"
SECOND = "c = add(b, 100)\necho(c)"
ENDED = [(1, 2), (3, 10), (13, 100), 113]


@pytest.fixture(params=["memory", "sqlite"])
async def saver(request: pytest.FixtureRequest) -> AsyncIterator[Any]:
    if request.param == "memory":
        yield InMemorySaver()
    else:
        async with AsyncSqliteSaver.from_conn_string(":memory:") as saver:
            yield saver


class Rounds(ScriptedModel):
    """Says what the round asks for, however often it is gone back to."""

    _choice: Callable[[str], str] = PrivateAttr()

    def __init__(self, first: str, second: str, in_second: Callable[[str], bool]) -> None:
        super().__init__(*[first] * 50)
        self._choice = lambda prompt: second if in_second(prompt) else first

    async def _astream(self, messages: Any, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        self.replies[self.at] = self._choice("\n".join(m.text for m in messages))
        async for chunk in super()._astream(messages, *args, **kwargs):
            yield chunk


def two_rounds(ledger: Ledger, saver: Any) -> Any:
    return build_graph(
        ledger.tools,
        planner=Rounds(FIRST, SECOND, lambda prompt: "Continue the program" in prompt),
        joiner=Rounds("REPLAN: more", "Done.", lambda prompt: "echo(" in prompt),
        checkpointer=saver,
    )


async def history(graph: Any) -> list[Any]:
    return [snapshot async for snapshot in graph.aget_state_history(THREAD)]


async def test_every_checkpoint_of_a_turn_can_be_gone_back_to(saver: Any, ledger: Ledger) -> None:
    graph = two_rounds(ledger, saver)
    before = await graph.ainvoke(ASK, THREAD)
    assert ledger.begun == ENDED
    checkpoints = await history(graph)
    assert [snapshot.next for snapshot in reversed(checkpoints)] == [
        ("__start__",),
        *[("planner",), ("scheduler",), ("joiner",)] * 2,
        (),
    ]
    for snapshot in checkpoints:
        ledger.begun.clear()
        state = await graph.ainvoke(None, snapshot.config)
        assert state["messages"][-1].text == "Done.", snapshot.next
        assert follows_protocol(state["messages"])
        assert {id: o["value"] for id, o in state["outcomes"].items()} == {
            id: o["value"] for id, o in before["outcomes"].items()
        }
        # A plan that is written anew is a new plan; one that stands keeps what has ended.
        round = snapshot.values.get("round", 0)
        from_plan = {"__start__": ENDED, "planner": ENDED if round == 0 else ENDED[2:]}
        in_first = [] if round == 2 or not snapshot.next else ENDED[2:]
        wanted = from_plan.get(snapshot.next[0] if snapshot.next else "", in_first)
        assert ledger.begun == wanted, snapshot.next


async def test_an_edited_plan_runs_as_edited_and_keeps_what_was_not(
    saver: Any, ledger: Ledger
) -> None:
    graph = two_rounds(ledger, saver)
    await graph.ainvoke(ASK, THREAD)
    for snapshot in await history(graph):
        if snapshot.next != ("scheduler",):
            continue
        ledger.begun.clear()
        plan = snapshot.values["plan"]
        plan[-1]["args"] = {**plan[-1]["args"], **({"b": 50} if len(plan) == 2 else {"value": "e"})}
        edited = await graph.aupdate_state(snapshot.config, {"plan": plan}, as_node="planner")
        state = await graph.ainvoke(None, edited)
        assert follows_protocol(state["messages"])
        assert state["messages"][-1].text == "Done."
        if len(plan) == 2:
            assert ledger.begun == [(3, 50), (53, 100), 153]
            assert state["outcomes"]["4"]["value"] == 153
        else:
            assert ledger.begun == ["e"]
        # Once more from the same edit: it stands, and so does what it came to.
        ledger.begun.clear()
        again = await graph.ainvoke(None, edited)
        assert again["outcomes"]["1"] == state["outcomes"]["1"]
        assert ledger.begun == ([(53, 100), 153] if len(plan) == 2 else [])


async def test_an_edited_outcome_stands(saver: Any, ledger: Ledger) -> None:
    graph = two_rounds(ledger, saver)
    await graph.ainvoke(ASK, THREAD)
    first, *_ = [s for s in await history(graph) if s.next == ("joiner",)]
    outcomes = first.values["outcomes"]
    outcomes["4"] = {**outcomes["4"], "value": "edited"}
    edited = await graph.aupdate_state(first.config, {"outcomes": outcomes}, as_node="scheduler")
    state = await graph.ainvoke(None, edited)
    assert state["outcomes"]["4"]["value"] == "edited"
    assert follows_protocol(state["messages"])


async def test_a_destructive_call_is_not_begun_again_by_going_back(
    saver: Any, ledger: Ledger
) -> None:
    wipe = wiping(lambda what: ledger.begun.append(f"wipe {what}"))
    graph = build_graph(
        [*ledger.tools, wipe],
        planner=ScriptedModel("wipe('a')\nadd(1, 2)"),
        joiner=ScriptedModel(*["Done."] * 5),
        checkpointer=saver,
    )
    context = Context(approve=("add",))
    await graph.ainvoke(ASK, THREAD, context=context)
    await graph.ainvoke(APPROVE, THREAD, context=context)
    assert ledger.begun == ["wipe a", (1, 2)]
    [planned] = [s for s in await history(graph) if s.next == ("scheduler",)]
    state = await graph.ainvoke(None, planned.config, context=context)
    assert "__interrupt__" not in state  # what was approved has run
    assert state["messages"][-1].text == "Done."
    plan = planned.values["plan"]
    plan[1]["args"] = {"a": 5, "b": 5}
    edited = await graph.aupdate_state(planned.config, {"plan": plan}, as_node="planner")
    state = await graph.ainvoke(None, edited, context=context)
    [request] = state["__interrupt__"]
    assert request.value["action_requests"][0]["args"] == {"a": 5, "b": 5}
    state = await graph.ainvoke(APPROVE, THREAD, context=context)
    assert state["messages"][-1].text == "Done."
    assert ledger.begun == ["wipe a", (1, 2), (5, 5)]


async def test_a_destructive_call_that_has_not_run_is_claimed_in_the_fork(saver: Any) -> None:
    begun: list[str] = []
    planner, joiner = ScriptedModel("wipe('a')"), ScriptedModel("Done.")
    graph = build_graph([wiping(begun.append)], planner=planner, joiner=joiner, checkpointer=saver)
    await graph.ainvoke(ASK, THREAD, interrupt_before=["scheduler"])
    planned = await graph.aget_state(THREAD)
    state = await graph.ainvoke(None, planned.config)
    assert state["outcomes"]["1"]["status"] == "ok"
    assert begun == ["a"]


async def test_a_message_after_an_edit_closes_the_turn_with_what_had_run(
    saver: Any, ledger: Ledger
) -> None:
    graph = build_graph(
        ledger.tools,
        planner=ScriptedModel("echo('x')\nadd(1, 2)", "echo('y')"),
        joiner=ScriptedModel("Done."),
        checkpointer=saver,
    )
    context = Context(approve=("add",))
    await graph.ainvoke(ASK, THREAD, context=context)
    plan = (await graph.aget_state(THREAD)).values["plan"]
    plan[1]["args"] = {"a": 5, "b": 5}
    await graph.aupdate_state(THREAD, {"plan": plan}, as_node="planner")
    state = await graph.ainvoke(ASK, THREAD, context=context)
    assert follows_protocol(state["messages"])
    calls = next(m for m in state["messages"] if isinstance(m, AIMessage)).tool_calls
    assert [call["args"] for call in calls] == [{"value": "x"}, {"a": 5, "b": 5}]
    assert [m.text for m in state["messages"]][2] == "x"


@pytest.mark.parametrize("by", ["a decision", "nothing"])
async def test_a_destructive_call_runs_once_however_often_its_checkpoint_is_resumed(
    saver: Any, by: str
) -> None:
    """Each time the thread has moved past it, and what has run is in a fork of it."""
    begun: list[str] = []
    graph = build_graph(
        [wiping(begun.append)],
        planner=ScriptedModel("wipe('a')"),
        joiner=ScriptedModel(*["Done."] * 3),
        checkpointer=saver,
    )
    decided = by == "a decision"
    context = Context(approve=("wipe",) if decided else ())
    await graph.ainvoke(
        ASK, THREAD, context=context, interrupt_before=None if decided else ["scheduler"]
    )
    planned = await graph.aget_state(THREAD)
    resume = APPROVE if decided else None
    for _ in range(3):
        state = await graph.ainvoke(resume, planned.config, context=context)
        assert state["outcomes"]["1"]["value"] == "a"
        assert follows_protocol(state["messages"])
    assert begun == ["a"]


async def test_a_call_that_ran_in_an_edited_fork_does_not_run_in_what_it_was_forked_from(
    saver: Any, ledger: Ledger
) -> None:
    graph = build_graph(
        ledger.tools,
        planner=ScriptedModel("add(1, 2)\necho('x')"),
        joiner=ScriptedModel(*["Done."] * 3),
        checkpointer=saver,
    )
    await graph.ainvoke(ASK, THREAD, interrupt_before=["scheduler"])
    planned = await graph.aget_state(THREAD)
    plan = [{**task} for task in planned.values["plan"]]
    plan[1]["args"] = {"value": "y"}
    edited = await graph.aupdate_state(planned.config, {"plan": plan}, as_node="planner")
    await graph.ainvoke(None, edited)
    assert ledger.begun == [(1, 2), "y"]
    await graph.ainvoke(None, planned.config)
    assert ledger.begun == [(1, 2), "y", "x"]
