"""Arguments that the planner does not see: tools get them of the run, as in LangGraph's ToolNode.

| annotation | argument |
|---|---|
| `InjectedState`, `InjectedState("messages")` | the state, or one of its keys |
| `InjectedStore` | the graph's store |
| `InjectedToolCallId` | the id of the call, which its ToolMessage has too |
| `ToolRuntime` | all of these, with context and stream writer |
| `RunnableConfig` | the config |
"""

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args, get_origin, get_type_hints

from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool, InjectedToolCallId
from langchain_core.tools.base import get_all_basemodel_annotations
from langgraph.prebuilt import InjectedState, InjectedStore, ToolRuntime
from langgraph.runtime import Runtime

from llm_compiler.errors import SetupError, ToolError
from llm_compiler.language.toolbox.tool import Tool
from llm_compiler.records import record
from llm_compiler.state import State

_Kind = Literal["state", "store", "call id", "runtime", "config"]
_MARKS: Mapping[Any, _Kind] = {
    InjectedState: "state",
    InjectedStore: "store",
    InjectedToolCallId: "call id",
    ToolRuntime: "runtime",
}


@dataclass
class Surroundings:
    """What the calls of a run may be given of it."""

    state: Mapping[str, Any] = field(default_factory=dict)
    """Of the turn: in the scheduler, with its plan; before, with that of earlier rounds."""
    runtime: Runtime[Any] = field(default_factory=Runtime)
    tools: Sequence[BaseTool] = ()
    mark: str = "0"
    """Of the round's calls (`round_messages.call_id`)."""
    name: str | None = None
    """Of the agent, on the messages that call."""


@record
class ToolCall:
    """One call, as the tool may see it."""

    id: str
    name: str
    args: Mapping[str, Any]
    """The planner's."""
    config: RunnableConfig
    around: Surroundings = field(default_factory=Surroundings)

    @property
    def state(self) -> dict[str, Any]:
        """The state; its last message is the one that calls the tool."""
        call = {"name": self.name, "args": dict(self.args), "id": self.id}
        calling = AIMessage("", tool_calls=[call], name=self.around.name)
        return {
            **self.around.state,
            "messages": [*self.around.state.get("messages", ()), calling],
        }

    @property
    def runtime(self) -> ToolRuntime[Any, Any]:
        run = self.around.runtime
        return ToolRuntime(
            state=self.state,
            context=run.context,
            config=self.config,
            stream_writer=run.stream_writer,
            tool_call_id=self.id,
            store=run.store,
            tools=[*self.around.tools],
            execution_info=run.execution_info,
            server_info=run.server_info,
        )


@dataclass(frozen=True)
class Injected:
    """The arguments of a tool that its run fills in."""

    tool: str
    kinds: Mapping[str, _Kind]
    """By name."""
    keys: Mapping[str, str]
    """Of the state, by the name of the argument that is one of them."""
    optional: frozenset[str]
    """Those with a default."""

    @classmethod
    def of(cls, tool: Tool, function: Callable[..., Any]) -> "Injected":
        """Find them in the signature of the tool's function, and in its model.

        Raises:
            SetupError: one is a key that the state does not have.
        """
        annotations = annotations_of(function)
        annotations.pop("return", None)
        if tool.takes.model is not None:
            annotations |= get_all_basemodel_annotations(tool.takes.model)
        kinds: dict[str, _Kind] = {}
        keys: dict[str, str] = {}
        for name, annotation in annotations.items():
            for mark in () if name in tool.parameters else parts(annotation):
                if (kind := _kind(mark)) is not None:
                    kinds[name] = kind
                if isinstance(mark, InjectedState) and mark.field:
                    keys[name] = mark.field
            _check_state(tool.name, annotation, name, kinds)
        optional = frozenset(_with_default(tool, function) & kinds.keys())
        for name, key in keys.items():
            if key not in State.__annotations__ and name not in optional:
                raise SetupError(
                    f"{tool.name} takes {key!r} of the state, which this graph's state does not"
                    f" have; give {name} a default, or pass it in the config or the context"
                )
        return cls(tool.name, kinds, keys, optional)

    def fill(self, call: ToolCall) -> dict[str, Any]:
        """The arguments by name.

        Raises:
            ToolError: the run does not have one of them.
        """
        found: dict[str, Any] = {}
        for name, kind in self.kinds.items():
            match kind:
                case "state" if (key := self.keys.get(name)) is None:
                    found[name] = call.state
                case "state" if key in call.state:
                    found[name] = call.state[key]
                case "state" if name not in self.optional:
                    raise ToolError(f"{self.tool} takes {key!r} of the state, which is not there")
                case "store" if (store := call.around.runtime.store) is not None:
                    found[name] = store
                case "store" if name not in self.optional:
                    raise ToolError(f"{self.tool} needs a store; pass store=… to build_graph")
                case "call id":
                    found[name] = call.id
                case "runtime":
                    found[name] = call.runtime
                case "config":
                    found[name] = call.config
        return found


def _check_state(tool: str, annotation: Any, name: str, kinds: Mapping[str, _Kind]) -> None:
    """Raises SetupError if a tool takes a state of a type with keys that this one does not have."""
    if kinds.get(name) != "state":
        return
    for part in parts(annotation):
        needed: set[str] = getattr(part, "__required_keys__", set()) - State.__annotations__.keys()
        if needed:
            raise SetupError(
                f"{tool} takes a state with {', '.join(map(repr, sorted(needed)))}, which this"
                " graph's state does not have; pass it in the config or the context"
            )


def annotations_of(function: Callable[..., Any]) -> dict[str, Any]:
    """The annotations of a function's parameters and result, as far as they can be resolved."""
    bound: Mapping[str, Any] = {}
    while isinstance(function, functools.partial):
        bound, function = {**bound, **function.keywords}, function.func
    if not inspect.isroutine(function) and not inspect.isclass(function):
        function = function.__call__  # type: ignore[operator]
    try:
        hints = get_type_hints(function, include_extras=True)
    except (AttributeError, NameError, SyntaxError, TypeError):
        hints = getattr(function, "__annotations__", {})
    return {name: it for name, it in hints.items() if name not in bound}


def parts(annotation: Any) -> Iterator[Any]:
    """An annotation and all that stands in its brackets."""
    yield annotation
    if (origin := get_origin(annotation)) is not None:
        yield origin
    for part in get_args(annotation):
        yield from parts(part)


def _kind(mark: Any) -> _Kind | None:
    if mark is RunnableConfig:
        return "config"
    kind = mark if isinstance(mark, type) else type(mark)
    return next((name for base, name in _MARKS.items() if issubclass(kind, base)), None)


def _with_default(tool: Tool, function: Callable[..., Any]) -> set[str]:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return set()
    return {it.name for it in parameters if it.default is not it.empty}
