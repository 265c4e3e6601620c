"""The set of tools that a plan may call."""

from typing import Any

import pytest
from langchain_core.tools import tool

from llm_compiler.errors import PlanError, SetupError
from llm_compiler.language.toolbox.tool_rules import ToolRules
from tests.support.functions import choices, numbers, texts, toolbox


def test_equal_calls_have_equal_keys_with_defaults_included() -> None:
    box = toolbox(texts, numbers)
    key = box.check("texts", {"query": "x"})
    assert key == box.check("texts", {"note": "none", "query": "x"})
    assert key != box.check("texts", {"query": "y"})
    assert box.check("numbers", {"count": 1}) == box.check("numbers", {"count": "1"})
    with pytest.raises(PlanError, match=r"no tool 'text'; did you mean 'texts'\?"):
        box.check("text", {})


def test_functions_and_tools_are_inspected_alike() -> None:
    box = toolbox(texts, tool(numbers))
    assert list(box) == ["texts", "numbers"]
    assert len(box) == 2
    assert box["texts"].name == "texts"


def joined() -> str:
    """Join."""
    return ""


@pytest.mark.parametrize(
    ("tools", "error"),
    [
        ([texts, texts], "two tools are named 'texts'; rename one"),
        (
            [tool("answer")(joined)],
            "a tool is named 'answer', a word of the plan language; rename it",
        ),
        ([tool("compute")(joined)], "a tool is named 'compute'"),
        ([tool("print")(joined)], "a tool is named 'print'"),
    ],
)
def test_duplicate_and_reserved_names_are_refused_at_once(tools: list[Any], error: str) -> None:
    with pytest.raises(SetupError, match=error):
        toolbox(*tools)


def test_unknown_tool_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(PlanError, match=r"^no tool 'text'; did you mean 'texts'\?$"):
        toolbox(texts, numbers).tool("text")
    with pytest.raises(PlanError, match=r"^no tool 'zzz'; there are none$"):
        toolbox().tool("zzz")


def test_allowed_tools_are_offered_and_those_in_approve_ask() -> None:
    box = toolbox(texts, numbers, choices)
    assert box.offered(None, ()) is box
    offered = box.offered(("numbers", "texts"), ("numbers",))
    assert list(offered) == ["texts", "numbers"]
    assert offered.rules("texts") == ToolRules()
    assert offered.rules("numbers") == ToolRules(asks=True)
    assert list(box.offered((), ())) == []


@pytest.mark.parametrize(("allow", "approve"), [(["txts"], ()), (None, ["txts"])])
def test_allow_and_approve_name_tools_that_exist(allow: Any, approve: Any) -> None:
    with pytest.raises(SetupError, match=r"no tool 'txts'; did you mean 'texts'\?"):
        toolbox(texts).offered(allow, approve)
