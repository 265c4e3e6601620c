"""Turns in flight on one real `langgraph dev` process, compared with bare graphs on it.

    python -m tests.bench.load [--levels 1,10,50,200] [--threads 500]

A turn is one run in a new thread, which the run's request creates (`client.runs.wait` with
`if_not_exists="create"`). It is measured from before the request until the answer arrives, so it
includes HTTP, the server's queue, the graph and its checkpoints. Our turn is one round: a plan of
three calls, of which the third needs the other two, and an answer. The model server, in a process
of its own, sends its first token after 0.1 s and then 200 per second; a call sleeps 0.05 s.

Own time is the turn's time minus its model and tool time. Model and tool time is what the turn
would take if everything else took no time: for the agent with early starts, for `same_calls` one
call after another. What a busy process adds to a token or a sleep counts as own time. So does the
time in the server's queue: the in-memory queue is read every 0.5 s, and a run that arrives
meanwhile is taken the next time, so that a run on an idle server waits for 0.5 to 1 s. Therefore
the own time of the run itself, from leaving the queue until its end in the server's log, is
reported too.

Every 10 s the in-memory server writes all its threads to disk and does nothing else meanwhile; no
setting turns that off. The more turns a level has, the less that affects the figures.

Load is a closed loop: each of N workers starts its next turn when its last has ended, so N runs are
always in flight. Turns count if they end after the Nth has ended and before the last starts. CPU is
that of the server's process tree. load_graphs.py has the graphs to compare with. At each level, the
graphs run one after another, and the threads of each are deleted after it.

Memory is measured on a separate server for each graph: resident bytes of the process tree before
and after a number of finished turns, 50 in flight, each of which leaves a thread. 100 turns warm
the server up first.
"""

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import psutil
from langgraph_sdk.client import LangGraphClient

from tests.bench.load_graphs import ANSWER, FIRST_TOKEN, JOINER, PLAN, PLANNER, RATE, TOOL_SECONDS
from tests.bench.model_server import tokens
from tests.bench.streaming import closing_times
from tests.server.process import ROOT, Server, server

OURS = "ours"
YARDSTICKS = ("empty", "chatbot", "same_calls")
_MEMORY_LEVEL = 50
_LEAST = 12
_WARM_UP = 20
_PRUNED_AT_ONCE = 100


def reply_seconds(text: str) -> float:
    """How long a reply takes to its last token."""
    return FIRST_TOKEN + (len(tokens(text)) - 1) / RATE


def scripted_seconds(graph: str) -> float:
    """What a turn takes if only models and tools take time."""
    plan, answer = reply_seconds(PLAN), reply_seconds(ANSWER)
    sent = [FIRST_TOKEN + place / RATE for place in range(len(tokens(PLAN)))]
    first, second, third = closing_times(PLAN, sent)
    last_call = max(first + TOOL_SECONDS, second + TOOL_SECONDS, third) + TOOL_SECONDS
    return {
        OURS: max(plan, last_call) + answer,
        "empty": 0.0,
        "chatbot": answer,
        "same_calls": plan + 2 * TOOL_SECONDS + answer,
    }[graph]


@dataclass(frozen=True)
class Figures:
    """Of one graph with so many turns in flight; own times in seconds."""

    turns: int
    per_second: float
    p50: float
    p95: float
    run_p50: float
    run_p95: float
    """Without the time before and after the run: HTTP and the server's queue."""
    cpu: float
    """Seconds of the server's processes per turn."""


