"""Makes a LangChain tool from a function, or from what can be called like one."""

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from types import FunctionType
from typing import Any

from langchain_core.runnables import Runnable, RunnableConfig
from langchain_core.tools import BaseTool, BaseToolkit
from langchain_core.tools import tool as decorated
from langgraph.prebuilt import ToolNode
from pydantic import BaseModel

from llm_compiler.errors import SetupError
from llm_compiler.execution.graph_tool import asked_in_words
from llm_compiler.execution.injected import annotations_of
from llm_compiler.language.toolbox.parameters import is_of_the_run
from llm_compiler.redaction import one_line
from llm_compiler.text import shortened

_LOST = ("args", "kwargs", "run_manager", "callbacks")
"""Parameters that LangChain leaves out because of their names."""


def as_tools(given: Iterable[BaseTool | Callable[..., Any]]) -> list[BaseTool]:
    """The tools given, and tools made from the functions given.

    Raises:
        SetupError: one cannot be made a tool, or this is no list of tools.
    """
    if isinstance(given, str | Mapping | BaseTool) or not isinstance(given, Iterable):
        shown = shortened(repr(given), 60)
        raise SetupError(f"tools is {shown}, which is no list of tools; write tools=[…]")
    return [*map(as_tool, given)]


def as_tool(given: BaseTool | Callable[..., Any]) -> BaseTool:
    """The tool given, or a tool made from the function given.

    A function may be a method, a `functools.partial`, whose bound arguments no planner sees, or an
    object with `__call__`. A tool that LangChain made of an agent takes a question (graph_tool.py).

    Raises:
        SetupError: it cannot be made a tool, usually because it has no docstring.
    """
    if isinstance(given, BaseTool):
        return asked_in_words(given)
    name = _name(given)
    if (remedy := _remedy(given)) is not None:
        raise SetupError(f"{name} cannot be a tool: {remedy}")
    try:
        made = decorated(given if inspect.isroutine(given) else _as_function(given, name))
    except (ValueError, TypeError, NameError, NotImplementedError, RuntimeError) as error:
        raise SetupError(
            f"{name} cannot be a tool: {one_line(error)}; give its parameters types of plain data"
        ) from error
    if lost := [it for it in _named_parameters(given) if it in _LOST and it not in made.args]:
        raise SetupError(f"LangChain hides the parameter {lost[0]!r} of {name}; rename it")
    return made


def _remedy(given: Any) -> str | None:
    """What to write instead of what is no function."""
    if isinstance(given, type) and issubclass(given, BaseTool):
        return f"it is a class; write {given.__name__}()"
    if isinstance(given, type) and issubclass(given, BaseModel):
        return "it describes arguments, and does nothing; write a function that takes them"
    if isinstance(given, BaseToolkit):
        return "it is a toolkit; write *toolkit.get_tools()"
    if isinstance(given, ToolNode):
        return "it is a ToolNode; write *node.tools_by_name.values()"
    if isinstance(given, Runnable):
        return "it is a Runnable; write runnable.as_tool(name=…, description=…)"
    if not callable(given):
        return "it is no function; give a LangChain tool, or a function with a docstring"
    if isinstance(given, type):
        return f"it is a class; write {given.__name__}(), or a function that makes one"
    if isinstance(given, FunctionType) and given.__name__ == "<lambda>":
        return "it has no name; write a function with a name and a docstring"
    if not _doc(given):
        return "it has no docstring; write one that tells a model what it does"
    try:
        parameters = [*inspect.signature(given).parameters]
    except (TypeError, ValueError):
        return "Python does not know its parameters; write a function that calls it"
    if parameters[:1] == ["self"] and isinstance(given, FunctionType):
        return f"it is a method without its object; write object.{given.__name__}"
    return None


def _named_parameters(given: Callable[..., Any]) -> list[str]:
    """The parameters that have a name and are for a planner to fill in."""
    types = annotations_of(given)
    return [
        name
        for name, it in inspect.signature(given).parameters.items()
        if it.kind not in (it.VAR_POSITIONAL, it.VAR_KEYWORD)
        and not is_of_the_run(types.get(name, RunnableConfig))
    ]


def _name(given: Any) -> str:
    while isinstance(given, functools.partial):
        given = given.func
    if isinstance(given, Runnable):  # whose text may be long
        return type(given).__name__
    return str(getattr(given, "__name__", type(given).__name__ if callable(given) else repr(given)))


def _as_function(given: Callable[..., Any], name: str) -> Callable[..., Any]:
    """A partial, or an object that can be called, as a function that LangChain can read."""
    bound = given.keywords if isinstance(given, functools.partial) else {}
    parameters = inspect.signature(given).parameters.items()
    hints = annotations_of(given)

    def call(*args: Any, **kwargs: Any) -> Any:
        return given(*args, **kwargs)

    function: Callable[..., Any] = call
    if any(map(inspect.iscoroutinefunction, (given, getattr(given, "__call__", None)))):  # noqa: B004

        async def acall(*args: Any, **kwargs: Any) -> Any:
            return await given(*args, **kwargs)

        function = acall
    shown = {key: it for key, it in parameters if key not in bound}
    function.__name__ = function.__qualname__ = name
    function.__doc__ = _doc(given)
    function.__annotations__ = {key: it for key, it in hints.items() if key in (*shown, "return")}
    function.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [it.replace(annotation=hints.get(key, it.annotation)) for key, it in shown.items()],
        return_annotation=hints.get("return", inspect.Signature.empty),
    )
    return function


def _doc(given: Any) -> str | None:
    while isinstance(given, functools.partial):
        given = given.func
    if inspect.isroutine(given):
        return inspect.getdoc(given)
    return inspect.getdoc(given.__call__) or inspect.getdoc(given)
