"""Arithmetic and comparisons of the plan language: Python's, on JSON data.

A text that is wholly a plain number counts as that number where one is needed. Whole numbers are
exact to 64 bits, beyond that floats; what is too large, a division by zero and what is not a number
is an error.
"""

import ast
import datetime
import math
import re
from collections.abc import Callable, Sequence
from typing import Any

from llm_compiler.language.evaluation.budget import ITEM, Budget, ComputeError
from llm_compiler.language.evaluation.parts import date_in, items, kind, read, shown
from llm_compiler.language.tasks.text_keys import key_in

Number = int | float
MAX_EXPONENT = 10_000
_PLAIN = re.compile(
    r"[+-]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d*)?(?:[eE][+-]?\d{1,4})?|[+-]?\.\d+(?:[eE][+-]?\d{1,4})?",
    re.ASCII,
)
_MAX_DIGITS = 400
_NUMBERS = frozenset((int, float, bool))


def number_in(text: str) -> Number | None:
    """The number that a text is, if it is wholly a plain one: `1,234`, `-3.5e6`."""
    text = text.strip()
    if len(text) > _MAX_DIGITS or not _PLAIN.fullmatch(text):
        return None
    text = text.replace(",", "")
    number = int(text) if text.lstrip("+-").isdigit() else float(text)
    return None if math.isinf(number) else checked(number)


def number(value: Any) -> Number:
    """`value` as a number.

    Raises:
        ComputeError: it is none.
    """
    if isinstance(value, int | float):
        return value
    if isinstance(value, str):
        if (found := number_in(value)) is not None:
            return found
        raise ComputeError(
            f"{kind(value)} is not a plain number; read the number from it with number(what, text)"
        )
    raise ComputeError(f"{kind(value)} is not a number")


def checked(value: Any) -> Number:
    """A result within bounds: whole numbers of 64 bits, finite floats."""
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**63 else checked(_as_float(value))
    if isinstance(value, float) and math.isfinite(value):
        return value
    if isinstance(value, float) and math.isinf(value):
        raise ComputeError("a value is too large; use smaller numbers")
    raise ComputeError("the result is not a number; check the argument of the root, log or power")


def whole(value: Any, what: str) -> int:
    """`value` as a whole number, for `what`."""
    if isinstance(value, str):
        value = number(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int):
        raise ComputeError(f"{what} must be a whole number, not {shown(value)}")
    return value


