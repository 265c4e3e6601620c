"""What goes wrong between us and a server, on each transport."""

import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from llm_compiler.errors import PlanError
from llm_compiler.language.toolbox.toolbox import Toolbox
from llm_compiler.mcp import with_mcp
from tests.support.functions import called
from tests.support.loopback import loopback
from tests.support.mcp_processes import Configure, HttpServer, lines

pytestmark = pytest.mark.server

OWN = Toolbox.of([])
SSE = pytest.mark.parametrize("http", [["--sse"]], indirect=True)


async def call(tools: Toolbox, tool: str, /, **args: Any) -> Any:
    return await called(tools[tool], args)


# ── SSE ───────────────────────────────────────────────────────────────────────────────────────


@SSE
async def test_a_server_on_sse_that_dies_in_the_middle_comes_back(
    ledger: Path, http: HttpServer, configure: Configure, caplog: pytest.LogCaptureFixture
) -> None:
    configure(a={"url": http.url, "allow": ["describe", "exit_now"]})
    tools = await with_mcp(OWN)
    assert await call(tools, "describe", name="K2") == "K2 is high."
    with pytest.raises(ConnectionError, match="'a' ended during the call: Connection closed"):
        await call(tools, "exit_now", code=3)
    with pytest.raises(ConnectionError, match="'a' cannot be reached: ConnectError"):
        await call(tools, "describe", name="K2")
    http.start()
    assert await call(tools, "describe", name="K2") == "K2 is high."
    assert lines(ledger) == ["describe K2", "exit", "describe K2"]
    assert caplog.messages == []


# ── HTTP ──────────────────────────────────────────────────────────────────────────────────────


class Refusing(BaseHTTPRequestHandler):
    status = 401

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(self.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_GET(self) -> None:
        self.send_response(self.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        return


@pytest.fixture
def refusing(request: pytest.FixtureRequest) -> Iterator[str]:
    with loopback(type("Handler", (Refusing,), {"status": request.param})) as url:
        yield url


@pytest.mark.parametrize("path", ["mcp", "sse"])
@pytest.mark.parametrize(
    ("refusing", "why"),
    [
        (401, "refuses: HTTP 401 Unauthorized; check its url and headers in servers.json"),
        (404, "refuses: HTTP 404 Not Found; check its url and headers in servers.json"),
        (503, "refuses: HTTP 503 Service Unavailable; check that it is running"),
    ],
    indirect=["refusing"],
)
async def test_a_server_that_refuses_is_named_with_its_status(
    refusing: str, why: str, path: str, configure: Configure
) -> None:
    configure(a={"url": f"{refusing}/{path}"})
    with pytest.raises(PlanError, match=f"the MCP server 'a' {why}"):
        (await with_mcp(OWN)).tool("anything")


async def test_a_call_is_sent_only_if_the_server_is_reached_and_its_result_may_be_large(
    ledger: Path, http: HttpServer, configure: Configure
) -> None:
    configure(a={"url": http.url, "allow": ["add_note"]})
    tools = await with_mcp(OWN)
    http.stop()
    with pytest.raises(ConnectionError, match="'a' cannot be reached"):
        await call(tools, "add_note", text="x")
    http.start()
    text = "x" * 3_000_000
    assert await call(tools, "add_note", text=text) == text
    assert lines(ledger) == [f"add {text}"]


# ── stdio ─────────────────────────────────────────────────────────────────────────────────────

SERVES = """
import json, sys
def answer(asked, result):
    print(json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": result}), flush=True)
for line in sys.stdin:
    asked = json.loads(line)
    method = asked.get("method")
    if method == "initialize":
        version = asked["params"]["protocolVersion"]
        answer(asked, {"protocolVersion": version, "capabilities": {"tools": {}},
                       "serverInfo": {"name": "x", "version": "1"}})
    elif method == "tools/list":
        answer(asked, {"tools": [{"name": "end", "inputSchema": {"type": "object"}}]})
    elif method == "tools/call":
        sys.exit("as asked")
    elif method == "server/discover":
        # WHAT
"""


def script(what: str, before: str = "", **more: Any) -> dict[str, Any]:
    """A server that does something at the first request of newer clients."""
    program = before + SERVES.replace("# WHAT", what)
    return {"command": sys.executable, "args": ["-c", program], **more}


LOOSE = 'answer(asked, {"supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}}})'


@pytest.mark.parametrize("what", ["sys.exit('what is server/discover?')", LOOSE])
async def test_an_old_server_that_cannot_answer_a_new_request_is_asked_in_the_old_way(
    configure: Configure, what: str
) -> None:
    configure(a=script(what))
    assert set(await with_mcp(OWN)) == {"end"}


async def test_what_a_server_writes_between_its_messages_is_passed_over(
    configure: Configure, caplog: pytest.LogCaptureFixture
) -> None:
    chatty = """print(json.dumps({"jsonrpc": "2.0", "id": asked["id"], "error": {"code": -32601,
        "message": "no"}}), "and a banner", sep="\\n", flush=True)"""
    configure(a=script(chatty))
    assert set(await with_mcp(OWN)) == {"end"}
    assert caplog.messages == []


async def test_a_server_that_does_not_answer_when_it_begins_again_is_asked_once_a_minute(
    tmp_path: Path, configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    began = tmp_path / "began"
    silent_later = f"""
import pathlib, sys
began = pathlib.Path({str(began)!r})
if began.exists() and len(began.read_text()) > 0:
    began.write_text(began.read_text() + "x")
    sys.exit(sys.stdin.read() and 1)
began.write_text("x")
"""
    refusal = '{"jsonrpc": "2.0", "id": asked["id"], "error": {"code": -32601, "message": "no"}}'
    configure(a=script(f"print(json.dumps({refusal}), flush=True)", silent_later))
    tools = await with_mcp(OWN)
    with pytest.raises(ConnectionError, match="ended during the call"):
        await call(tools, "end")
    monkeypatch.setattr("llm_compiler.mcp.session._OPEN_SECONDS", 0.5)
    with pytest.raises(ConnectionError, match=r"cannot be reached: no answer within 0\.5 s"):
        await call(tools, "end")
    for _ in range(3):
        with pytest.raises(ConnectionError, match="it did not answer a minute ago"):
            await call(tools, "end")
    assert began.read_text() == "xx"
    assert set(await with_mcp(OWN)) == {"end"}, "its tools are known"
