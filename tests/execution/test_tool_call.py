"""Calling a tool gives what LangChain gives."""

from functools import partial
from typing import Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool, StructuredTool, Tool, ToolException
from pydantic import BaseModel, Field

from llm_compiler.errors import PlanError, ToolError
from llm_compiler.execution.injected import ToolCall
from llm_compiler.execution.jsonable import as_data
from llm_compiler.execution.tool_call import CallableTool
from llm_compiler.execution.tool_result import Result
from llm_compiler.execution.tool_threads import LoopWork, Threads
from llm_compiler.language.toolbox.tool import Tool as Inspected
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


def called(tool: Inspected, args: Any, config: RunnableConfig = CONFIG) -> Any:
    it, call = CallableTool(tool), ToolCall("call_1", tool.name, args, config)
    return it.acall(call, Threads()) if it.is_async else it.call(call, LoopWork())


def watched(config: RunnableConfig = CONFIG) -> RunnableConfig:
    return {**config, "callbacks": [BaseCallbackHandler()]}


@pytest.mark.parametrize("config", [CONFIG, watched()], ids=["directly", "with callbacks"])
@pytest.mark.parametrize(
    ("given", "args"),
    [
        (texts, {"query": "x"}),
        (numbers, {"count": "5", "share": 1}),
        (choices, {"kind": "a", "unit": "ft"}),
        (keyword_only, {"a": 1, "b": "y"}),
        (nothing, {}),
        (configured, {"a": 1}),
        (injected, {"a": 1}),
        (raising, {"a": 1}),
        (texts, {"query": [5]}),
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
        (Tool(name="ask", description="Ask.", func=str.upper), {"tool_input": "x"}),
    ],
    ids=lambda it: getattr(it, "__name__", None) or getattr(it, "name", None) or repr(it),
)
def test_call_gives_what_langchain_gives(
    given: Any, args: dict[str, Any], config: RunnableConfig
) -> None:
    found, results = only(given), []

    def langchain() -> Any:
        return as_data(found.base.invoke(dict(args), CONFIG))

    for call in (partial(called, found, args, config), langchain):
        try:
            found_by = call()
            value = found_by.value if isinstance(found_by, Result) else found_by
            results.append(("returned", value))
        except ToolException as error:
            results.append(("raised", str(error)))
        except (PlanError, ValueError):
            # LangChain words a refusal in several lines; ours is one.
            results.append(("refused", None))
    assert results[0] == results[1]


@pytest.mark.parametrize("config", [CONFIG, watched()], ids=["directly", "with callbacks"])
async def test_async_call_gives_what_langchain_gives(config: RunnableConfig) -> None:
    found = only(sleeper)
    assert await called(found, {"seconds": "0"}, config) == Result(0.0)


@pytest.mark.parametrize("handler", ["try another", True, lambda error: f"said {error}"])
def test_errors_that_langchain_handles_are_failures(handler: Any) -> None:
    handled = StructuredTool.from_function(raising, handle_tool_error=handler)
    with pytest.raises(ToolError, match=r"try another|not 1|said not 1"):
        called(only(handled), {"a": 1})


def seen(config: RunnableConfig) -> Any:
    """Give the config back."""
    return config["configurable"]["user"]


def test_a_config_is_passed_on_with_and_without_callbacks() -> None:
    for config in (CONFIG, CONFIG | {"callbacks": []}, watched()):
        assert called(only(seen), {}, config).value == "ann"


class Recorder(BaseCallbackHandler):
    """Notes what LangChain reports of calls."""

    def __init__(self) -> None:
        self.events: list[Any] = []

    def on_tool_start(self, serialized: Any, input_str: str, **more: Any) -> None:
        self.events.append((serialized["name"], more["inputs"], more["tool_call_id"]))

    def on_tool_end(self, output: Any, **more: Any) -> None:
        self.events.append((output.content, output.tool_call_id))

    def on_tool_error(self, error: BaseException, **more: Any) -> None:
        self.events.append(str(error))


def test_callbacks_are_told_of_a_call_as_the_planner_made_it() -> None:
    recorder = Recorder()
    called(only(configured), {"a": 1}, CONFIG | {"callbacks": [recorder]})
    with pytest.raises(ToolException):
        called(only(raising), {"a": 1}, CONFIG | {"callbacks": [recorder]})
    assert recorder.events == [
        ("configured", {"a": 1}, "call_1"), ('[1, "ann"]', "call_1"),
        ("raising", {"a": 1}, "call_1"), "not 1",
    ]  # fmt: skip
