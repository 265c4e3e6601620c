"""Turns against a scripted model server that streams at a set rate: early start and makespan.

    python -m tests.bench.streaming [--runs 5]

The server sends its first token after 0.3 s and then 50 a second, as in the comparison of five
implementations that the README quotes.
"""

import argparse
import asyncio
import gc
import os
import statistics
import threading
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from langchain_core.language_models import BaseChatModel

from llm_compiler import Context, build_graph
from tests.bench.model_server import ModelServer, by_role, tokens
from tests.bench.overhead import Writer

PLANNER, JOINER = "Write a plan", "Answer the question"
ASK: Any = {"messages": [("user", "Go.")]}


class Calls:
    """Tools that note when they begin."""

    def __init__(self) -> None:
        self.began: dict[int, float] = {}

    async def wait(self, place: int, seconds: float, after: list[Any] | None = None) -> int:
        """Wait a while."""
        self.began[place] = time.perf_counter()
        await asyncio.sleep(seconds)
        return place

    def block(self, place: int, seconds: float) -> int:
        """Block a thread for a while."""
        self.began[place] = time.perf_counter()
        threading.Event().wait(seconds)
        return place


def fan_out(tool: str, count: int, seconds: float) -> str:
    return "".join(f"{tool}({i}, {seconds})\n" for i in range(1, count + 1))


UNEVEN = [  # (seconds, needs): ten uneven tasks, critical path 1 → 4 → 7 → 10 of 0.8 s
    (0.2, []), (0.05, []), (0.1, []), (0.3, [1]), (0.1, [2]),
    (0.15, [3]), (0.2, [4, 5]), (0.05, [5]), (0.1, [6]), (0.1, [7, 8, 9]),
]  # fmt: skip


def uneven_dag() -> str:
    lines = []
    for place, (seconds, needs) in enumerate(UNEVEN, 1):
        after = f", [{', '.join(f'x{need}' for need in needs)}]" if needs else ""
        lines.append(f"x{place} = wait({place}, {seconds}{after})\n")
    return "".join(lines)


async def streamed(plan: str, *, most: int = 16) -> dict[str, Any]:
    """One turn against the server: when each token was sent, when each call began, the total."""
    calls = Calls()
    with ModelServer(by_role({PLANNER: plan, JOINER: "It is all done now."})) as server:
        os.environ.update(OPENAI_BASE_URL=server.base_url, OPENAI_API_KEY="x")
        graph = build_graph([calls.wait, calls.block])
        context = Context(model="openai:scripted", max_parallel=most)
        gc.collect()
        gc.freeze()
        began = time.perf_counter()
        await graph.ainvoke(ASK, context=context)
        ended = time.perf_counter()
        planner, joiner = (r for r in server.requests if r.path.endswith("/completions"))
    return {
        "began": began,
        "seconds": ended - began,
        "ended": ended,
        "sent": closing_times(plan, planner.sent),
        "calls": calls.began,
        "joiner": joiner.sent[-1] - joiner.arrived,
    }


def closing_times(plan: str, sent: list[float]) -> list[float]:
    """When the token with each task's closing bracket was sent."""
    times, text = [], ""
    lines = plan.splitlines(keepends=True)
    ends = [len("".join(lines[:i])) - 1 for i in range(1, len(lines) + 1)]
    for token, at in zip(tokens(plan), sent, strict=False):
        text += token
        while ends and len(text) >= ends[0]:
            ends.pop(0)
            times.append(at)
    return times


async def delays(runs: int) -> list[float]:
    """Milliseconds from the closing bracket's token to the start of its call."""
    found = []
    for _ in range(runs):
        turn = await streamed(fan_out("wait", 12, 0.05))
        found += [(turn["calls"][place] - at) * 1000 for place, at in enumerate(turn["sent"], 1)]
    return found


async def against_limit(tool: str, count: int) -> float:
    """A turn of `count` tools of 0.5 s, as a multiple of the limit.

    The limit is the arrival of the last call, its 0.5 s, and the joiner's own time.
    """
    turn = await streamed(fan_out(tool, count, 0.5), most=count)
    limit = turn["sent"][-1] - turn["began"] + 0.5 + turn["joiner"]
    return float(turn["seconds"] / limit)


async def makespan() -> float:
    """The uneven DAG without model time, as a multiple of its critical path of 0.8 s."""
    calls = Calls()
    planner: BaseChatModel = Writer(text=uneven_dag())
    graph = build_graph([calls.wait], planner=planner, joiner=Writer(text="Done."))
    state = await graph.ainvoke(ASK)
    outcomes = state["outcomes"].values()
    began = min(outcome["started_at"] for outcome in outcomes)
    return float((max(outcome["ended_at"] for outcome in outcomes) - began) / 0.8)


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    await streamed(fan_out("wait", 2, 0.0))

    async def median(measure: Callable[[], Awaitable[float]]) -> float:
        return float(statistics.median([await measure() for _ in range(runs)]))

    early = await delays(runs)
    print(f"closing bracket to call: median {statistics.median(early):.1f} ms")
    for tool, count in (("wait", 8), ("block", 8), ("block", 32)):
        ratio = await median(partial(against_limit, tool, count))
        kind = "sync" if tool == "block" else "async"
        print(f"{count} {kind} tools of 0.5 s: {ratio:.3f} times the limit")
    print(f"uneven DAG of ten: {await median(makespan):.3f} times its critical path")
    dag = [(await streamed(uneven_dag()))["seconds"] for _ in range(runs)]
    print(f"the same with the model's time: {statistics.median(dag):.2f} s")


if __name__ == "__main__":
    asyncio.run(main())
