"""How calls, counts, seconds and untrusted text are written on the screen."""

import json
import unicodedata
from collections.abc import Mapping
from typing import Any

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


def call(tool: str, args: Mapping[str, Any]) -> str:
    """A call in the plan language: `math("$3 - $4")`; a bare reference has no quotes."""
    return one_line(f"{tool}({', '.join(_argument(value) for value in args.values())})")


def counted(number: int, noun: str) -> str:
    """`1 task`, `2 tasks`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def seconds(value: float) -> str:
    """Seconds in readable form: `4 ms`, `3.1 s`, `75 s`."""
    if value < 0.0995:
        return f"{value * 1000:.0f} ms"
    return f"{value:.1f} s" if value < 59.95 else f"{value:,.0f} s"


def tokens(usage: Mapping[str, Mapping[str, int]]) -> str:
    """Input and output tokens by role: `planner 412 in 63 out, joiner 250 in 20 out`."""
    spent = [
        f"{role} {used['input']:,} in {used['output']:,} out"
        for role, used in usage.items()
        if used["input"] or used["output"]
    ]
    return ", ".join(spent)


def _argument(value: Any) -> str:
    if isinstance(value, str) and value[:1] == "$" and value.strip("${}").isdigit():
        return value
    return json.dumps(value, ensure_ascii=False)


def _picture(char: str) -> str:
    if char in _KEPT:
        return _KEPT[char]
    if char < " ":
        return chr(0x2400 + ord(char))
    # Characters that join letters or emoji, and spaces of other widths, are harmless.
    harmless = unicodedata.category(char) in ("Cf", "Zs") and char not in _BIDI_CONTROLS
    return char if harmless else "�"
