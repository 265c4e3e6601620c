"""Journals the calls of a round, so that a run that was killed repeats none that had finished.

Each call is a LangGraph `@task`, submitted in plan order: the order is what makes its result
findable again. The body of a `@task` only waits for the unit's outcome. A destructive call is
claimed first, by a `@task` of its own that must be visible in the checkpointer before the call
begins: a claim without a result means that the call may have run, and it is not begun again.
"""

import asyncio
import time
from collections.abc import Iterable
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.func import task as journaled

from agent.errors import ToolError
from agent.facts import Launch
from agent.plan import Outcome
from agent.task_fetching_unit import TaskFetchingUnit

CHECKPOINTER = "__pregel_checkpointer"
_DURABILITY = "__pregel_durability"
_YIELDS = 4
"""Turns of the loop after which a `@task` that was journaled has its result."""
_READS = 20


class Journal:
    """The journal of one round; without a checkpointer it keeps nothing."""

    def __init__(self, unit: TaskFetchingUnit, config: RunnableConfig) -> None:
        self._unit = unit
        configurable = config["configurable"]
        self._checkpointer = configurable.get(CHECKPOINTER)
        self.lasting = self._checkpointer is not None
        """Whether the run outlives its process, so that a person can be asked."""
        self._written = configurable.get(_DURABILITY) != "exit"
        # A node's own namespace is one below that of its graph, where the writes are.
        namespace = str(configurable.get("checkpoint_ns") or "").rpartition("|")[0]
        self._thread = RunnableConfig(
            configurable={"thread_id": configurable.get("thread_id"), "checkpoint_ns": namespace}
        )
        self._entries: list[asyncio.Future[Any]] = []
        self._outcomes: dict[int, asyncio.Future[Any]] = {}
        self._claims: dict[int, asyncio.Future[Any]] = {}

    async def open(self, calls: Iterable[tuple[int, str, bool]]) -> None:
        """Submit calls (id, tool, destructive) in the order given, and recall what is known."""
        if not self.lasting:
            return
        loop = asyncio.get_running_loop()
        known: dict[int, asyncio.Future[Any]] = {}
        claimed: dict[int, asyncio.Future[Any]] = {}
        for id, tool, destructive in calls:
            if destructive:
                self._claims[id] = loop.create_future()
                claimed[id] = _submit(f"claim {id}", self._claims[id])
            known[id] = _submit(f"{id} {tool}", self._outcome(id))
        self._entries += [*known.values(), *claimed.values()]
        for _ in range(_YIELDS):
            await asyncio.sleep(0)
        found = {id: entry.result() for id, entry in known.items() if entry.done()}
        recalled = {id: Outcome.of(data) for id, data in found.items() if data is not None}
        for id, entry in claimed.items():
            if id not in found and entry.done() and (claim := entry.result()) is not None:
                recalled[id] = _may_have_run(id, claim["at"])
        self._unit.recall(recalled)

    async def pause(self) -> None:
        """Journal what has ended, and let go of what has not, which is submitted again later.

        LangGraph would wait for it before it lets a person decide.
        """
        for waiting in (*self._outcomes.values(), *self._claims.values()):
            if not waiting.done():
                waiting.set_result(None)
        if self._entries:
            await asyncio.gather(*self._entries)

    async def confirm(self, launch: Launch) -> None:
        """Claim a destructive call; return when the claim is in the checkpointer.

        Raises:
            ToolError: it did not get there, so the call must not begin.
        """
        if launch.id not in self._claims:
            return
        self._claims[launch.id].set_result({"claim": launch.id, "at": time.time()})
        assert self._checkpointer is not None
        for _ in range(_READS if self._written else 0):
            saved = await self._checkpointer.aget_tuple(self._thread)
            claims = (value for _, _, value in (saved and saved.pending_writes) or ())
            if any(isinstance(it, dict) and it.get("claim") == launch.id for it in claims):
                return
            await asyncio.sleep(0)
        raise ToolError(
            "not run: its claim could not be confirmed in the checkpointer;"
            " use durability 'sync' or 'async'"
        )

    def _outcome(self, id: int) -> "asyncio.Future[Any]":
        """The outcome of a task as data, or None if the journal pauses before."""
        entry = self._outcomes[id] = asyncio.get_running_loop().create_future()

        def settled(outcome: "asyncio.Future[Outcome]") -> None:
            if not entry.done() and not outcome.cancelled():
                entry.set_result(dict(outcome.result().data()))

        self._unit.outcome_of(id).add_done_callback(settled)
        return entry


def _submit(name: str, future: "asyncio.Future[Any]") -> "asyncio.Future[Any]":
    async def body() -> Any:
        return await future

    # A fresh function a call: LangGraph keeps none of them, and its name shows in Studio.
    body.__name__ = name
    entry: asyncio.Future[Any] = journaled(body)()  # type: ignore[assignment]
    return entry


def _may_have_run(id: int, begun: float) -> Outcome:
    since = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(begun))
    why = f"may have run: it was begun at {since} UTC and the process ended before its result"
    return Outcome(id, "", "failed", error=why, started_at=begun, attempts=1)
