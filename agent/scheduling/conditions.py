"""Conditions: whether a task is taken, and what it makes of a need that did not end ok.

The condition is decided on first: what else a task needs may fail before it is known, and then the
task waits for it, so that it ends alike in every order of finishing.
"""

from llm_compiler.language.references import references
from llm_compiler.language.task import EACH, Outcome, Task, When, is_pure
from llm_compiler.scheduling.effects import may_skip
from llm_compiler.scheduling.task_record import TaskRecord


def why_untaken(when: When, condition: Outcome) -> str:
    """Why a task is not taken, now that its condition ended ok or untaken; empty if it is."""
    if condition.untaken:
        return condition.error or when.untaken
    return "" if bool(condition.value) == when.holds else when.untaken


def can_do_without(record: TaskRecord, need: Outcome) -> bool:
    """Whether a task goes on though a need for data did not end ok.

    An expression does not, if it turns out to read it. A loop's iterations decide for themselves.
    """
    task = record.task
    assert isinstance(task, Task)
    if is_pure(task.tool):
        return need.untaken or may_skip(task)
    if task.tool == EACH:
        return need.untaken and need.id not in {it.id for it in references(task.args["items"])}
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
