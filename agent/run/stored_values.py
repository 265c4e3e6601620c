"""Values of a stored state, one by one: whole numbers, texts and JSON data."""

import math
from collections.abc import Mapping
from typing import Any

from llm_compiler.errors import ToolError
from llm_compiler.execution.jsonable import as_data
from llm_compiler.language.evaluation.references import as_text
from llm_compiler.language.tasks.task import MAX_LEVELS
from llm_compiler.language.tasks.task_ids import TaskId, is_instance
from llm_compiler.text import clean

MAX_ID = 10**9 - 1
_KINDS = {
    str: "a string",
    bool: "true or false",
    int: "a number",
    float: "a number",
    list: "a list",
    type(None): "null",
}


def whole(value: Any) -> int | None:
    """An id or a round as a whole number from 1; a form sends it as a string."""
    try:
        number = int(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if 0 < number <= MAX_ID else None


def is_id(value: Any) -> bool:
    """Whether a value is the id of a task as it should be stored."""
    return 0 < value <= MAX_ID if type(value) is int else is_instance(value)


def id_of(value: Any) -> TaskId | None:
    """An id: a whole number, or the text of an instance."""
    return value if is_instance(value) else whole(value)


def data(value: Any, otherwise: Any) -> Any:
    """`value` as JSON data, the same object if it is; `otherwise` if it cannot be data."""
    if is_data(value, MAX_LEVELS):
        return value
    try:
        return as_data(value)
    except (ToolError, RecursionError):
        return otherwise


def text_of(value: Any) -> str:
    """`value` as text: JSON if it is not a string, and empty for None."""
    if isinstance(value, str):
        return value if is_data(value, 0) else clean(value)
    return "" if value is None else as_text(data(value, "it cannot be read"))


def kind_of(value: Any) -> str:
    """What a value is, as a message says it."""
    other = "an object" if isinstance(value, Mapping) else f"of type {type(value).__name__}"
    return _KINDS.get(type(value), other)


def is_data(value: Any, levels: int) -> bool:
    """Whether a value is JSON data that every checkpointer holds."""
    kind = type(value)
    if kind is str:
        return str.isascii(value) or _is_text(value)
    if kind is bool or value is None:
        return True
    if kind is int:
        return bool(-(2**63) <= value < 2**64)
    if kind is float:
        return math.isfinite(value)
    if not levels:
        return False
    if kind is dict:
        for key in value:
            if type(key) is not str or not (key.isascii() or _is_text(key)):
                return False
        value = value.values()
    elif kind is not list:
        return False
    return all(is_data(item, levels - 1) for item in value)


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
