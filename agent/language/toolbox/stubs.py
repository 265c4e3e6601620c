"""Tools as Python signatures, for a model that writes Python: all of their schema, in few tokens.

    def create_ticket(title: str, priority: Literal[1, 2] = 2) -> {"id": int, "url"?: str}:
        \"\"\"Make a ticket.

        title: at most 80 characters
        \"\"\"

What a type cannot express (descriptions, bounds, formats) follows below the signature
(signatures.py), by the path of the parameter.
"""

import inspect
from collections.abc import Iterator, Mapping
from typing import Any, get_type_hints

from pydantic import PydanticUserError, TypeAdapter
from pydantic.errors import PydanticSchemaGenerationError

from llm_compiler.language.toolbox.conversions import JsonSchema as Schema
from llm_compiler.language.toolbox.conversions import resolved
from llm_compiler.language.toolbox.signatures import MAX_NESTED, python_name, type_of
from llm_compiler.language.toolbox.tool import Tool

_BOUNDS = {
    ("minimum", "maximum"): "",
    ("minLength", "maxLength"): " characters",
    ("minItems", "maxItems"): " items",
    ("minProperties", "maxProperties"): " keys",
}


def stub(tool: Tool, *, brief: bool = False) -> str:
    """A tool as a signature with its docstring; `brief` takes only its first paragraph."""
    returned, defs = returned_type(tool), tool.defs
    head = f"def {tool.signature}{f' -> {returned}' if returned else ''}:"
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


def written_names(tool: Tool) -> dict[str, str]:
    """A tool's parameters by how a program may write them, aliases too."""
    aliases = tool.takes.aliases
    names = {**aliases, **{python_name(alias): name for alias, name in aliases.items()}}
    return names | {python_name(name): name for name in tool.parameters}


def schema_type(schema: Schema) -> str:
    """A JSON schema as a type, with what a type cannot express behind it."""
    defs = schema.get("$defs") or schema.get("definitions") or {}
    notes = [*_notes("", {**schema, "description": ""}, defs, MAX_NESTED)]
    return "\n".join([type_of(schema, defs, MAX_NESTED) or "Any", *notes])


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


def returned_type(tool: Tool) -> str:
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
    return type_of(declared, declared.get("$defs", {}), MAX_NESTED)
