"""A tool of an MCP server as a LangChain tool: its hints, and what its results hold."""

import keyword
import re
import unicodedata
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any

from langchain_core.tools import BaseTool
from pydantic import PrivateAttr

from llm_compiler.errors import ToolError

if TYPE_CHECKING:
    from mcp.types import CallToolResult, ContentBlock

Call = Callable[[str, dict[str, Any]], Awaitable["CallToolResult"]]

_CHECKED = {"$defs", "$schema", "additionalProperties", "definitions", "description", "title"}


class McpTool(BaseTool):
    """Calls a tool of a server.

    The adapter's own class is not used, because it fails on parameters named `config`.
    """

    server: str
    there: str
    """The tool's name on its server."""
    parameters: dict[str, str]
    """The server's name for each parameter."""
    _call: Call = PrivateAttr()

    @classmethod
    def of(cls, server: str, listed: BaseTool, said: Mapping[str, Any], call: Call) -> "McpTool":
        """The tool that the adapter listed, under its name there; `said` is what the file says."""
        schema = listed.args_schema if isinstance(listed.args_schema, dict) else {}
        args_schema, parameters = _with_names({**schema})
        made = cls(
            name=listed.name,
            description=listed.description or listed.name,
            args_schema=args_schema,
            metadata={"domain": server, **hints(listed.metadata or {}, said)},
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
        return value_of(await self._call(self.there, given))


def hints(listed: Mapping[str, Any], said: Mapping[str, Any]) -> dict[str, Any]:
    """The annotations that control a tool's calls: those in `said`, else the server's, else MCP's.

    MCP's defaults assume the worst: a tool that is not read-only is destructive and not idempotent,
    and its results are untrusted. Other keys of a server's annotations are dropped, because they
    could set limits here.
    """
    names = ("readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint")
    known = {name: listed[name] for name in names if isinstance(listed.get(name), bool)}
    known |= said
    read_only = known.get("readOnlyHint", False)
    return {
        **known,
        "readOnlyHint": read_only,
        "destructiveHint": not read_only and known.get("destructiveHint", True),
        "idempotentHint": read_only or known.get("idempotentHint", False),
        "openWorldHint": known.get("openWorldHint", True),
    }


def value_of(result: "CallToolResult") -> Any:
    """The value that a call returned: its structured content if it has any, else its text.

    Raises:
        ToolError: the server says that the call failed.
    """
    text = "\n".join(map(_text, result.content))
    if result.isError:
        raise ToolError(text or "the server gave no reason")
    held = result.structuredContent
    if held is None:
        return text
    # Structured content must be an object, so servers wrap other values like this.
    return held["result"] if set(held) == {"result"} else held


def _text(block: "ContentBlock") -> str:
    """A block of content as text. A block that is not text becomes a short note."""
    from mcp import types

    match block:
        case types.TextContent(text=text):
            return text
        case types.ResourceLink():
            return f"[resource {block.name}: {block.uri}]"
        case types.EmbeddedResource(resource=types.TextResourceContents(text=text)):
            return text
        case types.EmbeddedResource(resource=types.BlobResourceContents() as blob):
            return f"[resource {blob.uri}: {blob.mimeType or 'data'}, {_size(blob.blob)}]"
        case types.ImageContent() | types.AudioContent():
            return f"[{block.type}: {block.mimeType}, {_size(block.data)}]"
    return f"[{block.type}]"


def _size(base64: str) -> str:
    size = len(base64.rstrip("=")) * 3 // 4
    return f"{size} bytes" if size < 1000 else f"{size // 1000} kB"


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
