"""The transports to MCP servers, which know of each call whether the server may have seen it."""

import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx2
from anyio.abc import ObjectSendStream
from mcp.client.sse import sse_client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.message import SessionMessage

from llm_compiler.mcp.config import Server
from llm_compiler.mcp.stderr import Stderr
from llm_compiler.mcp.under_way import CALL, Call

for _name in ("sse", "stdio", "streamable_http"):
    # What they log with a traceback, a line that is no message or a lost server, becomes an error
    # of the calls that it is about.
    logging.getLogger(f"mcp.client.{_name}").addFilter(lambda record: not record.exc_info)

_CONNECT_SECONDS = 30.0
_MAX_EVENT_BYTES = 256 * 1024 * 1024
"""Of one result over streamable HTTP; MCP's client takes 1 MiB."""


@asynccontextmanager
async def connected(server: Server, stderr: Stderr) -> AsyncIterator[tuple[Any, Any]]:
    """The streams to and from a server; its process, if it has one, ends with them."""
    if server.url is not None and server.is_sse:
        async with sse_client(server.url, dict(server.headers), httpx_client_factory=_http) as both:
            yield both
    elif server.url is not None:
        async with (
            _http(dict(server.headers)) as client,
            streamable_http_client(
                server.url, http_client=client, max_sse_event_size=_MAX_EVENT_BYTES
            ) as both,
        ):
            yield both
    else:
        assert server.command is not None
        parameters = StdioServerParameters(
            command=server.command, args=list(server.args), env=dict(server.env), cwd=server.cwd
        )
        with stderr.opened() as file:
            async with stdio_client(parameters, errlog=file) as (reading, writing):
                yield reading, _Noting(writing)


class _Noting(ObjectSendStream[SessionMessage]):
    """Notes that a call was handed to the server's process."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    async def send(self, item: SessionMessage, /) -> None:
        call = CALL.get() or Call()
        call.sent = True
        try:
            await self._stream.send(item)
        except (anyio.ClosedResourceError, anyio.BrokenResourceError):
            call.sent = False
            raise

    async def aclose(self) -> None:
        await self._stream.aclose()


def _http(
    headers: dict[str, str] | None = None,
    timeout: httpx2.Timeout | None = None,
    auth: httpx2.Auth | None = None,
) -> httpx2.AsyncClient:
    """A client without limits: the schedule says how many calls run at once, and for how long."""
    return httpx2.AsyncClient(
        headers=headers,
        auth=auth,
        timeout=httpx2.Timeout(_CONNECT_SECONDS, read=None),
        limits=httpx2.Limits(max_connections=None, max_keepalive_connections=20),
        event_hooks={"request": [_note_sending], "response": [_note_status]},
    )


async def _note_sending(request: httpx2.Request) -> None:
    if (call := CALL.get()) is not None and request.method == "POST":

        async def trace(event: str, info: Mapping[str, Any]) -> None:
            # Before this the server was not reached.
            if event.endswith("send_request_headers.started"):
                call.sent = True

        request.extensions = {**request.extensions, "trace": trace}


async def _note_status(response: httpx2.Response) -> None:
    if (call := CALL.get()) is not None and response.is_error:
        call.status = response.status_code
