"""A file of MCP servers, and a server on HTTP."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from llm_compiler.mcp.config import VARIABLE
from llm_compiler.mcp.servers import MCP_SERVERS
from tests.support.mcp_processes import Configure, HttpServer


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    path = tmp_path / "ledger"
    path.touch()
    return path


@pytest.fixture
def configure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Configure:
    numbers = count()

    def write(**servers: Any) -> None:
        # In a folder of its own: a file is read once.
        path = tmp_path / str(next(numbers)) / "servers.json"
        path.parent.mkdir()
        path.write_text(json.dumps({"mcpServers": servers}))
        monkeypatch.setenv(VARIABLE, str(path))

    return write


@pytest.fixture
def http(ledger: Path, request: pytest.FixtureRequest) -> Iterator[HttpServer]:
    """A server on HTTP, with the options that are the fixture's parameter."""
    server = HttpServer(ledger, *getattr(request, "param", ()))
    server.start()
    yield server
    server.stop()


@pytest.fixture(autouse=True)
async def sessions_end() -> AsyncIterator[None]:
    """Sessions end with the loop that they are in: their processes would outlive it."""
    yield
    here = asyncio.get_running_loop()
    servers = [MCP_SERVERS._servers[key] for key in [*MCP_SERVERS._servers] if key[0] is here]
    await asyncio.gather(*(server.close() for those in servers for server in those))
