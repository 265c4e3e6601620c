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
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from typing import Any

from llm_compiler.language.evaluation.operators import number_in
from llm_compiler.language.evaluation.references import as_text

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


@dataclass(slots=True)
class _Form:
    """What a schema takes, as far as conversions go."""

    kinds: frozenset[str]
    """The kinds of values; none if it takes any."""
    branches: Sequence[Any]
    """The schemas of which one or more must take the value."""
    prefix: Sequence[Any]
    items: Any
    properties: JsonSchema
    required: Container[str]
    others: Any
    options: "list[_Form] | None" = None
    """The forms of the branches, once they are needed."""

    def takes(self, value: Any) -> bool:
        """Whether it takes values of this kind."""
        return not self.kinds or _fits(value, self.kinds)

    @classmethod
    def of(cls, schema: Any, defs: JsonSchema) -> "_Form":
        it = resolved(schema, defs)
        return cls(
            kinds=_kinds(it),
            branches=[part for key in ("anyOf", "oneOf") for part in it.get(key) or ()],
            prefix=it.get("prefixItems") or (),
            items=it.get("items"),
            properties=it.get("properties") or {},
            required=it.get("required") or (),
            others=it.get("additionalProperties"),
        )


class Conversions:
    """Converts a tool's arguments. Each part of its schema is read once, when it is needed.

    Args:
        schema: That of the object of all arguments.
        defs: What its `$ref`s refer to.
    """

    def __init__(self, schema: JsonSchema, defs: JsonSchema) -> None:
        self._schema = schema
        self._defs = defs
        self._forms: dict[int, tuple[Any, _Form]] = {}
        """By the identity of a part of the schema, which is kept with it."""

    def of_args(self, args: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments, converted; without those that are None and may be left out."""
        return self._of_properties(args, self._form(self._schema))

    def _form(self, schema: Any) -> _Form:
        if (known := self._forms.get(id(schema))) is not None:
            return known[1]
        form = _Form.of(schema, self._defs)
        self._forms[id(schema)] = schema, form
        return form

    def _converted(self, value: Any, schema: Any) -> Any:
        """`value` in the form that the schema takes, if it can have it."""
        if type(value) in _SCALARS and _is_plain(value, schema):
            return value
        form = self._form(schema)
        if form.branches:
            return self._of_a_branch(value, form)
        return self._in_form(value, form)

    def _in_form(self, value: Any, form: _Form) -> Any:
        if not form.takes(value):
            value = _as_one_of(value, form.kinds)
        if isinstance(value, list):
            prefix, items = form.prefix, form.items
            if len(value) > _MAX_ITEMS or not (prefix or (items and isinstance(items, Mapping))):
                return value
            each = chain(prefix, repeat(items))
            return [self._converted(item, of) for item, of in zip(value, each, strict=False)]
        return self._of_properties(value, form) if isinstance(value, dict) else value

    def _of_properties(self, value: Mapping[str, Any], form: _Form) -> dict[str, Any]:
        """The properties of an object; without those that are None and may be left out."""
        named, others = form.properties, form.others
        return {
            name: self._converted(part, named.get(name, others))
            for name, part in value.items()
            if part is not None
            or name in form.required
            or self._takes_none(named.get(name, others))
        }

    def _takes_none(self, schema: Any) -> bool:
        form = self._form(schema)
        if form.branches:
            return any(map(self._takes_none, form.branches))
        return form.takes(None)

    def _of_a_branch(self, value: Any, form: _Form) -> Any:
        """`value` as the only branch takes it that takes its kind; else as the first can
        convert it."""
        if form.options is None:
            options = [*map(self._form, form.branches)]
            # What has branches in its branches stays as it is.
            form.options = [] if any(it.branches for it in options) else options
        fitting = [it for it in form.options if it.takes(value)]
        if fitting:
            # Which of several objects is meant, is for the tool to say.
            return self._in_form(value, fitting[0]) if len(fitting) == 1 else value
        converted = (self._in_form(value, it) for it in form.options)
        return next((it for it in converted if type(it) is not type(value)), value)


def _is_plain(value: Any, schema: Any) -> bool:
    """Whether it is a scalar of just the type that the schema names, as most arguments are."""
    return type(schema) is dict and schema.get("type") == _KINDS[type(value)]


def _kinds(it: JsonSchema) -> frozenset[str]:
    """The kinds of values that a resolved schema takes; none if it takes any."""
    kind = it.get("type")
    if isinstance(kind, str | list):
        kinds = frozenset((kind,) if isinstance(kind, str) else map(str, kind))
        # Pydantic's durations take seconds too, but no number that is a text.
        return kinds | {"number"} if it.get("format") == "duration" else kinds
    values = it.get("enum", [it["const"]] if "const" in it else ())
    found = frozenset(_KINDS.get(type(value), "") for value in values)
    return found or frozenset(("object",) if "properties" in it else ())


def _fits(value: Any, kinds: Container[str]) -> bool:
    kind = _KINDS.get(type(value))
    return kind is None or kind in kinds or (kind == "integer" and "number" in kinds)


def _as_one_of(value: Any, kinds: frozenset[str]) -> Any:
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


def _read(text: str, kinds: frozenset[str]) -> Any:
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
