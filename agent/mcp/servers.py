"""The configured MCP servers, as one event loop uses them."""

import asyncio
import atexit
import logging
import math
import os
from collections.abc import Collection
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Final

from llm_compiler.errors import SetupError
from llm_compiler.language.toolbox.toolbox import Toolbox
from llm_compiler.mcp.config import VARIABLE, Server, read_servers
from llm_compiler.mcp.names import Names

if TYPE_CHECKING:
    from llm_compiler.mcp.server import McpServer

_CLOSE_SECONDS = 6.0
"""How long the end of the process waits for a session to close."""
_PACKAGE = "mcp>=2.3,<3"
_MISSING = f"{VARIABLE} is set, but the package for MCP is missing; pip install '{_PACKAGE}'"

_log = logging.getLogger(__name__)


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
    seconds = math.inf if within is None else max(0.0, within)
    await asyncio.gather(*(server.listed(seconds) for server in servers))
    # All at one moment: a server that becomes ready later is absent from the whole round.
    names = Names([server.name for server in servers], own)
    tools, left_out = names.named(tool for server in servers for tool in server.tools)
    MCP_SERVERS.warn(left_out)
    down = [(server, why) for server in servers if (why := server.failed) is not None]
    return own.joined(
        Toolbox.of(tools),
        lambda name: next((why for server, why in down if server.may_have(name, names)), None),
    )


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

    async def of_this_loop(self, path: str) -> "list[McpServer]":
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
            from llm_compiler.mcp.server import McpServer

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
    """In a thread: MCP's own package takes half a second to import."""
    servers = read_servers(path)
    try:
        import_module("llm_compiler.mcp.server")
    except ImportError as error:
        raise SetupError(_MISSING) from error
    return servers
