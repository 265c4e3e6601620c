"""What a turn looks like: as lines, as the answer alone, and live in a terminal."""

import io
from collections.abc import Mapping
from typing import Any

import pytest
from rich.console import Console
from rich.text import Text

from llm_compiler.cli import wording
from llm_compiler.cli.display import Display, Lines, Quiet
from llm_compiler.cli.flow import Flow
from llm_compiler.cli.report import Report
from llm_compiler.cli.task_lines import round_lines
from llm_compiler.cli.terminal import Terminal

USAGE = {"planner": {"calls": 1, "input": 412, "output": 63}}
ATTACK = "\x1b[2J\x1b]0;pwned\x07[bold red]gone[/bold red] :smile:"


def event(kind: str, seconds: float, **what: Any) -> dict[str, Any]:
    return {"event": kind, "round": 1, "seconds": seconds, **what}


def planned(id: int, text: str, *, needs: tuple[int, ...] = (), tool: str = "search") -> Any:
    args = {"query": text}
    return event("plan.task", 0.5, id=id, tool=tool, args=args, needs=list(needs))


def started(id: int) -> Any:
    return event("task.started", 0.5, id=id, tool="search")


def finished(id: int, status: str = "ok", text: str = "8,611 m", tool: str = "search") -> Any:
    return event(
        "task.finished",
        1.5,
        id=id,
        tool=tool,
        status=status,
        result=text if status == "ok" else None,
        error=None if status == "ok" else text,
        reused=False,
        attempts=1,
        took=1.0,
    )


def turn(result: str = "8,611 m") -> list[Mapping[str, Any]]:
    return [
        event("turn.start", 0.0, question="How tall is K2?"),
        planned(1, "K2"),
        started(1),
        planned(2, "$1", needs=(1,)),
        event("plan.end", 0.6, tasks=2),
        finished(1, text=result),
        finished(2, "failed", result),
        event("round.end", 2.0, status="replan", feedback=result),
    ]


def shown(display: Display, events: list[Mapping[str, Any]], answer: str = "") -> None:
    for one in events:
        display.take(one)
    if answer:
        display.answer(answer)
    display.end(USAGE)


def console(width: int = 80, height: int = 25) -> tuple[Console, io.StringIO]:
    out = io.StringIO()
    drawn = Console(
        file=out, force_terminal=True, width=width, height=height, color_system="standard"
    )
    return drawn, out


class TestLines:
    def test_one_line_per_important_event(self) -> None:
        out = io.StringIO()
        shown(Lines(out, Report()), turn(), "It is 8,611 m tall.")
        assert out.getvalue().splitlines() == [
            'task 1: search("K2")',
            "task 2: search($1), needs 1",
            "task 1 ok, 1.0 s: 8,611 m",
            "task 2 failed: 8,611 m",
            "replan: 8,611 m",
            "",
            "It is 8,611 m tall.",
            "",
            "2 tasks, 1 round, 1 model call · tokens: planner 412 in 63 out · 2.0 s, "
            "one after another 3.1 s",
        ]

    def test_direct_answer_is_not_shown_twice(self) -> None:
        out = io.StringIO()
        direct = [planned(1, "Hello!", tool="answer"), finished(1, text="Hello!", tool="answer")]
        shown(Lines(out, Report()), direct, "Hello!")
        assert out.getvalue().startswith("Hello!\n\n0 tasks")

    def test_direct_answer_is_the_plan_when_only_the_plan_is_wanted(self) -> None:
        out = io.StringIO()
        lines = Lines(out, Report(), plan_only=True)
        lines.take(planned(1, "Hello!", tool="answer"))
        assert out.getvalue() == 'task 1: answer("Hello!")\n'

    def test_control_characters_have_no_effect(self) -> None:
        out = io.StringIO()
        shown(Lines(out, Report()), turn(ATTACK), ATTACK)
        assert "\x1b" not in out.getvalue()
        assert "␛[2J" in out.getvalue()


class TestQuiet:
    def test_only_the_answer(self) -> None:
        out = io.StringIO()
        quiet = Quiet(out, Report())
        shown(quiet, turn(), "It is 8,611 m tall.")
        assert out.getvalue() == "It is 8,611 m tall.\n"

    def test_only_the_plan(self) -> None:
        out = io.StringIO()
        shown(Quiet(out, Report(), plan_only=True), turn()[:5])
        assert out.getvalue() == '1. search("K2")\n2. search($1)\n'

    def test_without_an_output_nothing_is_written(self) -> None:
        quiet = Quiet(None, Report())
        shown(quiet, turn(), "It is 8,611 m tall.")
        assert len(quiet.report.tasks) == 2


