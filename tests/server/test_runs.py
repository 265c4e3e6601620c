"""Runs as clients start, leave, stop, repeat and change them. No call outlives its run."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.errors import ConflictError, NotFoundError

from tests.bench.model_server import ModelServer
from tests.server import process
from tests.server.gates import Gates
from tests.server.talk import ANSWER, PROBES, answer, asking, kinds, probing, scripted

pytestmark = pytest.mark.server

TURN = ["human", "ai", "tool", "ai"]
LOOPBACK = {"webhooks": {"url": {"disable_loopback": False, "require_https": False}}}


@pytest.fixture(scope="module")
def models() -> Iterator[ModelServer]:
    with scripted() as models:
        yield models


@pytest.fixture(scope="module")
def server(models: ModelServer, gates: Gates) -> Iterator[process.Server]:
    with probing(models, gates, config=LOOPBACK) as running:
        yield running


@pytest.fixture
async def thread(client: LangGraphClient) -> str:
    return str((await client.threads.create())["thread_id"])


@pytest.fixture
def gate(gates: Gates) -> str:
    """The name of a gate that is held, and of no other test's."""
    name = f"gate-{uuid4().hex[:8]}"
    gates.hold(name)
    return name


def knocks(*names: str) -> str:
    return "\n".join(f'knock("{name}")' for name in names)


async def values_of(client: LangGraphClient, thread: str) -> Any:
    return (await client.threads.get_state(thread))["values"]


async def status_of(client: LangGraphClient, thread: str, run: Any) -> str:
    return str((await client.runs.get(thread, run["run_id"]))["status"])


# ── in the background ─────────────────────────────────────────────────────────────────────────


async def test_a_background_run_can_be_joined(
    client: LangGraphClient, thread: str, gates: Gates, gate: str
) -> None:
    run = await client.runs.create(thread, PROBES, input=asking(knocks(gate)))
    await gates.seen("begun", gate)
    assert await status_of(client, thread, run) == "running"
    gates.open(gate)
    values = await client.runs.join(thread, run["run_id"])
    assert (kinds(values), answer(values)) == (TURN, ANSWER)
    assert await status_of(client, thread, run) == "success"


async def test_a_stream_that_is_joined_late_shows_the_rest_of_it(
    client: LangGraphClient, thread: str, gates: Gates, gate: str
) -> None:
    run = await client.runs.create(
        thread, PROBES, input=asking(knocks(gate)), stream_mode=["messages-tuple"]
    )
    await gates.seen("begun", gate)

    async def read() -> str:
        return "".join(
            [
                part.data[0]["content"]
                async for part in client.runs.join_stream(thread, run["run_id"])
                if part.event == "messages" and part.data[0]["type"] == "AIMessageChunk"
            ]
        )

    reading = asyncio.create_task(read())
    gates.open(gate)
    assert ANSWER.endswith(await reading)
    assert answer(await values_of(client, thread)) == ANSWER


async def test_a_resumable_stream_is_read_again_from_its_beginning(
    client: LangGraphClient, thread: str
) -> None:
    run = await client.runs.create(
        thread,
        PROBES,
        input=asking(knocks("open")),
        stream_mode=["custom"],
        stream_resumable=True,
    )
    await client.runs.join(thread, run["run_id"])
    parts = client.runs.join_stream(thread, run["run_id"], last_event_id="-1")
    events = [part.data["event"] async for part in parts if part.event == "custom"]
    assert (events[0], events[-1]) == ("turn.start", "round.end")


async def test_a_run_goes_on_when_its_reader_leaves(
    client: LangGraphClient, thread: str, gates: Gates, gate: str
) -> None:
    stream = client.runs.stream(
        thread, PROBES, input=asking(knocks(gate)), stream_mode=["custom"],
        on_disconnect="continue",
    )  # fmt: skip
    async for part in stream:
        if part.event == "custom" and part.data["event"] == "task.started":
            break
    await stream.aclose()  # type: ignore[attr-defined]
    await gates.seen("begun", gate)
    gates.open(gate)
    [run] = await client.runs.list(thread)
    assert answer(await client.runs.join(thread, run["run_id"])) == ANSWER


