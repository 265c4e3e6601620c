"""Journals the calls of a round, so that a run that was killed repeats none that had finished.

Each call is a LangGraph `@task`, submitted in plan order: the order is what makes its result
findable again. The body of a `@task` only waits for the unit's outcome. A destructive call is
claimed first, by a `@task` of its own that must be visible in the checkpointer before the call
begins: a claim without a result means that the call may have run, and it is not begun again.

    page 0: its calls, its claims, its end ─► the run waits for a person
    page 1: the calls that page 0 let go, each with a claim of its own, its end ─► …

LangGraph would wait for every `@task` before it lets a person decide. So a page ends there: what
has not ended is let go (None), and the page's last entry says so and how long the turn has run.
"""

import asyncio
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.func import task as journaled

from llm_compiler.clock import SYSTEM_CLOCK, Clock
from llm_compiler.errors import ToolError
from llm_compiler.execution.task_fetching_unit import TaskFetchingUnit
from llm_compiler.execution.tool_interrupts import Question
from llm_compiler.langgraph_private import checkpoint_of, checkpointer_of, durability_of
from llm_compiler.language.task import Outcome, OutcomeData
from llm_compiler.scheduling.facts import Launch

_YIELDS = 4
"""Turns of the loop after which a `@task` that was journaled has its result."""
_PATIENCE = 30.0
"""Seconds in which a claim must have come to the checkpointer."""
_LONGEST_PAUSE = 0.02


@dataclass(frozen=True, slots=True)
class Entry:
    """A call to journal."""

    id: int
    tool: str
    destructive: bool


