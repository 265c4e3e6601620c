"""The tools that a server offers are those that it has now."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from llm_compiler.language.toolbox.toolbox import Toolbox
from llm_compiler.mcp import with_mcp
from tests.support.functions import called
from tests.support.mcp_processes import Configure, HttpServer, pids, stdio

pytestmark = pytest.mark.server

OWN = Toolbox.of([])


async def call(tools: Toolbox, tool: str, /, **args: Any) -> Any:
    return await called(tools[tool], args)


async def learns(name: str) -> None:
    """The server gets a new tool, which it tells its clients."""
    assert name not in await with_mcp(OWN)
    assert await call(await with_mcp(OWN), "learn", name=name) == name
    # It is told while the call is answered, or after.
    while name not in await with_mcp(OWN):  # noqa: ASYNC110 - a server has no event to wait for
        await asyncio.sleep(0.001)
    assert await call(await with_mcp(OWN), name) == name


async def test_an_old_server_on_stdio_gets_new_tools(ledger: Path, configure: Configure) -> None:
    configure(a=stdio(ledger, "--old"))
    await learns("brew")
    await learns("roast")


@pytest.mark.parametrize("http", [["--old"], []], ids=["old", "new"], indirect=True)
async def test_a_server_on_http_gets_a_new_tool(http: HttpServer, configure: Configure) -> None:
    configure(a={"url": http.url})
    await learns("brew")


async def test_a_server_that_began_again_is_asked_again(ledger: Path, configure: Configure) -> None:
    configure(a=stdio(ledger))
    await learns("brew")
    with pytest.raises(ConnectionError, match="ended during the call"):
        await call(await with_mcp(OWN), "exit_now", code=1)
    assert await call(await with_mcp(OWN), "describe", name="K2") == "K2 is high."
    assert "brew" not in await with_mcp(OWN)
    assert len(pids(ledger)) == 2
