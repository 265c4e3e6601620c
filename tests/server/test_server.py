"""A real `langgraph dev` process, driven through `langgraph_sdk`."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from langgraph_sdk import get_client

from tests.bench.model_server import ModelServer, by_role
from tests.server import process
from tests.server.talk import asking

pytestmark = pytest.mark.server

PLAN = 'search("K2")\nsearch("Mont Blanc")\nheight = 8611 - 4805'
SCRIPT = by_role({"Write a plan": PLAN, "Answer the question": "K2 is 3806 m higher."})


@pytest.fixture(scope="module")
def models() -> Iterator[ModelServer]:
    with ModelServer(SCRIPT, first_token=0.01, rate=200) as server:
        yield server


@pytest.fixture(scope="module")
def server(models: ModelServer) -> Iterator[str]:
    models_at = {"OPENAI_BASE_URL": models.base_url, "OPENAI_API_KEY": "unused"}
    with process.server(environment=models_at) as running:
        yield running.url


async def _stream(url: str, question: str, **context: Any) -> AsyncIterator[Any]:
    async with get_client(url=url) as client:
        thread = await client.threads.create()
        async for part in client.runs.stream(
            thread["thread_id"],
            "llm_compiler",
            input=asking(question),
            context=context,
            stream_mode=["custom", "messages-tuple", "updates"],
        ):
            yield part
        state = await client.threads.get_state(thread["thread_id"])
        yield state["values"]


async def test_a_run_streams_plan_events_and_answer(server: str) -> None:
    *parts, values = [p async for p in _stream(server, "Which?", model="openai:scripted")]
    assert not [part.data for part in parts if part.event == "error"]
    events = [part.data for part in parts if part.event == "custom"]
    assert [e["id"] for e in events if e["event"] == "plan.task"] == [1, 2, 3]
    finished = {e["id"]: e["status"] for e in events if e["event"] == "task.finished"}
    assert finished == {1: "ok", 2: "ok", 3: "ok"}
    chunks = [
        part.data[0]["content"]
        for part in parts
        if part.event == "messages" and part.data[0]["type"] == "AIMessageChunk"
    ]
    assert "".join(chunks) == "K2 is 3806 m higher."
    assert len(chunks) > 3
    updates = [name for part in parts if part.event == "updates" for name in part.data]
    assert updates[0] == "planner"
    assert updates[-2:] == ["scheduler", "joiner"]
    assert values["outcomes"]["3"]["value"] == 3806
    kinds = [message["type"] for message in values["messages"]]
    assert kinds == ["human", "ai", "tool", "tool", "ai"]


async def test_many_runs_at_once(server: str) -> None:
    async def run() -> Any:
        *_, values = [p async for p in _stream(server, "Which?", model="openai:scripted")]
        return values["messages"][-1]["content"]

    assert await asyncio.gather(*(run() for _ in range(8))) == ["K2 is 3806 m higher."] * 8


async def test_the_schema_describes_every_setting(server: str) -> None:
    async with get_client(url=server) as client:
        [assistant] = await client.assistants.search(graph_id="llm_compiler")
        schemas = await client.assistants.get_schemas(assistant["assistant_id"])
    settings = (schemas["context_schema"] or {})["properties"]
    assert {"model", "max_rounds", "deadline", "documents"} <= set(settings)
    assert all(setting.get("description") for setting in settings.values())


@pytest.mark.timeout(300)
@pytest.mark.local
async def test_the_local_model_answers_on_the_server(server: str) -> None:
    question = "How much taller is Mount Everest than K2?"
    *parts, values = [p async for p in _stream(server, question, model="local")]
    assert not [part.data for part in parts if part.event == "error"]
    assert "237.86" in values["messages"][-1]["content"]
