"""A tool as the planner and the compiler see it: its parameters, checks and signature."""

import inspect
import json
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from jsonschema.protocols import Validator
from langchain_core.tools import BaseTool
from pydantic import BaseModel, PydanticUserError, ValidationError

from llm_compiler.errors import PlanError, SetupError
from llm_compiler.language import schema_checks
from llm_compiler.language.diagnostics import nearest
from llm_compiler.language.references import references
from llm_compiler.language.tool_rules import ToolRules
from llm_compiler.redaction import one_line
from llm_compiler.text import shortened

JsonSchema = Mapping[str, Any]
_SINGLE_INPUT: JsonSchema = {
    "type": "object",
    "properties": {"tool_input": {"type": "string"}},
    "required": ["tool_input"],
}


@dataclass(frozen=True)
class Tool:
    """A tool as plans see it. It can be described and checked here, but not called."""

    base: BaseTool
    parameters: Mapping[str, JsonSchema]
    """JSON schema by parameter name, in the order of positional arguments."""
    required: frozenset[str]
    schema: JsonSchema
    """The whole JSON schema of the arguments, with its `$defs`."""
    model: type[BaseModel] | None
    rules: ToolRules

    @classmethod
    def of(cls, base: BaseTool) -> "Tool":
        """Inspect a LangChain tool.

        Raises:
            SetupError: its arguments have no JSON schema, or its metadata has a limit below 1 or a
            domain that is no name.
        """
        try:
            # LangChain's `Tool` takes one string, but its schema shows a wrapper's arguments.
            single = base.args_schema is None and base.args == _SINGLE_INPUT["properties"]
            schema = _SINGLE_INPUT if single else base.tool_call_schema
            model = schema if inspect.isclass(schema) and issubclass(schema, BaseModel) else None
            as_json: Any = model.model_json_schema() if model is not None else schema
        except PydanticUserError as error:
            raise SetupError(
                f"the arguments of {base.name} have no JSON schema: {error}"
            ) from error
        variadic = _variadic(base)
        return cls(
            base=base,
            # In JSON schema, `true` is a schema that allows everything.
            parameters={
                name: schema if isinstance(schema, Mapping) else {}
                for name, schema in as_json.get("properties", {}).items()
                if name not in variadic
            },
            required=frozenset(as_json.get("required", ())),
            schema=as_json,
            model=model,
            rules=_rules(base),
        )

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
        """Whether a call is retried after a transient error."""
        once = self.hints.get("readOnlyHint") is False and self.hints.get("idempotentHint") is False
        return not self.destructive and not self.rules.asks and not once

    @property
    def signature(self) -> str:
        """The tool as a prompt shows it: `number(what, text)`."""
        return f"{self.name}({', '.join(map(self._parameter, self.parameters))})"

    @property
    def summary(self) -> str:
        """The first line of the description."""
        return self.base.description.strip().split("\n", 1)[0].strip()

    def check(self, args: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments as the tool will get them, including defaults.

        Raises:
            PlanError: the schema rejects them.
        """
        self._check_names(args)
        checked, errors = self._validate(args)
        for name, error in errors:
            raise PlanError(error, argument=name or None)
        return checked

    def check_written(self, args: Mapping[str, Any]) -> None:
        """Check arguments as written, except those with a reference, which are checked when filled.

        Raises:
            PlanError: the schema rejects an argument that is already complete. It names it.
        """
        self._check_names(args)
        filled_later = {name for name, value in args.items() if next(references(value), None)}
        for name, error in self._validate(args)[1]:
            if name not in filled_later and (name or not filled_later):
                raise PlanError(error, argument=name or None)

    def _check_names(self, args: Mapping[str, Any]) -> None:
        if unknown := next((name for name in args if name not in self.parameters), None):
            raise PlanError(
                f"{self.name} has no argument {unknown!r}; {nearest(unknown, self.parameters)}",
                argument=unknown,
            )
        missing = (name for name in self.parameters if name in self.required and name not in args)
        for name in missing:
            raise PlanError(f"{self.name} needs the argument {name!r}; write {self.signature}")

    def _validate(self, args: Mapping[str, Any]) -> tuple[dict[str, Any], list[tuple[str, str]]]:
        """The checked arguments, and the parameter and message of each error."""
        errors = []
        try:
            if self.model is not None:
                checked = self.model.model_validate(dict(args))
                return {name: getattr(checked, name) for name in self.parameters}, []
            for refused in schema_checks.errors_of(self._validator, args):
                name = str(refused.path[0]) if refused.path else ""
                errors.append((name, f"{self.name}: {shortened(refused.message, 60)}"))
        except ValidationError as error:
            for part in error.errors(include_url=False):
                name = str(part["loc"][0]) if part["loc"] else ""
                place = ".".join(map(str, part["loc"])) or "its arguments"
                given = shortened(_shown.repr(part["input"]), 60)
                errors.append((name, f"{self.name}: {place}: {part['msg']}, not {given}"))
        # A tool's own validators, and an invalid schema, may raise anything.
        except Exception as error:
            errors.append(("", f"{self.name}: its schema cannot check this: {one_line(error)}"))
        return {**self._defaults, **args}, errors

    @cached_property
    def _validator(self) -> Validator:
        return schema_checks.validator_for(self.schema)

    @cached_property
    def _defaults(self) -> dict[str, Any]:
        return {name: s["default"] for name, s in self.parameters.items() if "default" in s}

    def _parameter(self, name: str) -> str:
        schema = self.parameters[name]
        shown = name if (kind := _kind(schema)) in ("string", "") else f"{name}: {kind}"
        return f"{shown}={json.dumps(schema['default'])}" if "default" in schema else shown


_shown = reprlib.Repr()
_shown.maxstring = _shown.maxother = _shown.maxlong = 200
_shown.maxlist = _shown.maxtuple = _shown.maxdict = _shown.maxset = 50


def _variadic(tool: BaseTool) -> set[str]:
    """The names of `*args` and `**kwargs`, which LangChain lists as parameters."""
    function = getattr(tool, "coroutine", None) or getattr(tool, "func", None)
    if function is None or isinstance(tool.args_schema, dict):
        return set()
    kinds = inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD
    return {p.name for p in inspect.signature(function).parameters.values() if p.kind in kinds}


def _rules(tool: BaseTool) -> ToolRules:
    hints = tool.metadata or {}
    writes = bool(hints.get("destructiveHint")) or hints.get("readOnlyHint") is False
    limits = {}
    if "max_parallel" in hints:
        most = hints["max_parallel"]
        if not isinstance(most, int) or most < 1:
            raise SetupError(f"{tool.name} has max_parallel={most!r}; write 1 or more")
        limits[f"tool {tool.name}"] = most
    if "exclusive" in hints:
        limits[f"exclusive {hints['exclusive']}"] = 1
    domain = hints.get("domain", "")
    if not isinstance(domain, str):
        raise SetupError(f"{tool.name} has domain={domain!r}; write a name, such as 'orders'")
    return ToolRules(
        writes=writes,
        domain=domain,
        guarded=writes,
        destructive=bool(hints.get("destructiveHint")),
        untrusted=bool(hints.get("openWorldHint")),
        limits=limits,
    )


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
