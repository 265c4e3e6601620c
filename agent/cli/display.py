"""Displays of a turn: only the answer, or plain lines. `terminal.py` has the live display."""

from collections.abc import Mapping
from typing import Any, Protocol, TextIO

from llm_compiler.cli import wording
from llm_compiler.cli.report import ANSWER, Report
from llm_compiler.text import shortened

_MAX_CHARS = 200
"""Characters of a call or a result on one line."""


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
    """Shows only the answer, or nothing if `out` is None."""

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
            for task in self.report.tasks:
                self._write(f"{task.id}. {task.call}\n")

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
    """Shows a line for every important event, then the answer and the totals, without colours."""

    def __init__(self, out: TextIO, report: Report, *, plan_only: bool = False) -> None:
        super().__init__(out, report, plan_only=plan_only)
        self._any_line = False

    def take(self, event: Mapping[str, Any]) -> None:
        self.report.take(event)
        line = self._line(event)
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
        kind = event["event"]
        if kind == "round.end" and event["status"] == "replan":
            return f"replan: {wording.one_line(event['feedback'] or '')}"
        if kind not in ("plan.task", "task.finished"):
            return ""
        if event["tool"] == ANSWER and not self._plan_only:
            return ""
        task = next(task for task in reversed(self.report.tasks) if task.id == event["id"])
        if kind == "plan.task":
            needs = f", needs {', '.join(map(str, task.needs))}" if task.needs else ""
            return f"task {task.id}: {shortened(task.call, _MAX_CHARS)}{needs}"
        if task.status != "ok":
            return f"task {task.id} {task.status}: {task.note}"
        took = "the same call as before" if task.reused else wording.seconds(task.took)
        return f"task {task.id} ok, {took}: {shortened(task.note, _MAX_CHARS)}"
