"""The tools of a run, each looked at once: parameters, checks, hints, and how to call it."""

import difflib
import inspect
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, get_type_hints

import jsonschema
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool, StructuredTool
from langchain_core.tools import Tool as SingleInputTool
from langchain_core.tools import tool as as_tool
from langchain_core.tools.base import get_all_basemodel_annotations
from pydantic import BaseModel, PydanticUserError, ValidationError
from pydantic_core import to_jsonable_python
from referencing import Registry

from llm_compiler.errors import PlanError, SetupError, one_line
from llm_compiler.language.parser import ANSWER, JOIN
from llm_compiler.language.references import references
from llm_compiler.scheduling.facts import ToolRules

JsonSchema = Mapping[str, Any]
Absent = Callable[[str], str | None]
"""Why a tool of this name is absent, if it may exist."""


@dataclass(frozen=True)
class Tool:
    """A tool as the planner, the compiler and the executor see it."""

    base: BaseTool
    parameters: Mapping[str, JsonSchema]
    """JSON schema by parameter name, in the order of positional arguments."""
    required: frozenset[str]
    schema: JsonSchema
    """The whole JSON schema of the arguments, with its `$defs`."""
    model: type[BaseModel] | None
    rules: ToolRules

    @property
    def name(self) -> str:
        return self.base.name

    @property
    def hints(self) -> Mapping[str, Any]:
        """MCP's annotations (`readOnlyHint`, `destructiveHint`, …)."""
        return self.base.metadata or {}

    @property
    def destructive(self) -> bool:
        return bool(self.hints.get("destructiveHint"))

    @property
    def retried(self) -> bool:
        """Whether an error that may pass is worth a second attempt."""
        once = self.hints.get("readOnlyHint") is False and self.hints.get("idempotentHint") is False
        return not self.destructive and not self.rules.asks and not once

    @property
    def signature(self) -> str:
        """As a prompt shows it: `number(what, text)`."""
        return f"{self.name}({', '.join(map(self._parameter, self.parameters))})"

    @property
    def summary(self) -> str:
        """The first line of the description."""
        return self.base.description.strip().split("\n", 1)[0].strip()

    def check(self, args: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments as the tool will get them, defaults included.

        Raises:
            PlanError: the schema refuses them.
        """
        self._check_names(args)
        checked, errors = self._validate(args)
        for _, error in errors:
            raise PlanError(error)
        return checked

    def check_written(self, args: Mapping[str, Any]) -> None:
        """Check arguments as written: one that holds a reference can only be checked when filled.

        Raises:
            PlanError: the schema refuses what stands there already.
        """
        self._check_names(args)
        filled_later = {name for name, value in args.items() if next(references(value), None)}
        for name, error in self._validate(args)[1]:
            if name not in filled_later and (name or not filled_later):
                raise PlanError(error)

    def _check_names(self, args: Mapping[str, Any]) -> None:
        if unknown := next((name for name in args if name not in self.parameters), None):
            raise PlanError(
                f"{self.name} has no argument {unknown!r}; {_nearest(unknown, self.parameters)}"
            )
        missing = (name for name in self.parameters if name in self.required and name not in args)
        for name in missing:
            raise PlanError(f"{self.name} needs the argument {name!r}; write {self.signature}")

    def _validate(self, args: Mapping[str, Any]) -> tuple[dict[str, Any], list[tuple[str, str]]]:
        """The checked arguments, and what the schema refuses with the parameter it is about."""
        errors = []
        try:
            if self.model is not None:
                checked = self.model.model_validate(dict(args))
                return {name: getattr(checked, name) for name in self.parameters}, []
            for refused in self._validator.iter_errors(dict(args)):
                name = str(refused.path[0]) if refused.path else ""
                errors.append((name, f"{self.name}: {_short(refused.message)}"))
        except ValidationError as error:
            for part in error.errors(include_url=False):
                name = str(part["loc"][0]) if part["loc"] else ""
                place = ".".join(map(str, part["loc"])) or "its arguments"
                message = f"{self.name}: {place}: {part['msg']}, not {_short(repr(part['input']))}"
                errors.append((name, message))
        # A tool's own validators, and a schema that is none, may raise anything.
        except Exception as error:
            errors.append(("", f"{self.name}: its schema cannot check this: {one_line(error)}"))
        return {**self._defaults, **args}, errors

    @cached_property
    def _validator(self) -> jsonschema.Draft202012Validator:
        # An empty registry: a `$ref` out of the schema would be fetched from the network.
        return jsonschema.Draft202012Validator(self.schema, registry=Registry())

    @cached_property
    def _defaults(self) -> dict[str, Any]:
        return {name: s["default"] for name, s in self.parameters.items() if "default" in s}

    def _parameter(self, name: str) -> str:
        schema = self.parameters[name]
        shown = name if (kind := _kind(schema)) in ("string", "") else f"{name}: {kind}"
        return f"{shown}={json.dumps(schema['default'])}" if "default" in schema else shown

    def call(self, args: Mapping[str, Any], config: RunnableConfig) -> Any:
        """Call the tool; returns a coroutine if it `is_async`, else its result.

        Straight to the function of a plain tool where nobody watches: LangChain's way to it
        costs 0.2 ms a call, mostly for callbacks.
        """
        if self._direct is not None and not _is_watched(config):
            return self._direct(args, config)
        entry = self.base.ainvoke if self.is_async else self.base.invoke
        return entry(dict(args), config)

    @cached_property
    def _direct(self) -> Callable[[Mapping[str, Any], RunnableConfig], Any] | None:
        return _direct(self)

    @cached_property
    def is_async(self) -> bool:
        if isinstance(self.base, StructuredTool | SingleInputTool):
            return self.base.coroutine is not None
        return type(self.base)._arun is not BaseTool._arun


class Toolbox(Mapping[str, Tool]):
    """The tools that a planner is offered, by name."""

    def __init__(self, tools: Iterable[Tool], absent: Absent = lambda name: None) -> None:
        self._tools = {tool.name: tool for tool in tools}
        self._absent = absent

    def __getitem__(self, name: str) -> Tool:
        return self._tools[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._tools)

    def __len__(self) -> int:
        return len(self._tools)

    @classmethod
    def of(cls, tools: Iterable[BaseTool | Callable[..., Any]]) -> "Toolbox":
        """Look at LangChain tools or plain functions.

        Raises:
            SetupError: two share a name, or a function cannot be made a tool.
        """
        found: dict[str, Tool] = {}
        for tool in tools:
            looked_at = _look_at(tool)
            if looked_at.name in found:
                raise SetupError(f"two tools are named {looked_at.name!r}; rename one")
            if looked_at.name in (JOIN, ANSWER):
                raise SetupError(
                    f"a tool is named {looked_at.name!r}, a word of the plan language; rename it"
                )
            found[looked_at.name] = looked_at
        return cls(found.values())

    def joined(self, other: "Toolbox", absent: Absent) -> "Toolbox":
        """These tools and those of another, which share no name."""
        return Toolbox([*self.values(), *other.values()], absent)

    def offered(self, allow: Collection[str] | None, approve: Collection[str]) -> "Toolbox":
        """The tools of one run: those allowed, those in `approve` asking a person.

        Raises:
            SetupError: a name is no tool's, and of none that is absent.
        """
        for name in (*(allow or ()), *approve):
            if name not in self and self._absent(name) is None:
                raise SetupError(f"no tool {name!r}; {_nearest(name, self)}")
        if allow is None and not approve:
            return self
        tools = (
            _asking(tool) if tool.name in approve else tool
            for tool in self.values()
            if allow is None or tool.name in allow
        )
        return Toolbox(tools, self._absent)

    def tool(self, name: str) -> Tool:
        """Raises PlanError with the nearest name if there is no such tool."""
        if name not in self._tools:
            why = self._absent(name)
            raise PlanError(f"no tool {name!r}; {f'{why}; ' if why else ''}{_nearest(name, self)}")
        return self._tools[name]

    # The toolbox as the rules see it (`llm_compiler.scheduling.facts.Tools`).

    def rules(self, tool: str) -> ToolRules:
        return self._tools[tool].rules

    def check(self, tool: str, args: Mapping[str, Any]) -> str:
        checked = to_jsonable_python(self.tool(tool).check(args), serialize_unknown=True)
        return f"{tool} {json.dumps(checked, sort_keys=True)}"


def _look_at(tool: BaseTool | Callable[..., Any]) -> Tool:
    if not isinstance(tool, BaseTool):
        try:
            tool = as_tool(tool)
        except (ValueError, TypeError) as error:
            name = getattr(tool, "__name__", repr(tool))
            raise SetupError(f"{name} cannot be a tool: {error}; give it a docstring") from error
    single = isinstance(tool, SingleInputTool) and tool.args_schema is None
    schema = _SINGLE_INPUT if single else tool.tool_call_schema
    model = schema if inspect.isclass(schema) and issubclass(schema, BaseModel) else None
    try:
        as_json: Any = model.model_json_schema() if model is not None else schema
    except PydanticUserError as error:
        raise SetupError(f"the arguments of {tool.name} have no JSON schema: {error}") from error
    variadic = _variadic(tool)
    parameters = as_json.get("properties", {}).items()
    return Tool(
        base=tool,
        # JSON schema allows `true` for a schema that allows everything.
        parameters={
            name: schema if isinstance(schema, Mapping) else {}
            for name, schema in parameters
            if name not in variadic
        },
        required=frozenset(as_json.get("required", ())),
        schema=as_json,
        model=model,
        rules=_rules(tool),
    )


_SINGLE_INPUT = {
    "type": "object",
    "properties": {"tool_input": {"type": "string"}},
    "required": ["tool_input"],
}


def _variadic(tool: BaseTool) -> set[str]:
    """The names of `*args` and `**kwargs`, which LangChain shows as parameters."""
    function = getattr(tool, "coroutine", None) or getattr(tool, "func", None)
    if function is None or isinstance(tool.args_schema, dict):
        return set()
    kinds = inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD
    return {p.name for p in inspect.signature(function).parameters.values() if p.kind in kinds}


def _rules(tool: BaseTool) -> ToolRules:
    hints = tool.metadata or {}
    destructive = bool(hints.get("destructiveHint"))
    limits = {}
    if "max_parallel" in hints:
        most = hints["max_parallel"]
        if not isinstance(most, int) or most < 1:
            raise SetupError(f"{tool.name} has max_parallel={most!r}; write 1 or more")
        limits[f"tool {tool.name}"] = most
    if "exclusive" in hints:
        limits[f"exclusive {hints['exclusive']}"] = 1
    return ToolRules(
        early_start=not destructive,
        shared=not destructive,
        guarded=destructive,
        untrusted=bool(hints.get("openWorldHint")),
        limits=limits,
    )


def _asking(tool: Tool) -> Tool:
    return replace(tool, rules=replace(tool.rules, early_start=False, asks=True))


def _nearest(name: str, names: Iterable[str]) -> str:
    names = list(names)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    return f"did you mean {near[0]!r}?" if near else f"there are {', '.join(names) or 'none'}"


def _short(text: str) -> str:
    line = text.split("\n", 1)[0]
    return line if len(line) <= 60 else line[:57] + "..."


def _kind(schema: JsonSchema | bool) -> str:
    """A parameter's type in as few tokens as possible."""
    if isinstance(schema, bool):
        return ""
    if "enum" in schema:
        return " or ".join(json.dumps(value) for value in schema["enum"])
    if "const" in schema:
        return json.dumps(schema["const"])
    if "anyOf" in schema:
        kinds = dict.fromkeys(_kind(part) for part in schema["anyOf"])
        if "string" in kinds:
            return ""
        return " or ".join(kind for kind in kinds if kind != "null")
    kind = schema.get("type", "")
    if isinstance(kind, list):
        return _kind({"anyOf": [{**schema, "type": one} for one in kind]})
    if kind == "array":
        return f"[{_kind(schema.get('items', {})) or '...'}]"
    if kind == "object":
        return "{name: ...}"
    return str(kind)


def _is_watched(config: RunnableConfig) -> bool:
    callbacks = config.get("callbacks")
    return bool(getattr(callbacks, "handlers", callbacks))


def _direct(tool: Tool) -> Callable[[Mapping[str, Any], RunnableConfig], Any] | None:
    """The function of a plain tool.

    None where LangChain would do more than call it: injected arguments, callbacks, artifacts,
    error handlers.
    """
    base = tool.base
    if type(base) is not StructuredTool or tool.model is None:
        return None
    function = base.coroutine or base.func
    assert function is not None
    injected = set(_annotations(base)) - set(tool.parameters)
    plain = (
        base.response_format == "content"
        and not base.handle_tool_error
        and not base.handle_validation_error
        and not base.callbacks
        and not injected
        and "callbacks" not in inspect.signature(function).parameters
    )
    if not plain:
        return None
    takes_config = _config_parameter(function)

    def call(args: Mapping[str, Any], config: RunnableConfig) -> Any:
        checked = tool.check(args)
        if takes_config:
            checked[takes_config] = config
        return function(**checked)

    return call


def _config_parameter(function: Callable[..., Any]) -> str | None:
    """The parameter that LangChain fills with the run's config."""
    wrapped = function.func if isinstance(function, partial) else function
    try:
        hints = get_type_hints(wrapped)
    except (NameError, TypeError):  # an annotation names what cannot be found
        return None
    return next((name for name, hint in hints.items() if hint is RunnableConfig), None)


def _annotations(base: BaseTool) -> Mapping[str, Any]:
    schema = base.args_schema
    if inspect.isclass(schema) and issubclass(schema, BaseModel):
        return get_all_basemodel_annotations(schema)
    return {}
