"""Lossless conversions of arguments to what a JSON schema takes."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_compiler.language.toolbox.conversions import Conversions
from tests.support.strategies import LITERALS

DEFS = {
    "N": {"type": "integer"},
    "P": {"type": "object", "properties": {"n": {"$ref": "#/$defs/N"}, "s": {"type": "string"}}},
    "Loop": {"$ref": "#/$defs/Loop"},
}
INTEGER, NUMBER, TEXT, TRUTH = ({"type": it} for it in ("integer", "number", "string", "boolean"))
LIST = {"type": "array", "items": INTEGER}


def converted(value: Any, schema: Any) -> Any:
    """The value of a required parameter with this schema."""
    shape = {"properties": {"x": schema}, "required": ["x"]}
    return Conversions(shape, DEFS).of_args({"x": value})["x"]


@pytest.mark.parametrize(
    ("value", "schema", "expected"),
    [
        ("42", INTEGER, 42),
        (" 1,234 ", INTEGER, 1234),
        ("2.0", INTEGER, 2),
        ("2.5", INTEGER, "2.5"),
        ("5 km", NUMBER, "5 km"),
        ("12345678901234567890", INTEGER, "12345678901234567890"),
        (2.0, INTEGER, 2),
        (2.5, INTEGER, 2.5),
        (1e300, INTEGER, 1e300),
        (True, INTEGER, 1),
        (1, TRUTH, True),
        (2, TRUTH, 2),
        ("Yes", TRUTH, True),
        (5, TEXT, "5"),
        (2.5, TEXT, "2.5"),
        (True, TEXT, True),
        (None, TEXT, None),
        (["1", 2.0], LIST, [1, 2]),
        ('["1", 2.0]', LIST, [1, 2]),
        ("[1", LIST, "[1"),
        ("1", LIST, "1"),
        ('{"n": "1"}', {"$ref": "#/$defs/P"}, {"n": 1}),
        ({"n": "1", "s": 2, "more": "3"}, {"$ref": "#/$defs/P"}, {"n": 1, "s": "2", "more": "3"}),
        ({"n": None, "s": "a"}, {"$ref": "#/$defs/P"}, {"s": "a"}),
        ({"a": "1"}, {"type": "object", "additionalProperties": INTEGER}, {"a": 1}),
        (["1", "2", "3"], {"type": "array", "prefixItems": [INTEGER, TEXT]}, [1, "2", "3"]),
        ("7", {"anyOf": [INTEGER, {"type": "null"}]}, 7),
        ("7", {"anyOf": [INTEGER, TEXT]}, "7"),
        (None, {"anyOf": [INTEGER, {"type": "null"}]}, None),
        ({"n": "1"}, {"oneOf": [{"$ref": "#/$defs/P"}, {"type": "null"}]}, {"n": 1}),
        ({"n": "1"}, {"oneOf": [{"$ref": "#/$defs/P"}, {"type": "object"}]}, {"n": "1"}),
        ("7", {"type": ["integer", "null"]}, 7),
        ("2", {"enum": [1, 2]}, 2),
        (2, {"enum": ["1", "2"]}, "2"),
        ("3", {"const": 3}, 3),
        ("3", {"allOf": [{"$ref": "#/$defs/N"}], "description": "A number."}, 3),
        ("3", {"$ref": "#/$defs/Loop"}, "3"),
        ("3", True, "3"),
        ("3", {}, "3"),
    ],
)
def test_value_is_converted_without_loss_or_not_at_all(
    value: Any, schema: Any, expected: Any
) -> None:
    found = converted(value, schema)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("schema", "taken"),
    [
        ({}, True),
        (TEXT, False),
        ({"type": ["string", "null"]}, True),
        ({"anyOf": [TEXT, {"type": "null"}]}, True),
        ({"enum": ["a", None]}, True),
        ({"$ref": "#/$defs/N"}, False),
    ],
)
def test_schema_says_whether_it_takes_none(schema: Any, taken: bool) -> None:
    given = Conversions({"properties": {"x": schema}}, DEFS).of_args({"x": None})
    assert given == ({"x": None} if taken else {})


@given(LITERALS, st.sampled_from([INTEGER, NUMBER, TEXT, TRUTH, LIST, {"$ref": "#/$defs/P"}]))
def test_converting_twice_changes_nothing_more(value: Any, schema: Any) -> None:
    once = converted(value, schema)
    assert converted(once, schema) == once
