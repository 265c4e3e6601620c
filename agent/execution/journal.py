"""Journals a turn, so that a run that was killed and is resumed repeats no call that had finished.

    ended ─record─► buffer ─one write for all that is there─► the turn's records
    about to ask a person ─ask─► the question, with the calls that it is about

What is found again depends on the stored plan alone: an entry names its call by the call's id,
which the plan keeps whatever happens to it, and says with which arguments it ran. The records are
read once, when a run takes up a turn that it did not plan.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

from llm_compiler.execution.turn_records import TurnRecords
from llm_compiler.language.task import Outcome, OutcomeData

_SHELF = "journal"


@dataclass(frozen=True, slots=True)
class Ended:
    """A call that has ended, with the arguments that it was planned with."""

    outcome: Outcome
    planned: Mapping[str, Any]
    """A person may have given it others."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question that a person was asked: the argument of one `interrupt`."""

    value: Any
    schema: Any = None
    calls: Sequence[Mapping[str, Any]] = ()
    """The calls to decide on, each with its task's `id`, `tool` and `args`; none if a tool asks."""
    task: Any = None
    """The id of the task whose tool asks."""


class Journal:
    """The journal of one turn; without records it keeps nothing.

    Args:
        records: Where it is kept.
        node: The checkpoint that the node began from, whose questions are asked again in order.
        failed: Told of an error of the checkpointer, which nobody awaits here.
    """

    def __init__(
        self,
        records: TurnRecords | None,
        node: str,
        failed: Callable[[BaseException], None] = lambda error: None,
    ) -> None:
        self._records = records
        self._node = node
        self._failed = failed
        self._numbers = count()
        self._buffer: list[dict[str, Any]] = []
        self._writing: asyncio.Task[None] | None = None
        self._ended: dict[str, list[Ended]] = {}
        self.asked: list[Asked] = []
        """What was asked in this node before, in order."""
        self.seconds = 0.0
        """How long the turn had run when it stopped last."""

    async def read(self) -> None:
        """Read what the turn's earlier runs have journaled."""
        if self._records is None:
            return
        entries = sorted(await self._records.read(_SHELF), key=lambda entry: int(entry["no"]))
        ended: dict[str, list[Ended]] = defaultdict(list)
        for entry in entries:
            if (data := entry.get("outcome")) is not None:
                outcome = Outcome.of(data)
                ended[entry["call"]].append(Ended(outcome, entry.get("planned", outcome.args)))
            elif (asked := entry.get("asked")) is not None and entry["node"] == self._node:
                self.asked.append(Asked(**asked))
            self.seconds = max(self.seconds, entry.get("seconds", 0.0))
        self._ended = dict(ended)
        self._numbers = count(entries[-1]["no"] + 1 if entries else 0)

    def ended(self, call: str) -> Sequence[Ended]:
        """How a call ended, the latest last: once for each set of arguments that it ran with."""
        return self._ended.get(call, ())

    def record(self, call: str, outcome: Outcome, planned: Mapping[str, Any] | None = None) -> None:
        """Journal how a call ended; `planned` are its arguments before a person changed them."""
        data: OutcomeData = outcome.data()
        entry: dict[str, Any] = {"call": call, "outcome": dict(data)}
        if planned is not None:
            entry["planned"] = dict(planned)
        self._add(entry)

    async def ask(self, asked: Asked, seconds: float) -> None:
        """Journal a question before it is asked, and all that ended before it."""
        question = {
            "value": asked.value,
            "schema": asked.schema,
            "calls": [dict(call) for call in asked.calls],
            "task": asked.task,
        }
        self._add({"asked": question, "node": self._node, "seconds": seconds})
        await self.flush()

    async def stop(self, seconds: float) -> None:
        """Journal how long the turn has run, and wait until everything is stored."""
        self._add({"seconds": seconds})
        await self.flush()

    async def flush(self) -> None:
        """Wait until everything is stored.

        Raises:
            Exception: what the checkpointer raised.
        """
        if self._writing is not None:
            # A run that is cancelled here still stores what has ended.
            await asyncio.shield(self._writing)

    def _add(self, entry: dict[str, Any]) -> None:
        if self._records is None:
            return
        self._buffer.append({**entry, "no": next(self._numbers)})
        if self._writing is None or self._writing.done():
            self._writing = asyncio.get_running_loop().create_task(self._write(self._records))
            self._writing.add_done_callback(self._written)

    async def _write(self, records: TurnRecords) -> None:
        """What ends while a write is under way is stored by the next one, together."""
        while self._buffer:
            entries, self._buffer = self._buffer, []
            await records.add(_SHELF, entries)

    def _written(self, writing: "asyncio.Task[None]") -> None:
        if not writing.cancelled() and (error := writing.exception()) is not None:
            self._failed(error)
