"""The names of MCP tools. They follow from the configuration alone, not from which servers are up.

So a name in `approve` or in a stored plan means the same tool in every run.
"""

import difflib
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from llm_compiler.language.toolbox.signatures import python_name
from llm_compiler.language.toolbox.tool import plain_name
from llm_compiler.language.toolbox.toolbox import RESERVED

if TYPE_CHECKING:
    from llm_compiler.mcp.tools import McpTool

_SLIP = 0.8
"""How alike two names are, from 0 to 1, if one is taken for the other misspelt."""


class Names:
    """The names that the tools of the configured servers have beside a graph's own tools.

    A single server's tools keep their names; one whose name the graph's own tools have gets its
    server's before it (`wiki_search`). With two servers or more, every tool does.

    Args:
        servers: The names of all configured servers, also of those that are down.
        own: The names of the graph's own tools.
    """

    def __init__(self, servers: Iterable[str], own: Collection[str]) -> None:
        self._prefixes = {server: python_name(plain_name(f"{server}_")) for server in servers}
        self._taken = {*map(python_name, (*own, *RESERVED))}
        """As a plan writes them: `get-time` and `get_time` are one name there."""

    def of(self, server: str, tool: str) -> str:
        """The name of a server's tool, as the plan language and the models' providers write it."""
        name = plain_name(tool)
        if len(self._prefixes) > 1 or python_name(name) in self._taken:
            name = plain_name(f"{server}_{tool}")
        return name

    def owner(self, name: str) -> str | None:
        """The server whose tools alone may have this name; None if no server's may.

        Where the names of two servers begin alike (`a` and `a_b`), it is the longer one, else the
        first: also while that server is down.
        """
        if python_name(name) in self._taken:
            return None
        written = python_name(name)
        fitting = [it for it, prefix in self._prefixes.items() if written.startswith(prefix)]
        if len(self._prefixes) == 1:
            fitting = [*self._prefixes]
        return max(fitting, key=lambda it: len(self._prefixes[it]), default=None)

    def is_meant(self, name: str, server: str) -> bool:
        """Whether this name, which no tool has, may mean a tool of a server that is down.

        A single server may have any name. But what is nearly the name of one of the graph's own
        tools is a slip of the pen, and must not leave that tool unguarded until the server is up.
        """
        if self.owner(name) != server:
            return False
        prefixed = python_name(name).startswith(self._prefixes[server])
        return prefixed or not difflib.get_close_matches(name, self._taken, n=1, cutoff=_SLIP)

    def named(self, tools: "Iterable[McpTool]") -> "tuple[list[McpTool], list[str]]":
        """The tools under their names, and which are left out since the name is another's.

        Of two tools of one server that differ only in what a name cannot hold, the first is taken.
        """
        found: dict[str, McpTool] = {}
        """By the names as a plan writes them."""
        left_out = []
        for tool in tools:
            name = self.of(tool.server, tool.there)
            written = python_name(name)
            if written in found or self.owner(name) != tool.server:
                left_out.append(
                    f"the tool {tool.there!r} of the MCP server {tool.server!r} is left out: the"
                    f" name {name!r} is another tool's; rename the server or set its 'allow'"
                )
            else:
                found[written] = tool.model_copy(update={"name": name})
        return list(found.values()), left_out
