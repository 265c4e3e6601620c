"""How calls, counts, seconds and untrusted text are written on the screen."""

import json
import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import Any

from llm_compiler.language.evaluation.references import PATTERN
from llm_compiler.language.tasks.task import ANSWER, COMPUTE

Told = Callable[[str], str]
"""Writes what has the task's result, by its id: a variable, or a call."""
_KEPT = {"\n": "\n", "\t": "    ", "\r": ""}
# Characters that change the direction of the text after them: they can make it look different.
_BIDI_CONTROLS = "\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


def visible(text: str) -> str:
    """`text` with each control character replaced by its visible symbol, such as ␛ for ESC."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _picture(char) for char in text)


def one_line(text: str) -> str:
    """`visible` text with every run of white space as one space."""
    return visible(" ".join(text.split()))


def call(tool: str, args: Mapping[str, Any], told: Told | None = None) -> str:
    """A call in Python, or what a task computes. With `told`, its references are replaced."""
    if told is not None and tool in (COMPUTE, ANSWER):
        expression = _replaced(str(args.get("expression", "")), told)
        return one_line(expression if tool == COMPUTE else f"{tool}({expression})")
    return one_line(f"{tool}({', '.join(_value(value, told) for value in args.values())})")


def computed(value: str) -> str:
    """A computed value without the noise of binary fractions: 237.86000000000058 is `237.86`."""
    try:
        return f"{float(value):.12g}" if "." in value and len(value) > 12 else value
    except ValueError:
        return value


def counted(number: int, noun: str) -> str:
    """`1 task`, `2 tasks`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def seconds(value: float) -> str:
    """Seconds in readable form: `4 ms`, `3.1 s`, `75 s`."""
    if value < 0.0995:
        return f"{value * 1000:.0f} ms"
    return f"{value:.1f} s" if value < 59.95 else f"{value:,.0f} s"


def duration(seconds: float) -> str:
    """A time that somebody set, in words: `5 minutes`, `90 seconds`, `1 hour`."""
    for size, noun in ((3600, "hour"), (60, "minute")):
        if seconds >= size and seconds % size == 0:
            return counted(int(seconds // size), noun)
    return "1 second" if seconds == 1 else f"{seconds:g} seconds"


def tokens(usage: Mapping[str, Mapping[str, int]]) -> str:
    """Input and output tokens by role: `planner 412 in 63 out, joiner 250 in 20 out`."""
    spent = [
        f"{role} {used['input']:,} in {used['output']:,} out"
        for role, used in usage.items()
        if used["input"] or used["output"]
    ]
    return ", ".join(spent)


def _value(value: Any, told: Told | None) -> str:
    if isinstance(value, list):
        return f"[{', '.join(_value(item, told) for item in value)}]"
    if isinstance(value, dict):
        items = (f"{_value(key, told)}: {_value(item, told)}" for key, item in value.items())
        return f"{{{', '.join(items)}}}"
    if not isinstance(value, str):
        return repr(value)
    if told is None:
        return json.dumps(value, ensure_ascii=False)
    found = PATTERN.fullmatch(value)
    replaced = _replaced(value, told)
    return replaced if found and not found["dollar"] else json.dumps(replaced, ensure_ascii=False)


def _replaced(text: str, told: Told) -> str:
    def replacement(found: re.Match[str]) -> str:
        held = "$" if found["dollar"] else told(found["id"] or found["braced"] or found["instance"])
        return held + (found["inner"] or "") + found["path"]

    return PATTERN.sub(replacement, text)


def _picture(char: str) -> str:
    if char in _KEPT:
        return _KEPT[char]
    if char < " ":
        return chr(0x2400 + ord(char))
    # Characters that join letters or emoji, and spaces of other widths, are harmless.
    harmless = unicodedata.category(char) in ("Cf", "Zs") and char not in _BIDI_CONTROLS
    return char if harmless else "�"
