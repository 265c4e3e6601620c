"""Writes a plan with its results as lines for a model to read."""

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from llm_compiler.language.references import as_text, references
from llm_compiler.language.task import Outcome, OutcomeData, TaskData, did_not_compile
from llm_compiler.text import truncated
from llm_compiler.tools.fence import mark_for

_MAX_INLINE_CHARS = 60
"""Of a result that is shown in place of a reference to it."""
_MAX_CALL_CHARS = 1000
_MAX_NESTED_CALLS = 3
_BARE = re.compile(r'(?P<quote>")?\$\{?(?P<id>\d{1,9})\}?(?(quote)"|)')


def results(
    plan: Iterable[TaskData],
    outcomes: Mapping[str, OutcomeData],
    max_chars: int,
    *,
    with_failures: bool = True,
) -> list[str]:
    """One line per task: its call, and its result or error.

    A reference is shown as the result, if that is short, else as the call that it came from. A long
    result is omitted if the calls that read it all ended ok: their results contain what mattered.
    """
    tasks = {task["id"]: task for task in plan if str(task["id"]) in outcomes}
    ended = {id: Outcome.of(outcomes[str(id)]) for id in tasks}
    short = _short_texts(ended)
    readers: dict[int, list[bool]] = {}
    for id, task in tasks.items():
        for reference in references(task["args"]):
            readers.setdefault(reference.id, []).append(ended[id].ok)
    lines = []
    for id, task in tasks.items():
        outcome = ended[id]
        if outcome.ok and id not in short and all(readers.get(id, [False])):
            continue
        if not outcome.ok and not with_failures:
            continue
        call = (
            task["text"] if did_not_compile(task) else f"{id}. {_call(task, tasks, ended, short)}"
        )
        call = truncated(call, _MAX_CALL_CHARS)
        lines.append(indented(f"{call} {_result_or_error(outcome, max_chars)}"))
    return lines


def indented(text: str) -> str:
    """`text` with all lines but the first indented, so that none passes for another result's."""
    return "\n  ".join(text.splitlines())


def fenced(lines: Sequence[str]) -> str:
    """Lines between delimiters that no result can guess or contain."""
    mark = mark_for("\n".join(lines))
    return "\n".join([f"<{mark}>", *lines, f"</{mark}>"])


def called(task: TaskData) -> str:
    """A task as the model wrote it."""
    args = ", ".join(json.dumps(value, ensure_ascii=False) for value in task["args"].values())
    call = task["text"] if did_not_compile(task) else f"{task['id']}. {task['tool']}({args})"
    return truncated(call, _MAX_CALL_CHARS)


def _call(
    task: TaskData,
    tasks: Mapping[int, TaskData],
    ended: Mapping[int, Outcome],
    short: Mapping[int, str],
    depth: int = 0,
) -> str:
    """A call with its references followed: `number("height in m", search("Denali"))`."""

    def shown(value: Any) -> str:
        if isinstance(value, str):
            return _BARE.sub(follow, json.dumps(value, ensure_ascii=False))
        if isinstance(value, dict):
            return "{" + ", ".join(f"{key}: {shown(item)}" for key, item in value.items()) + "}"
        return json.dumps(value, ensure_ascii=False)

    def follow(found: re.Match[str]) -> str:
        id, whole = int(found["id"]), bool(found["quote"])
        if id not in ended:
            return found.group()
        if id in short:
            return json.dumps(ended[id].value, ensure_ascii=False) if whole else short[id]
        if whole and depth < _MAX_NESTED_CALLS:
            return _call(tasks[id], tasks, ended, short, depth + 1)
        return found.group()

    return f"{task['tool']}({', '.join(map(shown, task['args'].values()))})"


def _short_texts(ended: Mapping[int, Outcome]) -> dict[int, str]:
    """The texts of the results that are shown in place of references."""
    texts = ((id, as_text(outcome.value)) for id, outcome in ended.items() if outcome.ok)
    return {id: text for id, text in texts if len(text) <= _MAX_INLINE_CHARS}


def _rounded(value: float) -> float | int:
    """The value without a long tail of digits (0.30000000000000004): it confuses small models."""
    if not math.isfinite(value):
        return value
    digits = max(7, len(str(int(abs(value)))))
    shorter = float(f"{value:.{digits}g}")
    return int(shorter) if shorter.is_integer() and shorter != value else shorter


def _result_or_error(outcome: Outcome, max_chars: int) -> str:
    if not outcome.ok:
        return f"{outcome.status}: {outcome.error}"
    value = outcome.value
    text = as_text(_rounded(value) if isinstance(value, float) else value)
    return f"= {truncated(text, max_chars)}"
