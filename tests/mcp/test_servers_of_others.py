"""Servers that nobody here wrote, from PyPI, on the SDK that they chose, in one plan."""

import importlib.util
import subprocess
import sys
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver

from llm_compiler import Context, build_graph
from tests.support.loopback import loopback
from tests.support.mcp_processes import Configure
from tests.support.scripted import ScriptedModel

pytestmark = [pytest.mark.server, pytest.mark.slow]

THREAD: Any = {"configurable": {"thread_id": "1"}}
PLAN = """
at_noon = time_convert_time("UTC", "12:00", "Asia/Tokyo", )
log = git_git_log({repo!r}, max_count=1, start_timestamp=None)
page = fetch_fetch("{url}/page", max_length=None)
answer(f"{{at_noon.target.datetime}} / {{log}} / {{page}}")
"""


class Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b"<html><body><article><p>K2 is 8611 m high.</p></article></body></html>"
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        return


def python(module: str, *args: str) -> dict[str, Any]:
    assert importlib.util.find_spec(module), "the extra `test` brings it"
    return {"command": sys.executable, "args": ["-m", module, *args]}


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    path = tmp_path / "repo"
    who = ["-c", "user.name=Ada", "-c", "user.email=ada@x.example"]
    subprocess.run(["git", "init", "-q", str(path)], check=True)
    commit = ["commit", "-q", "--allow-empty", "-m", "the first program"]
    subprocess.run(["git", *who, *commit], cwd=path, check=True)
    return path


async def test_servers_of_others_in_one_plan(
    repo: Path, configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    # They import for a second each, and longer where other tests run.
    monkeypatch.setattr("llm_compiler.mcp.server._MAX_WAIT_SECONDS", 60.0)
    configure(
        time=python("mcp_server_time", "--local-timezone", "UTC"),
        git=python("mcp_server_git", "--repository", str(repo)),
        fetch=python("mcp_server_fetch", "--ignore-robots-txt", "--allow-private-ips"),
    )
    with loopback(Page) as url:
        planner = ScriptedModel(PLAN.format(repo=str(repo), url=url))
        joiner, saver = ScriptedModel("Done."), InMemorySaver()
        graph = build_graph([], planner=planner, joiner=joiner, checkpointer=saver)
        ask: Any = {"messages": [("user", "What?")]}
        state = await graph.ainvoke(ask, THREAD, context=Context(answer="plan"))
    assert "__interrupt__" not in state, "nothing that was read reaches another call"
    statuses = {id: it["status"] for id, it in state["outcomes"].items()}
    assert set(statuses.values()) == {"ok"}, state["outcomes"]
    assert "T21:00:00+09:00" in str(state["outcomes"]["1"]["value"])
    assert "the first program" in state["outcomes"]["2"]["value"]
    assert "K2 is 8611 m high." in state["outcomes"]["3"]["value"]
