"""Plain functions as tools."""

import math
from typing import Any

import pytest
from langchain_core.tools import tool

from llm_compiler.errors import SetupError
from llm_compiler.execution.function_tool import as_tool, as_tools
from tests.support.functions import texts


def test_a_tool_stays_as_it_is_and_a_function_becomes_one() -> None:
    given = tool(texts)
    assert as_tool(given) is given
    assert as_tool(texts).name == "texts"
    assert as_tool(texts).description == given.description


def no_docstring(a: int) -> int:
    return a


def named_args(a: int, args: str = "x") -> int:
    """Takes a parameter that LangChain leaves out."""
    return a


class Looks:
    def up(self, a: int) -> int:
        """Look something up."""
        return a


@pytest.mark.parametrize("given", [texts, "texts", {"texts": texts}, 5])
def test_one_tool_is_no_list_of_tools(given: Any) -> None:
    with pytest.raises(SetupError, match=r"which is no list of tools; write tools=\[…\]"):
        as_tools(given)


@pytest.mark.parametrize(
    ("given", "error"),
    [
        (no_docstring, "no_docstring cannot be a tool: it has no docstring"),
        (lambda a: a, "it has no name"),
        (5, "5 cannot be a tool"),
        (Looks, r"Looks cannot be a tool: it is a class; write Looks\(\)"),
        (Looks.up, "it is a method without its object; write object.up"),
        (math.hypot, "Python does not know its parameters; write a function that calls it"),
        (named_args, "LangChain hides the parameter 'args' of named_args; rename it"),
    ],
)
def test_what_cannot_be_a_tool_is_refused_at_once(given: Any, error: str) -> None:
    with pytest.raises(SetupError, match=error):
        as_tool(given)
