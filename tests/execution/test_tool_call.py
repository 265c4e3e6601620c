"""Calling a tool gives what LangChain gives."""

from typing import Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool, StructuredTool, Tool, ToolException
from pydantic import BaseModel, Field

from llm_compiler.errors import PlanError
from llm_compiler.execution.tool_call import CallableTool
from tests.support.functions import (
    REMOTE,
    Place,
    choices,
    configured,
    injected,
    keyword_only,
    nothing,
    numbers,
    only,
    texts,
    variadic,
)


async def sleeper(seconds: float) -> float:
    """Sleep."""
    return seconds


class Handwritten(BaseTool):
    name: str = "handwritten"
    description: str = "By hand."

    def _run(self, a: int) -> int:
        return a


class HandwrittenAsync(Handwritten):
    async def _arun(self, a: int) -> int:
        return a


@pytest.mark.parametrize(
    ("given", "is_async"),
    [
        (texts, False),
        (sleeper, True),
        (Tool(name="ask", description="Ask.", func=str.upper), False),
        (Handwritten(), False),
        (HandwrittenAsync(), True),
    ],
)
def test_sync_and_async_tools_are_distinguished(given: Any, is_async: bool) -> None:
    assert CallableTool(only(given)).is_async is is_async


class Nested(BaseModel):
    place: Place
    tags: list[str] = Field(default_factory=list)


def raising(a: int) -> int:
    """Raise."""
    raise ToolException(f"not {a}")


def echo(**args: Any) -> Any:
    return args


CONFIG: RunnableConfig = {"configurable": {"user": "ann"}}


@pytest.mark.parametrize(
    ("given", "args"),
    [
        (texts, {"query": "x"}),
        (numbers, {"count": "5", "share": 1}),
        (choices, {"kind": "a", "unit": "ft"}),
        (variadic, {"a": 1}),
        (keyword_only, {"a": 1, "b": "y"}),
        (nothing, {}),
        (configured, {"a": 1}),
        (injected, {"a": 1}),
        (raising, {"a": 1}),
        (texts, {"query": 5}),
        (numbers, {}),
        (Handwritten(), {"a": 1}),
        (
            StructuredTool(name="nested", description="N.", args_schema=Nested, func=echo),
            {"place": {"name": "K2"}},
        ),
        (
            StructuredTool(name="remote", description="R.", args_schema=REMOTE, func=echo),
            {"path": "x"},
        ),
    ],
    ids=lambda it: getattr(it, "__name__", None) or getattr(it, "name", None) or repr(it),
)
def test_direct_call_gives_what_langchain_gives(given: Any, args: dict[str, Any]) -> None:
    found, results = only(given), []
    direct = CallableTool(found).call
    for call in (direct, lambda args, config: found.base.invoke(dict(args), config)):
        try:
            results.append(("returned", call(args, CONFIG)))
        except ToolException as error:
            results.append(("raised", str(error)))
        except (PlanError, ValueError):
            # LangChain words a refusal in several lines; ours is one.
            results.append(("refused", None))
    assert results[0] == results[1]


async def test_async_call_gives_what_langchain_gives() -> None:
    found = only(sleeper)
    given = await CallableTool(found).call({"seconds": "0"}, CONFIG)
    assert given == await found.base.ainvoke({"seconds": "0"})


def test_errors_that_langchain_handles_become_results() -> None:
    handled = StructuredTool.from_function(raising, handle_tool_error="try another")
    assert CallableTool(only(handled)).call({"a": 1}, CONFIG) == "try another"


def test_tool_of_a_single_input_is_called_with_its_text() -> None:
    single = CallableTool(only(Tool(name="ask", description="Ask.", func=str.upper)))
    assert single.call({"tool_input": "x"}, {}) == "X"


def seen(config: RunnableConfig) -> Any:
    """Give the config back."""
    return config


def test_a_plain_tool_gets_the_same_config_unless_there_are_callbacks() -> None:
    plain = CallableTool(only(seen))
    assert plain.call({}, CONFIG) is CONFIG
    assert plain.call({}, CONFIG | {"callbacks": []})["callbacks"] == []
    watched = CONFIG | {"callbacks": [BaseCallbackHandler()]}
    assert plain.call({}, watched) is not watched


def test_tools_for_which_langchain_does_more_are_called_through_it() -> None:
    handled = CallableTool(only(StructuredTool.from_function(seen, handle_tool_error=True)))
    assert handled.call({}, CONFIG) is not CONFIG
