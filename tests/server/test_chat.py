"""What a client of the chat protocol reads of a run, in each of the server's streams."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from langgraph_sdk.client import LangGraphClient

from tests.bench.model_server import Body, Reply, text_of
from tests.server import process
from tests.server.gates import Gates
from tests.server.talk import ANSWER, PROBES, asking, kinds, probing, scripted

pytestmark = pytest.mark.server

PLAN = 'knock("a")\nknock("b")\nnothing()\nknock("c")'
MODES: list[Any] = ["messages-tuple", "updates", "values", "custom"]
REPLAN = "REPLAN: the other name"


def verdict(body: Body) -> Reply:
    """A question that speaks of twice gets a replan first."""
    shown = text_of(body["messages"][-1])
    return Reply(REPLAN if "# twice" in shown and "again" not in shown else ANSWER)


@pytest.fixture(scope="module")
def server() -> Iterator[process.Server]:
    with scripted(verdict) as models, Gates() as gates, probing(models, gates) as running:
        yield running


def check_thread(messages: list[Any], *, rounds: int = 1, calls: int = 4) -> None:
    """The protocol: each message with calls is directly followed by all its results, in order."""
    assert [m["type"] for m in messages] == ["human", *["ai", *["tool"] * calls] * rounds, "ai"]
    for at, message in enumerate(messages):
        if wanted := [call["id"] for call in message.get("tool_calls") or ()]:
            behind = messages[at + 1 : at + 1 + len(wanted)]
            assert [m["tool_call_id"] for m in behind] == wanted
            assert not message["content"]
    assert messages[-1]["content"] == ANSWER
    assert not messages[-1].get("tool_calls")
    assert len({m["id"] for m in messages}) == len(messages)


# ── the SDK's streams, in both of its formats ─────────────────────────────────────────────────


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_a_run_reads_as_a_chat_in_every_stream_mode(
    client: LangGraphClient, version: Any
) -> None:
    thread = await client.threads.create()
    run = client.runs.stream(
        thread["thread_id"], PROBES, input=asking(PLAN), stream_mode=MODES, version=version
    )
    parts: list[tuple[str, Any]] = [
        (p["type"], p["data"]) if isinstance(p, dict) else (p.event, p.data) async for p in run
    ]
    of = {mode: [data for kind, data in parts if kind == mode] for mode, _ in parts}
    assert set(of) == {"metadata", "messages", "updates", "values", "custom"}

    messages = [message for message, _ in of["messages"]]
    assert [m["type"] for m in messages[:5]] == ["ai", "tool", "tool", "tool", "tool"]
    chunks = messages[5:]
    assert {m["type"] for m in chunks} == {"AIMessageChunk"}
    assert len(chunks) > 3
    assert "".join(m["content"] for m in chunks) == ANSWER

    last = of["values"][-1]
    check_thread(last["messages"])
    assert {m["id"] for m in chunks} == {last["messages"][-1]["id"]}
    assert [m["status"] for m in last["messages"] if m["type"] == "tool"] == [
        "success", "success", "error", "success",
    ]  # fmt: skip
    assert [list(update) for update in of["updates"]] == [["planner"], *[[n] for n in (
        name for update in of["updates"][1:-1] for name in update
    )], ["joiner"]]  # fmt: skip
    finished = [e["id"] for e in of["custom"] if e["event"] == "task.finished"]
    assert sorted(finished) == [1, 2, 3, 4]
    thread_state = await client.threads.get_state(thread["thread_id"])
    assert thread_state["values"] == last


async def test_incomplete_verdicts_and_plans_are_never_shown(client: LangGraphClient) -> None:
    thread = await client.threads.create()
    shown = ""
    async for part in client.runs.stream(
        thread["thread_id"],
        PROBES,
        input=asking('knock("a") # twice'),
        context={"max_rounds": 2},
        stream_mode=["messages-tuple", "values"],
    ):
        if part.event == "messages" and part.data[0]["type"] == "AIMessageChunk":
            shown += part.data[0]["content"]
        assert part.event in ("metadata", "messages", "values")
    values: Any = (await client.threads.get_state(thread["thread_id"]))["values"]
    assert values["round"] == 2
    assert shown == values["messages"][-1]["content"]
    assert "REPLAN" not in shown


async def test_old_style_messages_grow_in_place(client: LangGraphClient) -> None:
    grown: dict[str, list[str]] = {}
    async for part in client.runs.stream(
        None, PROBES, input=asking(PLAN), stream_mode=["messages"]
    ):
        if part.event == "messages/partial":
            for message in part.data:
                grown.setdefault(message["id"], []).append(message["content"])
    texts = [texts for texts in grown.values() if texts[-1] == ANSWER]
    assert len(texts) == 1
    assert all(
        after.startswith(before) for before, after in zip(texts[0], texts[0][1:], strict=False)
    )


async def test_events_mark_what_no_chat_shows(client: LangGraphClient) -> None:
    """The mode `events` is LangChain's log of everything; its models carry the tag `nostream`."""
    events = [
        part.data
        async for part in client.runs.stream(
            None, PROBES, input=asking(PLAN), stream_mode=["events"]
        )
        if part.event == "events"
    ]
    tokens = [e for e in events if e["event"] == "on_chat_model_stream"]
    assert tokens
    assert all("nostream" in e["tags"] for e in tokens)
    nodes = [e["name"] for e in events if e["event"] == "on_chain_end"]
    assert [n for n in nodes if n in ("planner", "scheduler", "joiner")] == [
        "planner", "scheduler", "joiner",
    ]  # fmt: skip
    assert sum(e["event"] == "on_tool_end" for e in events) == 3


async def test_a_second_turn_reads_on(client: LangGraphClient) -> None:
    thread = await client.threads.create()
    for _ in range(2):
        values = await client.runs.wait(thread["thread_id"], PROBES, input=asking(PLAN))
    turn = ["human", "ai", "tool", "tool", "tool", "tool", "ai"]
    assert kinds(values) == turn * 2


# ── the event protocol ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("transport", ["sse", "websocket"])
async def test_the_event_protocol_streams_the_answer(
    client: LangGraphClient, transport: Any
) -> None:
    if transport == "websocket":
        pytest.importorskip("websockets")
    seen: list[Any] = []
    async with client.threads.stream(assistant_id=PROBES, transport=transport) as thread:

        async def read() -> None:
            async for event in thread.events:
                if "method" not in event:
                    continue  # a websocket answers each command
                seen.append(event)
                if event["params"]["data"].get("event") == "completed":
                    return

        await thread.run.start(input=asking(PLAN))
        await asyncio.wait_for(read(), 20)
        values = await thread.output.with_timeout(20)
    check_thread(values["messages"])
    of = {
        method: [e["params"]["data"] for e in seen if e["method"] == method]
        for method in ("messages", "custom", "updates", "values")
    }
    first, begun, *deltas, ended, last = of["messages"]
    assert (first["event"], first["id"]) == ("message-start", values["messages"][-1]["id"])
    assert begun["event"] == "content-block-start"
    assert len(deltas) > 3
    assert "".join(delta["delta"]["text"] for delta in deltas) == ANSWER
    assert ended["content"] == {"type": "text", "text": ANSWER}
    assert last["event"] == "message-finish"
    assert {"turn.start", "plan.task", "task.finished", "round.end"} <= {
        (event.get("payload") or event)["event"] for event in of["custom"]
    }
    check_thread(of["values"][-1]["messages"])
