"""What a call of a server's tool returned, as the value of a plan."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from mcp import types

from llm_compiler.errors import ToolError

_TEXT, _CONTENT = "text", "content"
"""The name of text beside structured content, and the other name if that is taken."""


def value_of(result: types.CallToolResult, schema: Mapping[str, Any] | None = None) -> Any:
    """The value that a call returned: its structured content if it has any, and its text.

    As MCP demands, servers repeat structured content as text, for older clients. Text that says
    something else stands beside it, under `text`; not beside a value that by the schema is no
    object.

    Args:
        result: What the server returned.
        schema: Of the structured content, if the server declares one.

    Raises:
        ToolError: the server says that the call failed.
    """
    texts = [_text(block) for block in result.content]
    text = "\n".join(texts)
    held = result.structured_content
    if result.is_error:
        raise ToolError(text or (json.dumps(held) if held else "the server gave no reason"))
    if held is None:
        return text
    wrapped = isinstance(held, dict) and set(held) == {"result"}
    value = held["result"] if wrapped and (schema is None or wraps(schema)) else held
    if not text.strip() or _repeats(texts, held) or _repeats(texts, value):
        return value
    if schema is not None and not isinstance(value, dict):
        return value
    beside = value if isinstance(value, dict) else {"result": value}
    return {_CONTENT if _TEXT in beside else _TEXT: text, **beside}


def wraps(schema: Mapping[str, Any]) -> bool:
    """Whether a schema of structured content wraps the schema of a value in `result`.

    Structured content had to be an object, so servers wrap other values like this.
    """
    properties = schema.get("properties")
    return (
        isinstance(properties, Mapping)
        and set(properties) == {"result"}
        and isinstance(properties["result"], Mapping)
    )


def _repeats(texts: list[str], value: Any) -> bool:
    """Whether the texts are a value written out: as a whole, by its items, or one of its fields."""
    items = [*_items(value)]
    if len(texts) == len(items) and all(map(_says, texts, items)):
        return True
    fields = value.values() if isinstance(value, dict) else ()
    return _says("\n".join(texts), value, *fields)


def _items(value: Any) -> Iterator[Any]:
    """What MCP's own servers make a text of each: the items of lists within lists, but for null."""
    for item in value if isinstance(value, list) else ():
        if isinstance(item, list):
            yield from _items(item)
        elif item is not None:
            yield item


def _says(text: str, *values: Any) -> bool:
    """Whether a text is one of the values, written out."""
    try:
        parsed = json.loads(text)
    # It is no JSON, nested too deeply, or a number of too many digits.
    except (ValueError, RecursionError):
        parsed = ...
    text = text.strip()
    said = (isinstance(value, str) and text == value.strip() for value in values)
    return parsed in values or text in map(str, values) or any(said)


def _text(block: types.ContentBlock) -> str:
    """A block of content as text. A block that is not text becomes a short note."""
    match block:
        case types.TextContent(text=text):
            return text
        case types.ResourceLink():
            return f"[resource {block.name}: {block.uri}]"
        case types.EmbeddedResource(resource=types.TextResourceContents(text=text)):
            return text
        case types.EmbeddedResource(resource=types.BlobResourceContents() as blob):
            return f"[resource {blob.uri}: {blob.mime_type or 'data'}, {_size(blob.blob)}]"
        case types.ImageContent() | types.AudioContent():
            return f"[{block.type}: {block.mime_type}, {_size(block.data)}]"
    return f"[{block.type}]"


def _size(base64: str) -> str:
    size = len(base64.rstrip("=")) * 3 // 4
    return f"{size} bytes" if size < 1000 else f"{size // 1000} kB"
