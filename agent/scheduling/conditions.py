"""Conditions: whether a task is taken, and what it makes of a need that did not end ok.

The condition is decided on first: what else a task needs may fail before it is known, and then the
task waits for it, so that it ends alike in every order of finishing.
"""

from llm_compiler.language.evaluation.references import references
from llm_compiler.language.tasks.task import EACH, Outcome, Task, When, is_pure
from llm_compiler.language.tasks.task_ids import loop_of
from llm_compiler.scheduling.effects import may_skip
from llm_compiler.scheduling.results import how
from llm_compiler.scheduling.task_record import TaskRecord


def why_untaken(when: When, condition: Outcome) -> str:
    """Why a task is not taken, now that its condition ended ok or untaken; empty if it is."""
    if condition.untaken:
        return condition.error or when.untaken
    return "" if bool(condition.value) == when.holds else when.untaken


def why_skipped(record: TaskRecord, need: TaskRecord, condition: Outcome | None) -> str:
    """Why a task is skipped now that one of its needs has ended; empty if it goes on.

    If its condition says no, its record says why, in `untaken`.

    Args:
        record: The task.
        need: What has ended.
        condition: How its condition ended, if it has one that has.
    """
    outcome, when = need.outcome, record.when
    assert outcome is not None, f"{need} has not ended"
    is_condition = when is not None and need.id == when.id
    is_data = need.id in record.data
    for_order = record.writes or need.id == record.behind or not (is_data or is_condition)
    if for_order and loop_of(need.id) != record.id:
        record.stopper = record.stopper or need.stops
    lacks = is_data and not is_condition and not (outcome.ok or record.untaken)
    if lacks and not can_do_without(record, outcome):
        record.lacking = record.lacking or f"needs {need.id}, which {how(outcome)}"
    if when is not None and condition is not None and not record.untaken:
        if not condition.ok and not condition.untaken:
            return f"needs {when.id}, which {how(condition)}"
        record.untaken = why_untaken(when, condition)
    waits = when is not None and condition is None
    return "" if record.untaken or waits else record.lacking


def can_do_without(record: TaskRecord, need: Outcome) -> bool:
    """Whether a task goes on though a need for data did not end ok.

    An expression ends if it turns out to read it. Of a loop, that decides each instance for itself.
    """
    task = record.task
    assert isinstance(task, Task)
    if is_pure(task.tool):
        return need.untaken or may_skip(task)
    if task.tool == EACH:
        return need.id not in {it.id for it in references(task.args["items"])}
    return False


def is_met(record: TaskRecord, need: TaskRecord) -> bool:
    """Whether a need of a task has ended so that the task goes on."""
    outcome, when = need.outcome, record.when
    if outcome is None:
        return False
    if when is not None and need.id == when.id:
        return outcome.ok and not why_untaken(when, outcome)
    if need.id in record.data:
        return outcome.ok or can_do_without(record, outcome)
    return need.stops is None
