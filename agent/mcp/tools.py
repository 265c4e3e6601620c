"""A tool of an MCP server as a LangChain tool."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from langchain_core.tools import BaseTool
from mcp.types import CallToolResult, ElicitRequestParams, ElicitResult
from mcp.types import Tool as Listed
from pydantic import PrivateAttr

from llm_compiler.language.toolbox.mcp_hints import hints
from llm_compiler.mcp.elicitation import Ask, ask_person
from llm_compiler.mcp.results import value_of, wraps

Call = Callable[[str, dict[str, Any], Ask], Awaitable[CallToolResult]]
"""Calls a server's tool with arguments; what the server asks meanwhile is asked by the last."""


class McpTool(BaseTool):
    """Calls a tool of a server."""

    server: str
    there: str
    """The tool's name on its server."""
    declared: dict[str, Any] | None
    """The schema of its structured content, if its server has one."""
    _call: Call = PrivateAttr()

    @classmethod
    def of(
        cls, server: str, listed: Listed, said: Mapping[str, Any], call: Call, *, believed: bool
    ) -> "McpTool":
        """A tool under its name on its server.

        Args:
            server: The name of its server.
            listed: As the server lists it.
            said: What the file says about it.
            call: Calls it.
            believed: Whether the server's annotations are.
        """
        annotations = listed.annotations
        of_server = annotations.model_dump(by_alias=True) if annotations is not None else {}
        metadata = {"domain": server, **hints(of_server, said, believed=believed)}
        if listed.output_schema is not None:
            metadata["outputSchema"] = _unwrapped(listed.output_schema)
        made = cls(
            name=listed.name,
            description=listed.description or listed.title or listed.name,
            args_schema=listed.input_schema,
            metadata=metadata,
            server=server,
            there=listed.name,
            declared=listed.output_schema,
        )
        made._call = call
        return made

    def _run(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(f"{self.name} is async; use ainvoke")

    async def _arun(self, /, *args: Any, **arguments: Any) -> Any:
        def ask(params: ElicitRequestParams) -> ElicitResult:
            return ask_person(self.name, self.server, params)

        return value_of(await self._call(self.there, arguments, ask), self.declared)


def _unwrapped(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of a result's value, which servers wrap if it is no object."""
    if not wraps(schema):
        return schema
    shared = {key: schema[key] for key in ("$defs", "definitions") if key in schema}
    return {**shared, **schema["properties"]["result"]}
