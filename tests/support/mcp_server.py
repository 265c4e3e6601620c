"""A real MCP server: `python mcp_server.py LEDGER [PORT]`, on stdio or on streamable HTTP.

With `--sse` it speaks the transport before that, with `--old` the protocol before 2026-07-28.
It writes its process id and each call into the file LEDGER, a line each.
"""

import argparse
import asyncio
import base64
import os
import sys
import warnings
from pathlib import Path
from typing import Annotated, Any

from mcp import MCPDeprecationWarning, UrlElicitationRequiredError
from mcp.server.mcpserver import Context, Elicit, Image, MCPServer, Resolve
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import (
    CallToolResult,
    ElicitRequestURLParams,
    TextContent,
    Tool,
    ToolAnnotations,
    ToolExecution,
)
from pydantic import BaseModel

OPTIONS = argparse.ArgumentParser()
OPTIONS.add_argument("ledger", type=Path)
OPTIONS.add_argument("port", type=int, nargs="?")
OPTIONS.add_argument("--sse", action="store_true")
OPTIONS.add_argument("--old", action="store_true")
GIVEN = OPTIONS.parse_args()
LEDGER: Path = GIVEN.ledger
READS = ToolAnnotations(read_only_hint=True, open_world_hint=False)
PIXEL = base64.b64decode("R0lGODlhAQABAAAAACwAAAAAAQABAAA=")
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
PAGED = {
    "type": "object",
    "properties": {
        "cursor": {"type": "string"},
        "filter": {"$ref": "#/$defs/Filter"},
        "since": {"type": ["string", "null"]},
    },
    "$defs": {"Filter": {"type": "object", "properties": {"name": {"type": "string"}}}},
}
NONE = {"type": "object", "properties": {"a": {"enum": 5}}}
ALIKE = {"type": "object", "properties": {"max-size": {}, "max_size": {}}}
AS_TASK = ToolExecution(task_support="required")
SLOW_PATTERN = {"type": "string", "pattern": "(a+)+$"}
EVIL = {"type": "object", "properties": {"text": SLOW_PATTERN}, "required": ["text"]}
EVIL_RESULT = {"type": "object", "properties": {"result": SLOW_PATTERN}}


class Server(MCPServer):
    """With tools that MCPServer cannot declare: odd parameters, odd schemas, odd results."""

    async def list_tools(self) -> list[Tool]:
        return [
            *await super().list_tools(),
            Tool(name="odd.names", description="Odd.", input_schema=ODD, annotations=READS),
            Tool(name="paged", description="Pages.", input_schema=PAGED, annotations=READS),
            Tool(name="no.schema", input_schema=NONE, annotations=READS),
            Tool(name="alike", input_schema=ALIKE, annotations=READS),
            Tool(name="task", input_schema={"type": "object"}, execution=AS_TASK),
            Tool(name="evil", input_schema=EVIL, output_schema=EVIL_RESULT, annotations=READS),
            Tool(name="both", input_schema={"type": "object"}, annotations=READS),
        ]

    async def call_tool(self, name: str, arguments: dict[str, Any], context: Any = None) -> Any:
        match name:
            case "odd.names" | "paged":
                text = repr(sorted(arguments.items()))
                return CallToolResult(content=[TextContent(text=text)])
            case "evil":
                held = {"result": arguments["text"]}
                return CallToolResult(content=[], structured_content=held)
            case "both":
                said = TextContent(text="K2 is in Pakistan and China.")
                return CallToolResult(content=[said], structured_content={"length": 28})
        return await super().call_tool(name, arguments, context)


server = Server("tests", log_level="ERROR")


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


@server.tool(annotations=ToolAnnotations(read_only_hint=True, open_world_hint=True))
def web(query: str) -> str:
    """What the web says."""
    return f"the web says {query}"


@server.tool(
    annotations=ToolAnnotations(destructive_hint=True, open_world_hint=False), name="delete-file"
)
def delete(path: str) -> str:
    """Delete a file."""
    note(f"delete {path}")
    return f"deleted {path}"


@server.tool(annotations=ToolAnnotations(destructive_hint=False, open_world_hint=False))
def add_note(text: str) -> str:
    """Add a note; twice is two notes."""
    note(f"add {text}")
    return text


@server.tool(
    annotations=ToolAnnotations(destructive_hint=False, idempotent_hint=True, open_world_hint=False)
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
    raise ToolError(why)


@server.tool(annotations=READS, structured_output=False)
def picture() -> Any:
    """A picture, with a caption."""
    return ["one pixel", Image(data=PIXEL, format="gif")]


@server.tool(annotations=ToolAnnotations(destructive_hint=False, open_world_hint=False))
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


class Amount(BaseModel):
    amount: int = 1


def amount(item: str) -> Elicit[Amount]:
    note(f"asked {item}")
    return Elicit(f"How many of {item}?", Amount)


@server.tool()
def order(item: str, wanted: Annotated[Amount, Resolve(amount)]) -> str:
    """Order something, after asking how much of it."""
    note(f"order {wanted.amount} {item}")
    return f"{wanted.amount} {item}"


@server.tool()
def pay() -> str:
    """Pay, once a person has logged in, which they do elsewhere."""
    if "logged in" not in LEDGER.read_text():
        url = "https://bank.example/login"
        asked = ElicitRequestURLParams(message="Log in.", url=url, elicitation_id="1")
        raise UrlElicitationRequiredError([asked])
    note("pay")
    return "paid"


@server.tool(annotations=READS)
async def learn(name: str, context: Context) -> str:
    """Learn a new tool."""

    def learned() -> str:
        """A new tool."""
        return name

    server.add_tool(learned, name=name, annotations=READS)
    await context.notify_tools_changed()
    with warnings.catch_warnings(action="ignore", category=MCPDeprecationWarning):
        await context.session.send_tool_list_changed()
    return name


if __name__ == "__main__":
    note(f"pid {os.getpid()}")
    print("the server was started", file=sys.stderr, flush=True)
    if GIVEN.old:
        sys.path.insert(0, str(Path(__file__).parents[2]))
        from tests.support import mcp_old

        if GIVEN.port is None:
            mcp_old.serve_stdio(server)
        else:
            mcp_old.serve_http(server, GIVEN.port)
    elif GIVEN.port is None:
        server.run("stdio")
    elif GIVEN.sse:
        server.run("sse", port=GIVEN.port)
    else:
        server.run("streamable-http", port=GIVEN.port)
