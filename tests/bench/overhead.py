"""Whole turns of no-op tools, measured against the bare calls in the same process.

    python -m tests.bench.overhead [--tasks 1000] [--runs 5]

The planner is a model in the process that streams without waiting, so what is measured is ours:
parsing, compiling, scheduling, running, the state and the messages.
"""

import argparse
import asyncio
import gc
import random
import statistics
import time
from collections.abc import AsyncIterator
from typing import Any

from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGenerationChunk
from langchain_core.tools import tool

from llm_compiler import Context, build_graph
from tests.support.streamed_model import StreamedModel


class Writer(StreamedModel):
    """Streams one text in pieces of a few lines."""

    text: str
    piece: int = 400

    async def _astream(
        self, messages: list[BaseMessage], *args: Any, **kwargs: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        for at in range(0, len(self.text), self.piece):
            piece = self.text[at : at + self.piece]
            yield ChatGenerationChunk(message=AIMessageChunk(content=piece))


@tool
async def nothing(value: int, after: list[Any] | None = None) -> int:
    """Do nothing."""
    return value


def independent(tasks: int) -> str:
    return "".join(f"nothing({i})\n" for i in range(1, tasks + 1))


def random_dag(tasks: int, seed: int = 1) -> str:
    """Each task refers to up to three earlier ones."""
    chance = random.Random(seed)
    lines = []
    for i in range(1, tasks + 1):
        needs = sorted(
            {chance.randrange(1, i) for _ in range(chance.randrange(4))} if i > 1 else ()
        )
        lines.append(f"x{i} = nothing({i}, [{', '.join(f'x{need}' for need in needs)}])\n")
    return "".join(lines)


async def turn(plan: str, tasks: int) -> float:
    """Seconds of a whole turn by `ainvoke`, without stream modes or handlers."""
    graph = build_graph([nothing], planner=Writer(text=plan), joiner=Writer(text="Done."))
    gc.collect()
    began = time.perf_counter()
    state = await graph.ainvoke(
        {"messages": [("user", "Go.")]}, context=Context(max_tasks=tasks, max_parallel=10_000)
    )
    seconds = time.perf_counter() - began
    assert sum(outcome["status"] == "ok" for outcome in state["outcomes"].values()) == tasks
    return seconds


async def bare(tasks: int) -> float:
    """Seconds of the bare calls in one `asyncio.gather`."""
    gc.collect()
    began = time.perf_counter()
    await asyncio.gather(*(nothing.ainvoke({"value": i}) for i in range(tasks)))
    return time.perf_counter() - began


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=5)
    wanted = parser.parse_args()
    plans = {"independent": independent(wanted.tasks), "random DAG": random_dag(wanted.tasks)}
    await bare(100)
    for plan in plans.values():
        await turn(plan, wanted.tasks)
    gc.freeze()
    yardstick: list[float] = []
    measured: dict[str, list[float]] = {name: [] for name in plans}
    for _ in range(wanted.runs):
        yardstick.append(await bare(wanted.tasks))
        for name, plan in plans.items():
            measured[name].append(await turn(plan, wanted.tasks))
    base = statistics.median(yardstick)
    print(f"{wanted.tasks} bare calls: {base:.3f} s")
    for name, seconds in measured.items():
        ratio = statistics.median(s / b for s, b in zip(seconds, yardstick, strict=True))
        print(
            f"{wanted.tasks} tasks, {name}: {statistics.median(seconds):.3f} s, {ratio:.2f} times"
        )


if __name__ == "__main__":
    asyncio.run(main())