async def test_a_run_whose_reader_leaves_is_cancelled_if_so_asked(
    client: LangGraphClient, thread: str, gates: Gates, gate: str
) -> None:
    stream = client.runs.stream(
        thread, PROBES, input=asking(knocks(gate)), stream_mode=["custom"], on_disconnect="cancel"
    )
    async for part in stream:
        if part.event == "custom" and part.data["event"] == "task.started":
            break
    await gates.seen("begun", gate)
    await stream.aclose()  # type: ignore[attr-defined]
    await gates.seen("left", gate)


# ── cancelled ─────────────────────────────────────────────────────────────────────────────────


async def test_a_run_that_is_interrupted_leaves_no_call_and_the_thread_goes_on(
    client: LangGraphClient, thread: str, gates: Gates, gate: str
) -> None:
    asked = asking(knocks("open", gate))
    run = await client.runs.create(thread, PROBES, input=asked)
    await gates.seen("begun", gate)
    await client.runs.cancel(thread, run["run_id"], wait=True, action="interrupt")
    await gates.seen("left", gate)
    assert await status_of(client, thread, run) == "interrupted"
    gates.open(gate)
    values: Any = await client.runs.wait(thread, PROBES, input=asking(knocks("open")))
    assert answer(values) == ANSWER
    calls = [call["id"] for m in values["messages"] for call in m.get("tool_calls") or ()]
    results = [m["tool_call_id"] for m in values["messages"] if m["type"] == "tool"]
    assert results == calls
    assert gates.of(gate) == ["begun", "left"]


async def test_a_run_that_is_rolled_back_leaves_nothing(
    client: LangGraphClient, thread: str, gates: Gates, gate: str
) -> None:
    before = await client.runs.wait(thread, PROBES, input=asking(knocks("open")))
    run = await client.runs.create(thread, PROBES, input=asking(knocks(gate)))
    await gates.seen("begun", gate)
    await client.runs.cancel(thread, run["run_id"], wait=True, action="rollback")
    await gates.seen("left", gate)
    gates.open(gate)
    assert await values_of(client, thread) == before
    with pytest.raises(NotFoundError):
        await client.runs.get(thread, run["run_id"])
    assert gates.of(gate) == ["begun", "left"]


async def test_an_interrupted_run_goes_on_where_it_stopped(
    client: LangGraphClient, thread: str, gates: Gates, gate: str, models: ModelServer
) -> None:
    # A destructive call does not start before its plan is in the checkpointer.
    plan = f'once = wipe("{gate}-once")\nknock("{gate}" if once else "")'
    run = await client.runs.create(thread, PROBES, input=asking(plan))
    await gates.seen("begun", gate)
    await client.runs.cancel(thread, run["run_id"], wait=True)
    await gates.seen("left", gate)
    gates.open(gate)
    asked = len(models.requests)
    values: Any = await client.runs.wait(thread, PROBES, input=None)
    assert (kinds(values), answer(values)) == (["human", "ai", "tool", "tool", "ai"], ANSWER)
    assert len(models.requests) == asked + 1, "the joiner alone"
    assert gates.of(f"{gate}-once") == ["begun", "passed"]
    assert gates.of(gate) == ["begun", "left", "begun", "passed"]


# ── double texting ────────────────────────────────────────────────────────────────────────────


async def test_a_second_message_is_rejected(
    client: LangGraphClient, thread: str, gates: Gates, gate: str
) -> None:
    run = await client.runs.create(thread, PROBES, input=asking(knocks(gate)))
    await gates.seen("begun", gate)
    with pytest.raises(ConflictError):
        await client.runs.create(
            thread, PROBES, input=asking(knocks("open")), multitask_strategy="reject"
        )
    gates.open(gate)
    assert kinds(await client.runs.join(thread, run["run_id"])) == TURN