def _as_float(value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf


# ── arithmetic ────────────────────────────────────────────────────────────────────────────────


def add(a: Any, b: Any, budget: Budget) -> Any:
    if type(a) in _NUMBERS and type(b) in _NUMBERS:
        return checked(a + b)
    if isinstance(a, str) and isinstance(b, str):
        one, other = number_in(a), number_in(b)
        if one is not None and other is not None:
            return checked(one + other)
        budget.make(len(a) + len(b))
        return a + b
    if isinstance(a, list) and isinstance(b, list):
        budget.make(ITEM * (len(a) + len(b)))
        return a + b
    if date := date_in(a):
        return _moved(date, whole(b, "a number of days"))
    for text in (a, b):
        if isinstance(text, str) and number_in(text) is None:
            raise ComputeError(
                f'{kind(a)} and {kind(b)} cannot be added; join strings with f"{{a}}{{b}}",'
                " or read the number with number(what, text)"
            )
    return checked(number(a) + number(b))


def subtract(a: Any, b: Any, budget: Budget) -> Any:
    if date := date_in(a):
        other = date_in(b)
        return (date - other).days if other else _moved(date, -whole(b, "a number of days"))
    return checked(number(a) - number(b))


def multiply(a: Any, b: Any, budget: Budget) -> Any:
    for value, times in ((a, b), (b, a)):
        repeated = isinstance(value, list) or (isinstance(value, str) and number_in(value) is None)
        if repeated and isinstance(times, int):
            budget.make(max(0, times) * len(value) * (ITEM if isinstance(value, list) else 1))
            return value * times
    return checked(number(a) * number(b))


def divide(a: Any, b: Any, budget: Budget) -> Any:
    return checked(number(a) / _divisor(b))


def floor_divide(a: Any, b: Any, budget: Budget) -> Any:
    return checked(number(a) // _divisor(b))


def remainder(a: Any, b: Any, budget: Budget) -> Any:
    if isinstance(a, str) and number_in(a) is None:
        raise ComputeError('% is the remainder of numbers; put values in a string with f"{value}"')
    return checked(number(a) % _divisor(b))


def power(a: Any, b: Any, budget: Budget) -> Any:
    base, exponent = number(a), number(b)
    if abs(exponent) > MAX_EXPONENT:
        raise ComputeError(f"the exponent {exponent} is too large; the bound is {MAX_EXPONENT}")
    if base == 0 and exponent < 0:
        raise ComputeError("division by zero; check the value that is divided by")
    exact = isinstance(base, int) and isinstance(exponent, int) and 0 <= exponent <= 64
    try:
        return checked(base**exponent if exact else float(base) ** exponent)
    except OverflowError:
        raise ComputeError("a value is too large; use smaller numbers") from None


def _divisor(value: Any) -> Number:
    divisor = number(value)
    if divisor == 0:
        raise ComputeError("division by zero; check the value that is divided by")
    return divisor


def _moved(date: datetime.date, days: int) -> str:
    try:
        return (date + datetime.timedelta(days)).isoformat()
    except OverflowError:
        raise ComputeError(f"there is no date {days} days from {date}") from None


BINARY: dict[type[ast.operator], Callable[[Any, Any, Budget], Any]] = {
    ast.Add: add,
    ast.Sub: subtract,
    ast.Mult: multiply,
    ast.Div: divide,
    ast.FloorDiv: floor_divide,
    ast.Mod: remainder,
    ast.Pow: power,
}

# ── comparisons ───────────────────────────────────────────────────────────────────────────────


def equal(a: Any, b: Any, budget: Budget) -> bool:
    """`a == b`; a number and a text that is one are equal if their numbers are."""
    if isinstance(a, str) and type(b) in _NUMBERS:
        return bool(number_in(a) == b)
    if isinstance(b, str) and type(a) in _NUMBERS:
        return bool(number_in(b) == a)
    budget.weigh(a)
    budget.weigh(b)
    return bool(a == b)


def less(a: Any, b: Any, budget: Budget) -> bool:
    one, other = sort_keys([a, b], budget)
    return bool(one < other)


def contains(holder: Any, value: Any, budget: Budget) -> bool:
    """`value in holder`."""
    holder = read(holder, budget)
    if isinstance(holder, str):
        budget.step(len(holder) // 100)
        return (value if isinstance(value, str) else str(number(value))) in holder
    if isinstance(holder, dict):
        return isinstance(value, str | int | float | None) and key_in(holder, value) in holder
    found = items(holder, budget)
    kinds = {*map(type, found), type(value)}
    if kinds == {str} or kinds <= _NUMBERS:
        budget.step(len(found) // 20)
        return value in found
    budget.step(len(found))
    return any(equal(item, value, budget) for item in found)


def sort_keys(values: Sequence[Any], budget: Budget) -> list[Any]:
    """What `values` are ordered by: all numbers, all texts, or all lists of such.

    Raises:
        ComputeError: they have no order.
    """
    kinds = set(map(type, values))
    if kinds <= _NUMBERS:
        return list(values)
    if kinds == {str}:
        budget.step(len(values))
        numbers = [number_in(text) for text in values]
        return list(values) if None in numbers else numbers
    if kinds == {list}:
        for value in values:
            budget.weigh(value)
        if len({len(value) for value in values}) == 1:
            return _row_keys(values, budget)
    if kinds <= {*_NUMBERS, str}:
        return [number(value) for value in values]
    what = " and ".join(sorted({kind(value) for value in values[:5]}))
    raise ComputeError(f"{what} have no order; compare numbers or strings")


def _row_keys(rows: Sequence[list[Any]], budget: Budget) -> list[Any]:
    """As `sort_keys`, for rows of one length; a column need not have an order if those before it
    tell all rows apart."""
    keys: list[tuple[Any, ...]] = [() for _ in rows]
    for column in zip(*rows, strict=True):
        try:
            keys = [(*key, it) for key, it in zip(keys, sort_keys(column, budget), strict=True)]
        except ComputeError:
            if len(set(keys)) < len(keys):
                raise
            break
    return keys


COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any, Budget], bool]] = {
    ast.Eq: equal,
    ast.NotEq: lambda a, b, budget: not equal(a, b, budget),
    ast.Lt: less,
    ast.LtE: lambda a, b, budget: not less(b, a, budget),
    ast.Gt: lambda a, b, budget: less(b, a, budget),
    ast.GtE: lambda a, b, budget: not less(a, b, budget),
    ast.In: lambda a, b, budget: contains(b, a, budget),
    ast.NotIn: lambda a, b, budget: not contains(b, a, budget),
    ast.Is: equal,
    ast.IsNot: lambda a, b, budget: not equal(a, b, budget),
}
