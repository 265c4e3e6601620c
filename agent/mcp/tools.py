"""A tool of an MCP server as a LangChain tool."""

import keyword
import re
import unicodedata
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any

from langchain_core.tools import BaseTool
from mcp.types import CallToolResult, ElicitRequestParams, ElicitResult
from mcp.types import Tool as Listed
from pydantic import PrivateAttr

from llm_compiler.language.mcp_hints import hints
from llm_compiler.mcp.elicitation import Ask, ask_person
from llm_compiler.mcp.results import value_of

Call = Callable[[str, dict[str, Any], Ask], Awaitable[CallToolResult]]
"""Calls a server's tool with arguments; what the server asks meanwhile is asked by the last."""

_CHECKED = {"$defs", "$schema", "additionalProperties", "definitions", "description", "title"}


class McpTool(BaseTool):
    """Calls a tool of a server."""

    server: str
    there: str
    """The tool's name on its server."""
    parameters: dict[str, str]
    """The server's name for each parameter."""
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
        args_schema, parameters = _with_names({**listed.input_schema})
        annotations = listed.annotations
        of_server = annotations.model_dump(by_alias=True) if annotations is not None else {}
        metadata = {"domain": server, **hints(of_server, said, believed=believed)}
        if listed.output_schema is not None:
            metadata["outputSchema"] = _unwrapped(listed.output_schema)
        made = cls(
            name=listed.name,
            description=listed.description or listed.title or listed.name,
            args_schema=args_schema,
            metadata=metadata,
            server=server,
            there=listed.name,
            parameters=parameters,
        )
        made._call = call
        return made

    def _run(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(f"{self.name} is async; use ainvoke")

    async def _arun(self, /, *args: Any, **arguments: Any) -> Any:
        given = {self.parameters.get(name, name): value for name, value in arguments.items()}

        def ask(params: ElicitRequestParams) -> ElicitResult:
            return ask_person(self.name, self.server, params)

        return value_of(await self._call(self.there, given, ask))


def _unwrapped(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of a result's value, which servers wrap if it is no object."""
    properties = schema.get("properties")
    if isinstance(properties, dict) and set(properties) == {"result"}:
        inner = properties["result"]
        if isinstance(inner, dict):
            return {**inner, "$defs": schema.get("$defs", {})}
    return schema


def _with_names(schema: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """The schema with parameter names that a plan can use, and the server's name for each."""
    properties: Any = schema.get("properties")
    properties = properties if isinstance(properties, dict) else {}
    named: dict[str, str] = {}
    for name in properties:
        named[_nameable(name, {*properties, *named} - {name})] = name
    if all(new == old for new, old in named.items()):
        return {**schema, "type": "object", "properties": properties}, named
    required = schema.get("required") or ()
    # Other keywords may contain the original names. The server checks those itself.
    kept = {key: value for key, value in schema.items() if key in _CHECKED}
    return {
        **kept,
        "type": "object",
        "properties": {new: properties[old] for new, old in named.items()},
        "required": [new for new, old in named.items() if old in required],
    }, named


def _nameable(name: str, taken: Collection[str]) -> str:
    """A name that can be used before `=` in a call."""
    # Python normalizes identifiers to this form.
    name = new = unicodedata.normalize("NFKC", name)
    if not name.isidentifier():
        new = re.sub(r"\W", "_", name)
        new = new if new.isidentifier() else f"_{new}"
    new = f"{new}_" if keyword.iskeyword(new) else new
    while new in taken:
        new += "_"
    return new