@contextmanager
def scripted_models() -> Iterator[str]:
    """A model server in a process of its own; gives its base URL."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as script:
        json.dump({PLANNER: PLAN, JOINER: ANSWER}, script)
        script.flush()
        command = [sys.executable, "-m", "tests.bench.model_server", "--script", script.name]
        command += ["--first-token", str(FIRST_TOKEN), "--rate", str(RATE)]
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            process.kill()
            process.communicate()


@contextmanager
def serving(models: str, *graphs: str, jobs: int) -> Iterator[tuple[Server, LangGraphClient]]:
    """A server of these graphs, and a client that no pool of connections holds back."""
    paths = {name: f"./tests/bench/load_graphs.py:{name}" for name in graphs}
    with server(
        config={"graphs": paths},
        jobs=jobs,
        environment={"OPENAI_BASE_URL": models, "OPENAI_API_KEY": "unused"},
    ) as running:
        # None is kept: a server that is late closes a kept one just when its next request comes.
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
        http = httpx.AsyncClient(base_url=running.url, limits=limits, timeout=None, trust_env=False)
        yield running, LangGraphClient(http)


async def turn(client: LangGraphClient, graph: str) -> tuple[str, float, float]:
    """One turn in a thread of its own: the thread, and when it began and ended."""
    thread, began = str(uuid.uuid4()), time.perf_counter()
    question: dict[str, Any] = {
        "messages": [{"role": "user", "content": "How much higher is Everest than K2?"}]
    }
    state = await client.runs.wait(thread, graph, input=question, if_not_exists="create")
    ended = time.perf_counter()
    assert isinstance(state, dict), state
    assert state["messages"][-1]["content"] == ANSWER, state
    if graph == OURS:
        assert [o["status"] for o in state["outcomes"].values()] == ["ok"] * 3, state
    return thread, began, ended


async def in_flight(
    client: LangGraphClient, graph: str, level: int, turns: int
) -> list[tuple[str, float, float]]:
    """So many turns in all, `level` of them at once."""
    left = iter(range(turns))
    done: list[tuple[str, float, float]] = []

    async def work(place: int) -> None:
        # Not all at the same time, like real users.
        await asyncio.sleep(scripted_seconds(graph) * place / level)
        while next(left, None) is not None:
            done.append(await turn(client, graph))

    await asyncio.gather(*(work(place) for place in range(level)))
    return done


async def measured(client: LangGraphClient, running: Server, graph: str, level: int) -> Figures:
    """The figures of one graph at one level; its threads are gone afterwards."""
    turns = max(_LEAST, min(8 * level, 400 + 2 * level))
    written, before = len(running.log), cpu_seconds(running)
    done = await in_flight(client, graph, level, turns)
    cpu = (cpu_seconds(running) - before) / turns
    ends = sorted(ended for _, _, ended in done)
    start, stop = ends[level - 1], max(began for _, began, _ in done)
    counted = [(thread, ended - began) for thread, began, ended in done if start < ended <= stop]
    await forget(client, [thread for thread, _, _ in done])
    # What the server wrote before it answered `forget` has been read by now.
    ran = run_seconds(running.log[written:])
    scripted = scripted_seconds(graph)
    own = [seconds - scripted for _, seconds in counted]
    runs = [ran[thread] - scripted for thread, _ in counted]
    return Figures(
        len(counted),
        len(counted) / (stop - start),
        *(statistics.median(own), statistics.quantiles(own, n=20)[-1]),
        *(statistics.median(runs), statistics.quantiles(runs, n=20)[-1]),
        cpu,
    )


def run_seconds(log: str) -> dict[str, float]:
    """How long the run of each thread took once it had left the queue, as the server logs it."""
    found = {}
    for line in log.splitlines():
        if "Background run succeeded" in line:
            words = dict(word.split("=", 1) for word in line.split() if "=" in word)
            found[words["thread_id"]] = int(words["run_exec_ms"]) / 1000
    return found


async def forget(client: LangGraphClient, threads: list[str]) -> None:
    """Delete threads, so that a server that looks through them all has none of them left."""
    for at in range(0, len(threads), _PRUNED_AT_ONCE):
        await client.threads.prune(threads[at : at + _PRUNED_AT_ONCE])


def _tree(running: Server) -> list[psutil.Process]:
    root = psutil.Process(running.process.pid)
    return [root, *root.children(recursive=True)]


def cpu_seconds(running: Server) -> float:
    return sum(sum(process.cpu_times()[:2]) for process in _tree(running))


def resident(running: Server) -> int:
    return sum(process.memory_info().rss for process in _tree(running))


def per_thousand(models: str, graph: str, threads: int) -> float:
    """Megabytes that 1,000 finished threads of a graph take."""

    async def grow(running: Server, client: LangGraphClient) -> int:
        async with client:
            await in_flight(client, graph, _MEMORY_LEVEL, 2 * _MEMORY_LEVEL)
            before = resident(running)
            await in_flight(client, graph, _MEMORY_LEVEL, threads)
            return resident(running) - before

    with serving(models, graph, jobs=_MEMORY_LEVEL) as (running, client):
        return asyncio.run(grow(running, client)) / threads * 1000 / 1e6


def lateness(models: str) -> list[float]:
    """By how much the model server's replies ended after their time, in milliseconds."""
    answer = httpx.get(f"{models.removesuffix('/v1')}/requests", timeout=60, trust_env=False)
    sent = [
        (request["sent"][-1] - request["arrived"], len(request["sent"]) - 2)
        for request in answer.json()["requests"]
        if request["ended"] == "sent" and len(request["sent"]) > 1
    ]
    return [(took - FIRST_TOKEN - last / RATE) * 1000 for took, last in sent]


