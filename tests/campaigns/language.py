"""Programs against the reference interpreter, and hostile expressions against `compute`."""

import gc
import math
import re
import time
from collections import Counter
from collections.abc import Callable
from itertools import islice
from random import Random
from typing import Any

from langchain_core.tools import tool as as_tool

from llm_compiler.language.evaluation import compute
from llm_compiler.language.evaluation.budget import ComputeError
from llm_compiler.language.lowering.lowered import Refused
from llm_compiler.language.program import Compiled, Program
from llm_compiler.language.tasks.task_ids import TaskId
from llm_compiler.language.toolbox.toolbox import Toolbox
from llm_compiler.tools import arithmetic
from tests.campaigns import trials
from tests.campaigns.hostile import RESULTS, expressions
from tests.campaigns.report import Progress, Report, Say
from tests.support import (
    changing_programs,
    fake_tools,
    flow_programs,
    plan_driver,
    programs,
    python_programs,
    reference,
)

_RETIMED = 5

WRITERS = (
    programs.Writer,
    flow_programs.FlowWriter,
    changing_programs.ChangingWriter,
    python_programs.PythonWriter,
)
"""What writes the programs, in turn."""
Evaluate = Callable[[str, Callable[[TaskId], Any]], Any]


def toolbox() -> Toolbox:
    """The fake tools of the programs."""
    tools = [as_tool(function) for function in (fake_tools.READS | fake_tools.WRITES).values()]
    for one in tools:
        one.metadata = {"readOnlyHint": one.name in fake_tools.READS}
    return Toolbox.of(tools)


def campaign(seed: int, tries: int, say: Say) -> Report:
    """`tries` programs, and five times as many expressions."""
    report = Report()
    report.add(try_programs(seed, tries, say), "programs")
    report.add(try_expressions(seed, 5 * tries, say), "expressions")
    return report


# ── programs ──────────────────────────────────────────────────────────────────────────────────


def try_programs(seed: int, tries: int, say: Say) -> Report:
    """Compile and run random programs, and compare what they come to with the reference."""
    report, counts, tools = Report(), Counter[str](), toolbox()
    progress = Progress(say, tries)
    for done in range(tries):
        random = Random(f"{seed} {done}")
        writer = WRITERS[done % len(WRITERS)]
        source = writer(random).program()
        report.broken += [
            f"program {done}: {it}\n{source}" for it in judged(source, tools, random, counts)
        ]
        progress.at(done, "programs")
    report.figures = {"tried": tries, **counts}
    return report


def compiled(
    source: str, tools: Toolbox, random: Random | None = None
) -> tuple[Program, list[Compiled]]:
    """A program, read whole or in chunks of chance lengths, and what came out on the way."""
    program, out = Program(tools), []
    for chunk in plan_driver.chunks(source, random) if random else [source]:
        out += program.feed(chunk)
    return program, out + program.close()


def judged(source: str, tools: Toolbox, random: Random, counts: Counter[str]) -> list[str]:
    """What is wrong with how a program was compiled and run."""
    program, out = compiled(source, tools)
    other, in_chunks = compiled(source, tools, random)
    if in_chunks != out or other.tasks != program.tasks or other.answer != program.answer:
        return ["other tasks for other chunks"]
    if refused := [it for it in program.tasks if isinstance(it, Refused)]:
        return [f"refused: {refused[0].diagnostic}"]
    functions = fake_tools.READS | fake_tools.WRITES
    ran = plan_driver.run(program.tasks, tools, functions, random, program.wasted)
    right = reference.Reference(fake_tools.READS, fake_tools.WRITES).run(source)
    wrong = []
    for name, value in ({} if right.returned else right.values).items():
        expected = "failed" if value is reference.FAILED else _written(value)
        if expected == "failed" and name not in program.names:
            continue  # of a branch that ends the program
        found = _outcome(lambda it=program.names[name]: _written(ran.value(it)))  # type: ignore[misc]
        counts["values"] += 1
        counts["failed"] += expected == "failed"
        if found != expected and not (right.loose and found == "failed"):
            wrong.append(f"{name} is {found} and not {expected}")
    said = _outcome(lambda: str(ran.said(program.answer) or ""))
    lines = right.said
    expected = "failed" if reference.FAILED in lines else "\n".join(map(str, lines))
    if said != expected and not (right.loose and said == "failed"):
        wrong.append(f"it says {said!r} and not {expected!r}")
    if ran.effects != right.effects:
        wrong.append(f"it does {ran.effects} and not {right.effects}")
    counts["tasks"] += len(program.tasks)
    counts["instances"] += len(ran.outcomes) - len(program.tasks)
    counts["untaken"] += sum(it.untaken for it in ran.outcomes.values())
    counts["effects"] += len(ran.effects)
    return wrong


