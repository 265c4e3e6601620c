"""Functions of many signatures, and how they look as tools."""

import datetime
import enum
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool, InjectedToolArg, StructuredTool
from langgraph.prebuilt import InjectedState, ToolRuntime
from pydantic import BaseModel

from llm_compiler.execution.function_tool import as_tool
from llm_compiler.execution.injected import ToolCall
from llm_compiler.execution.tool_call import CallableTool
from llm_compiler.execution.tool_threads import Threads
from llm_compiler.language.toolbox.tool import Tool
from llm_compiler.language.toolbox.toolbox import Toolbox


class Unit(enum.Enum):
    METRES = "m"
    FEET = "ft"


class Place(BaseModel):
    name: str
    height: float = 0


def texts(query: str, note: str = "none", more: str | None = None) -> str:
    """Find texts.

    More about it.
    """
    return query


def numbers(count: int, share: float = 0.5, exact: bool = False) -> int:
    """Numbers."""
    return count


def choices(kind: Literal["a", "b"], unit: Unit = Unit.METRES, level: Literal[1, 2] = 1) -> str:
    """Choices."""
    return kind


def structures(ids: list[int], names: dict[str, str], place: Place, any: Any = None) -> str:
    """Structures."""
    return ""


def unions(
    when: datetime.date, number: int | float, text: int | str, none: int | None = None
) -> str:
    """Unions."""
    return ""


def keyword_only(a: int, *, b: str = "x") -> str:
    """Keyword only."""
    return b


def nothing() -> str:
    """Nothing."""
    return ""


def variadic(a: int, *args: int, **more: int) -> Any:
    """Variadic."""
    return [a, args, more]


def configured(a: int, config: RunnableConfig) -> Any:
    """Takes the config."""
    return a, config["configurable"]["user"]


def injected(a: int, user: Annotated[str, InjectedToolArg] = "nobody") -> Any:
    """Takes an injected argument."""
    return a, user


def stateful(a: int, state: Annotated[dict[str, Any], InjectedState]) -> Any:
    """Takes LangGraph's state."""
    return a, state


def with_runtime(a: int, runtime: ToolRuntime) -> Any:
    """Takes LangGraph's runtime."""
    return a


def toolbox(*given: BaseTool | Callable[..., Any]) -> Toolbox:
    """As `build_graph` makes it."""
    return Toolbox.of(map(as_tool, given))


def only(given: BaseTool | Callable[..., Any]) -> Tool:
    return Tool.of(as_tool(given))


def from_schema(schema: dict[str, Any], name: str = "remote") -> Tool:
    """As an MCP server describes its tools."""

    def call(**args: Any) -> Any:
        return args

    return only(StructuredTool(name=name, description="Remote.", args_schema=schema, func=call))


async def called(tool: Tool, args: Mapping[str, Any]) -> Any:
    """The value of an async tool's call."""
    call = ToolCall("call_1", tool.name, args, {})
    return (await CallableTool(tool).acall(call, Threads())).value


REMOTE = {
    "type": "object",
    "properties": {
        "path": {"type": "string"},
        "lines": {"type": "integer", "default": 10, "minimum": 1},
        "mode": {"$ref": "#/$defs/mode"},
    },
    "required": ["path"],
    "$defs": {"mode": {"enum": ["text", "bytes"]}},
}
