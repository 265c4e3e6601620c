"""The beginning of a result as text, in a time that does not depend on how long the result is."""

from collections.abc import Iterator
from typing import Any

from llm_compiler.language.evaluation.references import as_text
from llm_compiler.language.tasks.text_keys import key_text
from llm_compiler.language.tasks.weight import exceeds


def excerpt(value: Any, max_chars: int) -> str:
    """The text of a value (`as_text`) if that has at most `max_chars` characters; else as many or
    more of its beginning."""
    if isinstance(value, str):
        return value[: max_chars + 1]
    if not exceeds([value], max_chars, characters_per_part=1):
        return as_text(value)
    found, remaining = [], max_chars
    for piece in _json(value, max_chars):
        found.append(piece)
        remaining -= len(piece)
        if remaining < 0:
            break
    return "".join(found)


def _json(value: Any, max_chars: int) -> Iterator[str]:
    """JSON data piece by piece, with long strings truncated."""
    if isinstance(value, dict):
        between = "{"
        for key, item in value.items():
            yield f"{between}{as_text([key_text(key)[:max_chars]])[1:-1]}: "
            yield from _json(item, max_chars)
            between = ", "
        yield "}" if value else "{}"
    elif isinstance(value, list):
        between = "["
        for item in value:
            yield between
            yield from _json(item, max_chars)
            between = ", "
        yield "]" if value else "[]"
    else:
        yield as_text([value[:max_chars] if isinstance(value, str) else value])[1:-1]