def _written(value: Any) -> str:
    """A value as Python writes it, where tuples and sets are lists."""
    match value:
        case dict():
            pairs = (f"{_written(key)}: {_written(it)}" for key, it in value.items())
            return f"{{{', '.join(pairs)}}}"
        case set():
            return _written(sorted(value))
        case list() | tuple():
            return f"[{', '.join(map(_written, value))}]"
    return repr(value)


def _outcome(value: Callable[[], str]) -> str:
    try:
        return value()
    except ComputeError:
        return "failed"


# ── expressions ───────────────────────────────────────────────────────────────────────────────


class _VectorTexts(frozenset[str]):
    """The texts that numexpr may be given: ours."""

    def __contains__(self, text: object) -> bool:
        return bool(re.fullmatch(r"[vco\d ()+\-*/]+", str(text))) or super().__contains__(text)


def try_expressions(
    seed: int, tries: int, say: Say, *, evaluate: Evaluate = compute.evaluate
) -> Report:
    """Try hostile expressions: only JSON data comes out, or a clear error, within the limit."""
    return trials.run(
        islice(expressions(Random(seed)), tries),
        lambda text: _tried(evaluate, text),
        lambda text: (_retimed(evaluate, text, 3 * n) for n in range(_RETIMED)),
        allowed=_VectorTexts(arithmetic._OPERATIONS.values()),
        tries=tries,
        say=say,
        quick=trials.LIMIT / 5,
    )


def _tried(evaluate: Evaluate, text: str) -> tuple[str, str | None, float]:
    """What came of an expression, what is wrong with that, and this thread's seconds.

    Without those of the collector, which goes through all that the process holds.
    """
    gc.disable()
    began = time.thread_time()
    try:
        value, error = evaluate(text, _result), None
    except BaseException as raised:  # whatever it is, it is judged
        value, error = None, raised
    took = time.thread_time() - began
    gc.enable()
    if error is None:
        return type(value).__name__, _not_data(value), took
    return "refused", _unclear(error), took


def _retimed(evaluate: Evaluate, text: str, depth: int) -> float:
    """The seconds of an expression, so many calls deeper.

    Python's stack comes in pieces, and a call that begins one, in a loop, costs microseconds more.
    """
    return _retimed(evaluate, text, depth - 1) if depth else _tried(evaluate, text)[2]


def _result(id: TaskId) -> Any:
    return RESULTS.get(int(id))


def _not_data(value: Any) -> str | None:
    """What no JSON holds in `value`."""
    waiting, seen = [value], 0
    while waiting and seen < 10_000:
        seen += 1
        match waiting.pop():
            case list() as items:
                waiting += items
            case dict() as items:
                waiting += items.values()
                waiting += items  # numbers are keys, too, until it leaves the plan
            case None | bool() | str():
                pass
            case int() as number if type(number) is int and -(2**63) <= number < 2**64:
                pass
            case float() as number if type(number) is float and math.isfinite(number):
                pass
            case other:
                return f"it came to {other!r:.100}"
    return None


def _unclear(error: BaseException) -> str | None:
    message = str(error)
    clear = isinstance(error, ComputeError) and "\n" not in message
    return None if clear and 10 < len(message) < 700 else f"it raised {error!r:.200}"