async def test_a_second_message_waits_for_the_first(
    client: LangGraphClient, thread: str, gates: Gates, gate: str
) -> None:
    await client.runs.create(thread, PROBES, input=asking(knocks(gate)))
    await gates.seen("begun", gate)
    second = await client.runs.create(
        thread, PROBES, input=asking(knocks("open")), multitask_strategy="enqueue"
    )
    assert await status_of(client, thread, second) == "pending"
    gates.open(gate)
    assert kinds(await client.runs.join(thread, second["run_id"])) == TURN * 2
    assert gates.of(gate) == ["begun", "passed"]


async def test_a_second_message_interrupts_the_first(
    client: LangGraphClient, thread: str, gates: Gates, gate: str
) -> None:
    first = await client.runs.create(thread, PROBES, input=asking(knocks(gate)))
    await gates.seen("begun", gate)
    second = await client.runs.create(
        thread, PROBES, input=asking(knocks("open")), multitask_strategy="interrupt"
    )
    values = await client.runs.join(thread, second["run_id"])
    assert answer(values) == ANSWER
    assert kinds(values)[-4:] == TURN
    assert [m["content"] for m in values["messages"] if m["type"] == "human"] == [
        knocks(gate),
        knocks("open"),
    ]
    assert await status_of(client, thread, first) == "interrupted"
    await gates.seen("left", gate)
    gates.open(gate)
    assert gates.of(gate) == ["begun", "left"]


async def test_a_second_message_takes_the_place_of_the_first(
    client: LangGraphClient, thread: str, gates: Gates, gate: str
) -> None:
    await client.runs.create(thread, PROBES, input=asking(knocks(gate)))
    await gates.seen("begun", gate)
    second = await client.runs.create(
        thread, PROBES, input=asking(knocks("open")), multitask_strategy="rollback"
    )
    assert kinds(await client.runs.join(thread, second["run_id"])) == TURN
    assert [run["run_id"] for run in await client.runs.list(thread)] == [second["run_id"]]
    await gates.seen("left", gate)
    gates.open(gate)
    assert gates.of(gate) == ["begun", "left"]


# ── asking a person ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("decision", "status", "knocked"),
    [
        ({"type": "approve"}, "ok", ["{gate}"]),
        ({"type": "edit", "edited_action": {"name": "wipe", "args": {"name": "{gate}-2"}}},
         "ok", ["{gate}-2"]),
        ({"type": "reject", "message": "not today"}, "rejected", []),
    ],
)  # fmt: skip
async def test_a_person_decides_through_the_sdk(
    client: LangGraphClient,
    thread: str,
    gates: Gates,
    gate: str,
    decision: Any,
    status: str,
    knocked: list[str],
) -> None:
    gates.open(gate)
    plan = f'knock("open")\nwipe("{gate}")'
    context: Any = {"approve": ["wipe"]}
    await client.runs.wait(thread, PROBES, input=asking(plan), context=context)
    assert (await client.threads.get(thread))["status"] == "interrupted"
    state = await client.threads.get_state(thread)
    [asked] = state["interrupts"]
    [request] = asked["value"]["action_requests"]
    assert (request["name"], request["args"]) == ("wipe", {"name": gate})
    assert gates.of(gate) == []
    decided = json.loads(json.dumps(decision).replace("{gate}", gate))
    values: Any = await client.runs.wait(
        thread, PROBES, command={"resume": {"decisions": [decided]}}, context=context
    )
    assert answer(values) == ANSWER
    assert values["outcomes"]["2"]["status"] == status
    assert [name for name in (gate, f"{gate}-2") if gates.of(name)] == [
        name.replace("{gate}", gate) for name in knocked
    ]


