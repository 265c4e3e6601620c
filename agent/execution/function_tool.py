"""Makes a LangChain tool from a plain function."""

from collections.abc import Callable
from typing import Any

from langchain_core.tools import BaseTool
from langchain_core.tools import tool as decorated

from llm_compiler.errors import SetupError


def as_tool(given: BaseTool | Callable[..., Any]) -> BaseTool:
    """The tool given, or a tool made from the function given.

    Raises:
        SetupError: the function cannot be made a tool, usually because it has no docstring.
    """
    if isinstance(given, BaseTool):
        return given
    try:
        return decorated(given)
    except (ValueError, TypeError) as error:
        name = getattr(given, "__name__", repr(given))
        raise SetupError(f"{name} cannot be a tool: {error}; give it a docstring") from error
