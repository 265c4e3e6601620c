"""A long approval round on the screen: what waits for a decision, and what goes on after it."""

import io
from typing import Any

from llm_compiler.cli.display import Lines
from llm_compiler.cli.report import Report
from llm_compiler.cli.task_lines import round_lines
from llm_compiler.cli.terminal import Terminal
from tests.cli.test_display import console, event, finished, plan_end, planned, started

AGAIN = {"replayed": True}


def waiting(id: int) -> Any:
    called = {"id": id, "tool": "pay", "args": {"to": f"{id}"}}
    return event("task.waiting", 1.0, **called, description="Pay.", status="waiting")


def decided(id: int, status: str, args: Any = None) -> Any:
    return event("task.decided", 1.1, id=id, tool="pay", status=status, args=args, reason=None)


def asked(count: int) -> list[Any]:
    calls = range(1, count + 1)
    plan = [planned(id, f"{id}", tool="pay") for id in calls]
    return [event("turn.start", 0.0, question="?"), *plan, plan_end(), *map(waiting, calls)]


def rows(report: Report) -> list[str]:
    return [line.plain.rstrip() for line in round_lines(report.rounds[0], 60)]


def test_rows_show_what_waits_and_what_was_decided() -> None:
    report = Report(asked(3))
    assert [row.split()[0] for row in rows(report)] == ["?", "?", "?"]
    report.take(decided(1, "approved"))
    report.take(decided(2, "edited", {"to": "nobody"}))
    report.take(decided(3, "rejected"))
    report.take(finished(3, "rejected", "not that"))
    report.take(started(1))
    assert [row.split()[0] for row in rows(report)] == ["●", "○", "✗"]
    assert rows(report)[1].split("  ")[2].strip() == 'pay("nobody")'


def test_what_is_replayed_changes_nothing_that_is_known() -> None:
    events = asked(2)
    report = Report([*events, decided(1, "approved"), started(1), finished(1)])
    before = rows(report)
    for it in [*events, finished(1)]:
        report.take(it | {"seconds": 9.0} | AGAIN)
    assert rows(report) == before
    joined = Report(it | AGAIN for it in [*events, finished(1)])
    assert [row.split()[0] for row in rows(joined)] == ["✓", "?"]


def test_the_live_picture_counts_them() -> None:
    display = Terminal(console()[0], Report(), clock=lambda: 0.0)
    for it in asked(30):
        display.take(it)
    drawn, out = console(120)
    drawn.print(display.picture())
    assert "0 of 30 tasks done, 30 to be decided" in out.getvalue()


def test_lines_name_each_call_once() -> None:
    out = io.StringIO()
    display = Lines(out, Report())
    for it in asked(2):
        display.take(it)
    for it in asked(2):
        display.take(it | AGAIN)
    assert out.getvalue().splitlines() == [
        '# to be decided: pay("1")',
        '# to be decided: pay("2")',
    ]
