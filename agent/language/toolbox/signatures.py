"""The signature of a tool in Python, and a JSON schema as a Python type.

    create_ticket(title: str, priority: Literal[1, 2] = 2)

A dict is written with its keys, `"url"?` for one that may be missing.
"""

import keyword
import re
import unicodedata
from functools import lru_cache
from typing import Any

from llm_compiler.language.toolbox.conversions import JsonSchema as Schema
from llm_compiler.language.toolbox.conversions import resolved
from llm_compiler.language.toolbox.parameters import Parameters

MAX_NESTED = 4
"""The most levels of a nested object that are written out."""

_SIMPLE = {
    "string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None",
}  # fmt: skip


def signature(name: str, takes: Parameters) -> str:
    """The signature of the tool `name`."""
    parameters = [_parameter(takes, name, schema) for name, schema in takes.shown.items()]
    others = [f"**{takes.others}"] if takes.others else []
    return f"{python_name(name)}({', '.join([*parameters, *others])})"


@lru_cache(1000)
def python_name(name: str) -> str:
    """A parameter's or a tool's name as Python can write it: `from_`, `due_date`."""
    # Python reads identifiers in this form.
    name = re.sub(r"\W", "_", unicodedata.normalize("NFKC", name))
    name = f"_{name}" if not name or name[0].isdigit() else name
    return f"{name}_" if keyword.iskeyword(name) else name


def _parameter(takes: Parameters, name: str, schema: Schema) -> str:
    kind = type_of(schema, takes.defs, MAX_NESTED)
    shown = f"{python_name(name)}: {kind}" if kind else python_name(name)
    if name in takes.required:
        return shown
    return f"{shown} = {_default(schema, takes.defs)!r}"


def _default(schema: Schema, defs: Schema) -> Any:
    return schema.get("default", resolved(schema, defs).get("default"))


def type_of(schema: Schema | bool, defs: Schema, levels: int) -> str:
    """A schema as a type; "" if it takes anything."""
    it = resolved(schema, defs)
    if "enum" in it:
        return f"Literal[{', '.join(map(repr, it['enum']))}]"
    if "const" in it:
        return f"Literal[{it['const']!r}]"
    for union in ("anyOf", "oneOf"):
        if union in it:
            kinds = dict.fromkeys(type_of(part, defs, levels) for part in it[union])
            return "" if "" in kinds else " | ".join(kinds)
    kind = it.get("type")
    if isinstance(kind, list):
        return " | ".join(type_of({**it, "type": one}, defs, levels) for one in kind)
    if kind == "array":
        if items := it.get("prefixItems"):
            return f"[{', '.join(type_of(item, defs, levels) or 'Any' for item in items)}]"
        inside = type_of(it.get("items", True), defs, levels)
        return f"list[{inside}]" if inside else "list"
    if kind == "object" or "properties" in it:
        return _object(it, defs, levels)
    return _SIMPLE.get(str(kind), "")


def _object(it: Schema, defs: Schema, levels: int) -> str:
    properties = it.get("properties")
    if not properties or not levels:
        values = it.get("additionalProperties", True)
        inside = "" if properties else type_of(values, defs, levels - 1) if levels else ""
        return f"dict[str, {inside}]" if inside else "dict"
    required = it.get("required", ())
    parts = (
        f'"{name}"{"" if name in required else "?"}: {type_of(part, defs, levels - 1) or "Any"}'
        for name, part in properties.items()
    )
    return f"{{{', '.join(parts)}}}"
