"""Limits that a tool brings in its metadata: how many calls at once, with whom, how long."""

import asyncio
import threading
from collections import Counter
from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver

from llm_compiler import Context, build_graph
from tests.support.scripted import ScriptedModel

pytestmark = pytest.mark.timeout(30)

ASK: Any = {"messages": [HumanMessage("What?")]}
THREAD: Any = {"configurable": {"thread_id": "1"}}


class Watched:
    """Tools of which it counts how many calls run at once, by name and by group."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: Counter[str] = Counter()
        self.most: Counter[str] = Counter()

    def tool(self, name: str, metadata: dict[str, Any], *, sync: bool = False) -> Any:
        names = [name, *([metadata["exclusive"]] if "exclusive" in metadata else [])]

        async def call(n: int) -> int:
            "Call it."
            self._count(names, 1)
            for _ in range(20):
                await asyncio.sleep(0)
            self._count(names, -1)
            return n

        def call_in_thread(n: int) -> int:
            "Call it."
            self._count(names, 1)
            threading.Event().wait(0.005)
            self._count(names, -1)
            return n

        made = tool(name)(call_in_thread if sync else call)
        made.metadata = metadata
        return made

    def _count(self, names: list[str], change: int) -> None:
        with self._lock:
            for name in names:
                self._running[name] += change
                self.most[name] = max(self.most[name], self._running[name])


@pytest.mark.parametrize("sync", [False, True], ids=["async", "sync"])
@pytest.mark.parametrize("resumed", [False, True], ids=["", "resumed"])
async def test_calls_keep_to_the_limits_of_their_tools(resumed: bool, sync: bool) -> None:
    watched = Watched()
    tools = [
        watched.tool("two", {"max_parallel": 2}, sync=sync),
        watched.tool("read_db", {"exclusive": "db"}, sync=sync),
        watched.tool("write_db", {"exclusive": "db", "max_parallel": 3}, sync=sync),
        watched.tool("free", {}, sync=sync),
    ]
    names = ["two", "read_db", "write_db", "free"] * 5
    plan = "\n".join(f"{name}({place})" for place, name in enumerate(names))
    compiled = build_graph(
        tools,
        planner=ScriptedModel(plan),
        joiner=ScriptedModel("Done."),
        checkpointer=InMemorySaver(),
    )
    if resumed:
        await compiled.ainvoke(ASK, THREAD, interrupt_before=["scheduler"])
    state = await compiled.ainvoke(None if resumed else ASK, THREAD)
    assert {outcome["status"] for outcome in state["outcomes"].values()} == {"ok"}
    limits = {"two": 2, "db": 1, "read_db": 1, "write_db": 1}
    assert all(watched.most[name] <= most for name, most in limits.items())
    if not sync:  # on a busy machine, threads may follow one another
        assert watched.most == {**limits, "free": 5}


@pytest.mark.parametrize("resumed", [False, True], ids=["", "resumed"])
async def test_a_call_ends_with_the_timeout_of_its_tool(resumed: bool) -> None:
    @tool
    async def late() -> str:
        """Come late."""
        await asyncio.Event().wait()
        return "late"

    late.metadata = {"timeout": 0.05}
    compiled = build_graph(
        [late],
        planner=ScriptedModel("late()"),
        joiner=ScriptedModel("Done."),
        checkpointer=InMemorySaver(),
    )
    context = Context(tool_retries=0, tool_timeout=100)
    if resumed:
        await compiled.ainvoke(ASK, THREAD, context=context, interrupt_before=["scheduler"])
    state = await compiled.ainvoke(None if resumed else ASK, THREAD, context=context)
    assert state["outcomes"]["1"]["error"].startswith("TimeoutError: no result within 0.05 s")
