"""Turns that outlive deploys: stopped at random moments, resumed in a world that has changed.

A stop is a SIGKILL, a breakpoint, or a question that another process has the answer to. A seed
repeats the turns, the worlds and the moments; what a kill hits then is also the machine's doing, so
the ledgers of broken promises are kept.
"""

from collections import Counter
from pathlib import Path
from random import Random

from tests.campaigns import deployed
from tests.campaigns.deploy_promises import Judge
from tests.campaigns.deployed import Deployed, Stop
from tests.campaigns.kills import Saver
from tests.campaigns.ledger import Line, read
from tests.campaigns.processes import Processes, in_folder, usual_seconds
from tests.campaigns.report import Progress, Report, Say

_PATIENCE = 60.0
"""Seconds in which a turn that nobody kills must have ended."""
_SERVED = 20
"""One in so many turns has a real MCP server."""
_STOPS = (1, 2, 2, 3)
_BY_ITSELF: tuple[Stop, ...] = ("question", "question", "planner", "scheduler", "joiner")


def campaign(seed: int, tries: int, say: Say, saver: Saver, server: str = "") -> Report:
    """Stop and resume `tries` turns; `server` is the address of PostgreSQL, for its saver."""

    def run(folder: Path) -> Report:
        return _Deploys(Random(seed), folder, saver, server).run(tries, say)

    return in_folder("deploys-", say, run)


class _Deploys:
    def __init__(self, random: Random, folder: Path, saver: Saver, server: str) -> None:
        self._random, self._folder = random, folder
        self._saver, self._server = saver, server
        self._processes = Processes(deployed)

    def run(self, tries: int, say: Say) -> Report:
        report = Report()
        length = usual_seconds(lambda: self._run(self._turn(), 0, "", _PATIENCE))
        say(f"  {self._saver}: a turn that nobody stops takes {length:.2f} s")
        progress = Progress(say, tries)
        turns = held = asked = rejected = maybe = 0
        stops: Counter[str] = Counter()
        changes: Counter[str] = Counter()
        while turns < tries:
            served = turns % _SERVED == _SERVED - 1
            turn = self._turn(served=served)
            stopped = self._stopped(turn, length)
            if not stopped:
                continue  # it was answered before its first stop
            hangs = self._run(turn, len(stopped), "", _PATIENCE)
            lines = read(turn.ledger)
            found = Judge(turn.rounds, turn.looped.ids if turn.looped else {}).read(lines)
            if hangs:
                found.broken.append(f"it had not ended after {_PATIENCE:g} s")
            where = (
                f"{'served ' if served else ''}turn {turn.seed}, stopped at {', '.join(stopped)}"
            )
            report.broken += [f"{where}: {it}" for it in found.broken]
            turns, held = turns + 1, held + (not found.broken)
            stops.update("a kill" if it.endswith(" s") else it for it in stopped)
            changes.update(_changes(lines))
            asked, maybe = asked + found.asked, maybe + found.maybe
            rejected += len(found.rejected)
            progress.at(turns, "turns stopped and resumed")
        report.figures = {
            "turns": turns,
            "turns that held": held,
            "stops": dict(sorted(stops.items())),
            "changes of the world": dict(sorted(changes.items())),
            "calls asked about": asked,
            "calls rejected": rejected,
            "destructive calls that may have run": maybe,
        }
        return report

    def _stopped(self, turn: Deployed, length: float) -> list[str]:
        """Let processes begin the turn and stop; how each stopped."""
        stopped: list[str] = []
        for number in range(self._random.choice(_STOPS)):
            kills = self._random.random() < 1 / 2
            stop: Stop = "" if kills else self._random.choice(_BY_ITSELF)
            seconds = self._random.uniform(0, length) if kills else _PATIENCE
            killed = self._run(turn, number, stop, seconds)
            if not killed and any(line["what"] == "answer" for line in read(turn.ledger)):
                break
            stopped.append(f"{seconds:.3f} s" if killed else stop)
        return stopped

    def _turn(self, *, served: bool = False) -> Deployed:
        seed = self._random.randrange(10**9)
        store = self._server or str(self._folder / f"{seed}.db")
        ledger = self._folder / f"{seed}.ledger"
        return Deployed(seed, ledger, self._saver, store, served=served)

    def _run(self, turn: Deployed, number: int, stop: Stop, seconds: float) -> bool:
        """Run the turn in a process for at most `seconds`; whether it had to be killed."""
        return self._processes.run(deployed.run, turn, number, stop, seconds=seconds)


def _changes(lines: list[Line]) -> list[str]:
    return [it for line in lines if line["what"] == "process" for it in line["changes"]]
