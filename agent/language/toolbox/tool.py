"""A tool as the planner and the compiler see it: its parameters, checks and signature."""

import re
import reprlib
import zlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from langchain_core.tools import BaseTool

from llm_compiler.errors import PlanError, SetupError
from llm_compiler.language.evaluation.references import references
from llm_compiler.language.reading.diagnostics import nearest
from llm_compiler.language.toolbox.conversions import Conversions, JsonSchema
from llm_compiler.language.toolbox.mcp_hints import of_adapter
from llm_compiler.language.toolbox.parameters import Invalid, Parameters
from llm_compiler.language.toolbox.signatures import signature
from llm_compiler.language.toolbox.tool_rules import ToolRules
from llm_compiler.redaction import one_line
from llm_compiler.text import shortened

_MAX_NAME_CHARS = 64
_UNUSABLE = (AttributeError, LookupError, NameError, RuntimeError, TypeError, ValueError)
"""What LangChain and Pydantic raise for arguments that have no JSON schema."""


def plain_name(name: str) -> str:
    """A tool's name as models' providers take it: `Company_Search` for "Company Search"."""
    given, name = name, re.sub(r"[^A-Za-z0-9_-]+", "_", name)
    if not name.strip("_-"):  # it is of another alphabet
        name = f"tool_{zlib.crc32(given.encode()):08x}"
    name = name if name[:1].isalpha() or name[:1] == "_" else f"_{name}"
    return name[:_MAX_NAME_CHARS]