class TestTerminal:
    def test_ended_rounds_answer_and_totals_stay(self) -> None:
        drawn, out = console()
        shown(Terminal(drawn, Report()), turn(), "It is 8,611 m tall.")
        text = Text.from_ansi(out.getvalue()).plain
        assert [" ".join(line.split()) for line in text.splitlines()] == [
            '✓ 1 search("K2") 8,611 m 1.0 s',
            "✗ 2 search($1) ← 1 8,611 m 1.0 s",
            "↻ replan: 8,611 m",
            "",
            "It is 8,611 m tall.",
            "",
            "2 tasks, 1 round, 1 model call · tokens: planner 412 in 63 out · 2.0 s, one",
            "after another 3.1 s",
        ]

    def test_control_characters_have_no_effect(self) -> None:
        drawn, out = console(width=200)
        shown(Terminal(drawn, Report()), turn(ATTACK), ATTACK)
        assert "\x1b[2J" not in out.getvalue()
        assert "\x1b]0;" not in out.getvalue()
        assert out.getvalue().count("[bold red]gone[/bold red] :smile:") == 4

    def test_picture_says_what_is_going_on(self) -> None:
        drawn, _ = console()
        terminal = Terminal(drawn, Report(), clock=lambda: 100.0)
        phases = []
        for one in turn()[:7]:
            terminal.take(one)
            drawn.begin_capture()
            drawn.print(terminal.picture())
            phases.append(Text.from_ansi(drawn.end_capture()).plain.splitlines()[-1].split("  ")[2])
        assert phases == [
            *["planning"] * 4,
            "running, 0 of 2 tasks done",
            "running, 1 of 2 tasks done",
            "joining the results",
        ]

    def test_plan_longer_than_the_screen_shows_what_runs(self) -> None:
        drawn, _ = console(height=12)
        terminal = Terminal(drawn, Report())
        terminal.take(event("turn.start", 0.0, question="?"))
        for id in range(1, 101):
            terminal.take(planned(id, "K2"))
        terminal.take(started(70))
        for id in range(1, 41):
            terminal.take(finished(id))
        drawn.begin_capture()
        drawn.print(terminal.picture())
        lines = Text.from_ansi(drawn.end_capture()).plain.splitlines()
        assert len(lines) <= 12
        assert lines[0].strip() == "and 94 tasks: 40 ok, 54 planned"
        assert any(" 70  " in line for line in lines)

    def test_no_color_has_no_colours(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("NO_COLOR", "1")
        drawn, out = console()
        shown(Terminal(drawn, Report()), turn())
        assert "\x1b[3" not in out.getvalue()


@pytest.mark.parametrize("width", [20, 40, 80, 120])
def test_lines_keep_to_the_width(width: int) -> None:
    long = "長い " * 100
    report = Report(
        [
            event("turn.start", 0.0, question="?"),
            *(planned(id, long, needs=tuple(range(1, id))) for id in range(1, 30)),
            finished(1, text=long),
            finished(2, "failed", long),
            finished(3, "skipped", long),
            event("round.end", 2.0, status="replan", feedback=long),
        ]
    )
    for line in round_lines(report.rounds[0], width):
        assert line.cell_len <= width


def test_error_that_does_not_fit_is_on_a_second_line() -> None:
    error = "no tool 'serch'; did you mean 'search'? " + "And so on. " * 3
    report = Report(
        [event("turn.start", 0.0, question="?"), planned(1, "K2"), finished(1, "failed", error)]
    )
    first, second = round_lines(report.rounds[0], 80)
    assert "did you mean" not in first.plain
    assert second.plain.strip().startswith("no tool 'serch'; did you mean 'search'?")


class TestFlow:
    def flowed(self, *pieces: str, width: int = 10) -> str:
        out = io.StringIO()
        flow = Flow(out.write, width)
        for piece in pieces:
            flow.feed(piece)
        flow.close()
        return out.getvalue()

    def test_lines_break_between_words(self) -> None:
        assert self.flowed("one two three four") == "one two\nthree four\n"

    def test_pieces_may_break_anywhere(self) -> None:
        text = "one two\n\n  - three four five\n"
        assert self.flowed(*text) == self.flowed(text) == "one two\n\n  - three\nfour five\n"

    def test_long_word_is_written_as_it_comes(self) -> None:
        out = io.StringIO()
        Flow(out.write, 10).feed("漢" * 35)
        assert out.getvalue() == "漢" * 30


class TestWording:
    def test_visible_text_is_left_alone(self) -> None:
        assert wording.visible("8,849 m – 高い 👩‍🚀") == "8,849 m – 高い 👩‍🚀"

    def test_control_characters_become_pictures(self) -> None:
        assert wording.visible("a\x1b[31m\r\n\tb\x9b\u202e\ud800") == "a␛[31m\n    b���"

    def test_calls_read_as_in_the_plan_language(self) -> None:
        args = {"a": "$3", "b": "${4}", "c": "$3 - $4", "d": 1.5, "e": None, "f": ["$1"]}
        assert wording.call("math", args) == 'math($3, ${4}, "$3 - $4", 1.5, null, ["$1"])'

    @pytest.mark.parametrize(
        ("seconds", "text"),
        [(0, "0 ms"), (0.004, "4 ms"), (0.0999, "0.1 s"), (3.14, "3.1 s"), (75.2, "75 s")],
    )
    def test_seconds(self, seconds: float, text: str) -> None:
        assert wording.seconds(seconds) == text