def row(level: int, graph: str, figures: Figures) -> str:
    f = figures
    own, runs = ((f.p50, f.p95), (f.run_p50, f.run_p95))
    times = " ".join(f"{seconds * 1000:8.0f}" for seconds in (*own, *runs))
    return f"{level:9} {graph:10} {f.turns:6} {f.per_second:8.1f} {times} {f.cpu * 1000:7.1f}"


async def under_load(
    running: Server, client: LangGraphClient, graphs: list[str], levels: list[int]
) -> dict[tuple[int, str], Figures]:
    """Measure and print each graph at each level."""
    found: dict[tuple[int, str], Figures] = {}
    print(f"{'':27} {'turns':>8} {'own ms of a turn':>17} {'of its run':>17} {'CPU ms':>7}")
    print(
        f"{'in flight':9} {'graph':10} {'turns':>6} {'a second':>8}"
        f" {'p50':>8} {'p95':>8} {'p50':>8} {'p95':>8} {'a turn':>7}"
    )
    async with client:
        for graph in graphs:
            done = await in_flight(client, graph, 10, _WARM_UP)
            await forget(client, [thread for thread, _, _ in done])
        for level in levels:
            for graph in graphs:
                figures = found[level, graph] = await measured(client, running, graph, level)
                print(row(level, graph, figures), flush=True)
    return found


def compared(found: dict[tuple[int, str], Figures], level: int) -> Iterator[str]:
    """Our own time as a multiple of each yardstick's."""
    ours = found.get((level, OURS))
    for name in YARDSTICKS:
        if ours is not None and (other := found.get((level, name))) is not None:
            yield (
                f"{level} in flight, {OURS} / {name}:"
                f" {ours.p50 / other.p50:.2f} (p50), {ours.p95 / other.p95:.2f} (p95);"
                f" of its run {ours.run_p50 / other.run_p50:.2f};"
                f" CPU {ours.cpu / other.cpu:.2f}"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--levels", default="1,10,50,200", help="runs in flight")
    parser.add_argument("--graphs", default=",".join((OURS, *YARDSTICKS)))
    parser.add_argument("--threads", type=int, default=500, help="for the memory; 0 leaves it out")
    wanted = parser.parse_args()
    levels = [int(level) for level in wanted.levels.split(",") if level]
    graphs = wanted.graphs.split(",")
    with scripted_models() as models:
        for name in graphs:
            print(f"{name}: {scripted_seconds(name) * 1000:.0f} ms of model and tool time a turn")
        if levels:
            with serving(models, *graphs, jobs=max(levels)) as (running, client):
                found = asyncio.run(under_load(running, client, graphs, levels))
            for level in levels:
                print(*compared(found, level), sep="\n")
            late = statistics.quantiles(lateness(models), n=20)
            print(f"the model server was late by {late[9]:.1f} ms (p50), {late[-1]:.1f} ms (p95)")
        if wanted.threads:
            for name in graphs:
                grown = per_thousand(models, name, wanted.threads)
                print(f"{name}: {grown:.1f} MB of memory per 1,000 threads", flush=True)


if __name__ == "__main__":
    main()
