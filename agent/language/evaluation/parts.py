"""The parts of a value: of dicts and lists, and of texts that are JSON or dates.

Tools often return `json.dumps(…)`: a path, a loop or an index reads such a text. What is missing
is an error that lists what exists.
"""

import datetime
import json
import re
from typing import Any

from llm_compiler.language.evaluation.budget import ITEM, Budget, ComputeError
from llm_compiler.language.tasks.text_keys import key_in

MAX_NAMES = 12
"""How many of the existing names an error lists."""
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_DATE_PARTS = ("year", "month", "day")


def read(value: Any, budget: Budget) -> Any:
    """`value`, or the list or dict in it if it is a JSON text."""
    if isinstance(value, str) and value.lstrip()[:1] in ("[", "{"):
        budget.make(len(value))
        try:
            data = json.loads(value)
        except (ValueError, RecursionError):
            return value
        return data if isinstance(data, list | dict) else value
    return value


def items(value: Any, budget: Budget) -> list[Any]:
    """What a loop over `value` goes through: items, a dict's keys, a text's characters."""
    value = read(value, budget)
    if isinstance(value, list):
        return value
    if isinstance(value, dict | str):
        budget.make(ITEM * len(value))
        return list(value)
    raise ComputeError(f"{kind(value)} has no items to go through; a list is needed")


def part(value: Any, key: Any, budget: Budget) -> Any:
    """`value[key]`, and `value.key` if the key is a name."""
    holder = read(value, budget)
    if isinstance(holder, dict):
        if isinstance(key, str | int | float | None) and (name := key_in(holder, key)) in holder:
            return holder[name]
        raise ComputeError(f"no {shown(key)} in {{{_listed(holder)}}}")
    if isinstance(holder, list | str) and isinstance(key, int):
        if -len(holder) <= key < len(holder):
            return holder[key]
        raise ComputeError(f"no [{key}] in {kind(holder)}")
    if isinstance(holder, str) and key in _DATE_PARTS and (date := date_in(holder)):
        return getattr(date, key)
    if isinstance(holder, int) and key == "days":
        return holder  # of a difference of dates
    if isinstance(holder, list) and holder and isinstance(holder[0], dict):
        raise ComputeError(
            f"no {shown(key)} in {kind(holder)}; its items have {{{_listed(holder[0])}}},"
            " so take one by [0] or go through them"
        )
    raise ComputeError(f"no {shown(key)} in {kind(holder)}")


def cut(value: Any, budget: Budget, start: Any, stop: Any, step: Any) -> Any:
    """`value[start:stop:step]`."""
    holder = read(value, budget)
    for bound in (start, stop, step):
        if bound is not None and not isinstance(bound, int):
            raise ComputeError(
                f"{shown(bound)} is not an index of {kind(holder)}; use whole numbers"
            )
    if not isinstance(holder, list | str):
        raise ComputeError(f"{kind(holder)} cannot be sliced; a list or a string can")
    if step == 0:
        raise ComputeError("a slice has a step of 0; use another one")
    budget.make(len(range(*slice(start, stop, step).indices(len(holder)))) * ITEM)
    return holder[start:stop:step]


def date_in(text: Any) -> datetime.date | None:
    """The date that a text is: `2026-11-27` and nothing else."""
    if not isinstance(text, str) or not _DATE.fullmatch(text):
        return None
    try:
        return datetime.date.fromisoformat(text)
    except ValueError:
        return None


def kind(value: Any) -> str:
    """What a value is, for an error."""
    match value:
        case None:
            return "None"
        case bool():
            return str(value)
        case int() | float():
            return f"the number {value}"
        case str():
            return f"the string {shown(value)}"
        case list():
            return f"a list of {len(value)}"
    return f"a dict with {{{_listed(value)}}}" if value else "an empty dict"


def shown(value: Any) -> str:
    """A value in an error: short, and on one line."""
    if isinstance(value, list | dict):
        return kind(value)
    if isinstance(value, str):
        text = json.dumps(value[:41], ensure_ascii=False)
        return text if len(value) <= 40 else f'{text[:38]}…"'
    return repr(value)


def _listed(holder: dict[Any, Any]) -> str:
    names = [str(name)[:30] for name in list(holder)[:MAX_NAMES]]
    names = [name if name.isprintable() else repr(name)[1:-1] for name in names]
    return ", ".join(names) + (", …" if len(holder) > MAX_NAMES else "")
