"""Journals a turn, so that a run that was killed and is resumed repeats no call that had finished.

    a call ended ──────────┐
    a call is about to     ├─► buffer ─one write for all that is there─► the turn's records
    begin, or a person is  │
    about to be asked ─────┘

What is found again depends on the stored plan alone: an entry names its call by the task's key,
which the plan keeps whatever a person makes of it, and says with which arguments it ran. The
records are read once, by a run that takes up a turn that it did not plan.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import fields
from itertools import count
from typing import Any

from llm_compiler.errors import ToolError
from llm_compiler.execution.claims import Claims, may_have_run
from llm_compiler.execution.tool_interrupts import Asked
from llm_compiler.execution.turn_records import TurnRecords
from llm_compiler.language.tasks.task import Outcome, is_call
from llm_compiler.language.tasks.task_ids import TaskId, root_of
from llm_compiler.pacing import MANY, off_loop
from llm_compiler.scheduling.facts import Prior
from llm_compiler.scheduling.orders import Launch

_SECTION = "journal"
_CLOSING_SECONDS = 5.0
"""The time that the last write of a cancelled run has."""


class Journal:
    """The journal of a turn, while one of its nodes runs; without records it keeps nothing.

    Args:
        records: Where it is kept.
        claims: Where destructive calls are claimed; None if claims cannot be stored in time.
        node: The checkpoint that the node began from.
        keys: The keys of the tasks, by id.
        failed: Told of an error of the checkpointer in a write that nobody awaits.
    """

    def __init__(
        self,
        records: TurnRecords | None = None,
        claims: Claims | None = None,
        *,
        node: str = "",
        keys: Mapping[TaskId, str] | None = None,
        failed: Callable[[BaseException], None] = lambda error: None,
    ) -> None:
        self.lasting = records is not None
        """Whether the turn outlives its process, so that a person can be asked."""
        self.asked: list[Asked] = []
        """What was asked in this node before, in order."""
        self.asked_keys: set[str] = set()
        """The keys of the tasks whose calls a person was asked about, in whatever node or fork."""
        self.decided = 0
        """How many of those questions earlier runs have told the answers of."""
        self.seconds = 0.0
        """How long the turn had run when it stopped last."""
        self._asked = 0
        """How many questions were asked in this node."""
        self._records = records
        self._claims = claims
        self._node = node
        self._keys = keys or {}
        self._failed = failed
        self._numbers = count()
        self._entries: list[dict[str, Any]] = []
        self.loops: dict[str, int] = {}
        """How many calls each loop makes, by its key."""
        self._latest: dict[str, dict[str, Any]] = {}
        """The latest outcome of each key, which is not journaled again by each run."""
        self._buffer: list[dict[str, Any]] = []
        self._writing: asyncio.Task[None] | None = None

    async def read(self) -> None:
        """Read what earlier runs of the turn have journaled."""
        if self._records is None:
            return
        found = await self._records.read(_SECTION)
        await off_loop(len(found) > MANY, self._take_in, found)

    def _take_in(self, found: list[dict[str, Any]]) -> None:
        self._entries = sorted(found, key=lambda entry: int(entry["no"]))
        self._numbers = count(self._entries[-1]["no"] + 1 if found else 0)
        for entry in self._entries:
            if "outcome" in entry:
                named = {name: entry[name] for name in ("key", "planned", "outcome")}
                self._latest[entry["key"]] = named
            if "calls" in entry:
                self.loops[entry["key"]] = entry["calls"]
            self.seconds = max(self.seconds, entry.get("seconds", 0.0))
            self.asked_keys.update(entry.get("keys", ()))
            if entry.get("node") == self._node:
                self.decided = max(self.decided, entry.get("decided", 0))
            if "asked" in entry and entry["node"] == self._node:
                self.asked.append(Asked(**entry["asked"]))
        self._asked = len(self.asked)

    def ended(self) -> dict[str, list[Prior]]:
        """How calls ended, by their tasks' keys; the latest last, where an edited task ran again.

        A call that was claimed and has no outcome may have run.
        """
        ended: dict[str, list[Prior]] = {}
        claimed: dict[str, Prior] = {}
        for entry in self._entries:
            if (key := entry.get("key")) is None:
                continue
            claimed.pop(key, None)  # it ended, or stopped to ask a person and begins again
            if (claim := entry.get("claim")) is not None:
                outcome = may_have_run(claim)
                claimed[key] = Prior(outcome, entry["planned"] or outcome.args)
            elif (data := entry.get("outcome")) is not None:
                outcome = Outcome.of(data)
                ended.setdefault(key, []).append(Prior(outcome, entry["planned"] or outcome.args))
        for key, prior in claimed.items():
            ended.setdefault(key, []).append(prior)
        return ended

    def record(self, outcome: Outcome, planned: Mapping[str, Any] | None) -> None:
        """Journal how a task ended; `planned` are its arguments before a person changed them."""
        if outcome.status == "skipped" or not is_call(outcome.tool):
            return  # it follows from the others
        entry = self._entry(outcome.id, planned, outcome=dict(outcome.data()))
        if self._latest.get(entry["key"]) != entry:
            self._latest[entry["key"]] = entry
            self._add(entry)

    def loop(self, id: TaskId, calls: int) -> None:
        """Journal that a loop makes so many calls, before any of them is claimed."""
        key = self.key_of(id)
        if self.loops.get(key) != calls:
            self.loops[key] = calls
            self._add({"key": key, "planned": None, "calls": calls})

    async def claim(self, launch: Launch, planned: Mapping[str, Any] | None) -> Outcome | None:
        """Claim a destructive call. None if it may begin; else how it stands, begun by another run.

        Raises:
            ToolError: claims cannot be stored before the call begins.
        """
        if self._records is None:
            return None
        if self._claims is None:
            raise ToolError(
                "not run: its claim cannot be stored in time; use durability 'sync' or 'async'"
            )
        if (stands := await self._claims.claim(launch.id, launch.tool, launch.args)) is not None:
            return stands
        self._add(self._entry(launch.id, planned, claim=self._claims.made[launch.id]))
        await self.flush()
        return None

    async def ask(self, *questions: Asked, seconds: float) -> None:
        """Journal questions before they are asked, at once, and all that ended before them."""
        for asked in questions:
            if asked.task is not None:
                await self.release(asked.task)
        for asked in questions:
            keys = [self.key_of(call["id"]) for call in asked.calls]
            parts = {it.name: getattr(asked, it.name) for it in fields(asked)}
            entry = {"asked": parts, "keys": keys, "node": self._node, "seconds": seconds}
            self._add(entry)
            self._asked += 1
        await self.flush()

    def decide(self, number: int | None = None) -> None:
        """Journal that so many questions of this node are answered; by default all."""
        if number is None or number > self.decided:
            self._add({"decided": number or self._asked, "node": self._node})

    async def release(self, id: TaskId) -> None:
        """A call stopped to ask a person: it will begin again, with a claim of its own."""
        if self._claims is not None and await self._claims.release(id):
            self._add(self._entry(id, None, released=True))

    async def stop(self, seconds: float) -> None:
        """Journal how long the turn has run, and all that ended."""
        self._add({"seconds": seconds})
        await self.flush()

    async def flush(self) -> None:
        """Wait until everything is stored.

        Raises:
            Exception: what the checkpointer raised.
        """
        if self._writing is not None:
            await asyncio.shield(self._writing)

    async def close(self) -> None:
        """Store what has ended, also for a run that is cancelled."""
        if self._writing is not None:
            await asyncio.wait([self._writing], timeout=_CLOSING_SECONDS)
            self._writing.cancel()

    def key_of(self, id: TaskId) -> str:
        """The key of a task: of an instance, that of its loop and the rest of its id."""
        root, rest = root_of(id)
        return f"{self._keys.get(root, root)}{rest}"

    def _entry(self, id: TaskId, planned: Mapping[str, Any] | None, **what: Any) -> dict[str, Any]:
        key = self.key_of(id)
        return {"key": key, "planned": None if planned is None else dict(planned), **what}

    def _add(self, entry: dict[str, Any]) -> None:
        if self._records is None:
            return
        self._buffer.append({**entry, "no": next(self._numbers)})
        if self._writing is None or self._writing.done():
            self._writing = asyncio.get_running_loop().create_task(self._write(self._records))
            self._writing.add_done_callback(self._written)

    async def _write(self, records: TurnRecords) -> None:
        """Entries that arrive during a write are stored together by the next one, though not too
        many: checkpointers turn them into bytes on the event loop."""
        while self._buffer:
            entries, self._buffer = self._buffer[:MANY], self._buffer[MANY:]
            await records.add(_SECTION, entries)

    def _written(self, writing: "asyncio.Task[None]") -> None:
        if not writing.cancelled() and (error := writing.exception()) is not None:
            self._failed(error)
