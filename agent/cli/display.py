"""Displays of a turn: only the answer, or plain lines. `terminal.py` has the live display."""

from collections.abc import Mapping
from typing import Any, Protocol, TextIO

from llm_compiler.cli import wording
from llm_compiler.cli.report import Report
from llm_compiler.cli.round_report import TaskReport
from llm_compiler.text import shortened

_MAX_CHARS = 200
"""Characters of a statement on one line."""
_MAX_NOTE_CHARS = 100
"""Characters of its result."""


class Display(Protocol):
    """Shows one turn while it runs, and records it."""

    report: Report

    def begin(self, status: str) -> None:
        """Show what is going on until the next event says more."""

    def take(self, event: Mapping[str, Any]) -> None:
        """Take one event of `stream_mode="custom"`."""

    def answer(self, piece: str) -> None:
        """Take the next piece of the answer."""

    def pause(self) -> None:
        """Release the screen until `begin` is called again."""

    def end(self, usage: Mapping[str, Mapping[str, int]]) -> None:
        """The turn is over; `usage` is the model tokens that it used."""

    def close(self) -> None:
        """Restore the screen, whatever happened. May be called more than once."""


class Quiet:
    """Shows only the answer, or only the plan, or nothing if `out` is None."""

    def __init__(self, out: TextIO | None, report: Report, *, plan_only: bool = False) -> None:
        self.report = report
        self._out = out
        self._plan_only = plan_only
        self._ends_in_line = True

    def begin(self, status: str) -> None:
        pass

    def take(self, event: Mapping[str, Any]) -> None:
        self.report.take(event)
        if self._plan_only and event["event"] == "plan.end":
            self._write(f"{wording.visible(event['program'])}\n")

    def answer(self, piece: str) -> None:
        self._write(wording.visible(piece))

    def pause(self) -> None:
        pass

    def end(self, usage: Mapping[str, Mapping[str, int]]) -> None:
        self.close()

    def close(self) -> None:
        if not self._ends_in_line:
            self._write("\n")

    def _write(self, text: str) -> None:
        if self._out is not None and text:
            self._out.write(text)
            self._out.flush()
            self._ends_in_line = text.endswith("\n")


class Lines(Quiet):
    """Shows the program line by line as it runs, with its results as comments; without colours."""

    def __init__(self, out: TextIO, report: Report, *, plan_only: bool = False) -> None:
        super().__init__(out, report, plan_only=plan_only)
        self._any_line = False

    def take(self, event: Mapping[str, Any]) -> None:
        known = self.report.knows(event)
        super().take(event)
        line = "" if known else self._line(event)
        if line:
            self._any_line = True
            self._write(f"{line}\n")

    def answer(self, piece: str) -> None:
        if self._any_line:
            self._any_line = False
            self._write("\n")
        super().answer(piece)

    def end(self, usage: Mapping[str, Mapping[str, int]]) -> None:
        self.close()
        self._write(f"\n{self.report.totals(usage)}\n")

    def _line(self, event: Mapping[str, Any]) -> str:
        match event["event"]:
            case "plan.task" if event["error"] and not self._plan_only:
                return wording.visible(event["error"])
            case "plan.end" if self._plan_only:
                return wording.visible("\n".join(t.error for t in self.report.tasks if t.error))
            case "round.end" if event["status"] == "replan":
                return f"# replan: {wording.one_line(event['feedback'] or '')}"
            case "task.waiting":
                call = wording.call(event["tool"], event["args"])
                return f"# to be decided: {shortened(call, _MAX_CHARS)}"
            case "task.finished":
                task = self.report.task(event["id"])
                return _with_result(task) if task and task.shown and not task.error else ""
        return ""


def _with_result(task: TaskReport) -> str:
    note = shortened(task.note, _MAX_NOTE_CHARS if task.status == "ok" else _MAX_CHARS)
    if task.status != "ok":
        note = f"{task.status}: {note}"
    elif task.reused:
        note += "  (the same call as before)"
    elif not task.computes:
        note += f"  ({wording.seconds(task.took)})"
    return f"{shortened(task.call, _MAX_CHARS)}  # {note}"
