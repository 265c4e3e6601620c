"""MCP at a real `langgraph dev` process: the agent as a tool, and tools of other servers."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from langgraph_sdk import get_client
from mcp import Client

from tests.bench.model_server import ModelServer, by_role
from tests.server import process

pytestmark = pytest.mark.server

MOUNTAINS = process.ROOT / "tests" / "support" / "mcp_server.py"
PLAN = 'a = mountains_height("Everest")\nb = mountains_height("K2")\nc = a - b'
SCRIPT = by_role({"Write a plan": PLAN, "Answer the question": "By 237.86 m."})


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mcp") / "ledger"


@pytest.fixture(scope="module")
def url(ledger: Path) -> Iterator[str]:
    """A server of ours, which takes tools of an MCP server. At its end nothing of that is left."""
    mountains = {"command": sys.executable, "args": [str(MOUNTAINS), str(ledger)]}
    servers = {"mountains": mountains, "dead": {"url": "http://127.0.0.1:9/mcp"}}
    file = ledger.with_name("servers.json")
    file.write_text(json.dumps({"mcpServers": servers}))
    with (
        ModelServer(SCRIPT, first_token=0.01, rate=400) as models,
        process.server(
            environment={
                "OPENAI_BASE_URL": models.base_url,
                "OPENAI_API_KEY": "unused",
                "LLM_COMPILER_MCP": str(file),
            }
        ) as server,
    ):
        yield server.url
        [pid] = pids(ledger)
        mountain_server = psutil.Process(pid)
    # It ends with its input, if the process was ended before it could end it.
    _, left = psutil.wait_procs([mountain_server], timeout=10)
    assert not [it for it in left if it.status() != psutil.STATUS_ZOMBIE]


def pids(ledger: Path) -> list[int]:
    return [int(line[4:]) for line in ledger.read_text().splitlines() if line.startswith("pid")]


async def test_the_agent_is_a_tool_with_a_clean_schema(url: str) -> None:
    async with Client(f"{url}/mcp") as session:
        [tool] = (await session.list_tools()).tools
    assert tool.name == "LLM_Compiler"
    assert tool.description is not None
    assert tool.description.startswith("Answers questions")
    assert list(tool.input_schema["properties"]) == ["messages"]
    assert tool.input_schema["properties"]["messages"]["type"] == "string"
    assert tool.input_schema["required"] == ["messages"]
    assert "$defs" not in tool.input_schema


def texts(result: Any) -> list[str]:
    return [block.text for block in result.content]


async def test_the_tool_answers(url: str) -> None:
    async with Client(f"{url}/mcp") as session:
        result = await session.call_tool("LLM_Compiler", {"messages": "How much higher?"})
    assert not result.is_error
    assert texts(result) == ["By 237.86 m."]


@pytest.mark.parametrize("empty", [{"messages": " \n"}, {"messages": ""}, {"messages": []}, {}])
async def test_an_empty_question_is_refused(url: str, empty: dict[str, Any]) -> None:
    async with Client(f"{url}/mcp") as session:
        result = await session.call_tool("LLM_Compiler", empty)
    assert result.is_error
    assert texts(result) == ["the question is empty; pass it as the text `messages`"]


async def test_an_error_says_what_is_wrong(url: str) -> None:
    call: Any = {"name": "LLM_Compiler", "arguments": {"messages": "How much higher?"}}
    call["context"] = {"max_round": 1}
    request = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call}
    async with httpx.AsyncClient(trust_env=False) as client:
        accepted = {"accept": "application/json, text/event-stream"}
        reply = await client.post(f"{url}/mcp", json=request, headers=accepted)
        request["params"] = {"name": "nobody"}
        unknown = await client.post(f"{url}/mcp", json=request, headers=accepted)
    result = reply.json()["result"]
    assert result["isError"] is True
    assert "did you mean max_rounds?" in result["content"][0]["text"]
    assert unknown.json()["error"]["message"] == "Unknown tool: nobody"


async def test_runs_share_one_session_with_a_server(url: str, ledger: Path) -> None:
    async with get_client(url=url) as sdk:
        ask: Any = {"messages": [{"role": "user", "content": "How much higher?"}]}
        for _ in range(2):
            state = await sdk.runs.wait(None, "llm_compiler", input=ask)
            assert isinstance(state, dict)
            statuses = {id: outcome["status"] for id, outcome in state["outcomes"].items()}
            assert statuses == {"1": "ok", "2": "ok", "3": "ok"}
            assert state["outcomes"]["3"]["value"] == pytest.approx(237.86)
    assert len(pids(ledger)) == 1
