"""A message that comes while a turn has no answer yet starts a new turn and closes the old one."""

import asyncio
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from llm_compiler import Context, build_graph
from llm_compiler.errors import ModelError
from llm_compiler.round_messages import ABANDONED
from tests.support.journals import journaled
from tests.support.protocol import follows_protocol
from tests.support.scripted import Ledger, ScriptedModel, until

pytestmark = pytest.mark.timeout(30)

THREAD: Any = {"configurable": {"thread_id": "1"}}
APPROVE = Context(approve=("add",))
APPROVED: Any = {"decisions": [{"type": "approve"}]}


def ask(text: str) -> Any:
    return {"messages": [HumanMessage(text)]}


def graph(ledger: Ledger, *plans: Any, answers: Any = ("Second.",), saver: Any = None) -> Any:
    return build_graph(
        ledger.tools,
        planner=ScriptedModel(*plans),
        joiner=ScriptedModel(*answers),
        checkpointer=saver or InMemorySaver(),
    )


def texts(state: Any) -> list[str]:
    """The messages, without the plans."""
    return [m.text for m in state["messages"] if not getattr(m, "tool_calls", None)]


async def test_a_message_in_place_of_a_decision_starts_a_new_turn(ledger: Ledger) -> None:
    compiled = graph(
        ledger,
        "echo('x')\nb = add(1, 2)\necho(b)\nnope()",
        "echo('y')",
    )
    stopped = await compiled.ainvoke(ask("First?"), THREAD, context=APPROVE)
    [request] = stopped["__interrupt__"]
    state = await compiled.ainvoke(ask("Second?"), THREAD, context=APPROVE)
    assert follows_protocol(state["messages"])
    assert ledger.begun == ["x", "y"]
    left = "skipped: it had not ended when another message came"
    *_, failed, abandoned, second, y, answer = texts(state)
    assert texts(state)[:4] == ["First?", "x", left, left]
    assert failed.startswith('failed: line 4: no function "nope"; there are echo, add, fail')
    assert [abandoned, second, y, answer] == [ABANDONED, "Second?", "y", "Second."]
    assert [task["args"] for task in state["plan"]] == [{"value": "y"}]
    # A decision that comes too late finds nothing to decide on, however it is sent.
    answers: Any = (Command(resume=APPROVED), Command(resume={request.id: APPROVED}))
    for late in answers:
        again = await compiled.ainvoke(late, THREAD, context=APPROVE)
        assert again["messages"] == state["messages"]
    assert ledger.begun == ["x", "y"]


async def test_a_late_decision_decides_on_no_other_question(ledger: Ledger) -> None:
    compiled = graph(ledger, "add(1, 2)", "add(5, 5)")
    stopped = await compiled.ainvoke(ask("First?"), THREAD, context=APPROVE)
    [old] = stopped["__interrupt__"]
    stopped = await compiled.ainvoke(ask("Second?"), THREAD, context=APPROVE)
    [new] = stopped["__interrupt__"]
    state = await compiled.ainvoke(Command(resume={old.id: APPROVED}), THREAD, context=APPROVE)
    assert [request.id for request in state["__interrupt__"]] == [new.id]
    assert ledger.begun == []
    state = await compiled.ainvoke(Command(resume={new.id: APPROVED}), THREAD, context=APPROVE)
    assert ledger.begun == [(5, 5)]
    assert follows_protocol(state["messages"])


async def test_a_message_at_a_breakpoint_starts_a_new_turn(ledger: Ledger) -> None:
    compiled = graph(ledger, "echo('x')", "echo('y')")
    await compiled.ainvoke(ask("First?"), THREAD, interrupt_before=["scheduler"])
    state = await compiled.ainvoke(ask("Second?"), THREAD)
    assert ledger.begun == ["y"]
    assert follows_protocol(state["messages"])
    assert texts(state)[-4:] == [ABANDONED, "Second?", "y", "Second."]


async def test_a_message_that_is_sent_again_under_its_id_is_answered(ledger: Ledger) -> None:
    compiled = graph(ledger, "echo('x')", "echo('y')")
    message = {"messages": [HumanMessage("First?", id="m")]}
    await compiled.ainvoke(message, THREAD, interrupt_after=["planner"])
    state = await compiled.ainvoke(message, THREAD)
    assert ledger.begun == ["y"]
    assert follows_protocol(state["messages"])
    left = "skipped: it had not ended when another message came"
    assert texts(state) == ["First?", left, "y", "Second."]


async def test_a_message_after_a_run_was_killed_records_what_had_ended(ledger: Ledger) -> None:
    saver = InMemorySaver()
    compiled = graph(
        ledger,
        "echo('x')\necho('never')",
        "echo('y')",
        saver=saver,
    )
    ledger.gate("never")
    running = asyncio.ensure_future(compiled.ainvoke(ask("First?"), THREAD))

    await until(lambda: "1" in journaled(saver))
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    state = await compiled.ainvoke(ask("Second?"), THREAD)
    assert follows_protocol(state["messages"])
    assert ledger.begun == ["x", "never", "y"]
    results = [m for m in state["messages"] if isinstance(m, ToolMessage)]
    assert [(m.text, m.status) for m in results[:2]] == [
        ("x", "success"),
        ("skipped: it had not ended when another message came", "error"),
    ]


