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


ERROR = 'line 3: no function "serch"; did you mean "search"?\n    x = serch("K2")\n        ^^^^^'
PROGRAM = 'page = search("K2")\nheight = number("height in m", page)'


def planned(
    id: int,
    *args: Any,
    name: str = "",
    tool: str = "search",
    needs: tuple[int, ...] = (),
    **what: Any,
) -> Any:
    named = {f"argument_{i}": value for i, value in enumerate(args)}
    task = {"id": id, "name": name, "tool": tool, "args": named, "needs": list(needs)}
    return event("plan.task", 0.5, **task, line=id, source="", error=None) | what


def computed(id: int, expression: str, *, name: str = "", tool: str = "compute") -> Any:
    return planned(id, name=name, tool=tool) | {"args": {"expression": expression}}


def refused(id: int, error: str = ERROR, source: str = 'x = serch("K2")') -> Any:
    return planned(id, tool="serch", line=3, source=source, error=error)


def plan_end(names: Mapping[str, str] | None = None, program: str = PROGRAM) -> Any:
    return event("plan.end", 0.6, names=names or {}, program=program)


def started(id: int) -> Any:
    return event("task.started", 0.5, id=id, tool="search")


def finished(id: int, status: str = "ok", text: str = "8,611 m") -> Any:
    return event(
        "task.finished",
        1.5,
        id=id,
        status=status,
        result=text if status == "ok" else None,
        error=None if status == "ok" else text,
        reused=False,
        attempts=1,
        took=1.0,
    )


def replan(feedback: str) -> Any:
    return event("round.end", 2.0, status="replan", feedback=feedback, asked=True)


