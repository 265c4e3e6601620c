"""Hostile expressions, tried one after another: what each came to, what it caused, what it took."""

import os
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import chdir

from llm_compiler.tools import arithmetic
from tests.campaigns.escapes import CANARY
from tests.campaigns.report import Progress, Report, Say
from tests.campaigns.watch import watching

LIMIT = 0.05
"""Seconds of one expression, of the processor's time."""

Try = Callable[[str], tuple[str, str | None, float]]
"""What came of an expression, what is wrong with that, and the seconds that it took."""


def run(
    texts: Iterable[str],
    attempt: Try,
    retimed: Callable[[str], Iterable[float]],
    *,
    allowed: frozenset[str],
    tries: int,
    say: Say,
    quick: float = 0.0,
) -> Report:
    """Try `texts`.

    Args:
        retimed: The seconds of an expression again, where the first time was the longest so far.
        allowed: The texts that may be compiled.
        tries: How many texts there are, for the progress.
        quick: Seconds up to which nothing is timed again.
    """
    report, counts = Report(), Counter[str]()
    progress, slowest, slowest_text = Progress(say, tries), 0.0, ""
    # A working directory in which any file is an effect.
    with tempfile.TemporaryDirectory(prefix="hostile-") as folder, chdir(folder):
        if (thread := arithmetic.warm_up()) is not None:
            thread.join()  # as a planner's model gives it time to
        for done, text in enumerate(texts):
            with watching(allowed) as seen:
                what, fault, took = attempt(text)
            faults = [fault] if fault else []
            faults += [f"it caused {it}" for it in seen]
            if CANARY in os.environ or os.listdir(folder):
                os.environ.pop(CANARY, None)
                faults.append("it had an effect outside")
            if took > max(slowest, quick):
                took = min(took, *retimed(text))
            if took > slowest:
                slowest, slowest_text = took, text
            if took > LIMIT:
                faults.append(f"it took {took * 1000:.0f} ms each time")
            report.broken += [f"expression {done} {text!r:.300}: {it}" for it in faults]
            counts[what] += 1
            progress.at(done, "expressions")
    report.figures = {
        "expressions": counts.total(),
        "came to": dict(counts),
        "slowest, seconds": slowest,
        "slowest expression": repr(slowest_text)[:160],
    }
    return report
