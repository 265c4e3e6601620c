"""The configured MCP servers, as one event loop uses them."""

import asyncio
import atexit
import contextvars
import logging
import os
import time
from collections.abc import Callable, Collection, Coroutine
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from langchain_core.tools import BaseTool

from llm_compiler.errors import SetupError, ToolError
from llm_compiler.language.tool import Tool
from llm_compiler.language.toolbox import Toolbox
from llm_compiler.mcp.config import VARIABLE, Server, read_servers
from llm_compiler.mcp.names import Names
from llm_compiler.mcp.session import GoneError, Session
from llm_compiler.mcp.tools import McpTool
from llm_compiler.redaction import masked, one_line

if TYPE_CHECKING:
    from mcp import ClientSession
    from mcp.types import CallToolResult

_T = TypeVar("_T")

_RETRY_SECONDS = 60.0
"""The time until an unreachable server is tried again."""
_MAX_WAIT_SECONDS = 10.0
"""How long rounds wait for a server, counted from its start. Later rounds do not wait."""
_LIST_SECONDS = 90.0
"""How long a server may take to start and list its tools."""
_CLOSE_SECONDS = 6.0
"""How long the end of the process waits for a session to close."""
_MISSING = (
    f"{VARIABLE} is set, but the packages for MCP are missing; pip install 'llm-compiler[mcp]'"
)

_log = logging.getLogger(__name__)


class ServerGoneError(ToolError, ConnectionError):
    """A server could not be reached: a transient error, so its calls are retried if they may be."""


async def with_mcp(own: Toolbox, within: float | None = None) -> Toolbox:
    """The graph's own tools, and those of the servers that can be reached.

    They are listed at their first use and kept. An unreachable server is not an error here: its
    tools are absent, and the toolbox says why to a plan that calls one.

    Args:
        own: The graph's own tools.
        within: The most seconds to wait for a server that starts; at most 10.

    Raises:
        SetupError: the file is wrong, or a package is missing.
    """
    if not (path := os.environ.get(VARIABLE)):
        return own
    servers = await MCP_SERVERS.of_this_loop(path)
    within = _MAX_WAIT_SECONDS if within is None else min(_MAX_WAIT_SECONDS, max(0.0, within))
    await asyncio.gather(*(server.listed(within) for server in servers))
    # All at one moment: a server that becomes ready later is absent from the whole round.
    names = Names([server.name for server in servers], own)
    tools, left_out = names.named(tool for server in servers for tool in server.tools)
    MCP_SERVERS.warn(left_out)
    down = [(server, why) for server in servers if (why := server.failed) is not None]
    return own.joined(
        Toolbox.of(tools),
        lambda name: next((why for server, why in down if server.may_have(name, names)), None),
    )


