"""Reduces what tools return to JSON data, so that every checkpointer and client can hold it."""

import math
from collections.abc import AsyncIterator, Iterator
from typing import Any

from langchain_core.messages import BaseMessage
from langgraph.types import Command
from pydantic_core import PydanticSerializationError, to_jsonable_python

from llm_compiler.errors import ToolError
from llm_compiler.language.task import DEEPEST
from llm_compiler.text import clean


def as_data(value: Any) -> Any:
    """`value` as JSON data: tuples become lists, dates text, models objects.

    What JSON cannot say keeps its meaning as far as it goes: whole numbers over 64 bits become
    floats, "NaN" and "Infinity" texts, lone surrogates the replacement character.

    Raises:
        ToolError: there is nothing sensible to reduce it to, or it is nested too deeply.
    """
    return _reduced(value, DEEPEST)


def _reduced(value: Any, levels: int) -> Any:
    if isinstance(value, str):
        # Exactly text: not an enum, which no checkpointer reads back.
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
        raise ToolError(f"it returned data of more than {DEEPEST} levels; return it flatter")
    if isinstance(value, list | tuple):
        return [_reduced(item, levels - 1) for item in value]
    if isinstance(value, dict):
        return {clean(str(key)): _reduced(item, levels - 1) for key, item in value.items()}
    if isinstance(value, BaseMessage):
        return _reduced(value.content, levels)
    if isinstance(value, Command):
        raise ToolError("it returned a Command, which only a graph's node can; return the data")
    if isinstance(value, Iterator | AsyncIterator):
        raise ToolError(f"it returned a {type(value).__name__}; return a list of its items")
    try:
        reduced = to_jsonable_python(value, bytes_mode="base64", inf_nan_mode="strings")
    except (PydanticSerializationError, ValueError, RecursionError) as error:
        raise ToolError(
            f"it returned a {type(value).__name__}, which no JSON holds;"
            " return text, numbers, lists or dicts"
        ) from error
    return reduced if isinstance(reduced, str) else _reduced(reduced, levels)


def _as_float(value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf
