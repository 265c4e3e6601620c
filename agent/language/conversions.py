"""Lossless conversions of arguments to what a tool's JSON schema takes, the same for all tools.

A value that the schema takes stays as it is. Of others,

- a text that is wholly a plain number becomes a number, and a number a text: `"42"`, `42`;
- a whole float becomes an integer, and true, false, 0 and 1 become each other;
- a text that is JSON becomes the list or dict in it: tools often return `json.dumps(…)`;
- None is left out where the schema does not take it and nothing is required.

What cannot be converted stays as it is, and is refused by the check that follows. So does a list
of more than 10,000 items: this runs on the event loop.
"""

import json
from collections.abc import Mapping
from typing import Any

from llm_compiler.language.operators import number_in
from llm_compiler.language.references import as_text

JsonSchema = Mapping[str, Any]
MAX_REFS = 4
"""The most `$ref`s that are followed in a row."""
_MAX_DIGITS = 18
"""Longer numbers are not converted, because a float would not have all their digits."""
_MAX_EXACT = 2**53
_MAX_ITEMS = 10_000
_TRUTH = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
_KINDS: Mapping[type, str] = {
    type(None): "null", bool: "boolean", int: "integer", float: "number", str: "string",
    list: "array", dict: "object",
}  # fmt: skip

_SCALARS = frozenset((bool, int, float, str))


def resolved(schema: Any, defs: JsonSchema) -> JsonSchema:
    """A schema without its `$ref`, and with what is beside it."""
    if not isinstance(schema, Mapping):
        return {}
    parts = [schema]
    for _ in range(MAX_REFS):
        parts += [part for part in parts[-1].get("allOf", ()) if isinstance(part, Mapping)]
        name = str(parts[-1].get("$ref", "")).rpartition("/")[2]
        if not isinstance(defs.get(name), Mapping):
            break
        parts.append(defs[name])
    return {key: value for part in reversed(parts) for key, value in part.items()}


def converted(value: Any, schema: Any, defs: JsonSchema) -> Any:
    """`value` in the form that the schema takes, if it can have it."""
    if type(value) in _SCALARS and _is_plain(value, schema):
        return value
    it = resolved(schema, defs)
    branches = [part for key in ("anyOf", "oneOf") for part in it.get(key) or ()]
    if branches:
        return _of_a_branch(value, branches, defs)
    kinds = _kinds(it)
    if kinds and not _fits(value, kinds):
        value = _as_one_of(value, kinds)
    if isinstance(value, list):
        prefix, items = it.get("prefixItems") or (), it.get("items")
        if len(value) > _MAX_ITEMS or (not prefix and not isinstance(items, Mapping)):
            return value
        each = [*prefix, *[items] * (len(value) - len(prefix))]
        return [converted(item, of, defs) for item, of in zip(value, each, strict=False)]
    if isinstance(value, dict):
        return of_properties(value, it, defs)
    return value


def _is_plain(value: Any, schema: Any) -> bool:
    """Whether it is a scalar of just the type that the schema names, as most arguments are."""
    return isinstance(schema, Mapping) and schema.get("type") == _KINDS[type(value)]


def of_properties(value: Mapping[str, Any], schema: JsonSchema, defs: JsonSchema) -> dict[str, Any]:
    """The properties of an object, converted; without those that are None and may be left out."""
    named = schema.get("properties") or {}
    required, others = schema.get("required") or (), schema.get("additionalProperties")
    return {
        name: converted(part, named.get(name, others), defs)
        for name, part in value.items()
        if part is not None or name in required or takes_none(named.get(name, others), defs)
    }


def takes_none(schema: Any, defs: JsonSchema) -> bool:
    """Whether a schema takes None."""
    it = resolved(schema, defs)
    branches = [part for key in ("anyOf", "oneOf") for part in it.get(key) or ()]
    if branches:
        return any(takes_none(part, defs) for part in branches)
    kinds = _kinds(it)
    return not kinds or "null" in kinds


def _kinds(it: JsonSchema) -> set[str]:
    """The kinds of values that a resolved schema takes; none if it takes any."""
    kind = it.get("type")
    if isinstance(kind, str | list):
        return {kind} if isinstance(kind, str) else set(map(str, kind))
    values = it.get("enum", [it["const"]] if "const" in it else ())
    found = {_KINDS.get(type(value), "") for value in values}
    return found or ({"object"} if "properties" in it else set())


def _fits(value: Any, kinds: set[str]) -> bool:
    kind = _KINDS.get(type(value))
    return kind is None or kind in kinds or (kind == "integer" and "number" in kinds)


def _of_a_branch(value: Any, branches: list[Any], defs: JsonSchema) -> Any:
    """`value` as the only branch takes it that takes its kind; else as the first can convert it."""
    parts = [resolved(branch, defs) for branch in branches]
    if any("anyOf" in it or "oneOf" in it for it in parts):
        return value
    fitting = [it for it in parts if not (kinds := _kinds(it)) or _fits(value, kinds)]
    if fitting:
        # Which of several objects is meant, is for the tool to say.
        return converted(value, fitting[0], defs) if len(fitting) == 1 else value
    options = (converted(value, it, defs) for it in parts)
    return next((it for it in options if type(it) is not type(value)), value)


def _as_one_of(value: Any, kinds: set[str]) -> Any:
    """A value of another kind as one of these kinds, if nothing is lost."""
    if isinstance(value, str):
        return _read(value, kinds)
    if isinstance(value, bool):
        return int(value) if kinds & {"integer", "number"} else value
    if isinstance(value, int | float):
        if "integer" in kinds and type(_whole(value)) is int:
            return _whole(value)
        if "boolean" in kinds and value in (0, 1):
            return bool(value)
        return as_text(value) if "string" in kinds else value
    return value


def _whole(number: float) -> float:
    """A number as an int if it is one."""
    is_exact = isinstance(number, float) and number.is_integer() and abs(number) < _MAX_EXACT
    return int(number) if is_exact else number


def _read(text: str, kinds: set[str]) -> Any:
    """A text as the number, truth value, list or dict that it is."""
    is_short = kinds & {"integer", "number"} and len(text) <= _MAX_DIGITS
    if is_short and (number := number_in(text)) is not None:
        number = number if "number" in kinds else _whole(number)
        return text if isinstance(number, float) and "number" not in kinds else number
    if "boolean" in kinds and text.strip().lower() in _TRUTH:
        return _TRUTH[text.strip().lower()]
    if kinds & {"array", "object"} and text.lstrip()[:1] in ("[", "{"):
        try:
            data = json.loads(text)
        except (ValueError, RecursionError):
            return text
        return data if _fits(data, kinds) else text
    return text
