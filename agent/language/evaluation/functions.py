"""The functions of the plan language: Python's, over JSON data. Tuples and sets are lists."""

import datetime
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from llm_compiler.language.evaluation.budget import ITEM, Budget, ComputeError
from llm_compiler.language.evaluation.operators import (
    checked,
    number,
    power,
    sort_keys,
    whole,
)
from llm_compiler.language.evaluation.parts import date_in, items, kind, read, shown
from llm_compiler.language.evaluation.sets import distinct
from llm_compiler.language.evaluation.text_format import text_of

Key = Callable[[Any], Any]
MAX_DIGITS = 300


@dataclass(frozen=True, slots=True)
class Function:
    """A function that an expression may call: its code, and how it may be called."""

    code: Callable[..., Any]
    """Gets the budget, then the arguments."""
    fewest: int
    most: int
    keywords: frozenset[str] = frozenset()


def _length(budget: Budget, value: Any) -> int:
    holder = read(value, budget)
    if not isinstance(holder, str | list | dict):
        raise ComputeError(f"{kind(value)} has no length; a list or a string has one")
    return len(holder)


def _values(value: Any, budget: Budget) -> list[Any]:
    found = items(value, budget)
    budget.step(len(found) // 8)
    return found


def _numbers(value: Any, budget: Budget) -> list[Any]:
    found = _values(value, budget)
    if set(map(type, found)) <= {int, float, bool}:
        return found
    budget.step(len(found))
    return [number(item) for item in found]


def _sum(budget: Budget, value: Any, start: Any = 0) -> Any:
    return checked(sum(_numbers(value, budget), number(start)))


def _mean(budget: Budget, value: Any, *more: Any) -> Any:
    numbers = _numbers([value, *more] if more else value, budget)
    if not numbers:
        raise ComputeError("an empty list has no mean")
    return checked(sum(numbers) / len(numbers))


def _extreme(code: Callable[..., Any]) -> Callable[..., Any]:
    def extreme(budget: Budget, *values: Any, key: Key | None = None, default: Any = ...) -> Any:
        found = list(values) if len(values) > 1 else _values(values[0], budget)
        if not found:
            if default is not ...:
                return default
            raise ComputeError(f"an empty list has no {code.__name__}")
        if not key and set(map(type, found)) <= {int, float, bool}:
            return code(found)
        keys = sort_keys([key(item) for item in found] if key else found, budget)
        place = code(range(len(keys)), key=keys.__getitem__)
        item = found[place]
        # A text that is a number counts as that number where numbers are compared.
        return (
            item
            if key or not isinstance(item, str) or isinstance(keys[place], str)
            else keys[place]
        )

    return extreme


def _extreme_key(code: Callable[..., Any], name: str) -> Callable[..., Any]:
    def extreme_key(budget: Budget, value: Any) -> Any:
        holder = read(value, budget)
        if not isinstance(holder, dict) or not holder:
            raise ComputeError(f"{name} takes a dict of names with their values, not {kind(value)}")
        names, values = list(holder), list(holder.values())
        # Dates have an order, too. Other texts are most often numbers with a unit, which have none.
        dated = all(date_in(value) for value in values)
        keys = values if dated else _numbers(values, budget)
        return names[code(range(len(keys)), key=keys.__getitem__)]

    return extreme_key


def _next(budget: Budget, value: Any, default: Any = ...) -> Any:
    found = items(value, budget)
    if not found and default is ...:
        raise ComputeError("next of nothing: no item is left; give a default: next(…, None)")
    return found[0] if found else default


def _sorted(budget: Budget, value: Any, key: Key | None = None, reverse: Any = False) -> list[Any]:
    found = items(value, budget)
    keys = sort_keys([key(item) for item in found] if key else found, budget)
    budget.make(ITEM * len(found))
    budget.step(len(found) * len(found).bit_length() // 8)
    places = sorted(range(len(keys)), key=keys.__getitem__, reverse=bool(reverse))
    return [found[place] for place in places]


def _round(budget: Budget, value: Any, digits: Any = None) -> Any:
    if digits is None:
        return checked(round(number(value)))
    if abs(whole(digits, "the digits of round")) > MAX_DIGITS:
        raise ComputeError(f"round to {digits} digits; the bound is {MAX_DIGITS}")
    return checked(round(number(value), whole(digits, "the digits of round")))


def _int(budget: Budget, value: Any = 0) -> Any:
    return checked(int(number(value)))


def _list(budget: Budget, value: Any = ()) -> list[Any]:
    found = items(list(value) if value == () else value, budget)
    budget.make(ITEM * len(found))
    return list(found)


def _set(budget: Budget, value: Any = ()) -> list[Any]:
    return distinct(_list(budget, value), budget)


def _dict(budget: Budget, value: Any = (), **named: Any) -> dict[Any, Any]:
    value = read(list(value) if value == () else value, budget)
    pairs = value.items() if isinstance(value, dict) else (
        pair if isinstance(pair, list) and len(pair) == 2 else _no_pair(pair)
        for pair in items(value, budget)
    )  # fmt: skip
    made = {as_key(name): item for name, item in pairs} | named
    budget.make(ITEM * len(made))
    return made


def _no_pair(value: Any) -> Any:
    raise ComputeError(f"{kind(value)} is not a pair of a name and a value")


def as_key(value: Any) -> Any:
    """`value` as a dict's key."""
    if isinstance(value, str | int | float | None):
        return value
    raise ComputeError(f"{kind(value)} cannot be a key of a dict; use a string or a number")


def _range(budget: Budget, *bounds: Any) -> list[int]:
    numbers = [whole(bound, "a bound of range") for bound in bounds]
    if len(numbers) == 3 and numbers[2] == 0:
        raise ComputeError("range has a step of 0; use another one")
    made = range(*numbers)
    # `len` refuses what is longer than 64 bits hold.
    budget.make(ITEM * max(0, (made.stop - made.start) // made.step + 1))
    return list(made)


def _zip(budget: Budget, *lists: Any, strict: Any = False) -> list[Any]:
    columns = [items(column, budget) for column in lists]
    budget.make(ITEM * (1 + len(columns)) * min(map(len, columns), default=0))
    return [list(row) for row in zip(*columns, strict=False)]


def _enumerate(budget: Budget, value: Any, start: Any = 0) -> list[Any]:
    found = items(value, budget)
    budget.make(3 * ITEM * len(found))
    return [[place, item] for place, item in enumerate(found, whole(start, "the start"))]


def _reversed(budget: Budget, value: Any) -> list[Any]:
    return _list(budget, value)[::-1]


def _date(budget: Budget, value: Any, month: Any = None, day: Any = None) -> str:
    if month is not None:
        parts = [whole(part, "a part of a date") for part in (value, month, day)]
        try:
            return datetime.date(*parts).isoformat()
        except (ValueError, OverflowError) as error:
            raise ComputeError(f"{parts} is not a date: {error}") from None
    text = value.strip()[:10] if isinstance(value, str) else value
    if date_in(text) is None:
        raise ComputeError(f'{kind(value)} is not a date; write it as "2026-11-27"')
    return str(text)


def _math(code: Callable[..., Any], fewest: int = 1, most: int = 1) -> Function:
    def compute(budget: Budget, *values: Any) -> Any:
        try:
            return checked(code(*map(number, values)))
        except ValueError:
            called = f"{code.__name__}({', '.join(map(shown, values))})"
            raise ComputeError(f"{called} is not a number; check its arguments") from None
        except OverflowError:
            raise ComputeError("a value is too large; use smaller numbers") from None

    return Function(compute, fewest, most)


FUNCTIONS: Mapping[str, Function] = {
    "len": Function(_length, 1, 1),
    "sum": Function(_sum, 1, 2, frozenset(["start"])),
    "mean": Function(_mean, 1, 99),
    "min": Function(_extreme(min), 1, 99, frozenset(["key", "default"])),
    "max": Function(_extreme(max), 1, 99, frozenset(["key", "default"])),
    "largest": Function(_extreme_key(max, "largest"), 1, 1),
    "smallest": Function(_extreme_key(min, "smallest"), 1, 1),
    "next": Function(_next, 1, 2),
    "iter": Function(_list, 1, 1),
    "sorted": Function(_sorted, 1, 1, frozenset(["key", "reverse"])),
    "abs": Function(lambda budget, value: checked(abs(number(value))), 1, 1),
    "pow": Function(lambda budget, base, exponent: power(base, exponent, budget), 2, 2),
    "round": Function(_round, 1, 2, frozenset(["ndigits"])),
    "any": Function(lambda budget, value: any(_values(value, budget)), 1, 1),
    "all": Function(lambda budget, value: all(_values(value, budget)), 1, 1),
    "int": Function(_int, 0, 1),
    "float": Function(lambda budget, value=0.0: checked(float(number(value))), 0, 1),
    "str": Function(lambda budget, value="": text_of(value, budget), 0, 1),
    "bool": Function(lambda budget, value=False: bool(value), 0, 1),
    "list": Function(_list, 0, 1),
    "tuple": Function(_list, 0, 1),
    "set": Function(_set, 0, 1),
    "dict": Function(_dict, 0, 1, frozenset(["*"])),
    "range": Function(_range, 1, 3),
    "zip": Function(_zip, 0, 99, frozenset(["strict"])),
    "enumerate": Function(_enumerate, 1, 2, frozenset(["start"])),
    "reversed": Function(_reversed, 1, 1),
    "date": Function(_date, 1, 3),
}
MATH: Mapping[str, Function] = {
    **{
        code.__name__: _math(code)
        for code in (
            math.sqrt, math.exp, math.log2, math.log10, math.sin, math.cos, math.tan, math.asin,
            math.acos, math.atan, math.degrees, math.radians, math.fabs, math.floor, math.ceil,
            math.trunc, math.cbrt, math.sinh, math.cosh, math.tanh,
        )
    },
    "log": _math(math.log, 1, 2),
    "pow": _math(math.pow, 2, 2),
    "atan2": _math(math.atan2, 2, 2),
    "hypot": _math(math.hypot, 1, 9),
}  # fmt: skip
CONSTANTS = {"pi": math.pi, "e": math.e, "tau": math.tau}
"""Of the module `math`."""
