"""JSON schemas from the words that benchmarks have for types."""

from collections.abc import Mapping
from typing import Any

_TYPES = {
    "string": "string str char date enum text varchar",
    "integer": "integer int long short byte bigint",
    "number": "number float double",
    "boolean": "boolean bool",
    "array": "array list arraylist tuple set queue stack vector",
    "object": "object dict hashmap hashtable map",
    "null": "null none",
}
_JSON_TYPES = {word: kind for kind, words in _TYPES.items() for word in words.split()}


def schema_of(given: Any) -> dict[str, Any]:
    """A benchmark's description of a value as JSON schema. A type that it does not know is any."""
    if not isinstance(given, Mapping):
        return {}
    schema: dict[str, Any] = {}
    if isinstance(given.get("description"), str):
        schema["description"] = given["description"]
    if kind := _JSON_TYPES.get(str(given.get("type", "")).split("(")[0].strip().lower()):
        schema["type"] = kind
    for words in ("enum", "allowed_values", "possible_values", "choices"):
        if isinstance(given.get(words), list) and given[words]:
            schema["enum"] = given[words]
            break
    for words in ("default", "default_value"):
        if words in given:
            schema["default"] = given[words]
            break
    if isinstance(given.get("items"), Mapping):
        schema["items"] = schema_of(given["items"])
    if isinstance(given.get("properties"), Mapping):
        schema |= object_of(given["properties"], given.get("required"))
    return schema


def object_of(properties: Mapping[str, Any], required: Any = None) -> dict[str, Any]:
    """The schema of arguments; each may say itself that it is required, or a list may."""
    listed = required if isinstance(required, list) else []
    needed = [
        name
        for name, it in properties.items()
        if name in listed or (isinstance(it, Mapping) and it.get("required") is True)
    ]
    return {
        "type": "object",
        "properties": {name: schema_of(it) for name, it in properties.items()},
        "required": needed,
    }
