"""What a round came to, as far as its outcomes say it: no model is asked."""

import re
from collections.abc import Iterator
from typing import Any

from llm_compiler.language.evaluation.excerpts import excerpt
from llm_compiler.language.evaluation.references import as_text
from llm_compiler.language.lowering.answers import in_words
from llm_compiler.language.recompile import PROSE
from llm_compiler.language.tasks.task import (
    ANSWER,
    TaskData,
    did_not_compile,
    is_call,
    is_pure,
    went_well,
)
from llm_compiler.language.tasks.task_ids import is_instance
from llm_compiler.nodes.language_of import ENGLISH, is_english, language_of
from llm_compiler.nodes.no_answer import no_answer
from llm_compiler.prompting.annotated_program import why_not_ok
from llm_compiler.prompting.question_form import asks_which
from llm_compiler.state import State, outcome_of, question, tasks_of_round
from llm_compiler.tools.number import number

_REFERENCE = re.compile(r"\$(?:\d+|\{\d+\}|\([^()]*\))")
"""What only a plan understands."""
_NOT_LOOKED_UP = "nothing was looked up"
_MAX_REASONS = 20
_MAX_REASONS_SAID = 3
_MAX_VALUE_CHARS = 200
"""Of a value in a plan's own answer; with a longer one the joiner writes the reply."""
_WRITES = frozenset(("asks", "destructive", "guarded", "writes"))
"""The stored rules of a write: what follows one that failed is not said."""


def own_words(state: State) -> str | None:
    """What the round's plan says itself, if it does so in words, all its values are short, and it
    names the one that was asked for: "the 695 would be higher" says it of none."""
    tasks, outcomes = tasks_of_round(state), state["outcomes"]
    answers = [task for task in tasks if task["tool"] == ANSWER]
    expression = answers[-1]["args"].get("expression", "") if answers else ""
    if not answers or not in_words(expression):
        return None
    said = outcome_of(state, answers[-1])
    values = [outcomes[str(need)]["value"] for need in answers[-1]["needs"]]
    if said["status"] != "ok" or any(map(_is_long, values)):
        return None
    if language_of(question(state)) != ENGLISH and is_english(as_text(said["value"])):
        return None  # the joiner says it in the language of the question
    # Words that a condition chooses may name it; others were written before anything was known.
    if " if " not in expression and all(type(it) in (int, float) for it in values or [None]):
        return None if asks_which(question(state)) else as_text(said["value"])
    return as_text(said["value"])


def _is_long(value: Any) -> bool:
    return len(excerpt(value, _MAX_VALUE_CHARS)) > _MAX_VALUE_CHARS


def direct_result(state: State) -> str | None:
    """The result that is the answer: of the last call of a tool with `return_direct`."""
    for task in reversed(tasks_of_round(state)):
        outcome = outcome_of(state, task)
        if "direct" in task.get("rules", ()) and outcome["status"] == "ok":
            return as_text(outcome["value"])
    return None


def write_failed(state: State) -> bool:
    """Whether a write of this round failed: of a program that raises, the lines behind do not run,
    so "Paid." must not be said."""
    return any(
        not went_well(outcome_of(state, task))
        for task in tasks_of_round(state)
        if did_not_compile(task) or not _WRITES.isdisjoint(task.get("rules", ()))
    )


def all_ok(state: State) -> bool:
    return all(map(went_well, state["outcomes"].values()))


def none_compiled(state: State) -> str | None:
    """Why no statement of this round could be run; None if one ran."""
    tasks = tasks_of_round(state)
    refused = [task for task in tasks if did_not_compile(task)]
    ran = any(outcome_of(state, it)["status"] == "ok" for it in tasks)
    if not refused or ran or any(it not in refused for it in tasks if not is_pure(it["tool"])):
        return None
    return "\n".join(["No statement could be run.", *_diagnostics(state, refused[:_MAX_REASONS])])


def _diagnostics(state: State, refused: list[TaskData]) -> Iterator[str]:
    for task in refused:
        error, text = str(outcome_of(state, task)["error"]), task["text"]
        yield error if text in error else f"{text}: {error}"


def came_to_nothing(state: State) -> str | None:
    """Why the round's last task, which the others prepare, did not end ok; None if it did."""
    tasks = [task for task in tasks_of_round(state) if not is_instance(task["id"])]
    if not tasks or went_well(outcome_of(state, tasks[-1])):
        return None
    # Without arguments: a small model repeats the calls that it is shown.
    failed = [task for task in tasks if outcome_of(state, task)["status"] == "failed"]
    reasons = (
        f"{it['tool']} failed: {outcome_of(state, it)['error']}" for it in failed or tasks[-1:]
    )
    return "\n".join(list(dict.fromkeys(reasons))[:_MAX_REASONS])


def nothing_succeeded(state: State, *, made_up: bool = False) -> str | None:
    """A reply that says so in the question's language, if no call of the turn succeeded and
    something failed.

    Args:
        made_up: Whether what the plan itself said is its own invention.
    """
    plan = [task for task in state["plan"] if str(task["id"]) in state["outcomes"]]
    if all(task["tool"] == PROSE for task in plan):
        return None  # it planned nothing: a person may only have said hello
    succeeded = (
        outcome_of(state, task)["status"] == "ok"
        for task in plan
        if is_call(task["tool"]) or (task["tool"] == ANSWER and not made_up)
    )
    reasons = why_not_ok(plan, state["outcomes"]) or ([_NOT_LOOKED_UP] if made_up else [])
    return None if any(succeeded) or not reasons else _no_answer(state, reasons)


def unread_number(state: State) -> str | None:
    """A reply that says so, if the round came to nothing and a number of the turn was not read.

    A small model takes another one out of the same text: for a profit the revenue.
    """
    if came_to_nothing(state) is None or all(
        task["tool"] != number.name or went_well(outcome_of(state, task)) for task in state["plan"]
    ):
        return None
    # What went wrong first: later rounds look for it where it cannot be.
    reasons = why_not_ok(state["plan"], state["outcomes"])[:1]
    return _no_answer(state, reasons) if reasons else None


def _no_answer(state: State, reasons: list[str]) -> str:
    more = len(reasons) - _MAX_REASONS_SAID
    said = [_REFERENCE.sub("…", reason) for reason in reasons[:_MAX_REASONS_SAID]]
    listed = [*said, *([f"and {more} more"] if more > 0 else [])]
    return no_answer(question(state), listed)
