"""A real MCP server on stdio: `python -m tests.campaigns.deployed_server LEDGER NAME…`."""

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mcp.server.mcpserver import MCPServer

from tests.campaigns.dag import value
from tests.campaigns.ledger import Ledger


def serve(ledger: Ledger, names: list[str]) -> None:
    """Serve tools of these names, which do what those in worlds.py do."""
    server = MCPServer("tests", log_level="ERROR")
    for name in names:
        server.add_tool(_function(name, ledger), name=name, description="Work for a while.")
    server.run("stdio")


def _function(name: str, ledger: Ledger) -> Callable[..., Any]:
    async def wait(id: int, inputs: list[int], milliseconds: int) -> int:
        args = {"id": id, "inputs": inputs, "milliseconds": milliseconds}
        ledger.note("begin", id=id, tool=name, args=args)
        await asyncio.sleep(milliseconds / 1000)
        ledger.note("end", id=id)
        return value(id, inputs)

    return wait


if __name__ == "__main__":
    serve(Ledger(Path(sys.argv[1])), sys.argv[2:])
