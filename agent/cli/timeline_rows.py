"""The rows of the timeline: model calls and tasks, each with its bar and its texts."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from llm_compiler.cli import wording
from llm_compiler.cli.folding import rows_of_tasks
from llm_compiler.cli.report import Report
from llm_compiler.cli.round_report import RoundReport, TaskReport
from llm_compiler.text import shortened

_MAX_VALUE: Final = 16
"""Characters of a computed value."""


@dataclass
class TimelineRow:
    """One row of the chart."""

    kind: str
    name: str
    started: float | None = None
    ended: float = 0.0
    label: str = ""
    tip: str = ""
    task: TaskReport | None = None
    emitted: Sequence[TaskReport] = ()
    y: float = 0.0

    @property
    def begins(self) -> float:
        return self.ended if self.started is None else self.started


def rows_of(report: Report) -> Iterator[TimelineRow]:
    for round in report.rounds:
        yield from _of_round(round, report)


def _of_round(round: RoundReport, report: Report) -> Iterator[TimelineRow]:
    tasks = rows_of_tasks(round.tasks.values())
    name = "planner" if round.number == 1 else f"planner, round {round.number}"
    ended = report.seconds if round.planned is None else round.planned
    yield TimelineRow(
        "planner",
        name,
        round.began,
        ended,
        wording.seconds(ended - round.began),
        f"{name}: {wording.counted(len(tasks), 'task')}",
        emitted=[task for task in tasks if isinstance(task.id, int)],
    )
    for task in tasks:
        yield _task_row(task, report.seconds)
    if round.ended is not None and (since := round.joined_from) is not None:
        told = wording.seconds(round.ended - since)
        tip = f"replan: {round.feedback}" if round.verdict == "replan" else "answer"
        label = f"{told}, replan" if round.verdict == "replan" else told
        yield TimelineRow("joiner", "joiner", since, round.ended, label, f"joiner: {tip}")


def _task_row(task: TaskReport, now: float) -> TimelineRow:
    ended = now if task.ended is None else task.ended
    took = wording.seconds(ended - task.started) if task.started is not None else ""
    if task.status == "ok":
        label = "reused" if task.reused else took or shortened(task.note, _MAX_VALUE)
    elif task.ended is None:
        label = "stopped" if task.started is not None else "not run"
    else:
        label = ", ".join(filter(None, [took, task.status]))
    kind = "computed" if task.computes and task.status == "ok" else task.status
    tip = task.error or f"{task.call}\n{task.status}: {task.note}"
    started = None if task.reused else task.started
    return TimelineRow(kind, task.call, started, ended, label, tip, task)
