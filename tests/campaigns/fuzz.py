"""Expressions thrown at `math`: only numbers come out, only its operations go in, all at once."""

import math
import time
from collections.abc import Callable
from itertools import islice
from random import Random
from typing import Any

from langchain_core.tools import ToolException

from llm_compiler.tools import arithmetic
from tests.campaigns import trials
from tests.campaigns.expressions import expressions
from tests.campaigns.report import Report, Say

_RETIMED = 3

Evaluate = Callable[[str], Any]


def campaign(
    seed: int, tries: int, say: Say, *, evaluate: Evaluate = arithmetic.evaluate
) -> Report:
    """Try `tries` expressions on `evaluate`."""

    def attempt(text: str) -> tuple[str, str | None, float]:
        return _tried(evaluate, text)

    return trials.run(
        islice(expressions(Random(seed)), tries),
        attempt,
        lambda text: (attempt(text)[2] for _ in range(_RETIMED)),
        allowed=frozenset(arithmetic._OPERATIONS.values()),
        tries=tries,
        say=say,
    )


def _tried(evaluate: Evaluate, text: str) -> tuple[str, str | None, float]:
    """What came of an expression, what is wrong with that, and the seconds that it took."""
    began = time.thread_time()
    try:
        value, error = evaluate(text), None
    except BaseException as raised:  # whatever it is, it is judged
        value, error = None, raised
    took = time.thread_time() - began
    if error is None:
        return type(value).__name__, _not_a_number(value), took
    return "refused", _unclear(error), took


def _not_a_number(value: Any) -> str | None:
    sound = (
        type(value) is bool
        or (type(value) is int and -(2**63) <= value < 2**63)
        or (type(value) is float and math.isfinite(value))
    )
    return None if sound else f"it came to {value!r:.100}"


def _unclear(error: BaseException) -> str | None:
    message = str(error)
    clear = isinstance(error, ToolException) and "\n" not in message and 20 < len(message) < 400
    return None if clear else f"it raised {error!r:.200}"
