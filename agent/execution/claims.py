"""Claims on destructive calls: a call begins only if it is the first to claim its place.

A claim is known by the turn, the task and the arguments, in whatever fork of the thread, and in
whatever process. So a run that a server begins twice, or a person who goes back to an earlier
checkpoint, finds the claim of the first, and the call is not begun again.
"""

import time
import uuid
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import count
from typing import Any

from llm_compiler.clock import SYSTEM_CLOCK, Clock
from llm_compiler.execution.turn_records import TurnRecords
from llm_compiler.language.tasks.task import Outcome

_SECTIONS = 16


class Claims:
    """The claims of one turn."""

    def __init__(self, records: TurnRecords, clock: Clock = SYSTEM_CLOCK) -> None:
        self._records = records
        self._clock = clock
        self._own: dict[object, str] = {}
        """The place of each claim that this run holds, by its task's id."""
        self.made: dict[object, Mapping[str, Any]] = {}
        """The claims that this run has made, by their tasks' ids."""

    async def claim(self, id: object, tool: str, args: Mapping[str, Any]) -> Outcome | None:
        """Claim a call. None if it is ours now; else how it stands, claimed by another run."""
        own = new_claim(id, tool, args, self._clock.now())
        for place in self._places(id):
            records = await self._records.first(_section(id), place, {**own, "place": place})
            there = [record for record in records if record["place"] == place]
            claim = _claim_of(there)
            if claim["claim"] == own["claim"]:
                self._own[id], self.made[id] = place, own
                return None
            if _stands(there, tool, args):
                return may_have_run(claim)
        raise AssertionError("there is always another place")

    async def release(self, id: object) -> bool:
        """Give up the claim of this run on a call, which will begin again; whether there is one."""
        if (place := self._own.pop(id, None)) is None:
            return False
        await self._records.add(_section(id), [{"released": True, "place": place}])
        return True

    @staticmethod
    def _places(id: object) -> Iterator[str]:
        # A task that was given other arguments, or whose claim was released, is claimed anew.
        return (f"claim {id} {number}" for number in count())


def _section(id: object) -> str:
    # One for each claim would be one more write to each; one for all would be read at each.
    return f"claims {zlib.crc32(str(id).encode()) % _SECTIONS}"


def _claim_of(records: Iterable[Mapping[str, Any]]) -> Mapping[str, Any]:
    return next(record for record in records if "claim" in record)


def _stands(records: Sequence[Mapping[str, Any]], tool: str, args: Mapping[str, Any]) -> bool:
    claim = _claim_of(records)
    released = any("released" in record for record in records)
    return not released and (claim["tool"], claim["args"]) == (tool, dict(args))


def new_claim(id: object, tool: str, args: Mapping[str, Any], at: float) -> dict[str, Any]:
    """A claim as it is stored; `at` is in epoch seconds."""
    return {"claim": uuid.uuid4().hex, "id": id, "tool": tool, "args": dict(args), "at": at}


def may_have_run(claim: Mapping[str, Any]) -> Outcome:
    """The outcome of a call that was claimed, and whose result was never journaled."""
    since = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(claim["at"]))
    return Outcome(
        claim["id"],
        claim["tool"],
        "failed",
        claim["args"],
        error=f"may have run: it began at {since} UTC and its process ended before its result",
        started_at=claim["at"],
        attempts=1,
    )