@dataclass(frozen=True)
class Tool:
    """A tool as plans see it. It can be described and checked here, but not called."""

    name: str
    base: BaseTool
    takes: Parameters
    rules: ToolRules

    @classmethod
    def of(cls, base: BaseTool) -> "Tool":
        """Inspect a LangChain tool.

        Raises:
            SetupError: its arguments have no JSON schema, or its metadata has a limit below 1 or a
            domain that is no name.
        """
        try:
            takes = Parameters.of(base)
        except _UNUSABLE as error:
            raise SetupError(
                f"the arguments of {base.name} have no JSON schema: {one_line(error)};"
                " give it an args_schema of plain data"
            ) from error
        return cls(plain_name(base.name), base, takes, _rules(base))

    @property
    def parameters(self) -> Mapping[str, JsonSchema]:
        """JSON schema by parameter name, in the order of positional arguments."""
        return self.takes.shown

    @property
    def required(self) -> frozenset[str]:
        return self.takes.required

    @property
    def schema(self) -> JsonSchema:
        """The whole JSON schema of the arguments, with its `$defs`."""
        return self.takes.schema

    @property
    def defs(self) -> JsonSchema:
        """The parts of the schema that `$ref`s name."""
        return self.takes.defs

    @cached_property
    def hints(self) -> Mapping[str, Any]:
        """MCP's annotations (`readOnlyHint`, `destructiveHint`, …)."""
        return of_adapter(self.base.metadata or {})

    @property
    def destructive(self) -> bool:
        return bool(self.hints.get("destructiveHint"))

    @property
    def retried(self) -> bool:
        """Whether a call is retried after a transient error."""
        writes = self.hints.get("readOnlyHint") is False or bool(self.hints.get("guarded"))
        once = writes and self.hints.get("idempotentHint") is False
        return not self.destructive and not self.rules.asks and not once

    @property
    def signature(self) -> str:
        """How a program calls it: `number(what: str, text: str)`."""
        return signature(self.name, self.takes)

    @property
    def summary(self) -> str:
        """The first line of the description."""
        return self.base.description.strip().split("\n", 1)[0].strip()

    def check(self, args: Mapping[str, Any]) -> dict[str, Any]:
        """The planner's arguments as the tool will get them, converted and with defaults.

        Raises:
            PlanError: the schema rejects them.
        """
        return {**self._defaults, **self.arguments(args)}

    def arguments(
        self, args: Mapping[str, Any], injected: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """All arguments of a call: the planner's, converted, and those that it does not see.

        A model adds its defaults; those of a JSON schema are for the tool, or its server, to add.

        Raises:
            PlanError: the schema rejects them.
        """
        self._check_names(args)
        checked, errors = self._validate(args, injected or {})
        for name, error in errors:
            raise PlanError(error, argument=name or None)
        return checked

    def check_written(self, args: Mapping[str, Any], later: Collection[str] | None = None) -> None:
        """Check arguments as written, except those in `later`, which are checked when filled.

        Without `later`, these are the ones with a reference.

        Raises:
            PlanError: the schema rejects an argument that is already complete. It names it.
        """
        self._check_names(args)
        if later is None:
            later = {name for name, value in args.items() if next(references(value), None)}
        complete = {name: args[name] for name in args if name not in later} if later else args
        if later and not complete:
            return
        for name, error in self._validate(complete, {})[1]:
            if name not in later and (name or not later):
                raise PlanError(error, argument=name or None)

    def _check_names(self, args: Mapping[str, Any]) -> None:
        shown, required = self.takes.shown, self.takes.required
        if not args.keys() <= shown.keys():
            unknown = next(name for name in args if name not in shown)
            if not self.takes.others or unknown in self.takes.injected:
                raise PlanError(
                    f"{self.name} has no argument {unknown!r}; {nearest(unknown, shown)}",
                    argument=unknown,
                )
        if required <= args.keys():
            return
        if missing := [name for name in shown if name in required and name not in args]:
            raise PlanError(
                f"{self.name} needs the argument {missing[0]!r}; write {self.signature}"
            )

    def _validate(
        self, args: Mapping[str, Any], injected: Mapping[str, Any]
    ) -> tuple[dict[str, Any], list[tuple[str, str]]]:
        """The checked arguments, and the parameter and message of each error."""
        errors = []
        given = args
        try:
            given = self._conversions.of_args(args)
            for name, why in self.takes.refused(given):
                errors.append((name, f"{self.name}: {shortened(why, 60)}"))
            return self.takes.validated(given, injected), errors
        except Invalid as error:
            parts: Any = error.errors()
            for part in parts:
                name = self.takes.name_of(str(part["loc"][0])) if part["loc"] else ""
                if name in self.takes.injected and name not in injected:
                    continue
                place = ".".join(map(str, (name, *part["loc"][1:]))) or "its arguments"
                shown = (
                    ""
                    if name in injected
                    else f", not {_shown.repr(part.get('input', given.get(name)))}"
                )
                errors.append((name, f"{self.name}: {place}: {part['msg']}{shortened(shown, 66)}"))
        # A tool's own validators, and an invalid schema, may raise anything.
        except Exception as error:
            errors.append(("", f"{self.name}: its schema cannot check this: {one_line(error)}"))
        return {**given, **injected}, errors

    @cached_property
    def _defaults(self) -> Mapping[str, Any]:
        return {name: it["default"] for name, it in self.parameters.items() if "default" in it}

    @cached_property
    def _conversions(self) -> Conversions:
        others = self.schema.get("additionalProperties")
        shape = {
            "properties": self.parameters,
            "required": self.required,
            **({"additionalProperties": others} if isinstance(others, Mapping) else {}),
        }
        return Conversions(shape, self.defs)


_shown = reprlib.Repr()
_shown.maxstring = _shown.maxother = _shown.maxlong = 200
_shown.maxlist = _shown.maxtuple = _shown.maxdict = _shown.maxset = 50


def _rules(tool: BaseTool) -> ToolRules:
    hints = of_adapter(tool.metadata or {})
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
        guarded=writes or bool(hints.get("guarded")),
        destructive=bool(hints.get("destructiveHint")),
        untrusted=bool(hints.get("openWorldHint")),
        direct=tool.return_direct,
        limits=limits,
    )
