"""Converts a tool's JSON schema to the grammar of its calls.

schema of a parameter ─► rule of its values ─► rule of the tool's calls
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from llm_compiler.language.grammar.gbnf import Rules, quoted
from llm_compiler.language.grammar.program_rules import (
    DEFAULT_MAX_ITEMS,
    DEFAULT_MAX_STRING_CHARS,
    ESCAPE,
    HARD_MAX_ITEMS,
    HARD_MAX_STRING_CHARS,
    PLAIN,
)
from llm_compiler.language.toolbox.signatures import python_name
from llm_compiler.language.toolbox.tool import Tool

Schema = Mapping[str, Any] | bool

_SCALARS = {
    "integer": "integer",
    "number": "number",
    "boolean": "boolean",
    "null": '"None"',
}
# Keys that describe the structure of a value, and the type that they imply.
_STRUCTURE = {
    "type": "",
    "properties": "object",
    "required": "",
    "additionalProperties": "object",
    "items": "array",
    "prefixItems": "array",
}


@dataclass(frozen=True)
class Inner:
    """The rules of expressions."""

    computed: str
    """Names, calls and computations."""
    text: str
    """F-strings."""
    any: str
    """Values of any kind."""


class ToolCalls:
    """Writes the rules of one tool's calls into `rules`; `inner` stands in their arguments."""

    def __init__(self, rules: Rules, tool: Tool, inner: Inner) -> None:
        self._rules = rules
        self._tool = tool
        self._inner = inner
        self._bracketed: dict[str, str] = {}

    def rule(self) -> str:
        name = self._rules.reserve(self._tool.name)
        opening = quoted(f"{python_name(self._tool.name)}(")
        self._rules.define(name, " ".join([opening, *self._arguments(), '")"']))
        return name

    def _arguments(self) -> list[str]:
        """The required arguments at the beginning by place or by name, all others by name."""
        names, required = list(self._tool.parameters), self._tool.required
        values = {name: self._value(schema) for name, schema in self._tool.parameters.items()}
        named = {name: f"{quoted(f'{python_name(name)}=')} {values[name]}" for name in names}
        leading = 0
        while leading < len(names) and names[leading] in required:
            leading += 1
        others = names[leading:]
        rest = self._listed(
            [named[name] for name in others if name in required],
            [named[name] for name in others if name not in required],
            led=leading > 0,
        )
        # As in Python, all arguments after a named one are named.
        all_named = rest
        for index in reversed(range(leading)):
            comma = ['", "'] if index else []
            by_name = [named[names[index]], *all_named]
            rest = [*comma, "(", values[names[index]], *rest, "|", *by_name, ")"]
            all_named = [*comma, *by_name]
        return rest

    def _listed(self, required: list[str], optional: list[str], *, led: bool) -> list[str]:
        """The items in order, separated by commas. `led`: there are other items before them."""
        tail: list[str] = []
        starts: list[str] = []
        for item in reversed(optional):
            starts.insert(0, " ".join([item, *tail]))
            tail = [self._rules.rule("more", " ".join([f'(", " {item})?', *tail]))]
        if not led and not required:
            return [f"({' | '.join(starts)})?"] if starts else []
        commas = [part for item in required for part in ('", "', item)]
        return (commas if led else commas[1:]) + tail

    # ── values ────────────────────────────────────────────────────────────────────────────────

    def _value(self, schema: Schema) -> str:
        """The rule of a value. Any value may be computed instead."""
        alternatives = dict.fromkeys(self._alternatives(schema))
        if self._inner.any in alternatives:
            return self._inner.any
        if "number" in alternatives:
            alternatives.pop("integer", None)
        return self._rules.rule("value", " | ".join([*alternatives, self._inner.computed]))

    def _alternatives(self, schema: Schema, through: frozenset[str] = frozenset()) -> list[str]:
        """The forms that a value may have. `through`: the `$ref`s followed without a bracket."""
        if not isinstance(schema, Mapping):
            return [self._inner.any] if schema else []
        if "$ref" in schema:
            pointer = schema["$ref"]
            if pointer in through:
                return []
            return self._alternatives(self._resolved(schema), through | {pointer})
        if "enum" in schema or "const" in schema:
            choices = schema["enum"] if "enum" in schema else [schema["const"]]
            return [quoted(_written(choice)) for choice in choices]
        if "allOf" in schema:
            return self._alternatives(self._merged(schema, *schema["allOf"]), through)
        for union in ("anyOf", "oneOf"):
            if union in schema:
                parts = [self._merged(schema, part) for part in schema[union]]
                return [text for part in parts for text in self._alternatives(part, through)]
        kinds = schema.get("type") or next(filter(None, map(_STRUCTURE.get, schema)), "")
        return [self._of(kind, schema) for kind in ([kinds] if isinstance(kinds, str) else kinds)]

    def _resolved(self, schema: Schema) -> Schema:
        """The schema that a `$ref` names; any value is allowed if it cannot be resolved."""
        if not isinstance(schema, Mapping) or "$ref" not in schema:
            return schema
        found: Any = self._tool.schema
        for step in schema["$ref"].removeprefix("#").split("/")[1:]:
            key = step.replace("~1", "/").replace("~0", "~")
            found = found.get(key, True) if isinstance(found, Mapping) else True
        return found if schema["$ref"].startswith("#") else True

    def _merged(self, schema: Mapping[str, Any], *parts: Schema) -> Schema:
        """One schema that combines `allOf`, `anyOf` or `oneOf` parts with the keys next to them."""
        whole = {key: schema[key] for key in _STRUCTURE if key in schema}
        if not whole and len(parts) == 1:
            return parts[0]
        for part in map(self._resolved, parts):
            if isinstance(part, Mapping):
                properties = {**whole.get("properties", {}), **part.get("properties", {})}
                required = [*whole.get("required", ()), *part.get("required", ())]
                both = {"properties": properties, "required": required}
                whole |= {**part, **{key: both[key] for key in both if both[key]}}
        return whole

    def _of(self, kind: str, schema: Mapping[str, Any]) -> str:
        if kind == "string":
            return self._string(schema)
        if kind not in ("array", "object"):
            return _SCALARS.get(kind, self._inner.any)
        # A recursive schema becomes a recursive rule.
        key = f"{kind} {json.dumps(schema, sort_keys=True, default=str)}"
        if key not in self._bracketed:
            name = self._bracketed[key] = self._rules.reserve(kind)
            self._rules.define(
                name, self._array(schema) if kind == "array" else self._object(schema)
            )
        return self._bracketed[key]

    def _string(self, schema: Mapping[str, Any]) -> str:
        least, most = schema.get("minLength", 0), schema.get("maxLength")
        if not least and most is None:
            return f"string | {self._inner.text}"
        bound = _within(least, most, DEFAULT_MAX_STRING_CHARS, HARD_MAX_STRING_CHARS)
        written = rf'"\"" ({PLAIN} | {ESCAPE}){{{least},{bound}}} "\""'
        return f"{self._rules.rule('string', written)} | {self._inner.text}"

    def _array(self, schema: Mapping[str, Any]) -> str:
        if prefix := schema.get("prefixItems"):
            return " ".join(
                ['"["', *self._listed(list(map(self._value, prefix)), [], led=False), '"]"']
            )
        item = self._value(schema.get("items", True))
        least, most = schema.get("minItems", 0), schema.get("maxItems")
        return f'"[" {_repeated(item, least, most)} "]"'

    def _object(self, schema: Mapping[str, Any]) -> str:
        properties = schema.get("properties", {})
        required = dict.fromkeys(schema.get("required", ()))
        others = schema.get("additionalProperties", True)
        if not properties and not required and others is not False:
            return self._map(schema, others)
        items = {
            key: f"{quoted(f'{_written(key)}: ')} {self._value(properties.get(key, True))}"
            for key in {**properties, **required}
        }
        listed = self._listed(
            [items[key] for key in items if key in required],
            [items[key] for key in items if key not in required],
            led=False,
        )
        return " ".join(['"{"', *listed, '"}"'])

    def _map(self, schema: Mapping[str, Any], values: Schema) -> str:
        value = self._value(values)
        least, most = schema.get("minProperties", 0), schema.get("maxProperties")
        names = self._resolved(schema.get("propertyNames", True))
        choices = names.get("enum", ()) if isinstance(names, Mapping) else ()
        keys = " | ".join(quoted(_written(choice)) for choice in choices)
        pair = self._rules.rule("pair", f'{f"({keys})" if keys else "key"} ": " {value}')
        return f'"{{" {_repeated(pair, least, most)} "}}"'


def _within(least: int, most: int | None, usual: int, limit: int) -> int:
    """The bound of a repetition: the schema's, within our limit, or the usual one."""
    return max(least, min(usual if most is None else most, limit))


def _repeated(item: str, least: int, most: int | None) -> str:
    """Items separated by commas, as many as the schema asks for and our bounds allow."""
    bound = _within(least, most, DEFAULT_MAX_ITEMS, HARD_MAX_ITEMS)
    if bound < 1:
        return ""
    more = f' (", " {item}){{{max(least - 1, 0)},{bound - 1}}}' if bound > 1 else ""
    items = f"{item}{more}"
    return items if least else f"({items})?"


def _written(value: Any) -> str:
    """JSON data in Python, with double quotes."""
    match value:
        case str():
            return json.dumps(value, ensure_ascii=False)
        case list():
            return f"[{', '.join(map(_written, value))}]"
        case dict():
            pairs = (f"{_written(key)}: {_written(item)}" for key, item in value.items())
            return f"{{{', '.join(pairs)}}}"
    return repr(value)
