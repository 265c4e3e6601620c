"""A session with one MCP server.

    opening ─ready─► open ─┬─close──────────────────► gone
       └─────no answer─────┴─server gone, loop ends─► gone

It is opened by its first use, shared by all runs of the event loop, and closed when the loop ends,
which ends the server's process. A stdio server takes half a second and more to start, so a call
has no session of its own. One task enters and leaves it, as anyio's scopes demand.
"""

import asyncio
import contextvars
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
import httpx

from llm_compiler.mcp.config import Server
from llm_compiler.mcp.watching import LastLine, Watched
from llm_compiler.redaction import one_line

if TYPE_CHECKING:
    from mcp import ClientSession, McpError

_T = TypeVar("_T")

_OPEN_SECONDS = 60.0
"""How long a server may take to start and answer the first message."""
_CONNECT_SECONDS = 30.0
_CLOSE_SECONDS = 5.0
"""How long a server may take to end."""
_TERMINATED = (32600, "Session terminated")
"""The client's own error for HTTP 404: the server no longer knows the session."""


class GoneError(Exception):
    """The server went away, or was never reached."""

    def __init__(self, why: str, *, sent: bool) -> None:
        super().__init__(why)
        self.sent = sent
        """Whether it may have seen the request."""


class Session:
    """One session, opened at once in a task of its own. `opens_within` is in seconds."""

    def __init__(self, server: Server, opens_within: float = _OPEN_SECONDS) -> None:
        loop = asyncio.get_running_loop()
        self._server = server
        self._ready: asyncio.Future[ClientSession] = loop.create_future()
        self._gone: asyncio.Future[str] = loop.create_future()
        self._leave = asyncio.Event()
        self._stderr = LastLine()
        why = f"no answer within {opens_within:g} s"
        self._slow = loop.call_later(opens_within, self._lose, why)
        self._telling: set[asyncio.Task[None]] = set()
        # An empty context: it outlives the run that opens it.
        self._task = loop.create_task(self._live(), context=contextvars.Context())

    @property
    def gone(self) -> bool:
        return self._gone.done()

    @property
    def ended(self) -> bool:
        """Whether it has been left, and its process has ended."""
        return self._task.done()

    async def request(self, make: Callable[["ClientSession"], Coroutine[Any, Any, _T]]) -> _T:
        """Await what `make` asks of the server, as long as the session lives.

        Raises:
            GoneError: the server cannot be reached, or went away before it answered.
            McpError: it answered with an error.
        """
        from mcp import McpError

        await _any_of(self._ready, self._gone)
        if self._gone.done():
            raise GoneError(self._gone.result(), sent=False)
        session = self._ready.result()
        number: int | None = None

        async def asked() -> _T:
            nonlocal number
            # Read without an await in between: the next request is ours.
            number = _next_request(session)
            return await make(session)

        work = asyncio.ensure_future(asked())
        try:
            await _any_of(work, self._gone)
            if not work.done():
                raise GoneError(self._gone.result(), sent=True)
            return work.result()
        except asyncio.CancelledError:
            if number is not None:
                self._tell(_cancelled(session, number))
            raise
        except (anyio.ClosedResourceError, anyio.BrokenResourceError):
            raise self._lost("the connection was closed", sent=False) from None
        except McpError as error:
            if not _ends_session(error):
                raise
            sent = (error.error.code, error.error.message) != _TERMINATED
            raise self._lost(error.error.message, sent=sent) from None
        finally:
            work.cancel()

    async def close(self) -> None:
        """Leave the session; a process that does not end on its own is killed."""
        self._leave.set()
        await asyncio.wait({self._task}, timeout=_CLOSE_SECONDS)

    async def _live(self) -> None:
        try:
            async with self._opened() as session:
                _leave_results_unchecked(session)
                await session.initialize()
                self._slow.cancel()
                self._ready.set_result(session)
                await self._leave.wait()
        # Whatever a transport raises when its server is gone, in groups within groups.
        except Exception as error:
            await self._stderr.ended()
            self._lose(one_line(_innermost(error)))
        finally:
            self._lose("the session was closed")

    def _lost(self, why: str, *, sent: bool) -> GoneError:
        self._lose(why)
        return GoneError(self._gone.result(), sent=sent)

    def _lose(self, why: str) -> None:
        """The server is gone: notify those that wait, and leave."""
        self._slow.cancel()
        if self._gone.done():
            return
        said = self._stderr.text
        self._gone.set_result(f"{why} (its last output: {said!r})" if said else why)
        self._leave.set()
        if not self._ready.done():
            self._task.cancel()

    def _tell(self, notification: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(notification, context=contextvars.Context())
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator["ClientSession"]:
        from langchain_mcp_adapters.sessions import create_session
        from mcp import ClientSession, StdioServerParameters
        from mcp.client.stdio import stdio_client

        server = self._server
        if server.url is not None:
            async with create_session(
                {
                    "transport": "streamable_http",
                    "url": server.url,
                    "headers": dict(server.headers),
                    "httpx_client_factory": self._http_client,
                }
            ) as session:
                yield session
            return
        assert server.command is not None
        parameters = StdioServerParameters(
            command=server.command, args=list(server.args), env=dict(server.env), cwd=server.cwd
        )
        # Not the adapter's, which lets the server write to our own standard error.
        with self._stderr.opened() as stderr:
            async with (
                stdio_client(parameters, errlog=stderr) as (read, write),
                ClientSession(read, write) as session,
            ):
                yield session

    def _http_client(
        self,
        headers: dict[str, str] | None = None,
        timeout: httpx.Timeout | None = None,
        auth: httpx.Auth | None = None,
    ) -> httpx.AsyncClient:
        """Replaces the adapter's, whose limits end the whole session.

        The schedule limits how many calls run at once, and for how long.
        """
        return httpx.AsyncClient(
            headers=headers,
            auth=auth,
            timeout=httpx.Timeout(_CONNECT_SECONDS, read=None),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=20),
            event_hooks={"response": [Watched(self._lose).watch]},
        )


async def _any_of(*futures: "asyncio.Future[Any]") -> None:
    await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)


def _ends_session(error: "McpError") -> bool:
    from mcp.types import CONNECTION_CLOSED

    code = error.error.code
    return code == CONNECTION_CLOSED or (code, error.error.message) == _TERMINATED


async def _cancelled(session: "ClientSession", number: int) -> None:
    """Tell the server that a request was cancelled."""
    from mcp import types

    params = types.CancelledNotificationParams(requestId=number, reason="cancelled")
    notification = types.CancelledNotification(params=params)
    with suppress(anyio.ClosedResourceError, anyio.BrokenResourceError):
        await session.send_notification(types.ClientNotification(notification))


def _next_request(session: "ClientSession") -> int:
    """The number of the session's next request, by which it can be cancelled.

    A private name of MCP's client. Else: a server is not told of cancelled calls.
    """
    return session._request_id


def _leave_results_unchecked(session: "ClientSession") -> None:
    """Check no result against its server's own schema, whose patterns may take forever.

    A private name of MCP's client. Else: such a pattern stops the event loop.
    """

    async def unchecked(name: str, result: object) -> None:
        return None

    session._validate_tool_result = unchecked  # type: ignore[method-assign]


def _innermost(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
