"""What is whose: two people on a real server, one of whom knows all the other's ids."""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from typing import Any

import httpx
import pytest
from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.errors import APIStatusError
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.bench.model_server import ModelServer, by_role
from tests.server import process
from tests.server.people import TOKENS, client, request, token_file

pytestmark = pytest.mark.server


def owner(of: Any) -> Any:
    """Whose a thread or an assistant is, as the server shows it."""
    return of["metadata"]["owner"]


QUESTION: Any = {"messages": [{"role": "user", "content": "A secret of Alice's?"}]}
CONTEXT: Any = {"model": "openai:scripted"}
HIDDEN = {403, 404, 409}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    tokens = token_file(tmp_path_factory.mktemp("tokens"))
    plan = by_role({"Write a plan": 'answer("Alice\'s secret answer.")'})
    with ModelServer(plan, first_token=0.01, rate=1000) as models:
        settings = {
            "LLM_COMPILER_AUTH": f"file:{tokens}",
            "OPENAI_BASE_URL": models.base_url,
            "OPENAI_API_KEY": "unused",
        }
        with process.server(environment=settings) as running:
            yield running.url


@pytest.fixture
async def alice(url: str) -> AsyncIterator[LangGraphClient]:
    async with client(url, "alice") as person:
        yield person


@pytest.fixture
async def bob(url: str) -> AsyncIterator[LangGraphClient]:
    async with client(url, "bob") as person:
        yield person


@pytest.fixture
async def ids(alice: LangGraphClient) -> dict[str, str]:
    """A thread of Alice's with a finished run, an assistant and a cron."""
    thread = (await alice.threads.create())["thread_id"]
    run = await alice.runs.create(thread, "llm_compiler", input=QUESTION, context=CONTEXT)
    await alice.runs.join(thread, run["run_id"])
    state: Any = await alice.threads.get_state(thread)
    assistant = await alice.assistants.create("llm_compiler", name="Alice's", context=CONTEXT)
    cron: Any = await alice.crons.create_for_thread(
        thread, "llm_compiler", schedule="0 0 1 1 *", input=QUESTION
    )
    assert state["values"]["messages"][-1]["content"] == "Alice's secret answer."
    return {
        "thread_id": thread,
        "run_id": run["run_id"],
        "checkpoint_id": state["checkpoint"]["checkpoint_id"],
        "assistant_id": assistant["assistant_id"],
        "cron_id": cron["cron_id"],
    }


def bodies(ids: dict[str, str]) -> dict[str, Any]:
    """The body for a POST, PUT or PATCH of that path, if it needs one."""
    run = {"assistant_id": "llm_compiler", "input": QUESTION, "context": CONTEXT}
    start = {"id": 1, "method": "run.start", "params": run}
    checkpoint = {"checkpoint_id": ids["checkpoint_id"], "checkpoint_ns": ""}
    return {
        "/threads/{thread_id}/state": {"values": {"feedback": "Bob was here"}},
        "/threads/{thread_id}/state/checkpoint": {"checkpoint": checkpoint},
        "/threads/{thread_id}/runs": run,
        "/threads/{thread_id}/runs/stream": run,
        "/threads/{thread_id}/runs/wait": run,
        "/threads/{thread_id}/runs/crons": run | {"schedule": "0 0 1 1 *"},
        "/threads/{thread_id}/stream/events": {"channels": ["values", "messages"]},
        "/threads/{thread_id}/commands": start,
        "/assistants/{assistant_id}/latest": {"version": 1},
        "/assistants/{assistant_id}": {"name": "Bob's"},
        "/runs/crons/{cron_id}": {"schedule": "* * * * *"},
        "/a2a/{assistant_id}": {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "message/send",
            "params": {"message": {"role": "user", "messageId": "1", "parts": []}},
        },
    }


async def test_ids_of_another_owners_resources_return_404(
    url: str, ids: dict[str, str], alice: LangGraphClient
) -> None:
    spec = request(url, "/openapi.json", method="GET").json()["paths"]
    opened = []
    tried = 0
    for path, methods in spec.items():
        if not any(f"{{{name}}}" in path for name in ids):
            continue
        where = path.format(namespace="planner", **ids)
        for method in methods:
            body = {} if method in ("get", "delete") else {"json": bodies(ids).get(path, {})}
            answer = request(url, where, TOKENS["bob"], method=method.upper(), **body)
            tried += 1
            if answer.status_code not in HIDDEN and not _says_no(answer):
                opened.append((method, path, answer.status_code, answer.text[:300]))
    assert tried > 30
    assert not opened
    # All is as it was.
    state = await alice.threads.get_state(ids["thread_id"])
    assert state["checkpoint"]["checkpoint_id"] == ids["checkpoint_id"]
    assert len(await alice.runs.list(ids["thread_id"])) == 1
    assert (await alice.assistants.get(ids["assistant_id"]))["name"] == "Alice's"
    assert ids["cron_id"] in [cron["cron_id"] for cron in await alice.crons.search()]


