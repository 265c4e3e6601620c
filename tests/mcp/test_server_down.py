"""A turn goes on while the server that it began with is down."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from llm_compiler import Context, build_graph
from llm_compiler.mcp.config import VARIABLE
from tests.support.protocol import follows_protocol
from tests.support.scripted import Ledger, ScriptedModel

pytestmark = pytest.mark.server

SERVER = Path(__file__).parents[1] / "support" / "mcp_server.py"
ASK: Any = {"messages": [("user", "What?")]}
THREAD: Any = {"configurable": {"thread_id": "1"}}
APPROVE: Any = Command(resume={"decisions": [{"type": "approve"}]})


class Files:
    """A server of files, which is up or down, and what it was asked to do."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._folder, self._monkeypatch = folder, monkeypatch
        self._times = 0

    def are(self, up: bool) -> None:
        """Configure the server anew, as another process would find it."""
        self._times += 1
        args = [str(SERVER), str(self._folder / "calls")] if up else ["-c", "raise SystemExit(1)"]
        path = self._folder / f"{self._times}.json"
        path.write_text(json.dumps({"mcpServers": {"files": {
            "command": sys.executable, "args": args,
        }}}))  # fmt: skip
        self._monkeypatch.setenv(VARIABLE, str(path))

    @property
    def calls(self) -> list[str]:
        lines = (self._folder / "calls").read_text().splitlines()
        return [line for line in lines if not line.startswith("pid ")]


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Files:
    return Files(tmp_path, monkeypatch)


async def test_what_a_server_did_stands_while_it_is_down(files: Files, ledger: Ledger) -> None:
    planner = ScriptedModel("delete_file('a')\necho('b')", "echo('c')")
    joiner = ScriptedModel("REPLAN: more", "Done.")

    def deployed() -> Any:
        return build_graph(ledger.tools, planner=planner, joiner=joiner, checkpointer=saver)

    saver = InMemorySaver()
    files.are(up=True)
    state = await deployed().ainvoke(ASK, THREAD, context=Context(approve=("echo",)))
    [request] = state["__interrupt__"]
    assert [it["name"] for it in request.value["action_requests"]] == ["echo"]
    files.are(up=False)
    state = await deployed().ainvoke(APPROVE, THREAD)
    assert [it["status"] for it in state["outcomes"].values()] == ["ok", "ok", "ok"]
    assert (files.calls, ledger.begun) == (["delete a"], ["b", "c"])
    assert follows_protocol(state["messages"])


async def test_an_approved_call_whose_server_is_down_does_not_run_later(
    files: Files, ledger: Ledger
) -> None:
    """It fails while the server is down, and that stands when it is back."""
    planner = ScriptedModel("delete_file('a')", "echo('c')")
    joiner = ScriptedModel("REPLAN: more", "Done.")

    def deployed() -> Any:
        return build_graph(ledger.tools, planner=planner, joiner=joiner, checkpointer=saver)

    saver = InMemorySaver()
    files.are(up=True)
    await deployed().ainvoke(ASK, THREAD, context=Context(approve=("delete-file",)))
    files.are(up=False)
    state = await deployed().ainvoke(APPROVE, THREAD, interrupt_before=["joiner"])
    assert "cannot be reached" in state["outcomes"]["1"]["error"]
    files.are(up=True)
    again = await deployed().ainvoke(None, THREAD)
    assert again["outcomes"]["1"] == state["outcomes"]["1"]
    assert (files.calls, ledger.begun) == ([], ["c"])
