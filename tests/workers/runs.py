"""Runs as a client sees them: started, joined until they end, even if a worker dies, and read."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import httpx
from langgraph_sdk.client import LangGraphClient

from tests.campaigns.restartable import ANSWER
from tests.workers.book import Line
from tests.workers.deployment import GRAPH
from tests.workers.turns import Turn

_AT_ONCE: Final = 20
"""Requests of a client at once."""
_CONTEXT: Final = {"tool_timeout": 600.0}
"""A call that is held must not time out."""


@dataclass(frozen=True)
class Run:
    """A run on the server, of a thread of its own."""

    turn: Turn
    thread: str
    id: str


@dataclass(frozen=True)
class End:
    """How a run ended: its status, and what the thread holds as the last line of its ledger."""

    status: str
    answer: Line


async def begin(client: LangGraphClient, turns: Sequence[Turn]) -> list[Run]:
    """Begin a background run for each turn."""
    places = asyncio.Semaphore(_AT_ONCE)

    async def one(turn: Turn) -> Run:
        async with places:
            thread = (await client.threads.create())["thread_id"]
            question: Any = {"messages": [{"role": "user", "content": turn.question}]}
            run = await client.runs.create(thread, GRAPH, input=question, context=_CONTEXT)
            return Run(turn, thread, run["run_id"])

    return await asyncio.gather(*map(one, turns))


async def ends(client: LangGraphClient, runs: Sequence[Run], seconds: float) -> list[End]:
    """Join all runs, and read what became of them. Raises `TimeoutError` after that time."""
    places = asyncio.Semaphore(_AT_ONCE)

    async def one(run: Run) -> End:
        async with places:
            await _join(client, run)
            status = (await client.runs.get(run.thread, run.id))["status"]
            state: Any = await client.threads.get_state(run.thread)
            return End(str(status), _answer(run.turn, state["values"]))

    async with asyncio.timeout(seconds):
        return await asyncio.gather(*map(one, runs))


async def _join(client: LangGraphClient, run: Run) -> None:
    """Wait for the run's end; who was connected to a worker that died connects again."""
    while True:
        try:
            await client.runs.join(run.thread, run.id)
            return
        except httpx.TransportError:
            continue


def _answer(turn: Turn, values: Mapping[str, Any]) -> Line:
    messages = values.get("messages", [])
    asked = [call["id"] for it in messages for call in it.get("tool_calls") or ()]
    text = messages[-1]["content"] if messages else ""
    return {
        "what": "answer",
        "text": ANSWER if text == turn.answer else text,
        "outcomes": values.get("outcomes", {}),
        "paired": asked == [it["tool_call_id"] for it in messages if it["type"] == "tool"],
    }
