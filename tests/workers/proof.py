"""Many runs in flight on several workers, one of which is killed: all end, nothing is repeated.

    calm       all runs at once, no worker is killed
    killed     one call of each run is held: no run can end; all started, half of the calls ended
     ─► the worker with most runs is killed; what PostgreSQL holds then is recorded
     ─► every run that it had makes a call again, from another process
     ─► the calls are released, and all runs joined

The results are judged as in the campaign of kills. A worker whose places are all taken takes no run
over, and all are taken until the calls are released: so only one process takes the runs over. In
langgraph-runtime-pg 0.11.1.post1, two that look for lost runs at the same moment may both start a
run (docs/deploy.md).
"""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from random import Random
from typing import Final

from langgraph_sdk import get_client

from tests.bench.model_server import ModelServer
from tests.campaigns import postgres
from tests.campaigns.promises import judged
from tests.campaigns.report import Report, Say
from tests.workers import kept
from tests.workers.book import Book, Line
from tests.workers.deployment import Deployment, deployment, redis
from tests.workers.runs import End, Run, begin, ends
from tests.workers.turns import Turn, script

_PATIENCE: Final = 240.0
"""Seconds in which the runs must come from one stage to the next."""
_LONGEST_START: Final = 180.0
"""Seconds in which they must have begun."""


