"""A destructive call begins once its claim is in the checkpointer, however slow that is."""

import asyncio
from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver

from llm_compiler import build_graph
from tests.support.scripted import ScriptedModel

ASK: Any = {"messages": [HumanMessage("What?")]}
THREAD: Any = {"configurable": {"thread_id": "1"}}


class SlowSaver(InMemorySaver):
    """Lets go of a claim only when it has been looked for a number of times."""

    def __init__(self) -> None:
        super().__init__()
        # Shared with the copies that LangGraph makes of a saver under strict serializing.
        self.reads = [0]
        self.written: list[bool] = []
        self._enough = asyncio.Event()

    async def aget_tuple(self, *args: Any, **kwargs: Any) -> Any:
        self.reads[0] += 1
        if self.reads[0] > 25:
            self._enough.set()
        return await super().aget_tuple(*args, **kwargs)

    async def aput_writes(self, config: Any, writes: Any, *rest: Any) -> None:
        claims = any(isinstance(it, dict) and "claim" in it for _, it in writes)
        if claims:
            await self._enough.wait()
        await super().aput_writes(config, writes, *rest)
        self.written += [claims] if claims else []


@pytest.mark.parametrize("durability", ["sync", "async"])
async def test_a_slow_checkpointer_is_waited_for(durability: Any) -> None:
    saver = SlowSaver()
    seen: list[bool] = []

    @tool
    async def wipe() -> str:
        """Wipe."""
        seen.append(bool(saver.written))
        return "wiped"

    wipe.metadata = {"destructiveHint": True}
    planner = ScriptedModel("1. wipe()\n2. join()")
    graph = build_graph([wipe], planner=planner, joiner=ScriptedModel("Done."), checkpointer=saver)
    state = await graph.ainvoke(ASK, THREAD, durability=durability)
    assert state["outcomes"]["1"]["value"] == "wiped"
    assert seen == [True]