async def test_a_client_is_told_what_waits_and_nothing_twice(
    client: LangGraphClient, thread: str, gates: Gates, gate: str
) -> None:
    gates.open(gate)
    context: Any = {"approve": ["wipe"]}
    plan = f'knock("open")\nfor name in ["{gate}", "{gate}-2"]:\n    wipe(name)'
    decisions = [{"type": "approve"}, {"type": "reject"}]
    runs: list[list[Any]] = []
    for given in ({"input": asking(plan)}, {"command": {"resume": {"decisions": decisions}}}):
        events: Any = client.runs.stream(
            thread, PROBES, context=context, stream_mode=["custom"], **given
        )
        runs.append([part.data async for part in events if part.event == "custom"])

    def told(events: list[Any], event: str) -> list[str]:
        new = (it for it in events if "replayed" not in it)
        return sorted(str(it["id"]) for it in new if it["event"] == event)

    wipes = ["2[0]", "2[1]"]
    assert told(runs[0], "task.waiting") == told(runs[1], "task.decided") == wipes
    assert told([*runs[0], *runs[1]], "task.finished") == ["1", "2", *wipes]
    # Who joins at the second run can draw the plan too.
    planned = {str(it["id"]) for it in runs[1] if it["event"] == "plan.task"}
    assert planned == {"1", "2", *wipes}
    stands = {str(it["id"]): it["status"] for it in runs[1] if "id" in it}
    assert (stands["1"], stands["2[0]"], stands["2[1]"]) == ("ok", "ok", "rejected")


# ── states: edited, gone back to ──────────────────────────────────────────────────────────────


async def test_a_plan_is_edited_and_runs_as_edited(
    client: LangGraphClient, thread: str, gates: Gates, gate: str
) -> None:
    await client.runs.wait(
        thread, PROBES, input=asking(knocks(gate)), interrupt_before=["scheduler"]
    )
    state: Any = await client.threads.get_state(thread)
    assert state["next"] == ["scheduler"]
    [task] = state["values"]["plan"]
    edited = [
        {**task, "args": {"name": f"{gate}-edited"}},
        {**task, "id": 2, "args": {"name": "$1"}, "needs": [1]},
    ]
    await client.threads.update_state(thread, {"plan": edited})
    assert (await client.threads.get_state(thread))["next"] == ["scheduler"]
    values: Any = await client.runs.wait(thread, PROBES, input=None)
    assert kinds(values) == ["human", "ai", "tool", "tool", "ai"]
    assert values["outcomes"]["2"]["args"] == {"name": f"passed {gate}-edited"}
    assert gates.of(gate) == []
    assert gates.of(f"{gate}-edited") == ["begun", "passed"]


async def test_a_thread_forks_from_a_checkpoint(
    client: LangGraphClient, thread: str, gates: Gates, gate: str
) -> None:
    gates.open(gate)
    await client.runs.wait(thread, PROBES, input=asking(knocks(gate)))
    history = await client.threads.get_history(thread, limit=20)
    assert [state["next"] for state in history] == [
        [], ["joiner"], ["scheduler"], ["planner"], ["__start__"],
    ]  # fmt: skip
    planned: Any = next(state for state in history if state["next"] == ["scheduler"])
    [task] = planned["values"]["plan"]
    fork = await client.threads.update_state(
        thread,
        {"plan": [{**task, "args": {"name": f"{gate}-fork"}}]},
        checkpoint=planned["checkpoint"],
    )
    values = await client.runs.wait(thread, PROBES, input=None, checkpoint=fork["checkpoint"])
    assert (kinds(values), answer(values)) == (TURN, ANSWER)
    assert gates.of(gate) == ["begun", "passed"]
    assert gates.of(f"{gate}-fork") == ["begun", "passed"]


async def test_an_answer_is_written_again_from_its_checkpoint(
    client: LangGraphClient, thread: str, gates: Gates, gate: str
) -> None:
    gates.open(gate)
    first: Any = await client.runs.wait(thread, PROBES, input=asking(knocks(gate)))
    history = await client.threads.get_history(thread)
    before = next(state for state in history if state["next"] == ["joiner"])
    again: Any = await client.runs.wait(thread, PROBES, input=None, checkpoint=before["checkpoint"])
    assert kinds(again) == TURN
    assert again["messages"][-1]["id"] != first["messages"][-1]["id"]
    assert gates.of(gate) == ["begun", "passed"]


