"""A turn that is resumed past its deadline keeps all that had ended."""

import asyncio
from typing import Any

from langchain_core.messages import HumanMessage
from langgraph.checkpoint.memory import InMemorySaver

from llm_compiler import Context, build_graph
from tests.support.clock import FakeClock
from tests.support.journals import journaled
from tests.support.scripted import Ledger, ScriptedModel, until

ASK: Any = {"messages": [HumanMessage("What?")]}
THREAD: Any = {"configurable": {"thread_id": "1"}}
LATE = Context(deadline=10)
PLAN = """names = "a,b,slow".split(",")
seen = [echo(name) for name in names]
answer(seen)"""


async def test_instances_that_had_ended_are_in_the_state(ledger: Ledger) -> None:
    """Also where the loop's list is computed again first."""
    saver, gate = InMemorySaver(), ledger.gate("slow")
    clock = FakeClock()
    planner = ScriptedModel([PLAN, lambda: setattr(clock, "time", clock.time + 20)])
    models: Any = {"planner": planner, "joiner": ScriptedModel("Done.")}
    first = build_graph(ledger.tools, checkpointer=saver, **models)
    first.clock = clock
    running = asyncio.create_task(first.ainvoke(ASK, THREAD))
    await until(lambda: len(journaled(saver)) == 2 or running.done())
    assert not running.done(), running.exception()
    running.cancel()
    await asyncio.wait([running])
    gate.set()
    again = build_graph(ledger.tools, checkpointer=saver, **models)
    again.clock = clock
    state = await again.ainvoke(None, THREAD, context=LATE)
    outcomes = {id: it["status"] for id, it in state["outcomes"].items()}
    assert outcomes["2[0]"] == outcomes["2[1]"] == "ok"
    assert outcomes["2[2]"] == "skipped"
    assert ledger.begun.count("a") == ledger.begun.count("slow") == 1