async def test_a_message_in_the_second_round_keeps_the_first(ledger: Ledger) -> None:
    compiled = graph(
        ledger,
        "echo('x')",
        "add(1, 2)",
        "echo('y')",
        answers=("REPLAN: more", "Second."),
    )
    await compiled.ainvoke(ask("First?"), THREAD, context=APPROVE)
    state = await compiled.ainvoke(ask("Second?"), THREAD, context=APPROVE)
    assert follows_protocol(state["messages"])
    kinds = [type(message) for message in state["messages"]]
    one_round = [AIMessage, ToolMessage]
    assert kinds == [HumanMessage, *one_round * 2, AIMessage, HumanMessage, *one_round, AIMessage]
    assert (state["round"], [*state["outcomes"]]) == (1, ["1"])


@pytest.mark.parametrize("node", ["planner", "joiner"])
async def test_a_message_after_another_node_was_stopped(ledger: Ledger, node: str) -> None:
    compiled = graph(ledger, "echo('x')", "echo('y')")
    if node == "planner":
        broken = graph(ledger, [ValueError("x")], saver=compiled.checkpointer)
        with pytest.raises(ModelError):
            await broken.ainvoke(ask("First?"), THREAD)
    else:
        await compiled.ainvoke(ask("First?"), THREAD, interrupt_before=["joiner"])
    state = await compiled.ainvoke(ask("Second?"), THREAD)
    assert follows_protocol(state["messages"])
    assert texts(state).count(ABANDONED) == 1


async def test_the_next_question_is_sent_with_the_outcome_of_the_last(ledger: Ledger) -> None:
    planner = ScriptedModel("add(1, 2)", "echo('y')")
    compiled = build_graph(
        ledger.tools, planner=planner, joiner=ScriptedModel("B."), checkpointer=InMemorySaver()
    )
    await compiled.ainvoke(ask("First?"), THREAD, context=APPROVE)
    await compiled.ainvoke(ask("Second?"), THREAD, context=APPROVE)
    assert [m.text for m in planner.seen[1][1:]] == ["First?", ABANDONED, "Second?"]


@pytest.mark.parametrize("place", ["metadata", "configurable"])
async def test_a_run_that_a_server_begins_again_goes_on(ledger: Ledger, place: str) -> None:
    """It sends the same input once more, with the same run id."""
    compiled = graph(ledger, "echo('x')", answers=("First.",))
    config = {**THREAD, place: {**THREAD.get(place, {}), "run_id": "7"}}
    await compiled.ainvoke(ask("First?"), config, interrupt_before=["scheduler"])
    state = await compiled.ainvoke(ask("First?"), config)
    assert texts(state) == ["First?", "x", "First."]


class Killed(InMemorySaver):
    """A store whose process dies before it writes a step's checkpoint."""

    def __init__(self, step: int) -> None:
        super().__init__()
        self.step = step

    async def aput(self, config: Any, checkpoint: Any, metadata: Any, versions: Any) -> Any:
        if metadata["step"] == self.step:
            self.step = -2
            raise ConnectionResetError
        return await super().aput(config, checkpoint, metadata, versions)


@pytest.mark.parametrize(
    ("step", "node", "said"),
    [
        (1, "planner", ["skipped: it had not ended when another message came"] * 2 + [ABANDONED]),
        (2, "scheduler", ["x", "3", ABANDONED]),
        (3, "joiner", ["x", "3", "First."]),
    ],
)
async def test_a_node_that_ended_before_its_checkpoint_was_written_is_not_dropped(
    ledger: Ledger, step: int, node: str, said: list[str]
) -> None:
    saver = Killed(step)
    compiled = graph(
        ledger,
        "echo('x')\nadd(1, 2)",
        "echo('y')",
        answers=("First.", "Second.") if node == "joiner" else ("Second.",),
        saver=saver,
    )
    with pytest.raises(ConnectionResetError):
        await compiled.ainvoke(ask("First?"), THREAD, durability="sync")
    snapshot = await compiled.aget_state(THREAD)
    assert [(task.name, bool(task.result)) for task in snapshot.tasks] == [(node, True)]
    state = await compiled.ainvoke(ask("Second?"), THREAD)
    assert follows_protocol(state["messages"])
    assert texts(state) == ["First?", *said, "Second?", "y", "Second."]
    assert (state["round"], state["usage"]["planner"]["calls"]) == (1, 1)
    assert ledger.begun.count((1, 2)) <= 1
    again = await compiled.aget_state(THREAD)
    assert again.values["messages"] == state["messages"]


async def test_a_replan_that_was_killed_before_its_checkpoint_is_abandoned(ledger: Ledger) -> None:
    saver = Killed(3)
    compiled = graph(
        ledger,
        "echo('x')",
        "echo('y')",
        answers=("REPLAN: more", "Second."),
        saver=saver,
    )
    with pytest.raises(ConnectionResetError):
        await compiled.ainvoke(ask("First?"), THREAD, durability="sync")
    state = await compiled.ainvoke(ask("Second?"), THREAD)
    assert texts(state) == ["First?", "x", ABANDONED, "Second?", "y", "Second."]
    assert state["round"] == 1
