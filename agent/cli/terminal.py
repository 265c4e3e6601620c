"""The live display of a turn in a terminal.

The running round is redrawn ten times a second at the bottom of the screen; rounds that have ended
are printed above it and stay. Everything is drawn on the event loop: no thread, no lock. Text from
models and tools goes through `wording` and `rich.text.Text`, so control characters have no effect.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from llm_compiler.cli import wording
from llm_compiler.cli.markdown import MAX_WIDTH, MarkdownStream
from llm_compiler.cli.python_lines import diagnostic_lines, highlighted
from llm_compiler.cli.report import Report
from llm_compiler.cli.round_report import RoundReport
from llm_compiler.cli.task_lines import round_lines

_SPINNER: Final = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_REFRESH_SECONDS: Final = 0.1


class Terminal:
    """Draws a turn on a rich console."""

    def __init__(
        self,
        console: Console,
        report: Report,
        *,
        plan_only: bool = False,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.report = report
        self._console = console
        self._plan_only = plan_only
        self._clock = clock
        self._began = self._turn_began = clock()
        self._status = ""
        self._live: Live | None = None
        self._next: asyncio.TimerHandle | None = None
        self._printed = 0
        """How many rounds have been printed for good."""
        self._answer: MarkdownStream | None = None

    def begin(self, status: str) -> None:
        self._status = status
        if self._live is None and self._answer is None:
            self._live = Live(
                console=self._console,
                get_renderable=self.picture,
                auto_refresh=False,
                transient=True,
            )
            self._live.start()
            self._tick()

    def take(self, event: Mapping[str, Any]) -> None:
        self.report.take(event)
        # Events count the seconds that the turn has run, not those that it waited for a person.
        self._turn_began = self._clock() - self.report.seconds
        if event["event"] == "round.end" and event["status"] == "replan":
            self._print_rounds(before=event["round"] + 1)

    def answer(self, piece: str) -> None:
        if self._answer is None:
            self.close()
            self._console.print()
            self._answer = MarkdownStream(self._console, self._width)
        self._answer.feed(piece)

    def end(self, usage: Mapping[str, Mapping[str, int]]) -> None:
        self.close()
        self._console.print()
        self._console.print(Text(self.report.totals(usage), style="dim"))

    def pause(self) -> None:
        if self._next is not None:
            self._next.cancel()
            self._next = None
        if self._live is not None:
            live, self._live = self._live, None
            live.stop()

    def close(self) -> None:
        self.pause()
        self._print_rounds(before=None)
        if self._answer is not None:
            self._answer.close()

    def picture(self) -> Group:
        """The rounds that have not been printed yet, and what is going on."""
        lines = [line for r in self.report.rounds[self._printed :] for line in self._round(r)]
        # Tasks that do not fit are counted in one line, and printed when the round has ended.
        room = max(1, self._console.height - 4)
        if len(lines) > room:
            lines = lines[-room:]
        return Group(*lines, self._going_on())

    def _tick(self) -> None:
        if self._live is not None:
            self._live.refresh()
            self._next = asyncio.get_running_loop().call_later(_REFRESH_SECONDS, self._tick)

    def _print_rounds(self, before: int | None) -> None:
        for round in self.report.rounds[self._printed :]:
            if before is not None and round.number >= before:
                break
            self._printed += 1
            if self._plan_only and round.program:
                self._print_program(round)
                continue
            for line in round_lines(round, self._width):
                self._console.print(line)

    def _print_program(self, round: RoundReport) -> None:
        self._console.print(highlighted(wording.visible(round.program)), soft_wrap=True)
        for task in round.tasks.values():
            for line in diagnostic_lines(task.error, self._width) if task.error else ():
                self._console.print(line)

    def _round(self, round: RoundReport) -> list[Text]:
        room = max(3, self._console.height - 5)
        now = self._clock() - self._turn_began
        return round_lines(round, self._width, max_lines=room, now=now, spinner=self._spinner)

    def _going_on(self) -> Text:
        what, since = self._phase()
        line = Text.assemble("  ", (self._spinner, "cyan"), "  ", what)
        line.append(f"  {max(0.0, since):.1f} s", style="dim")
        line.truncate(self._width, overflow="ellipsis")
        return line

    def _phase(self) -> tuple[str, float]:
        """What is going on, and for how many seconds already."""
        rounds = self.report.rounds
        if not rounds:
            return self._status, self._clock() - self._began
        round, now = rounds[-1], self._clock() - self._turn_began
        if round.planned is None:
            return "planning" if round.number == 1 else "planning again", now - round.began
        if not round.finished:
            ended = sum(1 for task in round.tasks.values() if task.ended is not None)
            of = wording.counted(len(round.tasks), "task")
            if waiting := sum(1 for task in round.tasks.values() if task.status == "waiting"):
                return f"{ended} of {of} done, {waiting:,} to be decided", now - round.planned
            return f"running, {ended} of {of} done", now - round.planned
        return "joining the results", now - (round.joined_from or round.planned)

    @property
    def _spinner(self) -> str:
        return _SPINNER[int(self._clock() / _REFRESH_SECONDS) % len(_SPINNER)]

    @property
    def _width(self) -> int:
        return min(MAX_WIDTH, max(20, self._console.width - 1))
