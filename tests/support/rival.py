"""A process that runs turns on a thread which another process runs too.

    python -m tests.support.rival KIND ADDRESS LEDGER

It reads one order a line and writes how each ended, as JSON. Each call of a tool is written into
the ledger when it begins.
"""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from langchain_core.messages import HumanMessage
from langchain_core.tools import tool
from langgraph.types import Command

from llm_compiler import Context, build_graph
from tests.support.protocol import follows_protocol
from tests.support.scripted import ScriptedModel


@asynccontextmanager
async def checkpointer(kind: str, address: str) -> AsyncIterator[Any]:
    """A checkpointer that several processes share."""
    if kind == "postgres":
        from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver

        async with AsyncPostgresSaver.from_conn_string(address) as saver:
            yield saver
    elif kind == "sqlite":
        from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

        async with AsyncSqliteSaver.from_conn_string(address) as saver:
            await saver.setup()
            yield saver
    else:
        from langgraph.checkpoint.sqlite import SqliteSaver

        with SqliteSaver.from_conn_string(address) as saver:
            saver.setup()
            yield saver


class Rival:
    """One of the processes."""

    def __init__(self, saver: Any, ledger: Path) -> None:
        self._saver = saver
        self._ledger = ledger

    def graph(self, order: dict[str, Any]) -> Any:
        def note(name: str) -> None:
            with self._ledger.open("a") as ledger:
                ledger.write(json.dumps([order["thread"], name]) + "\n")

        async def step(seconds: float, behind: str = "") -> str:
            """Take a while, behind what gave `behind`."""
            note("step")
            await asyncio.sleep(seconds)
            return "stepped"

        def block(seconds: float) -> str:
            """Take a while, in a thread."""
            note("block")
            time.sleep(seconds)
            return "blocked"

        @tool
        async def wipe(what: str, seconds: float = 0.0) -> str:
            """Wipe it."""
            note(what)
            await asyncio.sleep(seconds)
            return what

        wipe.metadata = {"destructiveHint": True}
        stall = [asyncio.Event()]
        plan, stalls = order.get("plan", ""), order.get("stalls")
        return build_graph(
            [step, block, wipe],
            planner=ScriptedModel([plan, *(stall if stalls == "planner" else ())]),
            joiner=ScriptedModel([*(stall if stalls == "joiner" else ()), "Done."]),
            checkpointer=self._saver,
        )

    async def run(self, order: dict[str, Any]) -> dict[str, Any]:
        """Carry out an order; tell how it ended."""
        config: Any = {"configurable": {"thread_id": order["thread"]}}
        graph = self.graph(order)
        if order["do"] == "look":
            state = (await graph.aget_state(config)).values
            assert follows_protocol(state["messages"])
            texts = [message.text for message in state["messages"] if message.type != "tool"]
            return {"texts": texts, "outcomes": state.get("outcomes")}
        if "run" in order:
            config["metadata"] = {"run_id": order["run"]}
        given: Any = None
        if order["do"] == "message":
            message = HumanMessage(order.get("text", "What?"), id=order.get("id"))
            given = {"messages": [message]}
        elif order["do"] == "approve":
            given = Command(resume={"decisions": [{"type": "approve"}]})
        try:
            context = Context(approve=tuple(order.get("asks", ())))
            state = await graph.ainvoke(given, config, context=context)
        except Exception as error:
            return {"error": type(error).__name__, "line": str(error)}
        asked = "__interrupt__" in state
        return {"asked": asked} if asked else {"answer": state["messages"][-1].text}


async def main(kind: str, address: str, ledger: str) -> None:
    async with checkpointer(kind, address) as saver:
        rival = Rival(saver, Path(ledger))
        print("ready", flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            print(json.dumps(await rival.run(json.loads(line))), flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
