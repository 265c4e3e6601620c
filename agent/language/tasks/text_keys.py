"""Keys of dicts: numbers where Python has numbers, and texts wherever JSON is needed.

What is computed from results keeps its keys: `{2020: "a"}` has the number in all tasks of a plan.
What leaves them, to a tool, to the state or to a model, is JSON, whose keys are texts.
"""

import json
from typing import Any

_FLAT = frozenset((int, float, bool, str, type(None)))


def key_text(key: Any) -> str:
    """A key as JSON has it."""
    return key if isinstance(key, str) else json.dumps(key)


def key_in(holder: dict[Any, Any], key: Any) -> Any:
    """A key as a dict has it, if it does.

    A dict that was JSON has texts for numbers, and a text that is a number counts as that number.
    """
    if key in holder:
        return key
    if not isinstance(key, str):
        text = key_text(key)
        return text if text in holder else key
    try:
        number = json.loads(key) if key[-1:].isdigit() else None
    except ValueError:
        return key
    return number if type(number) in (int, float) and number in holder else key


def has_text_keys(value: Any) -> bool:
    """Whether the keys of all dicts in a value are texts."""
    waiting = [value]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if not set(map(type, value)) <= {str}:
                return False
            value = value.values()
        elif not isinstance(value, list):
            continue
        if not set(map(type, value)) <= _FLAT:
            waiting += value
    return True


def with_text_keys(value: Any) -> Any:
    """A value as JSON data; it is the value itself if that is."""
    return value if has_text_keys(value) else _made(value)


def _made(value: Any) -> Any:
    if isinstance(value, list):
        return [_made(item) for item in value]
    if isinstance(value, dict):
        return {key_text(name): _made(item) for name, item in value.items()}
    return value
