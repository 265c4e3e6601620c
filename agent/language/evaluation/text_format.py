"""The holes of an f-string: `{value!r:>8.2f}`, with bounded widths."""

import re
from typing import Any

from llm_compiler.language.evaluation.budget import Budget, ComputeError
from llm_compiler.language.evaluation.operators import number_in
from llm_compiler.language.evaluation.parts import kind, shown

_SPEC = re.compile(
    r"(?P<align>(?:.?[<>=^])?)(?P<sign>[-+ ]?z?#?0?)(?P<width>\d{0,3})(?P<group>[,_]?)"
    r"(?P<precision>(?:\.\d{1,3})?)(?P<type>[bcdeEfFgGosxX%]?)",
    re.DOTALL,
)


def text_of(value: Any, budget: Budget) -> str:
    """`str(value)`."""
    if isinstance(value, str):
        return value
    if isinstance(value, list | dict):
        budget.weigh(value)
        text = str(value)
        budget.make(len(text))
        return text
    return str(value)


def formatted(value: Any, conversion: str, spec: str, budget: Budget) -> str:
    """A value as an f-string writes it; `conversion` is "", "r", "s" or "a".

    A number's spec leaves a text that is none as it is: `f"{'about 5 km':.1f}"`.
    """
    if conversion in ("r", "a"):
        text_of(value, budget)
        value = repr(value) if conversion == "r" else ascii(value)
    elif conversion == "s":
        value = text_of(value, budget)
    budget.make(len(value) if isinstance(value, str) else 1)
    if not spec:
        return text_of(value, budget)
    found = _SPEC.fullmatch(spec)
    if found is None:
        raise ComputeError(f"{shown(spec)} is not a format; write one such as .2f, ,.0f or >8")
    budget.make(int(found["width"] or 0) + 50)
    for_numbers = bool(found["group"]) or found["type"] not in ("", "s")
    if isinstance(value, str) and for_numbers:
        plain = number_in(value)
        if plain is None:
            return format(value, f"{found['align'].replace('=', '<')}{found['width']}")
        value = plain
    if value is None or isinstance(value, list | dict):
        return text_of(value, budget)
    if found["type"] in tuple("bcdoxX") and isinstance(value, float) and value.is_integer():
        value = int(value)
    try:
        return format(value, spec)
    except (ValueError, TypeError, OverflowError):
        raise ComputeError(f"the format {shown(spec)} does not fit {kind(value)}") from None
