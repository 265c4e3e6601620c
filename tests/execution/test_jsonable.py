"""Results as JSON data."""

import dataclasses
import datetime
import decimal
import enum
import io
import json
import pathlib
import re
import uuid
from collections import OrderedDict, deque
from itertools import count
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from langchain_core.documents import Document
from langchain_core.messages import AIMessage
from langgraph.types import Command
from pydantic import BaseModel

from llm_compiler.errors import ToolError
from llm_compiler.execution.jsonable import as_data
from tests.support.strategies import LITERALS, MANY


class Colour(enum.StrEnum):
    RED = "red"


class Rank(enum.IntEnum):
    FIRST = 1


class Point(NamedTuple):
    x: int
    y: int


@dataclasses.dataclass
class Place:
    name: str
    at: Point


class City(BaseModel):
    name: str
    since: datetime.date


class Name(str):
    pass


@pytest.mark.parametrize(
    ("value", "data"),
    [
        ("é", "é"),
        (None, None),
        (True, True),
        (5, 5),
        (2.5, 2.5),
        ((1, (2, 3)), [1, [2, 3]]),
        ({1: "a", None: "b", (1, 2): "c"}, {"1": "a", "None": "b", "(1, 2)": "c"}),
        ({3}, [3]),
        (frozenset({3}), [3]),
        (deque([1, 2]), [1, 2]),
        (OrderedDict(a=(1,)), {"a": [1]}),
        (b"\xff", "_w=="),
        (Colour.RED, "red"),
        (Rank.FIRST, 1),
        (Name("K2"), "K2"),
        (Point(1, 2), [1, 2]),
        (Place("K2", Point(1, 2)), {"name": "K2", "at": [1, 2]}),
        (City(name="Rome", since=datetime.date(1, 1, 1)), {"name": "Rome", "since": "0001-01-01"}),
        (datetime.datetime(2026, 1, 2, 3, 4), "2026-01-02T03:04:00"),
        (datetime.timedelta(seconds=90), "PT1M30S"),
        (decimal.Decimal("0.1"), "0.1"),
        (pathlib.Path("a"), "a"),
        (uuid.UUID(int=5), "00000000-0000-0000-0000-000000000005"),
        (float("nan"), "NaN"),
        ([float("inf"), -float("inf")], ["Infinity", "-Infinity"]),
        (2**64 - 1, 2**64 - 1),
        (-(2**63), -(2**63)),
        (2**64, float(2**64)),
        (-(10**400), "-Infinity"),
        ("lone \ud800", "lone �"),
        ({"\ud800": "\ud83d\ude00"}, {"�": "😀"}),
        (AIMessage("text"), "text"),
        (MappingProxyType({"a": (1,)}), {"a": [1]}),
        ((n for n in [1]), [1]),
        ([iter("ab")], [["a", "b"]]),
    ],
    ids=lambda value: re.sub(r" at 0x\w+", "", repr(value)),
)
def test_value_becomes_json_data(value: Any, data: Any) -> None:
    reduced = as_data(value)
    assert reduced == data
    assert type(reduced) is type(data)
    json.dumps(reduced, allow_nan=False).encode()


def test_objects_of_libraries_become_objects() -> None:
    assert as_data(Document("text", metadata={"page": 1}))["page_content"] == "text"


@pytest.mark.parametrize(
    ("value", "error"),
    [
        (
            object(),
            "it returned a value of type object, which JSON cannot express; return text, numbers,"
            " lists or dicts",
        ),
        (
            MappingProxyType({}).keys,
            "it returned a value of type builtin_function_or_method, which JSON cannot express",
        ),
        (count(), "it yields more than 100,000 items; return fewer"),
        (io.StringIO("a"), "it returned an open file; return what is in it"),
        (Command(goto="x"), "it returned a Command among other data"),
        ([{"a": object()}], "it returned a value of type object, which JSON cannot express"),
    ],
)
def test_value_that_json_cannot_express_is_the_tools_error(value: Any, error: str) -> None:
    with pytest.raises(ToolError) as raised:
        as_data(value)
    assert str(raised.value).startswith(error)


@MANY
@given(LITERALS)
def test_json_data_stays_as_it_is(value: Any) -> None:
    assert as_data(value) == value
