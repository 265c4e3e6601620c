"""What the journal holds over several stops of one round: pages, claims, and what was let go."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, interrupt

from llm_compiler import Context, build_graph
from llm_compiler.state import State
from tests.support.journals import journaled
from tests.support.scripted import Ledger, ScriptedModel, until

pytestmark = pytest.mark.timeout(30)

THREAD: Any = {"configurable": {"thread_id": "1"}}
ASK: Any = {"messages": [HumanMessage("What?")]}
APPROVE: Any = Command(resume={"decisions": [{"type": "approve"}]})


async def kill(running: "asyncio.Task[Any]") -> None:
    running.cancel()
    await asyncio.wait([running])


class Wiping:
    """A destructive tool that asks its own person, and then acts until its gate opens."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.gate = asyncio.Event()

        @tool
        async def wipe(what: str) -> str:
            """Wipe it."""
            answer = str(interrupt({"sure": what}))
            self.begun.append(what)
            await self.gate.wait()
            return answer

        wipe.metadata = {"destructiveHint": True}
        self.tool = wipe


def graph(tools: list[Any], plan: str, saver: Any) -> Any:
    planner, joiner = ScriptedModel(plan), ScriptedModel("Done.")
    return build_graph(tools, planner=planner, joiner=joiner, checkpointer=saver)


async def test_a_destructive_tool_that_interrupted_is_claimed_anew_after_its_resume() -> None:
    wiping = Wiping()
    compiled = graph([wiping.tool], "wipe('a')", InMemorySaver())
    state = await compiled.ainvoke(ASK, THREAD)
    assert state["__interrupt__"][0].value == {"sure": "a"}
    running = asyncio.ensure_future(compiled.ainvoke(Command(resume="yes"), THREAD))
    await until(lambda: wiping.begun == ["a"])
    await kill(running)
    wiping.gate.set()
    state = await compiled.ainvoke(None, THREAD)
    assert wiping.begun == ["a"]  # never a second time
    assert state["outcomes"]["1"]["error"].startswith("may have run: it began at ")
    assert state["messages"][-1].text == "Done."


async def test_a_destructive_tool_that_interrupted_runs_once_when_nobody_kills_it() -> None:
    wiping = Wiping()
    wiping.gate.set()
    compiled = graph([wiping.tool], "wipe('a')", InMemorySaver())
    await compiled.ainvoke(ASK, THREAD)
    state = await compiled.ainvoke(Command(resume="yes"), THREAD)
    assert state["outcomes"]["1"]["value"] == "yes"
    assert wiping.begun == ["a"]


async def test_a_tool_may_interrupt_many_times_and_the_others_run_once() -> None:
    ledger = Ledger()

    async def sure() -> str:
        """Make sure."""
        return " ".join(str(interrupt(n)) for n in range(4))

    plan = "echo('x')\nb = sure()\necho(b)\necho([b, 'y'])"
    compiled = graph([*ledger.tools, sure], plan, InMemorySaver())
    await compiled.ainvoke(ASK, THREAD)
    for answer in "abc":
        state = await compiled.ainvoke(Command(resume=answer), THREAD)
        assert len(state["__interrupt__"]) == 1
    state = await compiled.ainvoke(Command(resume="d"), THREAD)
    assert state["outcomes"]["3"]["value"] == "a b c d"
    assert ledger.begun[0] == "x"
    assert sorted(ledger.begun[1:], key=str) == [["a b c d", "y"], "a b c d"]


