"""Many turns of mixed faults, 20 at a time, in one process: outcomes, answers, memory, leftovers.

A few turns share a thread, so that each fault is followed by a turn that must not mind it.
"""

import asyncio
import gc
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

import psutil
from langchain_core.messages import HumanMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from llm_compiler import build_graph
from llm_compiler.errors import ModelError
from tests.campaigns.cases import CASES, Case, tools
from tests.campaigns.cast import Cast, Script, question
from tests.campaigns.leftovers import Leftovers, settled, temporary_folder, threads
from tests.campaigns.report import Progress, Report, Say
from tests.support.protocol import follows_protocol

AT_ONCE = 20
_TURNS_A_THREAD = 4
_PATIENCE = 60.0
_GROWTH = 1.25
"""Memory at the end, as a multiple of that after the first tenth."""


async def campaign(seed: int, tries: int, say: Say) -> Report:
    """Run `tries` turns; memory and leftovers after a tenth of them are what the end is held to."""
    with temporary_folder() as folder:
        return await _Soak(Random(seed), folder).run(tries, say)


class _Soak:
    def __init__(self, random: Random, folder: Path) -> None:
        self._random, self._folder = random, folder
        self._scripts: dict[int, Script] = {}
        self._saver = InMemorySaver()
        self._graph = build_graph(
            tools(),
            planner=Cast(role="planner", script=self._scripts.__getitem__),
            joiner=Cast(role="joiner", script=self._scripts.__getitem__),
            checkpointer=self._saver,
        )
        self._counts: Counter[str] = Counter()
        self._broken: list[str] = []
        self._wrong = self._lost = 0

    async def run(self, tries: int, say: Say) -> Report:
        progress = Progress(say, tries)
        conversations = self._conversations(tries)
        early = max(1, tries // 10 // _TURNS_A_THREAD)
        await self._converse(islice(conversations, early), progress)
        await settled(1.0)
        leftovers, first = Leftovers(self._folder), _memory()
        began = self._counts.total()
        await self._converse(conversations, progress)
        await settled(1.0)
        last, left = _memory(), leftovers.found()
        self._broken += [f"the soak left {it}" for it in left]
        if last > _GROWTH * first:
            self._broken.append(f"memory grew from {first:.1f} to {last:.1f} MB")
        figures = {
            "turns": self._counts.total(),
            "at once": AT_ONCE,
            f"memory at turn {began}, MB": round(first, 1),
            f"memory at turn {self._counts.total()}, MB": round(last, 1),
            "threads at the end, beside the loop's pool": len(threads()),
            "open files at the end": psutil.Process().num_fds() if psutil.POSIX else "unknown",
            "left behind": len(left),
            "wrong outcomes": self._wrong,
            "turns lost": self._lost,
            "of each case": f"{min(self._counts.values())} to {max(self._counts.values())}",
        }
        return Report(figures, self._broken)

    def _conversations(self, tries: int) -> Iterator[list[tuple[int, Case]]]:
        """Every case comes round before one comes again."""
        cases: list[Case] = []
        for first in range(1, tries + 1, _TURNS_A_THREAD):
            turns = []
            for number in range(first, min(first + _TURNS_A_THREAD, tries + 1)):
                if not cases:
                    cases = self._random.sample(CASES, len(CASES))
                turns.append((number, cases.pop()))
            yield turns

    async def _converse(
        self, conversations: Iterator[list[tuple[int, Case]]], progress: Progress
    ) -> None:
        async def work() -> None:
            for turns in conversations:
                thread = str(turns[0][0])
                for number, case in turns:
                    await self._turn(number, case, thread)
                    self._counts[case.name] += 1
                    progress.at(self._counts.total(), "turns")
                await self._saver.adelete_thread(thread)

        await asyncio.gather(*(work() for _ in range(AT_ONCE)))

    async def _turn(self, number: int, case: Case, thread: str) -> None:
        config: Any = {"configurable": {"thread_id": thread}}
        self._scripts[number] = Script(case)
        where = f"turn {number} ({case.name})"
        try:
            async with asyncio.timeout(_PATIENCE):
                broken = [fault async for fault in self._faults(number, case, config)]
                self._wrong += bool(broken)
        except Exception as error:
            self._lost += 1
            broken = [f"lost: {error!r:.300}"]
        self._broken += [f"{where}: {it}" for it in broken]
        del self._scripts[number]

    async def _faults(self, number: int, case: Case, config: Any) -> AsyncIterator[str]:
        """Run a turn; what is wrong with how it ended."""
        asked: Any = {"messages": [HumanMessage(question(number))]}
        if case.stopped in ("cancelled", "abandoned"):
            await getattr(self, f"_{case.stopped}")(asked, config)
        else:
            failed = None
            try:
                state = await self._graph.ainvoke(asked, config, context=case.context)
                if case.approved:
                    approve: Any = Command(resume={"decisions": [{"type": "approve"}]})
                    state = await self._graph.ainvoke(approve, config, context=case.context)
            except ModelError as error:
                failed = error
            if case.fails != (failed is not None):
                yield f"it ended with {failed!r}"
            if failed is None and not case.stopped:
                for fault in _wrong(state, case, number):
                    yield fault
        messages = (await self._graph.aget_state(config)).values.get("messages", [])
        if not follows_protocol(messages):
            yield "the messages do not follow the chat protocol"

    async def _cancelled(self, asked: Any, config: Any) -> None:
        running = asyncio.ensure_future(self._graph.ainvoke(asked, config))
        await asyncio.wait([running], timeout=self._random.uniform(0, 0.05))
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running

    async def _abandoned(self, asked: Any, config: Any) -> None:
        chunks = self._graph.astream(asked, config, stream_mode=["custom", "messages", "updates"])
        left = self._random.randint(1, 12)
        async for _ in chunks:
            left -= 1
            if not left:
                break
        await chunks.aclose()


def _wrong(state: Any, case: Case, number: int) -> Iterator[str]:
    """What is wrong with the answer and the outcomes of a turn that ended."""
    if (answer := state["messages"][-1].text) != case.answer and case.ended:
        yield f"the answer is {answer!r:.100}"
    outcomes = {int(id): outcome for id, outcome in state["outcomes"].items()}
    if outcomes.keys() != case.ended.keys():
        yield f"the outcomes are of {sorted(outcomes)}"
        return
    for id, (status, expected) in case.ended.items():
        outcome = outcomes[id]
        expected = number if expected == "{turn}" else expected
        if status != outcome["status"]:
            yield f"task {id} ended {outcome!r:.300} and not {status}"
        elif status == "ok" and outcome["value"] != expected:
            yield f"task {id} came to {outcome['value']!r:.100} and not {expected!r:.100}"
        elif status != "ok" and not str(outcome["error"]).startswith(str(expected)):
            yield f"task {id} ended with {outcome['error']!r:.200} and not {expected!r}"


def _memory() -> float:
    """Resident memory in MB, without what only waits for the collector."""
    gc.collect()
    return float(psutil.Process().memory_info().rss) / 2**20
