"""What is plainly wrong with a JSON schema that somebody else wrote."""

from collections.abc import Mapping
from typing import Any

_TYPES = frozenset(("array", "boolean", "integer", "null", "number", "object", "string"))
_DATA = frozenset(("const", "default", "enum", "example", "examples"))
"""Keywords whose values are no schemas."""


def problem_in(schema: Any) -> str | None:
    """Why nothing can be checked against a schema, if that is plain to see."""
    parts = [schema]
    while parts:
        part = parts.pop()
        if isinstance(part, list):
            parts += part
        elif isinstance(part, Mapping):
            parts += (value for key, value in part.items() if key not in _DATA)
            kinds = part.get("type")
            for kind in kinds if isinstance(kinds, list) else [kinds]:
                if isinstance(kind, str) and kind not in _TYPES:
                    return f"it has the unknown type {kind!r}"
            pointer = part.get("$ref")
            if isinstance(pointer, str) and not _is_in(schema, pointer):
                return f"it refers to {pointer!r}, which it does not have"
    return None


def _is_in(schema: Any, pointer: str) -> bool:
    if not pointer.startswith("#"):
        return False
    for step in pointer[1:].split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(schema, list) and name.isdigit() and int(name) < len(schema):
            schema = schema[int(name)]
        elif isinstance(schema, Mapping) and name in schema:
            schema = schema[name]
        else:
            return False
    return True