@pytest.mark.parametrize("kills", [1, 3])
async def test_kills_behind_three_questions_in_a_row_repeat_nothing(kills: int) -> None:
    ledger, saver, gate = Ledger(), InMemorySaver(), asyncio.Event()
    waiting: list[int] = []

    async def slow(value: int) -> int:
        """Be slow."""
        waiting.append(value)
        await gate.wait()
        return value

    plan = "a = echo(1)\nb = add(a, 1)\nc = echo(b)\nd = add(c, 1)\ne = echo(d)\nf = add(e, 1)"
    compiled = graph([*ledger.tools, slow], f"{plan}\nslow(f)", saver)
    context = Context(approve=("add",))
    for input in (ASK, APPROVE, APPROVE):
        await compiled.ainvoke(input, THREAD, context=context)
    for kill_at in range(1, kills + 1):
        input = APPROVE if kill_at == 1 else None
        running = asyncio.ensure_future(compiled.ainvoke(input, THREAD, context=context))
        await until(lambda at=kill_at: len(waiting) == at and "6" in journaled(saver))  # type: ignore[misc]
        await kill(running)
    gate.set()
    state = await compiled.ainvoke(None, THREAD, context=context)
    assert state["outcomes"]["7"]["value"] == 4
    assert ledger.begun == [1, (1, 1), 2, (2, 1), 3, (3, 1)]


async def test_decisions_are_kept_by_an_approved_destructive_call_that_was_killed() -> None:
    saver, begun, gate = InMemorySaver(), [], asyncio.Event()

    @tool
    async def wipe(what: str) -> str:
        """Wipe it."""
        begun.append(what)
        await gate.wait()
        return what

    wipe.metadata = {"destructiveHint": True}
    compiled = graph([wipe], "wipe('a')\nwipe('b')", saver)
    context = Context(approve=("wipe",))
    await compiled.ainvoke(ASK, THREAD, context=context)
    both: Any = Command(resume={"decisions": [{"type": "approve"}, {"type": "reject"}]})
    running = asyncio.ensure_future(compiled.ainvoke(both, THREAD, context=context))
    await until(lambda: begun == ["a"])
    await kill(running)
    gate.set()
    state = await compiled.ainvoke(None, THREAD, context=context)
    outcomes = state["outcomes"]
    assert [outcomes[id]["status"] for id in "12"] == ["failed", "rejected"]
    assert outcomes["1"]["error"].startswith("may have run")
    assert outcomes["1"]["args"] == {"what": "a"}
    assert begun == ["a"]


class Losing(InMemorySaver):
    """Loses what is written last, as if the process had been killed before."""

    def __init__(self, lost: Callable[[Any], bool]) -> None:
        super().__init__()
        self.lost: Callable[[Any], bool] | None = lost

    async def aput_writes(self, config: Any, writes: Any, *args: Any, **kwargs: Any) -> None:
        if self.lost is None or not any(self.lost(value) for _, value in writes):
            await super().aput_writes(config, writes, *args, **kwargs)


async def test_a_claim_that_was_not_let_go_of_before_the_kill_stands() -> None:
    wiping = Wiping()
    wiping.gate.set()
    saver = Losing(lambda value: value is None or (isinstance(value, dict) and "asked" in value))
    compiled = graph([wiping.tool], "wipe('a')", saver)
    await compiled.ainvoke(ASK, THREAD)
    saver.lost = None
    for _ in range(2):
        state = await compiled.ainvoke(Command(resume="yes"), THREAD)
    assert state["outcomes"]["1"]["error"].startswith("may have run")
    assert wiping.begun == []


async def test_a_destructive_call_in_a_subgraph_is_confirmed_in_its_own_checkpoint() -> None:
    wiping = Wiping()
    wiping.gate.set()
    child = build_graph(
        [wiping.tool],
        planner=ScriptedModel("wipe('a')"),
        joiner=ScriptedModel("Done."),
    )
    builder = StateGraph(State)
    builder.add_node("compiler", child)
    builder.add_edge(START, "compiler")
    builder.add_edge("compiler", END)
    parent = builder.compile(InMemorySaver())
    await parent.ainvoke(ASK, THREAD)
    state = await parent.ainvoke(Command(resume="yes"), THREAD)
    assert state["outcomes"]["1"]["value"] == "yes"
    assert wiping.begun == ["a"]
