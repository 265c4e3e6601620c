"""One MCP server: its session, opened again when it was lost, and its tools."""

import asyncio
import contextvars
import logging
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

from mcp import Client, MCPError
from mcp.types import METHOD_NOT_FOUND, CallToolResult
from mcp.types import Tool as Listed
from pydantic import ValidationError

from llm_compiler.errors import ToolError
from llm_compiler.language.toolbox.stubs import stub, written_names
from llm_compiler.language.toolbox.tool import Tool
from llm_compiler.mcp.config import Server
from llm_compiler.mcp.elicitation import Ask
from llm_compiler.mcp.failures import GoneError, RefusedError
from llm_compiler.mcp.names import Names
from llm_compiler.mcp.session import Session
from llm_compiler.mcp.tools import McpTool
from llm_compiler.redaction import masked, one_line

_T = TypeVar("_T")

_RETRY_SECONDS = 60.0
"""The time until an unreachable server is tried again."""
_MAX_WAIT_SECONDS = 10.0
"""How long rounds wait for a server, counted from its start. Later rounds do not wait."""
_LIST_SECONDS = 90.0
"""How long a server may take to start and list its tools."""
_MAX_PAGES = 1000
"""Of a list of tools."""
_BUSY = (429, 502, 503, 504)

_log = logging.getLogger(__name__)


class ServerGoneError(ToolError, ConnectionError):
    """A server could not be reached: a transient error, so its calls are retried if they may be."""


class McpServer:
    """A server, as one event loop uses it."""

    def __init__(self, name: str, server: Server, file: str) -> None:
        self.name = name
        self._server = server
        self._file = file
        self._session: Session | None = None
        self._listing: asyncio.Task[None] | None = None
        self._began_at = 0.0
        self._tools: list[McpTool] | None = None
        self._stale = False
        """Whether the server may have other tools by now."""
        self._failed: str | None = None
        """Why it could not be reached when it was last tried."""
        self._again_at = 0.0
        self._silent_until = 0.0
        """When a server that was reached and did not answer is tried again."""

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
        """Wait until its tools are listed, or it has failed, for at most these seconds.

        They are listed again when the server has told that they have changed, or began anew.
        """
        now = time.monotonic()
        wanted = self._tools is None or self._stale
        if wanted and self._listing is None and now >= self._again_at:
            self._began_at = now
            # In a task of its own, and in an empty context: it goes on when the round does.
            loop = asyncio.get_running_loop()
            self._listing = loop.create_task(self._list(), context=contextvars.Context())
        if (listing := self._listing) is not None:
            within = min(within, self._began_at + _MAX_WAIT_SECONDS - now)
            await asyncio.wait({listing}, timeout=max(0.0, within))

    async def _list(self) -> None:
        self._stale = False
        try:
            async with asyncio.timeout(_LIST_SECONDS):
                listed = await self._request(lambda session: session.request(_listed))
                self._tools = self._made(listed)
        # A server may answer anything, and must not fail a turn.
        except Exception as error:
            self._stale = True
            # It may quote what the server wrote to its standard error.
            why = masked(str(error))
            if not isinstance(error, ToolError):
                why = f"the MCP server {self.name!r} lists no tools: {one_line(error)}"
            self._failed, self._again_at = why, time.monotonic() + _RETRY_SECONDS
            _log.warning("%s", why)
        finally:
            self._listing = None

    def _changed(self) -> None:
        self._stale = True

    async def close(self) -> None:
        """End its session."""
        if self._listing is not None:
            self._listing.cancel()
        if self._session is not None:
            await self._session.close()

    async def _call(self, tool: str, args: dict[str, Any], ask: Ask) -> CallToolResult:
        return await self._request(
            lambda session: session.call(lambda client: client.call_tool(tool, args), ask)
        )

    async def _request(
        self, make: Callable[[Session], Coroutine[Any, Any, _T]], *, again: bool = True
    ) -> _T:
        """Ask the server.

        Raises:
            ToolError: it answered with an error, or (ServerGoneError) cannot be reached.
        """
        before = self._session
        session = self._begun() if before is None or before.gone else before
        try:
            return await make(session)
        except GoneError as error:
            if session.silent:
                self._silent_until = time.monotonic() + _RETRY_SECONDS
            elif not error.sent and before is session and again:
                # It was lost between two calls, and has not seen this one.
                return await self._request(make, again=False)
            what = "ended during the call" if error.sent else "cannot be reached"
            raise self._gone(f"{what}: {error}") from error
        except RefusedError as error:
            if error.status in _BUSY:
                raise self._gone(f"refuses: {error}") from error
            remedy = f"check its url and headers in {self._file}"
            raise ToolError(f"the MCP server {self.name!r} refuses: {error}; {remedy}") from error
        except MCPError as error:
            raise ToolError(f"the MCP server {self.name!r}: {error}") from error
        except ValidationError as error:
            what = f"its answer does not follow the protocol ({error.error_count()} errors)"
            raise ToolError(f"the MCP server {self.name!r}: {what}; update the server") from error

    def _begun(self) -> Session:
        if time.monotonic() < self._silent_until:
            raise self._gone("cannot be reached: it did not answer a minute ago")
        self._stale = self._session is not None
        self._session = Session(self._server, self._changed)
        return self._session

    def _gone(self, what: str) -> ServerGoneError:
        return ServerGoneError(
            f"the MCP server {self.name!r} {what};"
            f" check that it is running, or remove it from {self._file}"
        )

    def _made(self, listed: Sequence[Listed]) -> list[McpTool]:
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
                made.append(self._offered(tool))
            # An invalid schema may raise anything.
            except Exception as error:
                why = "the tool %r of the MCP server %r is left out: %s"
                _log.warning(why, tool.name, self.name, one_line(error))
        return made

    def _offered(self, listed: Listed) -> McpTool:
        """The tool; raises why no plan can call it."""
        if listed.execution is not None and listed.execution.task_support == "required":
            raise ToolError("it runs only as a task, an extension of MCP that is not supported")
        said, believed = self._server.hints_for(listed.name), self._server.trust_annotations
        made = McpTool.of(self.name, listed, said, self._call, believed=believed)
        tool = Tool.of(made)
        stub(tool)
        if len(written_names(tool)) < len(tool.parameters):
            raise ToolError("two of its parameters are written alike in a plan")
        return made


async def _listed(client: Client) -> list[Listed]:
    tools: list[Listed] = []
    cursor = None
    for _ in range(_MAX_PAGES):
        try:
            page = await client.list_tools(cursor=cursor)
        except MCPError as error:
            if error.code == METHOD_NOT_FOUND:  # it has resources or prompts, and no tools
                return tools
            raise
        tools += page.tools
        if not (cursor := page.next_cursor):
            return tools
    raise ToolError(f"a list of tools with more than {_MAX_PAGES} pages; report it to its makers")