class Journal:
    """The journal of one round; without a checkpointer it keeps nothing."""

    def __init__(
        self, unit: TaskFetchingUnit, config: RunnableConfig, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self._unit = unit
        self._clock = clock
        self._checkpointer = checkpointer_of(config)
        self.lasting = self._checkpointer is not None
        """Whether the run outlives its process, so that a person can be asked."""
        self.seconds = 0.0
        """How long the turn had run when the last page ended."""
        self.replaying = False
        """Whether the page that is open had ended before: all that it holds has run."""
        self._written = durability_of(config) != "exit"
        self._checkpoint = checkpoint_of(config)
        self._page: _Page | None = None

    async def open(self, entries: Iterable[Entry]) -> None:
        """Submit calls in the order given, and recall what is known of them.

        Where the run stopped because a tool asked, it is asked for the answer, and what was let go
        is submitted again.
        """
        if not self.lasting:
            return
        entries = list(entries)
        while True:
            page = self._page = _Page(entries, self._unit)
            for _ in range(_YIELDS):
                await asyncio.sleep(0)
            self._unit.recall(page.recalled())
            end = page.found_end()
            self.replaying = end is not None
            if end is None and not page.let_go():
                return
            # Without an end, the process was killed while it ended the page.
            end = end or {"seconds": self.seconds, "asked": False, "question": None}
            self.seconds = end["seconds"]
            await page.end(**end)
            if end["asked"]:
                return
            if end["question"] is not None:
                question = Question(**end["question"])
                self._unit.answer(question.id, question.ask())
            entries = [entry for entry in entries if entry.id in page.let_go()]

    async def pause(
        self, seconds: float, *, asked: bool = False, question: Question | None = None
    ) -> None:
        """Journal what has ended, and let go of what has not, which is submitted again later.

        Args:
            seconds: How long the turn has run.
            asked: Whether a person decides before the run goes on.
            question: What a tool asks before it does.
        """
        if self._page is not None:
            asks = None if question is None else question.data()
            await self._page.end(seconds, asked=asked, question=asks)

    async def confirm(self, launch: Launch) -> None:
        """Claim a destructive call; return when the claim is in the checkpointer.

        Raises:
            ToolError: it did not get there, so the call must not begin.
        """
        if self._page is None:
            return
        claim = self._page.claim(launch, at=self._clock.now())
        assert self._checkpointer is not None
        end, pause = self._clock.monotonic() + _PATIENCE, 0.0
        while self._written and self._clock.monotonic() < end:
            saved = await self._checkpointer.aget_tuple(self._checkpoint)
            if any(value == claim for _, _, value in (saved and saved.pending_writes) or ()):
                return
            # A store tells nobody of what it has written, and reads may overtake writes.
            await asyncio.sleep(pause)
            pause = min(2 * pause or 0.001, _LONGEST_PAUSE)
        raise ToolError(
            "not run: its claim could not be confirmed in the checkpointer;"
            " use durability 'sync' or 'async'"
        )


async def forked_from(
    saver: BaseCheckpointSaver[Any], checkpoint: RunnableConfig, addressed: str | None
) -> dict[str, OutcomeData]:
    """What the journals hold of the checkpoints that this one was forked from, by edit or replay.

    Also of the other forks of the one that was gone back to: a call that has run in one of them
    does not run again.

    Args:
        saver: The checkpointer.
        checkpoint: The one that a node began from; a fork of this run may not be written yet.
        addressed: The id of the checkpoint that the run was told to begin from.
    """
    found = await _in_forks_of(saver, checkpoint, addressed) if addressed is not None else {}
    saved = await saver.aget_tuple(checkpoint)
    if saved is None and addressed is not None:
        checkpoint["configurable"]["checkpoint_id"] = addressed
        if (saved := await saver.aget_tuple(checkpoint)) is not None:
            found |= recorded(saved.pending_writes or ())
    own: dict[str, OutcomeData] = {}
    while saved and saved.metadata.get("source") in ("fork", "update") and saved.parent_config:
        if (saved := await saver.aget_tuple(saved.parent_config)) is not None:
            own = {**recorded(saved.pending_writes or ()), **own}
    return {**found, **own}


async def ended_at(
    saver: BaseCheckpointSaver[Any], checkpoint: RunnableConfig
) -> dict[int, Outcome]:
    """What a checkpoint's own journal holds of calls that ended.

    LangGraph does not hand it back where a decision is sent to a checkpoint that the thread has
    moved past, and the journal of that checkpoint cannot be written a second time.
    """
    journal = (await recorded_at(saver, checkpoint)).values()
    return {data["id"]: Outcome.of(data) for data in journal if data["ended_at"] is not None}


async def recorded_at(
    saver: BaseCheckpointSaver[Any], checkpoint: RunnableConfig
) -> dict[str, OutcomeData]:
    """What a checkpoint's own journal holds."""
    saved = await saver.aget_tuple(checkpoint)
    return recorded((saved and saved.pending_writes) or ())


async def _in_forks_of(
    saver: BaseCheckpointSaver[Any], checkpoint: RunnableConfig, addressed: str
) -> dict[str, OutcomeData]:
    """What the journals hold of all forks of a checkpoint, and of theirs."""
    thread = {**checkpoint["configurable"]}
    thread.pop("checkpoint_id")
    forks = [
        fork
        for source in ("fork", "update")
        async for fork in saver.alist(
            RunnableConfig(configurable=thread), filter={"source": source}
        )
    ]
    family = {addressed}
    writes: list[tuple[str, str, Any]] = []
    # Ids of checkpoints grow with time.
    for fork in sorted(forks, key=lambda fork: fork.checkpoint["id"]):
        parent = (fork.parent_config or {}).get("configurable", {}).get("checkpoint_id")
        if parent in family:
            family.add(fork.checkpoint["id"])
            writes += fork.pending_writes or ()
    return recorded(writes)


def recorded(writes: Iterable[tuple[str, str, Any]]) -> dict[str, OutcomeData]:
    """The outcomes among a checkpoint's writes, by id as the state has them."""
    values: list[Any] = [value for _, _, value in writes if isinstance(value, dict)]
    begun = [_may_have_run(value).data() for value in values if "claim" in value]
    ended = [value for value in values if value.keys() == OutcomeData.__annotations__.keys()]
    return {str(outcome["id"]): outcome for outcome in (*begun, *ended)}


class _Page:
    """The entries that are submitted together, and findable by their order."""

    def __init__(self, entries: list[Entry], unit: TaskFetchingUnit) -> None:
        self._outcomes: dict[int, _Slot] = {}
        self._claims: dict[int, _Slot] = {}
        for entry in entries:
            if entry.destructive:
                self._claims[entry.id] = _Slot(f"claim {entry.id}")
            self._outcomes[entry.id] = slot = _Slot(f"{entry.id} {entry.tool}")
            unit.outcome_of(entry.id).add_done_callback(slot.settle)
        self._end = _Slot("page")

    def recalled(self) -> dict[int, Outcome]:
        """What was journaled before. A claimed call without a result may have run."""
        for id, claim in self._claims.items():
            if (claimed := claim.found) is not None and not self._outcomes[id].task.done():
                self._outcomes[id].fill(_may_have_run(claimed).data())
        known = {id: slot.found or slot.filled for id, slot in self._outcomes.items()}
        return {id: Outcome.of(data) for id, data in known.items() if data is not None}

    def found_end(self) -> dict[str, Any] | None:
        """The page's end, if it was journaled before."""
        end: dict[str, Any] | None = self._end.found
        return end

    def let_go(self) -> set[int]:
        """The calls that had no result when the page ended."""
        slots = self._outcomes.items()
        return {id for id, slot in slots if slot.task.done() and slot.found is None}

    def claim(self, launch: Launch, *, at: float) -> dict[str, Any]:
        """Claim a call on this page; it begins at that time, in epoch seconds."""
        call = {"claim": launch.id, "tool": launch.tool, "args": dict(launch.args)}
        claim = {**call, "at": at}
        self._claims[launch.id].fill(claim)
        return claim

    async def end(self, seconds: float, *, asked: bool, question: dict[str, Any] | None) -> None:
        """Let go of what has not ended. The page's end is journaled when all else is."""
        slots = [*self._outcomes.values(), *self._claims.values()]
        for slot in slots:
            slot.fill(None)
        await asyncio.gather(*(slot.task for slot in slots))
        self._end.fill({"seconds": seconds, "asked": asked, "question": question})
        await self._end.task


class _Slot:
    """One `@task`: it waits until it is filled, unless it was journaled before."""

    def __init__(self, name: str) -> None:
        self._value: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

        async def body() -> Any:
            return await self._value

        # A fresh function a call: LangGraph keeps none of them, and its name shows in Studio.
        body.__name__ = name
        self.task: asyncio.Future[Any] = journaled(body)()  # type: ignore[assignment]

    @property
    def found(self) -> Any:
        """What is journaled; None as long as nothing is."""
        return self.task.result() if self.task.done() else None

    @property
    def filled(self) -> Any:
        """What is about to be journaled."""
        return self._value.result() if self._value.done() else None

    def fill(self, value: Any) -> None:
        """Give it its value, if it has none."""
        if not self._value.done():
            self._value.set_result(value)

    def settle(self, outcome: "asyncio.Future[Outcome]") -> None:
        if not outcome.cancelled():
            self.fill(dict(outcome.result().data()))


def _may_have_run(claim: Mapping[str, Any]) -> Outcome:
    at = claim["at"]
    since = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(at))
    why = f"may have run: it was begun at {since} UTC and the process ended before its result"
    id, tool, args = claim["claim"], claim["tool"], claim["args"]
    return Outcome(id, tool, "failed", args, error=why, started_at=at, attempts=1)