class McpServer:
    """One server: its session, opened again when it was lost, and its tools."""

    def __init__(self, name: str, server: Server, file: str) -> None:
        self.name = name
        self._server = server
        self._file = file
        self._session: Session | None = None
        self._listing: asyncio.Task[None] | None = None
        self._began_at = 0.0
        self._tools: list[McpTool] | None = None
        self._failed: str | None = None
        """Why it could not be reached when it was last tried."""
        self._again_at = 0.0

    @property
    def tools(self) -> list[McpTool]:
        """Its tools that are allowed, under their names there; none until they are listed."""
        return self._tools or []

    @property
    def failed(self) -> str | None:
        """Why its tools are absent, if they are."""
        if self._tools is not None:
            return None
        if self._listing is not None or self._failed is None:
            return f"the MCP server {self.name!r} is still starting; ask again later"
        return self._failed

    def may_have(self, name: str, names: Names) -> bool:
        """Whether it may have a tool of this name while it is down, as its configuration says."""
        allow = self._server.allow
        if allow is None:
            return names.is_meant(name, self.name)
        by_name = {names.of(self.name, tool) for tool in allow}
        return name in by_name and names.owner(name) == self.name

    async def listed(self, within: float) -> None:
        """Wait until its tools are listed, or it has failed, for at most these seconds."""
        now = time.monotonic()
        if self._tools is None and self._listing is None and now >= self._again_at:
            self._began_at = now
            # In a task of its own, and in an empty context: it goes on when the round does.
            loop = asyncio.get_running_loop()
            self._listing = loop.create_task(self._list(), context=contextvars.Context())
        if (listing := self._listing) is not None:
            within = min(within, self._began_at + _MAX_WAIT_SECONDS - now)
            await asyncio.wait({listing}, timeout=max(0.0, within))

    async def _list(self) -> None:
        try:
            async with asyncio.timeout(_LIST_SECONDS):
                self._tools = self._made(await self._request(_listed))
        # A server may answer anything, and must not fail a turn.
        except Exception as error:
            # It may quote what the server wrote to its standard error.
            why = masked(str(error))
            if not isinstance(error, ToolError):
                why = f"the MCP server {self.name!r} lists no tools: {one_line(error)}"
            self._failed, self._again_at = why, time.monotonic() + _RETRY_SECONDS
            _log.warning("%s", why)
        finally:
            self._listing = None

    async def close(self) -> None:
        """End its session."""
        if self._listing is not None:
            self._listing.cancel()
        if self._session is not None:
            await self._session.close()

    async def _call(self, tool: str, args: dict[str, Any]) -> "CallToolResult":
        return await self._request(lambda session: session.call_tool(tool, args))

    async def _request(
        self, make: Callable[["ClientSession"], Coroutine[Any, Any, _T]], *, again: bool = True
    ) -> _T:
        """Ask the server.

        Raises:
            ToolError: it answered with an error, or (ServerGoneError) cannot be reached.
        """
        from mcp import McpError

        before = self._session
        if before is None or before.gone:
            self._session = Session(self._server)
        assert self._session is not None
        try:
            return await self._session.request(make)
        except GoneError as error:
            if not error.sent and before is self._session and again:
                # It was lost between two calls, and has not seen this one.
                return await self._request(make, again=False)
            what = "ended during the call" if error.sent else "cannot be reached"
            raise ServerGoneError(
                f"the MCP server {self.name!r} {what}: {error};"
                f" check that it is running, or remove it from {self._file}"
            ) from error
        except McpError as error:
            raise ToolError(f"the MCP server {self.name!r}: {error}") from error

    def _made(self, listed: list[BaseTool]) -> list[McpTool]:
        allow = self._server.allow
        if unknown := {*(allow or ())} - {tool.name for tool in listed}:
            _log.warning(
                "%s: the MCP server %r has no tool %r; it has %s",
                self._file,
                self.name,
                min(unknown),
                ", ".join(tool.name for tool in listed) or "none",
            )
        made = []
        for tool in listed:
            if allow is not None and tool.name not in allow:
                continue
            try:
                one = McpTool.of(self.name, tool, self._server.hints_for(tool.name), self._call)
                _ = Tool.of(one).signature
            # An invalid schema may raise anything.
            except Exception as error:
                why = "the tool %r of the MCP server %r cannot be described, and is left out: %s"
                _log.warning(why, tool.name, self.name, one_line(error))
            else:
                made.append(one)
        return made


class McpServers:
    """The configured servers of this process, by event loop and by the file that names them."""

    def __init__(self) -> None:
        self._servers: dict[tuple[asyncio.AbstractEventLoop, str], list[McpServer]] = {}
        self._warned: set[str] = set()

    def warn(self, whys: Collection[str]) -> None:
        """Log what was not logged before: each round reports the same again."""
        for why in whys:
            if why not in self._warned:
                _log.warning("%s", why)
        self._warned |= {*whys}

    async def of_this_loop(self, path: str) -> list[McpServer]:
        """The servers of a file, as the running loop uses them.

        Raises:
            SetupError: the file is wrong, or a package is missing.
        """
        for loop, other in [key for key in self._servers if key[0].is_closed()]:
            del self._servers[loop, other]
        key = asyncio.get_running_loop(), path
        if key not in self._servers:
            read = await asyncio.to_thread(_read, Path(path))
            file = Path(path).name
            made = [McpServer(name, server, file) for name, server in read.items()]
            # Another run may have been quicker.
            self._servers.setdefault(key, made)
        return self._servers[key]

    def reset(self) -> None:
        """End the sessions in loops that run on other threads, and forget all servers.

        Not to be called from a loop that has sessions: it would wait for itself.
        """
        ended, self._servers = self._servers, {}
        self._warned = set()
        for (loop, _), servers in ended.items():
            if loop.is_running():
                for server in servers:
                    closing = asyncio.run_coroutine_threadsafe(server.close(), loop)
                    with suppress(TimeoutError):
                        closing.result(_CLOSE_SECONDS)


MCP_SERVERS: Final = McpServers()
"""One per process."""
# Nothing else ends the sessions in the loop of the sync methods.
atexit.register(MCP_SERVERS.reset)


def _read(path: Path) -> dict[str, Server]:
    """In a thread: the packages take a second to import."""
    servers = read_servers(path)
    try:
        import_module("langchain_mcp_adapters.tools")
    except ImportError as error:
        raise SetupError(_MISSING) from error
    return servers


async def _listed(session: "ClientSession") -> list[BaseTool]:
    from langchain_mcp_adapters.tools import load_mcp_tools

    return await load_mcp_tools(session)
