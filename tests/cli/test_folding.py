"""Many instances of a loop are one row a tool, on the terminal and in the timeline."""

from collections.abc import Iterator
from typing import Any

import pytest

from llm_compiler.cli.folding import MAX_UNFOLDED, rows_of_tasks
from llm_compiler.cli.report import Report
from llm_compiler.cli.task_lines import round_lines
from llm_compiler.cli.timeline import drawn

PROGRAM = "team = members()\nfor m in team:\n    send(m)"


def planned(id: Any, tool: str, **args: Any) -> dict[str, Any]:
    task = {"event": "plan.task", "id": id, "tool": tool, "args": args, "needs": [], "name": ""}
    source = "for m in team: send(m)" if tool == "each" else ""
    return task | {"line": 2, "source": source, "error": None, "round": 1, "seconds": 0.1}


def started(id: Any) -> dict[str, Any]:
    return {"event": "task.started", "id": id, "tool": "send", "round": 1, "seconds": 0.2}


def finished(id: Any, status: str, seconds: float = 1.2) -> dict[str, Any]:
    said = {"result": "1", "error": None} if status == "ok" else {"result": None, "error": "no"}
    ended = {"event": "task.finished", "id": id, "tool": "send", "status": status, **said}
    return ended | {"reused": False, "attempts": 1, "took": 1.0, "round": 1, "seconds": seconds}


def turn(count: int, *failed: int) -> Iterator[dict[str, Any]]:
    """A loop with so many calls."""
    yield {"event": "turn.start", "question": "?", "round": 1, "seconds": 0.0}
    yield planned(1, "members")
    yield finished(1, "ok", 0.1)
    yield planned(2, "each", items="$1", body=[], value="$(2[])")
    for place in reversed(range(count)):
        yield planned(f"2[{place}]", "send", to=f"$(2[{place}].0)")
        yield started(f"2[{place}]")
        yield finished(f"2[{place}]", "failed" if place in failed else "ok")
    yield finished(2, "failed" if failed else "ok", 1.3)
    end = {"event": "plan.end", "ids": [1, 2], "tasks": 2, "names": {}, "program": PROGRAM}
    yield end | {"round": 1, "seconds": 0.1}


def rows(report: Report) -> list[tuple[str, str]]:
    return [(row.call, row.note) for row in rows_of_tasks(report.tasks)]


def test_few_instances_have_a_row_each_behind_their_loop() -> None:
    assert rows(Report(turn(3)))[1:] == [
        ("for m in team: send(m)", "1"),
        ("send(item)", "1"),
        ("send(item)", "1"),
        ("send(item)", "1"),
    ]


def test_many_instances_are_one_row_that_counts_how_they_ended() -> None:
    assert rows(Report(turn(200, 3, 77)))[1:] == [
        ("for m in team: send(m)", "no"),
        ("send(…) ×200", "198 ok, 2 failed"),
    ]


@pytest.mark.parametrize("count", [MAX_UNFOLDED + 1, 200])
def test_terminal_and_timeline_stay_short(count: int) -> None:
    report = Report(turn(count))
    assert len(round_lines(report.rounds[0], 80)) == 3
    picture = drawn(report)
    assert f"×{count}" in picture
    assert picture.count("<title>") < 8


def test_folded_row_lasts_from_the_first_start_to_the_last_end() -> None:
    folded = rows_of_tasks(Report(turn(30)).tasks)[-1]
    assert (folded.started, folded.ended, folded.status) == (0.2, 1.2, "ok")


def test_row_runs_while_one_of_its_instances_does() -> None:
    events = [event for event in turn(30) if event.get("id") != "2[7]" or "result" not in event]
    folded = rows_of_tasks(Report(events).tasks)[-1]
    assert (folded.ended, folded.status, folded.note) == (None, "running", "29 ok, 1 running")
