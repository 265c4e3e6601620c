"""Puts the prompts together: what the planner and the joiner are shown, and what it costs."""

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    trim_messages,
)
from langchain_core.messages.utils import count_tokens_approximately

from llm_compiler.context import JOINER, PLANNER
from llm_compiler.language.references import as_text, references
from llm_compiler.language.task import Outcome, OutcomeData, TaskData, did_not_compile
from llm_compiler.language.toolbox import Toolbox
from llm_compiler.prompting.examples import worked_plans
from llm_compiler.prompting.overrides import MISSING, TOOLS
from llm_compiler.prompts import prompt
from llm_compiler.text import clean, truncated
from llm_compiler.tools.fence import mark_for

_REPLAN = prompt("replan")
_MAY_REPLAN = prompt("joiner_may_replan")
_LAST = prompt("joiner_last")
_JOINER_RESULTS = prompt("joiner_results")
_LONGEST_CONVERSATION = 2000
"""Tokens of earlier turns."""
_MOST_MESSAGES = 1000
_LONGEST_MESSAGE = 3600
"""Characters of one message of them, so that a question and its answer always fit."""
_SHORT = 60
"""Characters of a result that is shown in place of a reference to it."""
_LONGEST_CALL = 1000
"""Characters of a call that is shown."""
_DEEPEST = 3
_BARE = re.compile(r'(?P<quote>")?\$\{?(?P<id>\d{1,9})\}?(?(quote)"|)')


def planner_messages(
    tools: Toolbox,
    conversation: Sequence[BaseMessage],
    question: str,
    *,
    with_examples: bool,
    more_examples: Sequence[str] = (),
    template: str = PLANNER,
    replan: BaseMessage | None = None,
) -> list[BaseMessage]:
    """The planner's prompt. `template` and `more_examples` are an assistant's own (overrides.py).

    Its beginning is the same for each question, so servers cache it; the examples, which are
    chosen by the question, come last.
    """
    described = "\n".join(f"{tool.signature}  {tool.summary}" for tool in tools.values())
    system = template.replace(TOOLS, described)
    plans = worked_plans(tools, question, more_examples, shipped=with_examples)
    system = "\n\n".join([system, *plans])
    messages: list[BaseMessage] = [SystemMessage(system)]
    messages += bounded(conversation)
    messages.append(HumanMessage(question))
    return [*messages, replan] if replan is not None else messages


def replan_message(
    plan: Sequence[TaskData],
    outcomes: Mapping[str, OutcomeData],
    feedback: str,
    max_chars: int,
    *,
    with_failures: bool = True,
) -> HumanMessage:
    """What the planner is told in a later round.

    Without failures a small model does not write again what has failed; the feedback says it. It
    stands between the marks: a joiner that obeys a result may have copied it from there.
    """
    shown = results(plan, outcomes, max_chars, with_failures=with_failures)
    missing = _indented(f"Still missing: {feedback}")
    values = {
        "next": str(max((task["id"] for task in plan), default=0) + 1),
        "results": fenced([*shown, missing]),
    }
    return HumanMessage(_filled(_REPLAN, values))


def joiner_messages(
    question: str,
    conversation: Sequence[BaseMessage],
    results: Sequence[str],
    *,
    may_replan: bool,
    template: str = JOINER,
) -> list[BaseMessage]:
    """The joiner's prompt. Without `may_replan` it must answer with what there is."""
    shown = _filled(_JOINER_RESULTS, {"question": question, "results": fenced(results)})
    system = template.replace(MISSING, _MAY_REPLAN if may_replan else _LAST)
    return [SystemMessage(system), *bounded(conversation), HumanMessage(shown)]


def _filled(template: str, values: Mapping[str, str]) -> str:
    """One pass: what stands in a question or a result is no placeholder."""
    return re.sub(r"\{(\w+)\}", lambda found: values[found[1]], template)


def results(
    plan: Iterable[TaskData],
    outcomes: Mapping[str, OutcomeData],
    max_chars: int,
    *,
    with_failures: bool = True,
) -> list[str]:
    """One line a task: its call, and what came of it.

    References show what they stood for: a short result itself, a long one the call that it came
    from. A long result that only calls that ended ok have read is left out: what mattered of it
    stands in their results.
    """
    tasks = {task["id"]: task for task in plan if str(task["id"]) in outcomes}
    ended = {id: Outcome.of(outcomes[str(id)]) for id in tasks}
    readers: dict[int, list[bool]] = {}
    for id, task in tasks.items():
        for reference in references(task["args"]):
            readers.setdefault(reference.id, []).append(ended[id].ok)
    lines = []
    for id, task in tasks.items():
        outcome = ended[id]
        if outcome.ok and not _is_short(outcome) and all(readers.get(id, [False])):
            continue
        if not outcome.ok and not with_failures:
            continue
        call = task["text"] if did_not_compile(task) else f"{id}. {_call(task, tasks, ended)}"
        call = truncated(call, _LONGEST_CALL)
        lines.append(_indented(f"{call} {_came_of_it(outcome, max_chars)}"))
    return lines


def _indented(text: str) -> str:
    """With its further lines indented, or one could pass for the line of another result."""
    return "\n  ".join(text.splitlines())


def called(task: TaskData) -> str:
    """A task as the model wrote it."""
    args = ", ".join(json.dumps(value, ensure_ascii=False) for value in task["args"].values())
    call = task["text"] if did_not_compile(task) else f"{task['id']}. {task['tool']}({args})"
    return truncated(call, _LONGEST_CALL)


def _call(
    task: TaskData, tasks: Mapping[int, TaskData], ended: Mapping[int, Outcome], depth: int = 0
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
        if ended[id].ok and _is_short(ended[id]):
            value = ended[id].value
            return json.dumps(value, ensure_ascii=False) if whole else as_text(value)
        if whole and depth < _DEEPEST:
            return _call(tasks[id], tasks, ended, depth + 1)
        return found.group()

    return f"{task['tool']}({', '.join(map(shown, task['args'].values()))})"


def fenced(lines: Sequence[str]) -> str:
    """Lines between marks that no result can guess, and that stand in none."""
    mark = mark_for("\n".join(lines))
    return "\n".join([f"<{mark}>", *lines, f"</{mark}>"])


def bounded(conversation: Sequence[BaseMessage]) -> list[BaseMessage]:
    """The latest part of the conversation that fits, beginning with a question."""
    said = [
        (HumanMessage if isinstance(message, HumanMessage) else AIMessage)(
            truncated(clean(message.text), _LONGEST_MESSAGE)
        )
        for message in conversation[-_MOST_MESSAGES:]
        if message.text
    ]
    return trim_messages(
        said,
        max_tokens=_LONGEST_CONVERSATION,
        token_counter=count_tokens_approximately,
        start_on="human",
    )


def _is_short(outcome: Outcome) -> bool:
    return len(as_text(outcome.value)) <= _SHORT


def _shortened(value: float) -> float | int:
    """0.1 + 0.2 is 0.30000000000000004, and a small model trips over long tails of digits."""
    if not math.isfinite(value):
        return value
    digits = max(7, len(str(int(abs(value)))))
    shorter = float(f"{value:.{digits}g}")
    return int(shorter) if shorter.is_integer() and shorter != value else shorter


def _came_of_it(outcome: Outcome, most: int) -> str:
    if not outcome.ok:
        return f"{outcome.status}: {outcome.error}"
    value = outcome.value
    text = as_text(_shortened(value) if isinstance(value, float) else value)
    return f"= {truncated(text, most)}"
