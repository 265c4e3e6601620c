"""The rows of a round: its tasks in order, and the many instances of a loop as one row a tool.

send(to) ×200    198 ok, 2 failed    3.1 s
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Final

from llm_compiler.cli.round_report import TaskReport, TaskStatus
from llm_compiler.language.tasks.task_ids import order_of, root_of

MAX_UNFOLDED: Final = 20
"""Instances of a task that have a row each."""
_STATUSES: Final[tuple[TaskStatus, ...]] = (
    "running", "waiting", "planned", "failed", "rejected", "skipped", "ok",
)  # fmt: skip
"""Of a folded row: the first that one of its instances has."""


def rows_of_tasks(tasks: Iterable[TaskReport]) -> list[TaskReport]:
    """The tasks that are shown, in the order of the program, folded where there are many."""
    shown = sorted((task for task in tasks if task.shown), key=lambda task: order_of(task.id))
    made: defaultdict[int, list[TaskReport]] = defaultdict(list)
    for task in shown:
        if isinstance(task.id, str):
            made[root_of(task.id)[0]].append(task)
    rows: list[TaskReport] = []
    for task in shown:
        if isinstance(task.id, int):
            rows.append(task)
            rows += _folded(made.pop(task.id, []))
    return rows + [task for rest in made.values() for task in _folded(rest)]


def _folded(instances: list[TaskReport]) -> list[TaskReport]:
    if len(instances) <= MAX_UNFOLDED:
        return instances
    by_tool: defaultdict[str, list[TaskReport]] = defaultdict(list)
    for task in instances:
        if not task.computes:
            by_tool[task.tool].append(task)
    return [_one_row(tasks) for tasks in by_tool.values()]


def _one_row(tasks: list[TaskReport]) -> TaskReport:
    first, counts = tasks[0], Counter(task.status for task in tasks)
    started = [task.started for task in tasks if task.started is not None]
    ended = [task.ended for task in tasks if task.ended is not None]
    return TaskReport(
        first.id,
        first.tool,
        {},
        (),
        min(task.planned for task in tasks),
        line=first.line,
        call=f"{first.tool}(…) ×{len(tasks):,}",
        started=min(started, default=None),
        ended=max(ended) if len(ended) == len(tasks) else None,
        status=next(status for status in _STATUSES if counts[status]),
        note=", ".join(f"{counts[it]:,} {it}" for it in reversed(_STATUSES) if counts[it]),
    )
