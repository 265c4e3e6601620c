"""Converts what tools return to JSON data, which every checkpointer and client can store."""

import enum
import inspect
import io
import math
from collections.abc import (
    AsyncIterator,
    Iterator,
    KeysView,
    Mapping,
    Sequence,
    Set,
    ValuesView,
)
from itertools import islice
from typing import Any

from langchain_core.messages import BaseMessage
from langgraph.types import Command
from pydantic.v1 import BaseModel as BaseModelV1
from pydantic_core import PydanticSerializationError, to_jsonable_python

from llm_compiler.errors import ToolError
from llm_compiler.language.tasks.task import MAX_LEVELS
from llm_compiler.text import clean

MAX_ITERATED = 100_000
"""Items that are taken of an iterator, which may have no end."""


def as_data(value: Any) -> Any:
    """`value` as JSON data: tuples and iterators become lists, dates strings, models objects.

    Values that JSON cannot express become the nearest that it can: whole numbers over 64 bits
    become floats, NaN and infinity strings, and lone surrogates the replacement character.

    Raises:
        ToolError: it cannot be converted, or it is nested too deeply.
    """
    return _reduced(value, MAX_LEVELS)


async def listed(items: AsyncIterator[Any]) -> list[Any]:
    """The items of an async iterator. Raises ToolError if they are too many."""
    found: list[Any] = []
    async for item in items:
        found.append(item)
        _bounded(found)
    return found


def _bounded(items: list[Any]) -> list[Any]:
    if len(items) > MAX_ITERATED:
        raise ToolError(f"it yields more than {MAX_ITERATED:,} items; return fewer")
    return items


def _reduced(value: Any, levels: int) -> Any:
    if isinstance(value, str):
        # A plain string: checkpointers do not restore a string enum.
        return clean(str.__str__(value))
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value) if -(2**63) <= value < 2**64 else _reduced(_as_float(value), levels)
    if isinstance(value, float):
        if math.isfinite(value):
            return float(value)
        return "NaN" if math.isnan(value) else f"{'-' if value < 0 else ''}Infinity"
    if isinstance(value, list | tuple | dict) and not levels:
        raise ToolError(
            f"it returned data nested more than {MAX_LEVELS} levels deep; return flatter data"
        )
    if isinstance(value, list | tuple):
        return [_reduced(item, levels - 1) for item in value]
    if isinstance(value, dict):
        return {_key(key): _reduced(item, levels - 1) for key, item in value.items()}
    if isinstance(value, BaseMessage):
        return _reduced(value.content, levels)
    if isinstance(value, Command):
        raise ToolError("it returned a Command among other data; return the Command alone")
    if inspect.iscoroutine(value):
        value.close()
        raise ToolError("it returned a coroutine among other data; await it")
    if isinstance(value, io.IOBase):
        raise ToolError("it returned an open file; return what is in it")
    if isinstance(value, Iterator):
        return _reduced(_bounded([*islice(value, MAX_ITERATED + 1)]), levels)
    try:
        reduced = to_jsonable_python(
            value, bytes_mode="base64", inf_nan_mode="strings", fallback=_foreign
        )
    except (PydanticSerializationError, TypeError, ValueError, RecursionError) as error:
        raise ToolError(
            f"it returned a value of type {type(value).__name__}, which JSON cannot express;"
            " return text, numbers, lists or dicts"
        ) from error
    return reduced if isinstance(reduced, str) else _reduced(reduced, levels)


def _key(key: Any) -> str:
    return clean(str(key.value if isinstance(key, enum.Enum) else key))


def _foreign(value: Any) -> Any:
    """Values of libraries, which need not be installed, as Python's own.

    Raises:
        TypeError: the value is none that is known.
    """
    if hasattr(value, "dtype") and getattr(value.dtype, "kind", "") in ("m", "M"):
        # Of numpy, in nanoseconds, which Python's own dates do not have.
        return value.astype(str).tolist()
    if callable(listed := getattr(value, "tolist", None)):  # arrays and scalars of numpy
        return listed()
    if isinstance(value, BaseModelV1):
        return value.dict()
    if (fields := getattr(type(value), "__attrs_attrs__", None)) is not None:
        return {it.name: getattr(value, it.name) for it in fields}
    if isinstance(value, Sequence | Set | KeysView | ValuesView):
        return list(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(type(value).__name__)


def _as_float(value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf
