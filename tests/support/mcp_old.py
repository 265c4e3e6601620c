"""Serves an MCP server as one of before 2026-07-28, which refuses newer clients' first request."""

import json
from typing import Any

import anyio
import uvicorn
from mcp.server.mcpserver import MCPServer
from mcp.server.stdio import stdio_server
from mcp.shared.message import SessionMessage
from mcp.types import METHOD_NOT_FOUND, ErrorData, JSONRPCError, JSONRPCRequest

NEW = "server/discover"
REFUSAL = ErrorData(code=METHOD_NOT_FOUND, message="Method not found")


def serve_stdio(server: MCPServer) -> None:
    anyio.run(_serve_stdio, server)


async def _serve_stdio(server: MCPServer) -> None:
    lowlevel = server._lowlevel_server
    writer, passed = anyio.create_memory_object_stream[Any](0)
    async with stdio_server() as (read, write), anyio.create_task_group() as tasks:

        async def sift() -> None:
            async with writer:
                async for item in read:
                    asked = getattr(item, "message", None)
                    if isinstance(asked, JSONRPCRequest) and asked.method == NEW:
                        no = JSONRPCError(jsonrpc="2.0", id=asked.id, error=REFUSAL)
                        await write.send(SessionMessage(no))
                    else:
                        await writer.send(item)

        tasks.start_soon(sift)
        await lowlevel.run(passed, write, lowlevel.create_initialization_options())


def serve_http(server: MCPServer, port: int) -> None:
    app: Any = server.streamable_http_app()

    async def sifted(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or (b"mcp-method", NEW.encode()) not in scope["headers"]:
            await app(scope, receive, send)
            return
        asked = json.loads((await receive())["body"])
        no = JSONRPCError(jsonrpc="2.0", id=asked["id"], error=REFUSAL)
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 400, "headers": headers})
        await send({"type": "http.response.body", "body": no.model_dump_json().encode()})

    uvicorn.run(sifted, host="127.0.0.1", port=port, log_level="error")
