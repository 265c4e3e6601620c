"""A real MCP server: `python mcp_server.py LEDGER [PORT]`, on stdio or on streamable HTTP.

It writes its process id and each call into the file LEDGER, a line each.
"""

import asyncio
import base64
import os
import sys
from pathlib import Path
from typing import Any

from mcp.server.fastmcp import FastMCP, Image
from mcp.server.lowlevel.server import Server
from mcp.types import CallToolResult, ListToolsRequest, TextContent, Tool, ToolAnnotations

LEDGER = Path(sys.argv[1])
PORT = int(sys.argv[2]) if len(sys.argv) > 2 else None
READS = ToolAnnotations(readOnlyHint=True, openWorldHint=False)
PIXEL = base64.b64decode("R0lGODlhAQABAAAAACwAAAAAAQABAAA=")

server = FastMCP("tests", host="127.0.0.1", port=PORT or 0, log_level="ERROR")


def note(line: str) -> None:
    with LEDGER.open("a") as file:
        file.write(f"{line}\n")


@server.tool(annotations=READS)
def height(name: str, unit: str = "m") -> float:
    """The height of a mountain.

    In metres unless asked otherwise."""
    note(f"height {name}")
    return {"K2": 8611.0, "Everest": 8848.86}[name]


@server.tool(annotations=READS, structured_output=False)
def describe(name: str) -> str:
    """A mountain in a few words."""
    note(f"describe {name}")
    return f"{name} is high."


@server.tool(annotations=READS)
def facts(name: str) -> dict[str, Any]:
    """What is known of a mountain."""
    return {"name": name, "height": 8611, "first": {"year": 1954}}


@server.tool(annotations=ToolAnnotations(readOnlyHint=True, openWorldHint=True))
def web(query: str) -> str:
    """What the web says."""
    return f"the web says {query}"


@server.tool(
    annotations=ToolAnnotations(destructiveHint=True, openWorldHint=False), name="delete-file"
)
def delete(path: str) -> str:
    """Delete a file."""
    note(f"delete {path}")
    return f"deleted {path}"


@server.tool(annotations=ToolAnnotations(destructiveHint=False, openWorldHint=False))
def add_note(text: str) -> str:
    """Add a note; twice is two notes."""
    note(f"add {text}")
    return text


@server.tool(
    annotations=ToolAnnotations(destructiveHint=False, idempotentHint=True, openWorldHint=False)
)
def set_flag(text: str) -> str:
    """Set a flag; twice is once."""
    return text


@server.tool()
def unannotated(text: str) -> str:
    """Nothing is known of this one."""
    note(f"unannotated {text}")
    return text


@server.tool(annotations=READS)
def fail(why: str) -> str:
    """Fail."""
    raise ValueError(why)


@server.tool(annotations=READS, structured_output=False)
def picture() -> Any:
    """A picture, with a caption."""
    return ["one pixel", Image(data=PIXEL, format="gif")]


@server.tool(annotations=ToolAnnotations(destructiveHint=False, openWorldHint=False))
def exit_now(code: int) -> str:
    """End the server in the middle of the call."""
    note("exit")
    os._exit(code)


@server.tool(annotations=READS)
async def slow(name: str) -> str:
    """Never ends by itself."""
    note(f"slow {name}")
    try:
        await asyncio.Event().wait()
    finally:
        note(f"left {name}")
    return name


@server.tool(annotations=READS)
def search(query: str) -> str:
    """Named like a tool of ours."""
    return f"found {query}"


ODD = {
    "type": "object",
    "properties": {
        "max-results": {"type": "integer"},
        "from": {"type": "string"},
        "config": {"type": "string", "default": "none"},
        "self": {"type": "string"},
    },
    "required": ["max-results", "from"],
    "allOf": [{"required": ["max-results"]}],
}

NONE = {"type": "object", "properties": {"a": {"enum": 5}}, "required": [["a"]]}
SLOW_PATTERN = {"type": "string", "pattern": "(a+)+$"}
EVIL = {"type": "object", "properties": {"text": SLOW_PATTERN}, "required": ["text"]}
EVIL_RESULT = {"type": "object", "properties": {"result": SLOW_PATTERN}}


def with_odd_names(lowlevel: "Server[Any, Any]") -> None:
    """Tools that FastMCP cannot declare: their parameters have no Python names, or no schema."""
    listing = lowlevel.request_handlers[ListToolsRequest]
    own = server.call_tool

    async def listed(request: Any) -> Any:
        result: Any = await listing(request)
        tool = Tool(name="odd.names", description="Odd.", inputSchema=ODD, annotations=READS)
        result.root.tools.append(tool)
        result.root.tools.append(Tool(name="no.schema", inputSchema=NONE, annotations=READS))
        result.root.tools.append(
            Tool(name="evil", inputSchema=EVIL, outputSchema=EVIL_RESULT, annotations=READS)
        )
        return result

    lowlevel.request_handlers[ListToolsRequest] = listed

    @lowlevel.call_tool(validate_input=False)  # type: ignore[untyped-decorator]
    async def call(name: str, arguments: dict[str, Any]) -> Any:
        if name == "odd.names":
            return [TextContent(type="text", text=repr(sorted(arguments.items())))]
        if name == "evil":
            return CallToolResult(content=[], structuredContent={"result": arguments["text"]})
        return await own(name, arguments)


if __name__ == "__main__":
    note(f"pid {os.getpid()}")
    print("the server was started", file=sys.stderr, flush=True)
    with_odd_names(server._mcp_server)
    server.run("stdio" if PORT is None else "streamable-http")
