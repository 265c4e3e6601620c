"""One turn in a process that may be killed at any moment; it writes a ledger line by line.

It runs in children of a fork server (`multiprocessing`, "forkserver"). That process has imported
everything and has no threads and no loop, so it is safe to fork, and a try does not import again.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random
from typing import Any, Literal

from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, ToolMessage
from langchain_core.outputs import ChatGenerationChunk
from langchain_core.tools import BaseTool, tool
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from pydantic import ConfigDict

from llm_compiler import build_graph
from tests.campaigns.dag import (
    LOOKS,
    PAYS,
    WRITES,
    Looped,
    Step,
    random_loops,
    random_plan,
    text,
    value,
)
from tests.campaigns.ledger import Ledger
from tests.support.streamed_model import StreamedModel

SECOND_ROUND = "the second half is missing"
ANSWER = "It is done."
_PIECE, _PAUSE = 24, 0.001


@dataclass(frozen=True)
class Turn:
    """A turn of a random plan. The same `seed` gives the same turn in every process."""

    seed: int
    ledger: Path
    saver: Literal["sqlite", "postgres"]
    store: str
    """A file, or the server's address."""

    @property
    def looped(self) -> Looped | None:
        """Of every third turn, a plan with loops."""
        return random_loops(Random(self.seed)) if self.seed % 3 == 1 else None

    @property
    def rounds(self) -> list[list[Step]]:
        """20 tasks; of some turns the joiner asks for a second round of 5."""
        if (looped := self.looped) is not None:
            return [looped.steps]
        random = Random(self.seed)
        first = random_plan(random)
        again = random.random() < 1 / 3
        return [first, random_plan(random, 5, behind=first)] if again else [first]

    @property
    def durability(self) -> Literal["sync", "async"]:
        return "async" if self.seed % 3 else "sync"


def run(turn: Turn, begun: Connection) -> None:
    """Begin the turn, or go on where it stood, until its answer is in the checkpointer."""
    begun.send(None)
    ledger = Ledger(turn.ledger)
    ledger.note("process")
    asyncio.run(_run(turn, ledger))


async def _run(turn: Turn, ledger: Ledger) -> None:
    config: Any = {"configurable": {"thread_id": str(turn.seed)}}
    async with saver(turn, ledger) as store:
        planner, joiner = models(turn, ledger)
        graph = build_graph(_tools(ledger), planner=planner, joiner=joiner, checkpointer=store)
        # Not by `next`: it is empty also where a node has ended and its checkpoint is not written.
        begun = (await graph.aget_state(config)).created_at is not None
        given = None if begun else {"messages": [("user", "What?")]}
        async for _ in graph.astream(given, config, durability=turn.durability):
            pass
        state = await graph.aget_state(config)
        messages = state.values["messages"]
        asked = [call["id"] for m in messages if isinstance(m, AIMessage) for call in m.tool_calls]
        ledger.note(
            "answer",
            text=messages[-1].text,
            outcomes=state.values["outcomes"],
            paired=asked == [m.tool_call_id for m in messages if isinstance(m, ToolMessage)],
        )


class Speaker(StreamedModel):
    """Writes each of its calls down, and answers by the prompt alone: any process can go on."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    reply: Callable[[str], str]

    async def _astream(
        self, messages: list[BaseMessage], *args: Any, **kwargs: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        reply = self.reply("\n".join(message.text for message in messages))
        for at in range(0, len(reply), _PIECE):
            yield ChatGenerationChunk(message=AIMessageChunk(content=reply[at : at + _PIECE]))
            await asyncio.sleep(_PAUSE)


def models(turn: Turn, ledger: Ledger) -> tuple[Speaker, Speaker]:
    rounds = turn.rounds
    in_first, in_second = rounds[0][0].target, rounds[-1][0].target

    looped = turn.looped

    def plan(prompt: str) -> str:
        # A third round comes where no line of the second one compiled.
        round = 2 if SECOND_ROUND in prompt else 3 if in_first in prompt else 1
        ledger.note("planner", round=round)
        if round == 3:
            return f'answer("{ANSWER}")'
        return text(rounds[round - 1]) if looped is None else looped.text

    def verdict(prompt: str) -> str:
        ledger.note("joiner", prompt=prompt)
        again = len(rounds) == 2 and in_second not in prompt
        return f"REPLAN: {SECOND_ROUND}" if again else ANSWER

    return Speaker(reply=plan), Speaker(reply=verdict)


def _tools(ledger: Ledger) -> list[BaseTool]:
    """A pair of tools, async and sync, for each kind of effect."""

    def note(what: str, id: int) -> None:
        ledger.note(what, id=id)

    async def wait(id: int, inputs: list[int], milliseconds: int) -> int:
        "Work for a while."
        note("begin", id)
        await asyncio.sleep(milliseconds / 1000)
        note("end", id)
        return value(id, inputs)

    def block(id: int, inputs: list[int], milliseconds: int) -> int:
        "Work for a while."
        note("begin", id)
        time.sleep(milliseconds / 1000)
        note("end", id)
        return value(id, inputs)

    made = []
    for names, hints in (
        (LOOKS, {"readOnlyHint": True}),
        (WRITES, {"readOnlyHint": False}),
        (PAYS, {"destructiveHint": True}),
    ):
        for name, function in zip(names, (wait, block), strict=True):
            made.append(tool(name)(function))
            made[-1].metadata = dict(hints)
    return made


class _Noting:
    """A saver that writes down what has reached the store: checkpoints, plans and outcomes."""

    ledger: Ledger

    async def aput(self, config: Any, checkpoint: Any, *rest: Any) -> Any:
        saved = await super().aput(config, checkpoint, *rest)  # type: ignore[misc]
        self.ledger.note("checkpoint", checkpoint=checkpoint["id"])
        self._note_plan(checkpoint["channel_values"], checkpoint["id"])
        return saved

    async def aput_writes(self, config: Any, writes: Sequence[tuple[str, Any]], *rest: Any) -> None:
        await super().aput_writes(config, writes, *rest)  # type: ignore[misc]
        checkpoint = config["configurable"]["checkpoint_id"]
        self._note_plan(dict(writes), checkpoint)
        for _, it in writes:
            if isinstance(it, dict) and "outcome" in it:
                # Its plan must be stored too, or nobody asks for what is journaled of it.
                outcome = it["outcome"]
                ended = {key: outcome[key] for key in ("status", "value", "error")}
                plan = _plan_of(it)
                self.ledger.note("journaled", id=outcome["id"], checkpoint=plan, ended=ended)

    def _note_plan(self, values: dict[str, Any], checkpoint: str) -> None:
        if values.get("plan") and "round" in values:
            plans = sorted({_plan_of(task) for task in values["plan"]})
            self.ledger.note("saved", round=values["round"], checkpoint=checkpoint, plans=plans)


def _plan_of(keyed: dict[str, Any]) -> str:
    """Which plan a task, or what is journaled of it, belongs to."""
    return str(keyed["key"]).partition("-")[0]


class _Sqlite(_Noting, AsyncSqliteSaver):
    pass


class _Postgres(_Noting, AsyncPostgresSaver):
    pass


def saver(turn: Turn, ledger: Ledger) -> AbstractAsyncContextManager[Any]:
    kind = _Sqlite if turn.saver == "sqlite" else _Postgres
    # The saver is copied by the graph; the class is this process's own.
    kind.ledger = ledger
    return kind.from_conn_string(turn.store)
