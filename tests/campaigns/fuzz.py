"""Expressions thrown at `math`: only numbers come out, only its operations go in, all at once."""

import math
import os
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import chdir
from itertools import islice
from random import Random
from typing import Any

from langchain_core.tools import ToolException

from llm_compiler.tools import arithmetic
from tests.campaigns.escapes import CANARY
from tests.campaigns.expressions import expressions
from tests.campaigns.report import Progress, Report, Say
from tests.campaigns.watch import watching

LIMIT = 0.05
"""Seconds of one expression."""
_RETIMED = 3

Evaluate = Callable[[str], Any]


def campaign(
    seed: int, tries: int, say: Say, *, evaluate: Evaluate = arithmetic.evaluate
) -> Report:
    """Try `tries` expressions on `evaluate`."""
    report, counts = Report(), Counter[str]()
    allowed = frozenset(arithmetic._OPERATIONS.values())
    progress = Progress(say, tries)
    slowest, slowest_text = 0.0, ""
    # A working directory in which any file is an effect.
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder, chdir(folder):
        if (thread := arithmetic.warm_up()) is not None:
            thread.join()  # as a planner's model gives it time to
        for done, text in enumerate(islice(expressions(Random(seed)), tries)):
            with watching(allowed) as seen:
                what, fault, took = _tried(evaluate, text)
            faults = [fault] if fault else []
            faults += [f"it caused {it}" for it in seen]
            if CANARY in os.environ or os.listdir(folder):
                os.environ.pop(CANARY, None)
                faults.append("it had an effect outside")
            if took > slowest:
                took = min(took, *(_tried(evaluate, text)[2] for _ in range(_RETIMED)))
            if took > slowest:
                slowest, slowest_text = took, text
            if took > LIMIT:
                faults.append(f"it took {took * 1000:.0f} ms each time")
            report.broken += [f"expression {done} {text!r:.300}: {it}" for it in faults]
            counts[what] += 1
            progress.at(done, "expressions")
    report.figures = {
        "expressions": sum(counts.values()),
        "came to": dict(counts),
        "slowest, seconds": slowest,
        "slowest expression": repr(slowest_text)[:120],
    }
    return report


def _tried(evaluate: Evaluate, text: str) -> tuple[str, str | None, float]:
    """What came of an expression, what is wrong with that, and the seconds that it took."""
    began = time.perf_counter()
    try:
        value, error = evaluate(text), None
    except BaseException as raised:  # whatever it is, it is judged
        value, error = None, raised
    took = time.perf_counter() - began
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
