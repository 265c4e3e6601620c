"""What it costs to journal a turn's calls: turns with a checkpointer against turns without.

    python -m tests.bench.journal [--calls 100 1000 3000] [--runs 3]

All calls are independent and do nothing, and the model streams without waiting. Destructive calls
are each claimed before they begin.
"""

import argparse
import asyncio
import gc
import statistics
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from langchain_core.tools import BaseTool, tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

from llm_compiler import Context, build_graph
from tests.bench.overhead import Writer

SAVERS = ("none", "memory", "sqlite")


def nothing(*, destructive: bool) -> BaseTool:
    """The tool `nothing`."""

    @tool
    async def nothing(value: int) -> int:
        """Do nothing."""
        return value

    nothing.metadata = {"destructiveHint": True} if destructive else {"readOnlyHint": True}
    return nothing


@asynccontextmanager
async def checkpointer(kind: str) -> AsyncIterator[Any]:
    """A fresh checkpointer of a kind."""
    if kind == "none":
        yield None
    elif kind == "memory":
        yield InMemorySaver()
    else:
        with tempfile.TemporaryDirectory() as folder:
            path = str(Path(folder) / "checkpoints.db")
            async with AsyncSqliteSaver.from_conn_string(path) as saver:
                yield saver


async def turn(kind: str, calls: int, *, destructive: bool = False) -> float:
    """Seconds of a whole turn."""
    plan = "".join(f"nothing({i})\n" for i in range(1, calls + 1))
    async with checkpointer(kind) as saver:
        graph = build_graph(
            [nothing(destructive=destructive)],
            planner=Writer(text=plan),
            joiner=Writer(text="Done."),
            checkpointer=saver,
        )
        gc.collect()
        began = time.perf_counter()
        state = await graph.ainvoke(
            {"messages": [("user", "Go.")]},
            {"configurable": {"thread_id": "1"}},
            context=Context(max_tasks=calls, max_parallel=10_000),
        )
        seconds = time.perf_counter() - began
    assert sum(outcome["status"] == "ok" for outcome in state["outcomes"].values()) == calls
    return seconds


async def costs(calls: int, *, destructive: bool, runs: int) -> dict[str, float]:
    """Milliseconds a call that each checkpointer adds: medians of interleaved runs."""
    seconds: dict[str, list[float]] = {kind: [] for kind in SAVERS}
    for _ in range(runs):
        for kind in SAVERS:
            seconds[kind].append(await turn(kind, calls, destructive=destructive))
    medians = {kind: statistics.median(found) for kind, found in seconds.items()}
    bare = medians.pop("none")
    return {kind: (median - bare) / calls * 1000 for kind, median in medians.items()}


async def _main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--calls", type=int, nargs="+", default=[100, 1000, 3000])
    options.add_argument("--runs", type=int, default=3)
    given = options.parse_args()
    for destructive in (False, True):
        for calls in given.calls:
            found = await costs(calls, destructive=destructive, runs=given.runs)
            told = ", ".join(f"{kind} {cost:.2f} ms" for kind, cost in found.items())
            kind = "destructive calls" if destructive else "calls"
            print(f"{calls:5} {kind}: {told} a call", flush=True)


if __name__ == "__main__":
    asyncio.run(_main())
