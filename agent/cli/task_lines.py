"""A round's tasks as lines on a terminal: mark, statement, result or error, seconds."""

from typing import Final

from rich.cells import cell_len
from rich.text import Text

from llm_compiler.cli import wording
from llm_compiler.cli.folding import rows_of_tasks
from llm_compiler.cli.python_lines import diagnostic_lines, highlighted, wrapped
from llm_compiler.cli.round_report import RoundReport, TaskReport

_MARKS: Final = {
    "planned": ("○", "dim"),
    "waiting": ("?", "yellow"),
    "ok": ("✓", "green"),
    "failed": ("✗", "red"),
    "skipped": ("–", "yellow"),
    "rejected": ("✗", "magenta"),
}
_COMPUTED: Final = ("=", "green")
_INDENT: Final = 5
_TIME: Final = 8
"""Width of the last column, in cells."""
_MIN_NOTE: Final = 8
_MAX_ERROR_LINES: Final = 4


def round_lines(
    round: RoundReport,
    width: int,
    *,
    max_lines: int | None = None,
    now: float | None = None,
    spinner: str = "●",
) -> list[Text]:
    """A round as lines of at most `width` cells: one line per task, then the feedback.

    Args:
        max_lines: The most tasks; running and waiting ones take precedence.
        now: Seconds since the turn began, for running tasks.
    """
    tasks = rows_of_tasks(round.tasks.values())
    shown, left_out = _fitting(tasks, max_lines)
    columns = _Columns(shown, width)
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
    urgent = {
        "running": 0,
        "waiting": 1,
        "failed": 1,
        "rejected": 1,
        "planned": 2,
        "skipped": 3,
        "ok": 4,
    }
    kept = sorted(tasks, key=lambda task: (urgent[task.status], -(task.ended or 0.0)))[
        : max_lines - 1
    ]
    ids = {task.id for task in kept}
    return [t for t in tasks if t.id in ids], [t for t in tasks if t.id not in ids]


class _Columns:
    """The widths that the tasks of a round share: statement, note, time."""

    def __init__(self, tasks: list[TaskReport], width: int) -> None:
        longest = max((cell_len(task.call) for task in tasks), default=0)
        room = width - _INDENT - 2 - _TIME
        self.width = width
        self.call = max(8, min(longest, room * 65 // 100))
        self.note = room - self.call

    def lines(self, task: TaskReport, now: float | None, spinner: str) -> list[Text]:
        """One line. An error that does not fit into it follows on lines of its own."""
        mark, style = _MARKS.get(task.status, (spinner, "cyan"))
        if task.computes and task.status == "ok":
            mark, style = _COMPUTED
        line = Text.assemble("  ", (mark, style), "  ")
        below: list[Text] = []
        if "\n" in task.error:
            line, *below = diagnostic_lines(task.error, self.width - _INDENT)
            line = Text.assemble("  ", _MARKS["failed"], "  ", line)
        else:
            call = highlighted(task.call)
            if task.status in ("planned", "skipped"):
                call.stylize("dim")
            line.append_text(_cut(call, self.call, pad=True)).append("  ")
            note = Text(task.note, "dim" if task.status in ("ok", "skipped") else style)
            if task.status in ("failed", "rejected") and note.cell_len > self.note:
                below = wrapped(task.note, self.width - _INDENT, style)[:_MAX_ERROR_LINES]
            fits = self.note >= _MIN_NOTE and not below
            line.append_text(_cut(note if fits else Text(), max(0, self.note), pad=True))
            line.append(f"{_time(task, now):>{_TIME}}", "dim")
        return [_cut(line, self.width), *(Text(" " * _INDENT) + it for it in below)]


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
