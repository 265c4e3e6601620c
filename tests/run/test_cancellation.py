"""Runs that are stopped where LangGraph cancels nothing by itself leave nothing behind.

The campaign of random moments is in tests/campaigns; here are the moments that chance rarely hits.
"""

import asyncio
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import interrupt

from llm_compiler import Context, build_graph
from tests.campaigns.leftovers import Leftovers, settled, temporary_folder
from tests.support.interrupted import interrupted
from tests.support.scripted import Ledger, ScriptedModel, until

pytestmark = pytest.mark.timeout(60)

ASK: Any = {"messages": [HumanMessage("What?")]}
PLAN = "echo('never')\nb = add(1, 2)\nblock(b)"
RUNS = 20


def thread(name: object) -> Any:
    return {"configurable": {"thread_id": str(name)}}


def block(value: int) -> int:
    """Work in a thread."""
    return value


async def confirm(what: str) -> str:
    """Ask its own person."""
    return str(interrupt(what))


def graph(ledger: Ledger, saver: Any, plan: str = PLAN) -> Any:
    return build_graph(
        [*ledger.tools, block, confirm],
        planner=ScriptedModel(*[plan] * RUNS),
        joiner=ScriptedModel(*["Done."] * RUNS),
        checkpointer=saver,
    )


@pytest.fixture
def folder() -> Iterator[Path]:
    with temporary_folder() as folder:
        yield folder


STOPS: dict[str, Any] = {
    "before the planner": {"interrupt_before": ["planner"]},
    "behind the planner": {"interrupt_after": ["planner"]},
    "before the scheduler": {"interrupt_before": ["scheduler"]},
    "before the joiner": {"interrupt_before": ["joiner"]},
    "behind the joiner": {"interrupt_after": ["joiner"]},
    "at every node": {"interrupt_before": "*"},
    "at a person": {"context": Context(approve=("add",))},
}


@pytest.mark.parametrize("stop", STOPS)
async def test_runs_that_stop_and_that_nobody_resumes_leave_nothing(
    stop: str, folder: Path
) -> None:
    plan = "a = add(1, 2)\nblock(a)\nconfirm('x')"
    compiled = graph(Ledger(), InMemorySaver(), plan)
    await compiled.ainvoke(ASK, thread("first"), **STOPS[stop])
    await settled(1.0)
    leftovers = Leftovers(folder)
    for number in range(RUNS - 1):
        await compiled.ainvoke(ASK, thread(number), **STOPS[stop])
    await settled(1.0, leftovers.tasks)
    assert leftovers.found() == []


class Gated(InMemorySaver):
    """Holds a run up between two nodes: while it writes the checkpoint that names the second."""

    def __init__(self, node: str) -> None:
        super().__init__()
        self.held = asyncio.Event()
        self._node = f"branch:to:{node}"

    async def aput(self, config: Any, checkpoint: Any, *rest: Any) -> Any:
        if self._node in checkpoint["channel_values"]:
            self.held.set()
            await asyncio.Event().wait()
        return await super().aput(config, checkpoint, *rest)


@pytest.mark.parametrize("node", ["planner", "scheduler", "joiner"])
async def test_a_run_cancelled_between_two_nodes_leaves_nothing(node: str, folder: Path) -> None:
    ledger, saver = Ledger(), Gated(node)
    plan = PLAN if node == "scheduler" else PLAN.replace("'never'", "'x'")
    ledger.gate("never")
    compiled = graph(ledger, saver, plan)
    leftovers = Leftovers(folder)
    running = asyncio.ensure_future(compiled.ainvoke(ASK, thread(1), durability="sync"))
    await saver.held.wait()
    if node == "scheduler":
        await until(lambda: "never" in ledger.begun)  # it started early
    began = time.monotonic()
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    assert time.monotonic() - began < 1.0
    assert ledger.cancelled == [value for value in ledger.begun if value == "never"]
    await settled(1.0, leftovers.tasks)
    assert leftovers.found() == []


SCRIPT = """
import asyncio
from llm_compiler import build_graph
from tests.support.interrupted import interrupted
from tests.support.scripted import ScriptedModel

async def never(name: str) -> str:
    "Never."
    print("begun", name, flush=True)
    try:
        await asyncio.Event().wait()
    finally:
        print("cancelled", name, flush=True)

planner = ScriptedModel("never('a')\\nnever('b')")
graph = build_graph([never], planner=planner, joiner=ScriptedModel())
try:
    asyncio.run(graph.ainvoke({"messages": [("user", "x")]}))
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


@pytest.mark.slow
@pytest.mark.alone
def test_ctrl_c_cancels_an_async_run_within_a_second() -> None:
    begun, output, errors, took = interrupted(SCRIPT, 2)
    assert begun == {"begun a\n", "begun b\n"}
    assert took < 1.0
    assert sorted(output.split("\n")) == ["", "cancelled a", "cancelled b", "interrupted"]
    assert errors == ""
