"""Turns killed with SIGKILL at random moments, and resumed in other processes until they end.

The moments are distributed evenly over the length of an undisturbed turn, from our first line in
the process: opening the store, both models, the calls, their journal. Every second turn is killed
again while it resumes, up to three times. A seed repeats the turns and the moments; what a kill
hits also depends on the machine, so the ledgers of broken promises are stored.
"""

from pathlib import Path
from random import Random
from typing import Literal

from tests.campaigns import restartable
from tests.campaigns.ledger import read
from tests.campaigns.processes import Processes, in_folder, usual_seconds
from tests.campaigns.promises import judged
from tests.campaigns.report import Progress, Report, Say
from tests.campaigns.restartable import Turn

Saver = Literal["sqlite", "postgres"]
_PATIENCE = 60.0
"""Seconds in which a turn that nobody kills must have ended."""
_KILLS = (1, 1, 2, 3)


def campaign(seed: int, tries: int, say: Say, saver: Saver, server: str = "") -> Report:
    """Kill `tries` turns; `server` is the address of PostgreSQL, for its saver."""

    def run(folder: Path) -> Report:
        return _Kills(Random(seed), folder, saver, server).run(tries, say)

    return in_folder("kills-", say, run)


class _Kills:
    def __init__(self, random: Random, folder: Path, saver: Saver, server: str) -> None:
        self._random, self._folder = random, folder
        self._saver, self._server = saver, server
        self._processes = Processes(restartable)

    def run(self, tries: int, say: Say) -> Report:
        report = Report()
        length = usual_seconds(lambda: self._run(self._turn(), _PATIENCE))
        say(f"  {self._saver}: a turn that nobody kills takes {length:.2f} s")
        progress = Progress(say, tries)
        turns = held = kills = cut = maybe = again = 0
        while turns < tries:
            turn = self._turn()
            moments = [self._random.uniform(0, length) for _ in range(self._random.choice(_KILLS))]
            killed = 0
            for moment in moments:
                if not self._run(turn, moment):
                    break
                killed += 1
            if not killed:
                continue  # it had ended before its moment
            hangs = self._run(turn, _PATIENCE)
            ids = turn.looped.ids if turn.looped else None
            found = judged(turn.rounds, read(turn.ledger), ids=ids)
            if hangs:
                found.broken.append(f"it had not ended after {_PATIENCE:g} s")
            where = ", ".join(f"{moment:.3f}" for moment in moments[:killed])
            where = f"turn {turn.seed}, killed at {where} s"
            report.broken += [f"{where}: {it}" for it in found.broken]
            held += not found.broken
            turns, kills = turns + 1, kills + killed
            cut, maybe, again = cut + found.cut, maybe + found.maybe, again + found.again
            progress.at(turns, "turns killed and resumed")
        report.figures = {
            "turns killed": turns,
            "kills": kills,
            "turns that held": held,
            "destructive calls cut in the middle": cut,
            "destructive calls that may have run": maybe,
            "other calls begun again before they were journaled": again,
        }
        return report

    def _turn(self) -> Turn:
        seed = self._random.randrange(10**9)
        store = self._server or str(self._folder / f"{seed}.db")
        return Turn(seed, self._folder / f"{seed}.ledger", self._saver, store)

    def _run(self, turn: Turn, seconds: float) -> bool:
        """Run the turn in a process for at most `seconds`; whether it had to be killed."""
        return self._processes.run(restartable.run, turn, seconds=seconds)
