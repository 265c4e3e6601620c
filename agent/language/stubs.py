"""Tools as Python signatures, for a model that writes Python: all of their schema, in few tokens.

    def create_ticket(title: str, priority: Literal[1, 2] = 2) -> {"id": int, "url"?: str}:
        \"\"\"Make a ticket.

        title: at most 80 characters
        \"\"\"

A dict is written with its keys, `"url"?` for one that may be missing. What a type cannot express
(descriptions, bounds, formats) follows below, by the path of the parameter.
"""

import inspect
import keyword
import re
import unicodedata
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, get_type_hints

from pydantic import PydanticUserError, TypeAdapter
from pydantic.errors import PydanticSchemaGenerationError

from llm_compiler.language.conversions import JsonSchema as Schema
from llm_compiler.language.conversions import resolved
from llm_compiler.language.tool import Tool

MAX_NESTED = 4
"""The most levels of a nested object that are written out."""

_SIMPLE = {
    "string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None",
}  # fmt: skip
_BOUNDS = {
    ("minimum", "maximum"): "",
    ("minLength", "maxLength"): " characters",
    ("minItems", "maxItems"): " items",
    ("minProperties", "maxProperties"): " keys",
}


def stub(tool: Tool, *, brief: bool = False) -> str:
    """A tool as a signature with its docstring; `brief` takes only its first paragraph."""
    defs = tool.defs
    shown = [_parameter(tool, name, schema, defs) for name, schema in tool.parameters.items()]
    parameters = ", ".join([*shown, *([f"**{tool.takes.others}"] if tool.takes.others else [])])
    returned = _returned(tool)
    head = f"def {python_name(tool.name)}({parameters}){f' -> {returned}' if returned else ''}:"
    text = inspect.cleandoc(tool.base.description or "").replace('"""', "'''")
    text = text.split("\n\n", 1)[0] if brief else text
    notes = [
        note
        for name, schema in tool.parameters.items()
        for note in _notes(python_name(name), schema, defs, MAX_NESTED)
    ]
    if "\n" not in text and not notes:
        return f'{head} """{text}"""'
    lines = [text, *([""] if text and notes else []), *notes]
    body = "\n".join(f"    {line}".rstrip() for line in "\n".join(lines).split("\n"))
    return f'{head}\n    """{body.lstrip()}\n    """'


@lru_cache(1000)
def python_name(name: str) -> str:
    """A parameter's or a tool's name as Python can write it: `from_`, `due_date`."""
    # Python reads identifiers in this form.
    name = re.sub(r"\W", "_", unicodedata.normalize("NFKC", name))
    name = f"_{name}" if not name or name[0].isdigit() else name
    return f"{name}_" if keyword.iskeyword(name) else name


def written_names(tool: Tool) -> dict[str, str]:
    """A tool's parameters by how a program may write them, aliases too."""
    aliases = tool.takes.aliases
    names = {**aliases, **{python_name(alias): name for alias, name in aliases.items()}}
    return names | {python_name(name): name for name in tool.parameters}


def schema_type(schema: Schema) -> str:
    """A JSON schema as a type, with what a type cannot express behind it."""
    defs = schema.get("$defs") or schema.get("definitions") or {}
    notes = [*_notes("", {**schema, "description": ""}, defs, MAX_NESTED)]
    return "\n".join([_kind(schema, defs, MAX_NESTED) or "Any", *notes])


def _parameter(tool: Tool, name: str, schema: Schema, defs: Schema) -> str:
    kind = _kind(schema, defs, MAX_NESTED)
    shown = f"{python_name(name)}: {kind}" if kind else python_name(name)
    if name in tool.required:
        return shown
    return f"{shown} = {_default(schema, defs)!r}"


def _default(schema: Schema, defs: Schema) -> Any:
    return schema.get("default", resolved(schema, defs).get("default"))