def _says_no(answer: httpx.Response) -> bool:
    """Streams and JSON-RPC refuse in the body; an event stream ends without an event."""
    said = ("HTTPException", '"error":{"code":', '"type":"error"')
    empty = not answer.text and "event-stream" in answer.headers["Content-Type"]
    return "secret" not in answer.text and (empty or any(no in answer.text for no in said))


async def test_run_with_another_owners_assistant_does_not_start(
    url: str, ids: dict[str, str], bob: LangGraphClient
) -> None:
    mine = (await bob.threads.create())["thread_id"]
    run = {"assistant_id": ids["assistant_id"], "input": QUESTION, "schedule": "0 0 1 1 *"}
    for kind in ("", "/wait", "/stream", "/crons"):
        for where in ("/runs", f"/threads/{mine}/runs"):
            refused = request(url, where + kind, TOKENS["bob"], json=run)
            assert refused.status_code in HIDDEN, (where, kind, refused.text)
    assert not await bob.runs.list(mine)


async def test_websocket_on_another_owners_thread_reveals_and_starts_nothing(
    url: str, ids: dict[str, str], alice: LangGraphClient
) -> None:
    address = f"{url.replace('http', 'ws', 1)}/threads/{ids['thread_id']}/stream/events"
    with pytest.raises(InvalidStatus):
        await connect(address)
    params = {"assistant_id": "llm_compiler", "input": QUESTION}
    bearer = {"Authorization": f"Bearer {TOKENS['bob']}"}
    async with connect(address, additional_headers=bearer) as socket:
        with suppress(ConnectionClosed):
            await socket.send(json.dumps({"id": 1, "method": "run.start", "params": params}))
            while True:
                assert json.loads(await socket.recv())["type"] == "error"
    assert len(await alice.runs.list(ids["thread_id"])) == 1


async def test_id_of_another_owner_cannot_be_taken_over(
    ids: dict[str, str], bob: LangGraphClient, alice: LangGraphClient
) -> None:
    for if_exists in ("raise", "do_nothing"):
        with pytest.raises(APIStatusError):
            await bob.threads.create(thread_id=ids["thread_id"], if_exists=if_exists)
        with pytest.raises(APIStatusError):
            await bob.assistants.create(
                "llm_compiler", assistant_id=ids["assistant_id"], if_exists=if_exists
            )
    with pytest.raises(APIStatusError):
        await bob.runs.create(
            ids["thread_id"], "llm_compiler", input=QUESTION, if_not_exists="create"
        )
    assert owner(await alice.threads.get(ids["thread_id"])) == "alice"


async def test_searches_and_counts_contain_only_own_resources(
    url: str, ids: dict[str, str], bob: LangGraphClient
) -> None:
    mine = (await bob.threads.create())["thread_id"]
    threads = await bob.threads.search(limit=100)
    assert mine in [thread["thread_id"] for thread in threads]
    assert {*map(owner, threads)} == {"bob"}
    assert not await bob.threads.search(metadata={"owner": "alice"})
    assert not await bob.threads.search(ids=[ids["thread_id"]])
    assert await bob.threads.count(metadata={"owner": "alice"}) == 0
    assert not await bob.crons.search()
    assert not await bob.crons.search(thread_id=ids["thread_id"])
    shown = {assistant["assistant_id"] for assistant in await bob.assistants.search(limit=100)}
    assert ids["assistant_id"] not in shown
    assert await bob.assistants.count() == len(shown)


async def test_bulk_cancellation_reaches_only_own_runs(
    url: str, ids: dict[str, str], alice: LangGraphClient
) -> None:
    body = {"thread_id": ids["thread_id"], "run_ids": [ids["run_id"]]}
    assert request(url, "/runs/cancel", TOKENS["bob"], json=body).status_code in HIDDEN
    pruned = request(url, "/threads/prune", TOKENS["bob"], json={"thread_ids": [ids["thread_id"]]})
    assert pruned.status_code in HIDDEN or pruned.json() == {"pruned_count": 0}
    assert await alice.threads.get(ids["thread_id"])


