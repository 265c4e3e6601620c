"""A round's tasks as lines on a terminal: mark, id, call, needs, result or error, seconds."""

from typing import Final

from rich.cells import cell_len
from rich.text import Text

from llm_compiler.cli import wording
from llm_compiler.cli.report import ANSWER, RoundReport, TaskReport

_MARKS: Final = {
    "planned": ("○", "dim"),
    "ok": ("✓", "green"),
    "failed": ("✗", "red"),
    "skipped": ("–", "yellow"),
    "rejected": ("✗", "magenta"),
}
_TIME: Final = 8
"""Width of the last column, in cells."""


def round_lines(
    round: RoundReport,
    width: int,
    *,
    hidden: bool = True,
    max_lines: int | None = None,
    now: float | None = None,
    spinner: str = "●",
) -> list[Text]:
    """A round as lines of at most `width` cells: one line per task, then the feedback.

    Args:
        hidden: Omit a direct answer, because it is shown as the answer.
        max_lines: The most lines; running and waiting tasks take precedence.
        now: Seconds since the turn began, for running tasks.
    """
    tasks = [task for task in round.tasks.values() if not (hidden and task.tool == ANSWER)]
    shown, left_out = _fitting(tasks, max_lines)
    columns = _Columns.of(shown, width)
    lines = [line for task in shown for line in columns.lines(task, now, spinner)]
    if left_out:
        counts: dict[str, int] = {}
        for task in left_out:
            counts[task.status] = counts.get(task.status, 0) + 1
        told = ", ".join(f"{count} {status}" for status, count in counts.items())
        lines.insert(0, Text(f"  and {wording.counted(len(left_out), 'task')}: {told}", "dim"))
    if round.verdict == "replan":
        lines.append(_cut(Text.assemble(
            "  ", ("↻", "yellow"), "  ", ("replan: ", "yellow"),
            wording.one_line(round.feedback or ""),
        ), width))  # fmt: skip
    return lines


def _fitting(
    tasks: list[TaskReport], max_lines: int | None
) -> tuple[list[TaskReport], list[TaskReport]]:
    """The tasks to show, in order, and those that do not fit."""
    if max_lines is None or len(tasks) <= max_lines:
        return tasks, []
    urgent = {"running": 0, "failed": 1, "rejected": 1, "planned": 2, "skipped": 3, "ok": 4}
    kept = sorted(tasks, key=lambda task: (urgent[task.status], -(task.ended or 0.0)))[
        : max_lines - 1
    ]
    ids = {task.id for task in kept}
    return [t for t in tasks if t.id in ids], [t for t in tasks if t.id not in ids]


class _Columns:
    """The widths that the tasks of a round share: id, call, needs, note, time."""

    def __init__(self, width: int, id: int, call: int, needs: int) -> None:
        self.width, self.id, self.call, self.needs = width, id, call, needs
        self.indent = 2 + 1 + 2 + id + 2
        self.note = width - self.indent - call - 2 - (needs + 2 if needs else 0) - _TIME

    @classmethod
    def of(cls, tasks: list[TaskReport], width: int) -> "_Columns":
        id = max((len(str(task.id)) for task in tasks), default=1)
        needs = min(10, max((cell_len(_needs(task)) for task in tasks), default=0))
        longest = max((cell_len(task.call) for task in tasks), default=0)
        room = width - (7 + id) - (needs + 2 if needs else 0) - _TIME - 2
        return cls(width, id, max(8, min(longest, room * 55 // 100)), needs)

    def lines(self, task: TaskReport, now: float | None, spinner: str) -> list[Text]:
        """One line. An error that does not fit into it follows on a second line."""
        mark, style = _MARKS.get(task.status, (spinner, "cyan"))
        quiet = "dim" if task.status in ("planned", "skipped") else ""
        line = Text.assemble("  ", (mark, style), "  ", (f"{task.id:>{self.id}}", "dim"), "  ")
        line.append_text(_cut(_call(task, quiet), self.call, pad=True))
        line.append("  ")
        if self.needs:
            line.append_text(_cut(Text(_needs(task), style="dim"), self.needs, pad=True))
            line.append("  ")
        note = Text(task.note, style="dim" if task.status in ("ok", "skipped") else style)
        below = task.status in ("failed", "rejected") and note.cell_len > self.note
        fits = self.note >= 8 and not below
        line.append_text(_cut(note if fits else Text(), max(0, self.note), pad=True))
        line.append(f"{_time(task, now):>{_TIME}}", style="dim")
        lines = [_cut(line, self.width)]
        if below:
            indent = Text(" " * self.indent)
            lines.append(indent + _cut(note, self.width - self.indent))
        return lines


def _call(task: TaskReport, quiet: str) -> Text:
    tool, bracket, rest = task.call.partition("(")
    return Text.assemble((tool, quiet or "bold"), (bracket + rest, quiet))


def _needs(task: TaskReport) -> str:
    return f"← {' '.join(map(str, task.needs))}" if task.needs else ""


def _time(task: TaskReport, now: float | None) -> str:
    if task.reused:
        return "reused"
    if task.started is None:
        return ""
    if task.ended is None:
        return "stopped" if now is None else f"{max(0.0, now - task.started):.1f} s"
    return wording.seconds(task.took)


def _cut(text: Text, width: int, *, pad: bool = False) -> Text:
    text.truncate(width, overflow="ellipsis", pad=pad)
    return text