def _kind(schema: Schema | bool, defs: Schema, levels: int) -> str:
    """A schema as a type; "" if it takes anything."""
    it = resolved(schema, defs)
    if "enum" in it:
        return f"Literal[{', '.join(map(repr, it['enum']))}]"
    if "const" in it:
        return f"Literal[{it['const']!r}]"
    for union in ("anyOf", "oneOf"):
        if union in it:
            kinds = dict.fromkeys(_kind(part, defs, levels) for part in it[union])
            return "" if "" in kinds else " | ".join(kinds)
    kind = it.get("type")
    if isinstance(kind, list):
        return " | ".join(_kind({**it, "type": one}, defs, levels) for one in kind)
    if kind == "array":
        if items := it.get("prefixItems"):
            return f"[{', '.join(_kind(item, defs, levels) or 'Any' for item in items)}]"
        inside = _kind(it.get("items", True), defs, levels)
        return f"list[{inside}]" if inside else "list"
    if kind == "object" or "properties" in it:
        return _object(it, defs, levels)
    return _SIMPLE.get(str(kind), "")


def _object(it: Schema, defs: Schema, levels: int) -> str:
    properties = it.get("properties")
    if not properties or not levels:
        values = it.get("additionalProperties", True)
        inside = "" if properties else _kind(values, defs, levels - 1) if levels else ""
        return f"dict[str, {inside}]" if inside else "dict"
    required = it.get("required", ())
    parts = (
        f'"{name}"{"" if name in required else "?"}: {_kind(part, defs, levels - 1) or "Any"}'
        for name, part in properties.items()
    )
    return f"{{{', '.join(parts)}}}"


def _notes(path: str, schema: Schema | bool, defs: Schema, levels: int) -> Iterator[str]:
    """What a type cannot express about a parameter and its parts, one line each."""
    it = resolved(schema, defs)
    said = [" ".join(str(it["description"]).split())] if it.get("description") else []
    said += _bounds(it)
    if said:
        yield f"{path}: {'; '.join(said)}"
    if not levels:
        return
    for name, part in it.get("properties", {}).items():
        yield from _notes(f"{path}.{name}", part, defs, levels - 1)
    if isinstance(it.get("items"), Mapping):
        yield from _notes(f"{path}[]", it["items"], defs, levels - 1)
    for part in it.get("anyOf", it.get("oneOf", ())):
        yield from _notes(path, part, defs, levels - 1)


def _bounds(it: Schema) -> Iterator[str]:
    for (least, most), what in _BOUNDS.items():
        if least in it and most in it:
            yield f"{it[least]} to {it[most]}{what}"
        elif least in it:
            yield f"at least {it[least]}{what}"
        elif most in it:
            yield f"at most {it[most]}{what}"
    for key, words in (
        ("exclusiveMinimum", "above"),
        ("exclusiveMaximum", "below"),
        ("multipleOf", "a multiple of"),
        ("format", "format"),
        ("pattern", "matches"),
    ):
        if key in it:
            yield f"{words} {it[key]}"
    if it.get("uniqueItems"):
        yield "all different"
    if it.get("examples"):
        yield f"such as {', '.join(map(repr, it['examples'][:3]))}"


def _returned(tool: Tool) -> str:
    """The type of a tool's result, as far as it is known; else ""."""
    declared = tool.hints.get("returns", tool.hints.get("outputSchema"))
    if isinstance(declared, str):
        return declared
    if declared is None:
        if getattr(tool.base, "response_format", "content") != "content":
            return ""
        function = getattr(tool.base, "coroutine", None) or getattr(tool.base, "func", None)
        try:
            declared = get_type_hints(function).get("return") if function else None
        except (NameError, TypeError):
            return ""
    if declared is None or declared is Any:
        return ""
    if not isinstance(declared, Mapping):
        try:
            declared = TypeAdapter(declared).json_schema(mode="serialization")
        except (PydanticUserError, PydanticSchemaGenerationError):
            return ""
    return _kind(declared, declared.get("$defs", {}), MAX_NESTED)
