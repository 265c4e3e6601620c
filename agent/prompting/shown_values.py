"""How results look where a model or a person reads them: short ones in line, long ones as text."""

import math
from typing import Any

from llm_compiler.language.evaluation.references import as_text

MAX_INLINE_CHARS = 100
"""Of a result that is shown in line."""


def in_line(value: Any, text: str) -> str | None:
    """A value as one short line of Python; None if it is long. `text` is its text (`whole`)."""
    if len(text) > MAX_INLINE_CHARS:
        return None
    if not isinstance(value, str):
        return text if isinstance(value, float) else repr(value)
    if len(value.splitlines()) > 1:
        return None
    return f'"{value}"' if value.isprintable() and not {'"', "\\"} & {*value} else repr(value)


def whole(value: Any) -> str:
    """A value as text, without a long tail of digits (0.30000000000000004): it confuses models."""
    return as_text(_rounded(value) if isinstance(value, float) else value)


def _rounded(value: float) -> float | int:
    if not math.isfinite(value):
        return value
    digits = max(7, len(str(int(abs(value)))))
    shorter = float(f"{value:.{digits}g}")
    return int(shorter) if shorter.is_integer() and shorter != value else shorter