def turn(result: str = "8,611 m") -> list[Mapping[str, Any]]:
    return [
        event("turn.start", 0.0, question="How tall is K2?"),
        planned(1, "K2", name="page"),
        started(1),
        planned(2, "height in m", "$1", tool="number", needs=(1,), name="height"),
        plan_end({"1": "page", "2": "height"}),
        finished(1, text=result),
        finished(2, "failed", result),
        replan(result),
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
    def test_program_with_its_results_as_comments(self) -> None:
        out = io.StringIO()
        shown(Lines(out, Report()), turn(), "It is 8,611 m tall.")
        assert out.getvalue().splitlines() == [
            'page = search("K2")  # 8,611 m  (1.0 s)',
            'height = number("height in m", page)  # failed: 8,611 m',
            "# replan: 8,611 m",
            "",
            "It is 8,611 m tall.",
            "",
            "2 tasks, 1 round, 1 model call · tokens: planner 412 in 63 out · 2.0 s, "
            "one after another 3.1 s",
        ]

    def test_answer_is_not_shown_twice(self) -> None:
        out = io.StringIO()
        direct = [computed(1, "'Hello!'", tool="answer"), finished(1, text="Hello!")]
        shown(Lines(out, Report()), direct, "Hello!")
        assert out.getvalue().startswith("Hello!\n\n0 tasks")

    def test_refused_statement_is_shown_as_a_compiler_does(self) -> None:
        out = io.StringIO()
        lines = Lines(out, Report())
        for one in (refused(1), finished(1, "failed", " ".join(ERROR.split()))):
            lines.take(one)
        assert out.getvalue() == f"{ERROR}\n"

    def test_computed_value_has_no_seconds_and_no_noise(self) -> None:
        out = io.StringIO()
        lines = Lines(out, Report())
        for one in (computed(1, "8848.86 - 8611"), finished(1, text="237.86000000000058")):
            lines.take(one)
        assert out.getvalue() == "8848.86 - 8611  # 237.86\n"

    def test_reused_result_says_so(self) -> None:
        out = io.StringIO()
        lines = Lines(out, Report())
        for one in (planned(1, "K2"), finished(1) | {"reused": True}):
            lines.take(one)
        assert out.getvalue() == 'search("K2")  # 8,611 m  (the same call as before)\n'

    def test_only_the_plan_and_what_does_not_compile(self) -> None:
        out = io.StringIO()
        shown(Lines(out, Report(), plan_only=True), [planned(1, "K2"), refused(2), plan_end()])
        assert out.getvalue().startswith(f"{PROGRAM}\n{ERROR}\n\n2 tasks")

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
        assert out.getvalue() == f"{PROGRAM}\n"

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
            '✓ page = search("K2") 8,611 m 1.0 s',
            '✗ height = number("height in m", page) 8,611 m 1.0 s',
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

    def test_only_the_plan_and_what_does_not_compile(self) -> None:
        drawn, out = console()
        terminal = Terminal(drawn, Report(), plan_only=True)
        shown(terminal, [planned(1, "K2"), refused(2), plan_end()])
        assert Text.from_ansi(out.getvalue()).plain.splitlines()[:5] == [
            *PROGRAM.splitlines(),
            *(line.removeprefix("    ") for line in ERROR.splitlines()),
        ]

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
            terminal.take(planned(id, "K2", name=f"page_{id}"))
        terminal.take(started(70))
        for id in range(1, 41):
            terminal.take(finished(id))
        drawn.begin_capture()
        drawn.print(terminal.picture())
        lines = Text.from_ansi(drawn.end_capture()).plain.splitlines()
        assert len(lines) <= 12
        assert lines[0].strip() == "and 94 tasks: 40 ok, 54 planned"
        assert any("page_70 = " in line for line in lines)

    def test_no_color_has_no_colours(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("NO_COLOR", "1")
        drawn, out = console()
        shown(Terminal(drawn, Report()), turn())
        assert "\x1b[3" not in out.getvalue()


def lines_of(width: int, *events: Any) -> list[str]:
    """A round's lines as they are shown when these events have happened."""
    report = Report([event("turn.start", 0.0, question="?"), *events])
    lines = round_lines(report.rounds[0], width)
    assert all(line.cell_len <= width for line in lines)
    return [line.plain.rstrip() for line in lines]


@pytest.mark.parametrize("width", [20, 40, 80, 120])
def test_lines_keep_to_the_width(width: int) -> None:
    long = "長い " * 100
    lines_of(
        width,
        *(planned(id, long, needs=tuple(range(1, id)), name="長い") for id in range(1, 30)),
        refused(30, f"line 3: {long}\n    {long}\n    {' ' * 200}^^^", long),
        finished(1, text=long),
        finished(2, "failed", long),
        finished(3, "skipped", long),
        replan(long),
    )


class TestTaskLines:
    def test_references_are_variables_or_the_calls_themselves(self) -> None:
        lines = lines_of(
            120,
            planned(1, "Mount Everest"),
            planned(2, "height in m", "$1", tool="number", name="everest", needs=(1,)),
            computed(3, "f'population of {$2}: $$5'"),
            planned(4, "$3", needs=(3,), name="found"),
            planned(5, {"of": ["$4[0].url", 1.5, None, True, "costs $$5"]}, needs=(4,)),
        )
        assert [line.split(maxsplit=1)[1] for line in lines] == [
            'search("Mount Everest")',
            'everest = number("height in m", search("Mount Everest"))',
            "f'population of {everest}: $5'",
            "found = search(f'population of {everest}: $5')",
            'search({"of": [found[0].url, 1.5, None, True, "costs $5"]})',
        ]

    def test_long_call_inside_another_is_only_named(self) -> None:
        *_, last = lines_of(100, planned(1, "K2 " * 30), planned(2, "$1", name="again"))
        assert last == "  ○  again = search(search(…))"

    def test_names_are_final_when_the_plan_is_complete(self) -> None:
        two = [planned(1, "K2", name="x"), planned(2, "Denali"), planned(3, "$2", name="y")]
        assert lines_of(80, *two, plan_end({"2": "b", "3": "y"})) == [
            '  ○  search("K2")',
            '  ○  b = search("Denali")',
            "  ○  y = search(b)",
        ]

    def test_task_that_a_person_added_is_shown_with_its_id(self) -> None:
        lines = lines_of(80, planned(1, "K2", line=0), planned(2, "$1", line=0))
        assert lines == ['  ○  1. search("K2")', "  ○  2. search($1)"]

    def test_computed_value_has_no_seconds(self) -> None:
        assert lines_of(
            60,
            computed(1, "8848.86 - 8611", name="difference"),
            finished(1, text="237.86000000000058"),
        ) == ["  =  difference = 8848.86 - 8611  237.86"]

    def test_answer_has_a_line_only_if_it_failed(self) -> None:
        answer = computed(1, "f'{$7:.0f} m'", tool="answer")
        assert lines_of(60, answer) == []
        assert lines_of(60, answer, finished(1, text="5 m")) == []
        assert lines_of(60, answer, finished(1, "failed", "no number")) == [
            "  ✗  answer(f'{$7:.0f} m')  no number",
        ]

    def test_skipped_task_names_what_it_needs(self) -> None:
        _, last = lines_of(
            80,
            planned(1, "K 2", name="page"),
            planned(2, "$1", needs=(1,)),
            finished(2, "skipped", "needs 1, which failed") | {"took": 0.0},
        )
        assert last == "  –  search(page)          needs page, which failed"

    def test_name_of_a_refused_statement_stands_for_it(self) -> None:
        *_, last = lines_of(80, refused(1), planned(2, "$1", needs=(1,)))
        assert last == "  ○  search(x)"

    def test_refused_statement_has_line_caret_and_remedy(self) -> None:
        assert lines_of(80, refused(1)) == [
            '  ✗  line 3: no function "serch"; did you mean "search"?',
            '     x = serch("K2")',
            "         ^^^^^",
        ]

    def test_long_message_goes_on_and_the_caret_stays_below_its_place(self) -> None:
        before = "長い = ['a very long list', 'of texts', "
        error = ERROR.replace("x = ", before).replace("        ^", " " * (4 + len(before)) + "^")
        first, second, source, caret = lines_of(40, refused(1, error))
        assert f"{first} {second.strip()}" == f"  ✗  {ERROR.splitlines()[0]}"
        assert source[caret.index("^") :].startswith("serch")
        assert len(caret) <= 40

    def test_error_that_does_not_fit_goes_on_below(self) -> None:
        error = "no tool 'serch'; did you mean 'search'? " + "And so on. " * 6
        first, *below = lines_of(80, planned(1, "K2"), finished(1, "failed", error))
        assert "did you mean" not in first
        assert " ".join(line.strip() for line in below) == error.strip()


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

    def test_call_with_its_arguments_filled_in_is_python(self) -> None:
        args = {"a": "$3", "b": 1.5, "c": None, "d": ["$$", {"deep": True}]}
        assert wording.call("send", args) == 'send("$3", 1.5, None, ["$$", {"deep": True}])'

    @pytest.mark.parametrize(
        ("value", "shown"),
        [
            ("237.86000000000058", "237.86"),
            ("-1391391151.14", "-1391391151.14"),
            ("12345678901234567890", "12345678901234567890"),
            ("version 1.2.3 of it", "version 1.2.3 of it"),
        ],
    )
    def test_computed(self, value: str, shown: str) -> None:
        assert wording.computed(value) == shown

    @pytest.mark.parametrize(
        ("seconds", "text"),
        [(0, "0 ms"), (0.004, "4 ms"), (0.0999, "0.1 s"), (3.14, "3.1 s"), (75.2, "75 s")],
    )
    def test_seconds(self, seconds: float, text: str) -> None:
        assert wording.seconds(seconds) == text