async def test_owner_cannot_be_forged(bob: LangGraphClient, alice: LangGraphClient) -> None:
    forged: Any = {"owner": "alice", "mine": "yes"}
    configured: Any = {"metadata": forged}
    thread = await bob.threads.create(metadata=forged)
    assert thread["metadata"] == forged | {"owner": "bob"}
    patched = await bob.threads.update(thread["thread_id"], metadata=forged)
    assert owner(patched) == "bob"
    run = await bob.runs.create(
        thread["thread_id"],
        "llm_compiler",
        input=QUESTION,
        context=CONTEXT,
        metadata=forged,
        config=configured,
    )
    await bob.runs.join(thread["thread_id"], run["run_id"])
    assert owner(await bob.threads.get(thread["thread_id"])) == "bob"
    assistant = await bob.assistants.create("llm_compiler", metadata=forged)
    changed = await bob.assistants.update(assistant["assistant_id"], metadata=forged)
    assert owner(changed) == "bob"
    assert not await alice.threads.search(metadata={"mine": "yes"})
    assert not await alice.assistants.search(metadata={"mine": "yes"})


async def test_stateless_run_has_its_owner(bob: LangGraphClient, alice: LangGraphClient) -> None:
    run = await bob.runs.create(
        None, "llm_compiler", input=QUESTION, context=CONTEXT, on_completion="keep"
    )
    await bob.runs.join(run["thread_id"], run["run_id"])
    assert owner(await bob.threads.get(run["thread_id"])) == "bob"
    with pytest.raises(APIStatusError):
        await alice.threads.get_state(run["thread_id"])


async def test_everyone_may_run_and_nobody_may_change_the_servers_own_assistant(
    alice: LangGraphClient, bob: LangGraphClient
) -> None:
    [everyones] = await bob.assistants.search(metadata={"created_by": "system"})
    schemas = await alice.assistants.get_schemas(everyones["assistant_id"])
    assert schemas["graph_id"] == "llm_compiler"
    with pytest.raises(APIStatusError) as refused:
        await bob.assistants.update(everyones["assistant_id"], context={"max_rounds": 1})
    assert refused.value.status_code == 404
    with pytest.raises(APIStatusError) as refused:
        await bob.assistants.delete(everyones["assistant_id"])
    assert refused.value.status_code == 404
    with pytest.raises(APIStatusError) as refused:
        await bob.assistants.create("llm_compiler", metadata={"created_by": "system"})
    assert refused.value.status_code == 403


async def test_store_of_another_owner_is_out_of_reach(
    alice: LangGraphClient, bob: LangGraphClient
) -> None:
    await alice.store.put_item(["notes"], "pin", {"text": "1234"})
    item = await alice.store.get_item(["notes"], "pin")
    assert (item["namespace"], item["value"]) == (["alice", "notes"], {"text": "1234"})
    # What is read can be asked for again as it was shown.
    assert await alice.store.get_item(["alice", "notes"], "pin")
    for namespace in (["notes"], ["alice", "notes"]):
        assert not await bob.store.get_item(namespace, "pin")
        assert not (await bob.store.search_items(namespace))["items"]
        await bob.store.delete_item(namespace, "pin")
        await bob.store.put_item(namespace, "pin", {"text": "Bob's"})
    assert not (await bob.store.search_items(["alice"], filter={"text": "1234"}))["items"]
    assert all(
        namespace[0] == "bob"
        for namespace in (await bob.store.list_namespaces(prefix=["alice"]))["namespaces"]
        + (await bob.store.list_namespaces())["namespaces"]
    )
    assert (await alice.store.get_item(["notes"], "pin"))["value"] == {"text": "1234"}


async def test_mcp_offers_own_assistants_and_those_for_everyone(
    url: str, ids: dict[str, str]
) -> None:
    def ask(who: str, method: str, **params: Any) -> Any:
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        accept = {"Accept": "application/json, text/event-stream"}
        return request(url, "/mcp", TOKENS[who], json=body, headers=accept).json()

    tools = {who: ask(who, "tools/list")["result"]["tools"] for who in TOKENS}
    names = {who: {tool["title"]: tool["name"] for tool in tools[who]} for who in TOKENS}
    assert "Alice's" in names["alice"]
    assert "Alice's" not in names["bob"]
    [everyones] = [names["bob"][title] for title in names["alice"] if title in names["bob"]]
    answer = ask("bob", "tools/call", name=everyones, arguments=QUESTION, context=CONTEXT)
    assert "Alice's secret answer." in answer["result"]["content"][0]["text"]
    refused = ask("bob", "tools/call", name=names["alice"]["Alice's"], arguments=QUESTION)
    assert "Unknown tool" in refused["error"]["message"]
