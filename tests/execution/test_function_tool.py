"""Plain functions as tools."""

from typing import Any

import pytest
from langchain_core.tools import tool

from llm_compiler.errors import SetupError
from llm_compiler.execution.function_tool import as_tool
from tests.support.functions import texts


def test_a_tool_stays_as_it_is_and_a_function_becomes_one() -> None:
    given = tool(texts)
    assert as_tool(given) is given
    assert as_tool(texts).name == "texts"
    assert as_tool(texts).description == given.description


def no_docstring(a: int) -> int:
    return a


@pytest.mark.parametrize(
    ("given", "error"),
    [
        (no_docstring, "no_docstring cannot be a tool: .*; give it a docstring"),
        (5, "5 cannot be a tool"),
    ],
)
def test_what_cannot_be_a_tool_is_refused_at_once(given: Any, error: str) -> None:
    with pytest.raises(SetupError, match=error):
        as_tool(given)
