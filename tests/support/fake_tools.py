"""The tools of random programs: plain functions, alike for the same arguments."""

import json
from collections.abc import Callable
from typing import Any


def _weight(value: Any) -> int:
    return sum(map(ord, json.dumps(value))) % 97


def num(x: Any) -> Any:
    """A number made of anything."""
    return _weight(x)


def text(x: Any) -> str:
    """A text made of anything."""
    return f"t{_weight(x)}$1 \"{{x}}' é"


def numbers(x: Any) -> list[Any]:
    """Some numbers, maybe none."""
    return [place * 1.5 if place % 2 else place for place in range(_weight(x) % 5)]


def records(x: Any) -> list[dict[str, Any]]:
    """Some dicts, maybe none."""
    return [{"n": place * 7 % 5, "name": f"r{place}"} for place in range(_weight(x) % 4)]


def packed(x: Any) -> str:
    """Some numbers, as a text that is JSON."""
    return json.dumps(numbers(x))


def fail(x: Any) -> Any:
    """Fails."""
    raise ValueError(x)


def save(x: Any) -> Any:
    """Writes something down."""
    return _weight(x) + 1


def drop(x: Any) -> Any:
    """Fails, but not always."""
    if _weight(x) % 3 == 0:
        raise ValueError(x)
    return 1


READS: dict[str, Callable[..., Any]] = {
    "num": num, "text": text, "numbers": numbers, "records": records, "packed": packed,
    "fail": fail,
}  # fmt: skip
WRITES: dict[str, Callable[..., Any]] = {"save": save, "drop": drop}