async def test_a_copied_thread_goes_its_own_way(client: LangGraphClient, thread: str) -> None:
    await client.runs.wait(thread, PROBES, input=asking(knocks("open")))
    copy: Any = await client.threads.copy(thread)  # type: ignore[func-returns-value]
    values = await client.runs.wait(copy["thread_id"], PROBES, input=asking(knocks("open")))
    assert kinds(values) == TURN * 2
    assert kinds(await values_of(client, thread)) == TURN


# ── without a thread, by cron, and with webhooks ──────────────────────────────────────────────


async def test_a_stateless_run_leaves_no_thread(client: LangGraphClient) -> None:
    before = await client.threads.count()
    values: Any = await client.runs.wait(None, PROBES, input=asking(knocks("open")))
    assert (kinds(values), answer(values)) == (TURN, ANSWER)
    assert await client.threads.count() == before


async def test_a_batch_of_stateless_runs(client: LangGraphClient, gates: Gates, gate: str) -> None:
    names = [f"{gate}-{n}" for n in range(5)]
    wanted: Any = [{"assistant_id": PROBES, "input": asking(knocks(name))} for name in names]
    runs = await client.runs.create_batch(wanted)
    assert len(runs) == 5
    await gates.seen("passed", *names)


async def test_a_stateless_run_cannot_ask_a_person(
    client: LangGraphClient, gates: Gates, gate: str
) -> None:
    approving: Any = {"approve": ["wipe"]}
    values: Any = await client.runs.wait(
        None, PROBES, input=asking(f'wipe("{gate}")'), context=approving
    )
    assert gates.of(gate) == []
    assert "__interrupt__" in values or values["outcomes"]["1"]["status"] == "rejected"


async def test_a_webhook_reports_the_end(
    client: LangGraphClient, thread: str, gates: Gates, gate: str
) -> None:
    run = await client.runs.create(
        thread, PROBES, input=asking(knocks("open")), webhook=f"{gates.url}/hook-{gate}"
    )
    await gates.seen("posted", f"hook-{gate}")
    told = gates.posted[f"hook-{gate}"]
    assert (told["run_id"], told["status"]) == (run["run_id"], "success")
    assert answer(told["values"]) == ANSWER


async def test_a_webhook_reports_a_failure_in_one_line(
    client: LangGraphClient, thread: str, gates: Gates, gate: str
) -> None:
    await client.runs.create(
        thread,
        PROBES,
        input=asking(knocks("open")),
        context={"model": "nobody:nothing"},
        webhook=f"{gates.url}/hook-{gate}",
    )
    await gates.seen("posted", f"hook-{gate}")
    told = gates.posted[f"hook-{gate}"]
    assert told["status"] == "error"
    assert "nobody" in json.dumps(told["error"])


async def test_a_cron_starts_runs_of_its_own_until_it_is_deleted(
    client: LangGraphClient, thread: str, gates: Gates, gate: str
) -> None:
    gates.open(gate)
    cron: Any = await client.crons.create_for_thread(
        thread,
        PROBES,
        schedule="* * * * * *",
        input=asking(knocks(gate)),
        context={"max_rounds": 2},
    )
    [found] = await client.crons.search(thread_id=thread)
    assert found["cron_id"] == cron["cron_id"]
    assert found["payload"]["context"] == {"max_rounds": 2}
    await gates.seen("passed", gate)
    await client.crons.delete(cron["cron_id"])
    assert await client.crons.count(thread_id=thread) == 0
    last = max(await client.runs.list(thread), key=lambda run: run["created_at"])
    values: Any = await client.runs.join(thread, last["run_id"])
    assert (kinds(values)[-4:], answer(values)) == (TURN, ANSWER)
