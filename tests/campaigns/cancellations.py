"""Runs cancelled at random moments, in every way in which a run can be cancelled.

After each run, nothing of it may remain: tasks, threads, open files, sockets and temporary files
are listed and compared with those before the first run. The loop's own thread pool does not belong
to the run. A thread in which a sync tool works cannot be stopped: it is waited for, and counted.
"""

import asyncio
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

from langchain_core.messages import HumanMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

from llm_compiler import Context, build_graph
from llm_compiler.run.compiled_graph import LLMCompiler
from tests.campaigns.cancellable import PLAN, Slow, Work, silent_server
from tests.campaigns.leftovers import Leftovers, settled, temporary_folder
from tests.campaigns.report import Progress, Report, Say

ASK: Any = {"messages": [HumanMessage("What?")]}
MODES: Any = ["custom", "messages", "updates"]
LIMIT = 1.0
"""Seconds within which all calls of a cancelled run have ended."""

_MEASURED = 3

Way = Callable[["_Run", float], Awaitable[float | None]]


async def campaign(seed: int, tries: int, say: Say, folder: Path) -> Report:
    """Cancel `tries` runs; `folder` is for what is no temporary file."""
    async with (
        silent_server() as port,
        AsyncSqliteSaver.from_conn_string(str(folder / "cancellations.db")) as saver,
    ):
        with temporary_folder() as temporary:
            return await _Cancellations(Random(seed), port, saver, temporary).run(tries, say)


class _Run:
    """One run to be cancelled."""

    def __init__(self, port: int, saver: Any, thread: str) -> None:
        self.work = Work(port)
        self.planner, self.joiner = Slow(reply=PLAN), Slow(reply="It is done, and this is why.")
        self.graph: LLMCompiler = build_graph(
            self.work.tools, planner=self.planner, joiner=self.joiner, checkpointer=saver
        )
        self.config: Any = {"configurable": {"thread_id": thread}}

    @property
    def running(self) -> int:
        return self.work.running + self.planner.open + self.joiner.open


class _Cancellations:
    def __init__(self, random: Random, port: int, saver: Any, temporary: Path) -> None:
        self._random, self._port, self._saver, self._temporary = random, port, saver, temporary

    async def run(self, tries: int, say: Say) -> Report:
        report = Report()
        lengths = await self._lengths()
        say(f"  a run that nobody cancels takes {lengths[True]:.3f} s with SQLite")
        leftovers = Leftovers(self._temporary)
        progress = Progress(say, tries)
        slowest: defaultdict[str, float] = defaultdict(float)
        returned, ways, late, done, written = 0.0, Counter[str](), 0, 0, 0
        names = list(WAYS)
        while done < tries:
            name = names[done % len(names)]
            # The sync methods have a loop of their own, and this saver belongs to this one.
            shared = name != "stream closed" and self._random.random() < 0.5
            moment = self._random.uniform(0, lengths[shared])
            run = self._new(f"{done} {late}", shared)
            cancelled = await WAYS[name](run, moment)
            if cancelled is None:
                late += 1  # the run had ended before its moment
                continue
            returned = max(returned, time.perf_counter() - cancelled)
            left = [f"{run.running} calls or streams"] if run.running else []
            written += await settled(LIMIT, leftovers.tasks) > 0
            took = time.perf_counter() - cancelled
            left += leftovers.found()
            where = f"run {done} ({name} at {moment:.4f} s)"
            report.broken += [f"{where} left {it}" for it in left]
            if took > LIMIT:
                report.broken.append(f"{where} took {took:.2f} s to end")
            slowest[name] = max(slowest[name], took)
            ways[name] += 1
            done += 1
            progress.at(done, "runs cancelled")
        report.figures = {
            "runs cancelled": dict(ways),
            "ended before their moment": late,
            "slowest until the caller went on, seconds": returned,
            "slowest until everything had ended, seconds": dict(slowest),
            "runs whose journal was written on a moment longer": written,
            "left behind": len(report.broken),
        }
        return report

    def _new(self, thread: str, shared: bool) -> _Run:
        return _Run(self._port, self._saver if shared else InMemorySaver(), thread)

    async def _lengths(self) -> dict[bool, float]:
        """How long a run takes, by saver; also opens all that stays open, as the sync loop."""
        for name, way in WAYS.items():
            await way(self._new(f"opening {name}", False), 0.05)
        return {shared: await self._took(shared) for shared in (True, False)}

    async def _took(self, shared: bool) -> float:
        taken = []
        for number in range(_MEASURED):
            run = self._new(f"measured {number}", shared)
            began = time.perf_counter()
            await run.graph.ainvoke(ASK, run.config)
            taken.append(time.perf_counter() - began)
        return min(taken)


# ── the ways: each returns when it cancelled, or None if the run had ended ─────────────────────


async def _cancel(run: _Run, moment: float) -> float | None:
    running = asyncio.ensure_future(run.graph.ainvoke(ASK, run.config))
    done, _ = await asyncio.wait([running], timeout=moment)
    if done:
        return None
    at = time.perf_counter()
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    return at


async def _timeout(run: _Run, moment: float) -> float | None:
    began = time.perf_counter()
    try:
        async with asyncio.timeout(moment):
            await run.graph.ainvoke(ASK, run.config)
    except TimeoutError:
        return began + moment
    return None


async def _aclose(run: _Run, moment: float) -> float | None:
    began = time.perf_counter()
    chunks = run.graph.astream(ASK, run.config, stream_mode=MODES)
    async for _ in chunks:
        if time.perf_counter() - began >= moment:
            at = time.perf_counter()
            await chunks.aclose()
            return at
    return None


async def _stream(run: _Run, moment: float) -> float | None:
    """The sync stream, in a thread of its own, so that this loop can serve the connections."""
    found: asyncio.Future[float | None] = asyncio.get_running_loop().create_future()

    def read() -> None:
        began, at = time.perf_counter(), None
        chunks: Any = run.graph.stream(ASK, run.config, stream_mode=MODES)
        for _ in chunks:
            if time.perf_counter() - began >= moment:
                at = time.perf_counter()
                chunks.close()
                break
        found.get_loop().call_soon_threadsafe(found.set_result, at)

    reader = threading.Thread(target=read, name="reader")
    reader.start()
    at = await found
    reader.join()
    return at


async def _deadline(run: _Run, moment: float) -> float | None:
    """The run ends with an answer, which the joiner writes after the deadline."""
    context, began = Context(deadline=max(moment, 0.001)), time.perf_counter()
    state = await run.graph.ainvoke(ASK, run.config, context=context)
    late = [o for o in state["outcomes"].values() if "deadline" in (o["error"] or "")]
    return began + moment if late else None


WAYS: dict[str, Way] = {
    "task cancelled": _cancel,
    "asyncio.timeout": _timeout,
    "astream closed": _aclose,
    "stream closed": _stream,
    "deadline": _deadline,
}