@dataclass(frozen=True)
class Size:
    """How many runs: as many as the workers have places, so that no place is free.

    The server can lose a place, whose run then waits until others end; so a few `spare` runs need
    not have started at the kill.
    """

    runs: int = 204
    workers: int = 2
    spare: int = 4

    @property
    def jobs(self) -> int:
        """Runs that a worker has at once."""
        return -(-self.runs // self.workers)


@dataclass(frozen=True)
class Services:
    """The addresses of a PostgreSQL and a Redis to use; None means one of our own."""

    postgres: str | None = None
    redis: str | None = None


def proof(seed: int, size: Size, say: Say, services: Services) -> Report:
    """Run both halves on a deployment of our own.

    Raises:
        ServerRefusedError: the server does not come up.
        AssertionError: the runs do not get as far as the kill, or nobody takes them over.
        TimeoutError: they do not end.
    """
    turns = [Turn(it) for it in Random(seed).sample(range(10**6), 2 * size.runs)]
    calm, killed = turns[: size.runs], turns[size.runs :]
    held = {turn.seed: len(turn.rounds[0]) for turn in killed}
    with ExitStack() as stack:
        address = services.postgres or stack.enter_context(postgres.server())
        book = stack.enter_context(
            Book(lambda line: line["what"] == "begin" and held.get(line["run"]) == line["id"])
        )
        models = stack.enter_context(ModelServer(script(book)))
        server = stack.enter_context(
            deployment(
                address,
                services.redis or stack.enter_context(redis()),
                workers=size.workers,
                jobs=size.jobs,
                OPENAI_BASE_URL=models.base_url,
                OPENAI_API_KEY="unused",
                BOOK=str(book.port),
            )
        )
        return asyncio.run(_Proof(server, address, book, say, size.spare).run(calm, killed))


class _Proof:
    def __init__(self, server: Deployment, address: str, book: Book, say: Say, spare: int) -> None:
        self._server, self._address = server, address
        self._book, self._say = book, say
        self._spare = spare

    async def run(self, calm: Sequence[Turn], killed: Sequence[Turn]) -> Report:
        report = Report()
        report.add(await self._calm(calm), "nobody killed")
        report.add(await self._killed(killed), "a worker killed")
        return report

    async def _calm(self, turns: Sequence[Turn]) -> Report:
        async with get_client(url=self._server.url, timeout=_PATIENCE) as client:
            began = time.time()
            runs = await begin(client, turns)
            found = self._judged(runs, await ends(client, runs, _PATIENCE))
        took = kept.last_end(self._address) - began
        figures = {"turns": len(turns), "seconds": took, "turns a second": len(turns) / took}
        return Report(figures, found.broken + self._without_cause(set(), runs))

    async def _killed(self, turns: Sequence[Turn]) -> Report:
        since = len(self._book.lines)
        async with get_client(url=self._server.url, timeout=_PATIENCE) as client:
            runs = await begin(client, turns)
            self._until_half_done(since, turns)
            in_flight = {line["run"] for line in self._begun(turns)}
            worker, its = self._busiest(turns)
            self._server.kill(worker)
            at = time.time()
            lines = kept.lines(self._address, {run.thread: run.turn.seed for run in runs})
            assert not self._again(runs), "what is kept was read too late: a run goes on already"
            since = len(self._book.lines)
            self._book.note(*lines)
            outcomes = sum(line["what"] == "journaled" for line in lines)
            self._say(f"  worker {worker} with {len(its)} runs is dead, {outcomes:,} outcomes kept")
            self._until_heard_of(since + len(lines), its)
            taken_over = time.time()
            self._book.release()
            report = self._judged(runs, await ends(client, runs, _PATIENCE))
        report.broken += self._without_cause(its, runs)
        begun = {(line["run"], line["id"]) for line in self._begun(turns)}
        report.figures = {
            "runs in flight": len(in_flight),
            "runs that the dead worker had": len(its),
            "runs that were taken over": len(self._again(runs)),
            "calls in all": len(begun),
            "outcomes kept when it died": outcomes,
            **report.figures,
            "seconds from the kill until all were taken over": taken_over - at,
            "seconds from the kill to the last answer": kept.last_end(self._address) - at,
        }
        return report

    def _until_half_done(self, since: int, turns: Sequence[Turn]) -> None:
        """Wait until all runs have begun a call, and half of the first rounds' calls have ended.

        The spare runs are not waited for beyond the time that all have.
        """
        waiting = {turn.seed for turn in turns}
        left = sum(len(turn.rounds[0]) for turn in turns) // 2

        def done(line: Line) -> bool:
            nonlocal left
            if line["what"] == "begin":
                waiting.discard(line["run"])
            left -= line["what"] == "end"
            return not waiting and left <= 0

        if self._book.read(since, done, _LONGEST_START):
            return
        if len(waiting) > self._spare or left > 0:
            what = f"{len(waiting)} runs have begun no call, and {left} calls are missing to half"
            raise AssertionError(f"{what}; the server says: {self._server.log[-5000:]}")

    def _until_heard_of(self, since: int, its: set[int]) -> None:
        """Wait until each of these runs has begun a call or asked a model again."""
        waiting = {*its}

        def done(line: Line) -> bool:
            waiting.discard(line["run"])
            return not waiting

        assert self._book.read(since, done, _PATIENCE), f"nobody went on with {waiting}"

    def _busiest(self, turns: Sequence[Turn]) -> tuple[int, set[int]]:
        """The worker that has most of the runs, and which."""
        runs: defaultdict[int, set[int]] = defaultdict(set)
        for line in self._begun(turns):
            runs[line["process"]].add(line["run"])
        return max(runs.items(), key=lambda item: len(item[1]))

    def _begun(self, turns: Sequence[Turn]) -> list[Line]:
        seeds = {turn.seed for turn in turns}
        lines = self._book.lines
        return [line for line in lines if line["run"] in seeds and line["what"] == "begin"]

    def _judged(self, runs: Sequence[Run], found: Sequence[End]) -> Report:
        """Hold each run's lines, and how it ended, against the promises."""
        lines: defaultdict[int, list[Line]] = defaultdict(list)
        for line in self._book.lines:
            lines[line["run"]].append(line)
        broken: list[str] = []
        totals: Counter[str] = Counter()
        for run, end in zip(runs, found, strict=True):
            ledger = [*lines[run.turn.seed], end.answer]
            judgement = judged(run.turn.rounds, ledger, longest_claim=_PATIENCE)
            faults = judgement.broken
            if end.status != "success":
                faults.append(f"the run's status is {end.status!r}")
            broken += [f"turn {run.turn.seed}: {fault}" for fault in faults]
            totals.update(answered=not faults, cut=judgement.cut)
            totals.update(maybe=judgement.maybe, again=judgement.again)
        figures = {
            "runs that ended with their answer": totals["answered"],
            "destructive calls cut in the middle": totals["cut"],
            "destructive calls that may have run": totals["maybe"],
            "other calls begun again, whose outcome was not kept": totals["again"],
        }
        return Report(figures, broken)

    def _again(self, runs: Sequence[Run]) -> set[int]:
        """The turns whose runs were begun more than once."""
        times = kept.attempts(self._address)
        return {run.turn.seed for run in runs if times.get(run.thread, 0) > 1}

    def _without_cause(self, its: set[int], runs: Sequence[Run]) -> list[str]:
        """What was repeated though no worker had died that had it."""
        calls = Counter((it["run"], it["id"]) for it in self._begun([run.turn for run in runs]))
        twice = {run for (run, _), times in calls.items() if times > 1}
        lived = sorted((self._again(runs) | twice) - its)
        return [f"turn {run} was begun again, though its worker lived" for run in lived]
