"""The same on a server: clients write anything over `POST /threads/{id}/state`.

The server is a `langgraph dev` process. What it refuses, it refuses as a fault of the client's
(4xx), and the next message is answered either way.
"""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from random import Random
from typing import Any

import httpx
from langchain_core.messages import convert_to_messages
from langgraph_sdk import get_client
from langgraph_sdk.client import LangGraphClient

from tests.campaigns.report import Progress, Report, Say
from tests.campaigns.states import NODES, PATIENCE, Values, answered_wrongly, states
from tests.server.gates import Gates
from tests.server.talk import ANSWER, PROBES, asking, probing, scripted

PLAN = 'knock("open")\nknock("too")\nwipe("it")'
ENDED = {str(id): ("ok", f"passed {name}") for id, name in enumerate(["open", "too", "it"], 1)}
APPROVE: Any = {"approve": ["wipe"]}
APPROVED: Any = {"command": {"resume": {"decisions": ["approve"]}}}
AT_ONCE = 6
_NO_QUESTION = "SetupError: there is no question"
STOPS: dict[str, Any] = {
    "fresh": None,
    "planned": {"interrupt_before": ["scheduler"]},
    "asked": {"context": APPROVE},
    "ran": {"interrupt_before": ["joiner"]},
    "answered": {},
}


async def campaign(number: int, tries: int, say: Say) -> Report:
    """Write `tries` times; `number` is the seed."""
    random, report = Random(number), Report()
    stops, statuses = Counter[str](), Counter[int]()
    progress = Progress(say, tries)
    # A question that a client left without an answer stands before the next one in its prompt.
    with scripted(planner=PLAN) as models, Gates() as gates, probing(models, gates) as server:
        async with (
            get_client(url=server.url) as client,
            httpx.AsyncClient(base_url=server.url, timeout=PATIENCE, trust_env=False) as http,
        ):
            drawn = [
                _Try(
                    client,
                    http,
                    values,
                    stop=random.choice([*STOPS]),
                    node=random.choice(NODES),
                    goes_on=random.random() < 0.5,
                )
                for values in states(number, tries)
            ]
            left = iter(enumerate(drawn))

            async def work() -> None:
                for done, tried in left:
                    report.broken += [f"try {done} ({tried}): {it}" for it in await tried.broken()]
                    stops[tried.stop] += 1
                    statuses[tried.status] += 1
                    progress.at(stops.total(), "writes over HTTP")

            await asyncio.gather(*(work() for _ in range(AT_ONCE)))
    report.figures = {
        "writes": stops.total(),
        "at each stop": dict(stops),
        "answered with status": {str(status): n for status, n in sorted(statuses.items())},
        "broken": len(report.broken),
    }
    return report


class _Try:
    """One write into a thread of its own."""

    def __init__(
        self,
        client: LangGraphClient,
        http: httpx.AsyncClient,
        values: Values,
        *,
        stop: str,
        node: str | None,
        goes_on: bool,
    ) -> None:
        self._client, self._http = client, http
        self._values, self._node, self._goes_on = values, node, goes_on
        self._step = "a run"
        self.stop = stop
        self.status = 0
        """How the write was answered."""

    def __str__(self) -> str:
        return f"{self.stop}, as {self._node}: {self._values!r:.400}"

    async def broken(self) -> list[str]:
        """What is wrong with how it went."""
        try:
            async with asyncio.timeout(4 * PATIENCE):
                return [fault async for fault in self._faults()]
        except Exception as error:
            return [f"{self._step} raised {error!r:.300}"]

    async def _faults(self) -> AsyncIterator[str]:
        thread = str((await self._client.threads.create())["thread_id"])
        if (options := STOPS[self.stop]) is not None:
            await self._client.runs.wait(thread, PROBES, input=asking(PLAN), **options)
        self._step = "the write"
        body = json.dumps({"values": self._values, "as_node": self._node}, default=repr)
        answer = await self._http.post(
            f"/threads/{thread}/state",
            content=body,
            headers={"content-type": "application/json"},
        )
        self.status = answer.status_code
        if self.status >= 500:
            yield f"it was answered with {self.status}: {answer.text:.200}"
        if self._goes_on and options is not None:
            self._step = "the run that went on"
            stopped = await self._client.threads.get_state(thread)
            given: Any = APPROVED if stopped["interrupts"] else {"input": None}
            try:
                await self._client.runs.wait(thread, PROBES, context=APPROVE, **given)
            except Exception as error:
                if not str(error).startswith(_NO_QUESTION):  # the write left none
                    raise
        self._step = "the next message"
        asked = asking(PLAN)
        asked["messages"][0]["id"] = "next"
        values: Any = await self._client.runs.wait(thread, PROBES, input=asked)
        if (await self._client.threads.get_state(thread))["interrupts"]:
            # The result of a tool that is not there is untrusted, and so is what was said of it.
            values = await self._client.runs.wait(thread, PROBES, **APPROVED)
        messages = convert_to_messages(values["messages"])
        for fault in answered_wrongly(messages, values["outcomes"], answer=ANSWER, ended=ENDED):
            yield fault
