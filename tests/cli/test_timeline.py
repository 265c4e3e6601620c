"""The timeline: well-formed, complete, and safe with any text."""

from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

import pytest

from llm_compiler.cli.report import Report
from llm_compiler.cli.timeline import timeline

Event = dict[str, Any]


def event(kind: str, seconds: float, **what: Any) -> Event:
    return {"event": kind, "round": 1, "seconds": seconds, **what}


def planned(
    seconds: float, id: int, tool: str, *args: Any, needs: tuple[int, ...] = (), **what: Any
) -> Event:
    named = {f"argument_{i}": value for i, value in enumerate(args)}
    task = {"id": id, "name": "", "tool": tool, "args": named, "needs": list(needs)}
    return event("plan.task", seconds, **task, line=id, source="", error=None) | what


def plan_end(seconds: float, **names: str) -> Event:
    return event("plan.end", seconds, names=names, program="")


def round_end(seconds: float, verdict: str = "answer", **what: Any) -> Event:
    return event("round.end", seconds, status=verdict, feedback=None, asked=True) | what


def started(seconds: float, id: int) -> Event:
    return event("task.started", seconds, id=id)


def finished(seconds: float, id: int, status: str = "ok", **what: Any) -> Event:
    ran = {"result": None, "error": "it broke", "reused": False, "attempts": 1, "took": 0.0}
    return event("task.finished", seconds, id=id, status=status, **ran | what)


def turn() -> list[Event]:
    """Two searches at once, what needs them, one skipped, one reused, one rejected, an answer."""
    return [
        event("turn.start", 0.0, question="How tall is <K2> & 'Everest'?"),
        planned(0.8, 1, "search", "Everest", name="everest"),
        started(0.8, 1),
        planned(1.1, 2, "search", "K2"),
        started(1.1, 2),
        planned(1.4, 3, "rise", "$1", "$2", needs=(1, 2)),
        planned(1.6, 4, "serch", source='serch("K2")', error="line 4: no function"),
        finished(1.6, 4, "failed", error="no tool 'serch'", attempts=0),
        planned(1.9, 5, "read", "Why?", "$4", needs=(4,)),
        finished(1.9, 5, "skipped", error="needs 4, which failed", attempts=0),
        planned(2.1, 6, "search", "K2"),
        planned(2.2, 7, "send", "$3", needs=(3,)),
        planned(2.3, 8, "compute", needs=(3,)) | {"args": {"expression": "$3 * 2"}},
        planned(2.3, 9, "answer", needs=(8,)) | {"args": {"expression": "$8"}},
        plan_end(2.3, **{"1": "everest"}),
        finished(2.9, 2, result="8,611 m"),
        finished(2.9, 6, result="8,611 m", reused=True, took=1.8),
        finished(3.6, 1, result="8,849 m"),
        started(3.6, 3),
        finished(4.1, 3, result="238"),
        finished(4.1, 8, result="476", took=0.0001),
        finished(4.1, 9, result="476", took=0.0001),
        finished(4.2, 7, "rejected", error="a person rejected it", attempts=0),
        round_end(5.2),
    ]


def texts(svg: str) -> list[str]:
    """The texts of the picture, also a proof that it is well-formed XML."""
    return ["".join(node.itertext()) for node in ElementTree.fromstring(svg).iter()]


def test_every_task_and_model_call_has_a_row() -> None:
    names = texts(timeline(turn()))
    for name in (
        "planner",
        'everest = search("Everest")',
        'search("K2")',
        'rise(everest, search("K2"))',
        'serch("K2")',
        'read("Why?", serch("K2"))',
        'send(rise(everest, search("K2")))',
        'rise(everest, search("K2")) * 2',
        "joiner",
    ):
        assert name in names
    assert not any(name.startswith("answer") for name in names)


def test_computed_value_stands_at_a_dot() -> None:
    svg = ElementTree.fromstring(timeline(turn()))
    [row] = [g for g in svg.findall(".//{*}g") if "* 2" in (g.findtext("{*}text") or "")]
    assert row.find("{*}rect") is None
    assert row.find("{*}circle") is not None
    assert "476" in texts(timeline(turn()))


def test_each_ending_can_be_read() -> None:
    names = texts(timeline(turn()))
    for label in ("2.8 s", "0.5 s", "failed", "skipped", "reused", "rejected", "1.0 s"):
        assert label in names


def test_foot_compares_with_one_after_another() -> None:
    # planner 2.3, calls 2.8 + 1.8 + 0.5, joiner 1.0: the reused call is not counted twice.
    assert "5.2 s; one after another 8.4 s" in texts(timeline(turn()))


def test_title_is_the_question_escaped() -> None:
    assert "How tall is <K2> & 'Everest'?" in texts(timeline(turn()))


@pytest.mark.parametrize("harm", ["\x00\x1b[31m", "]]>", "</svg>", "\ud800", "\ufffe", "\u202e"])
def test_no_text_breaks_the_picture(harm: str) -> None:
    svg = timeline(
        [
            event("turn.start", 0.0, question=harm),
            planned(0.1, 1, f"tool{harm}", harm),
            started(0.1, 1),
            finished(0.2, 1, "failed", error=harm),
        ]
    )
    assert texts(svg)
    assert "\x1b" not in svg
    svg.encode()


def test_long_texts_are_shortened() -> None:
    svg = timeline([event("turn.start", 0.0, question="why " * 500), planned(0.1, 1, "t" * 500)])
    shown = [node.text or "" for node in ElementTree.fromstring(svg).findall(".//{*}text")]
    assert max(map(len, shown)) <= 78


def test_turn_that_was_stopped_is_drawn_as_far_as_it_came() -> None:
    names = texts(timeline(turn()[:6]))
    assert "stopped" in names
    assert "not run" in names
    assert "joiner" not in names


def test_no_events_still_make_a_picture() -> None:
    assert texts(timeline([]))


def test_bars_lie_on_the_axis_in_order_of_time() -> None:
    def bars(svg: str) -> Iterator[tuple[float, float]]:
        for group in ElementTree.fromstring(svg).findall(".//{*}g"):
            for bar in group.findall("{*}rect"):
                yield float(bar.attrib["x"]), float(bar.attrib["width"])

    (plan_x, plan_width), (first_x, first_width), *_ = bars(timeline(turn()))
    # The planner ran for 2.3 of 5.2 s; the first search from 0.8 to 3.6 s.
    assert plan_width / first_width == pytest.approx(2.3 / 2.8, rel=1e-3)
    assert (first_x - plan_x) / plan_width == pytest.approx(0.8 / 2.3, rel=1e-3)


class TestReport:
    def test_joiner_begins_when_plan_and_calls_have_ended(self) -> None:
        planner, joiner = Report(turn()).model_calls
        assert (planner.started, planner.ended) == (0.0, 2.3)
        assert (joiner.started, joiner.ended) == (4.2, 5.2)

    def test_direct_answer_takes_one_model_call(self) -> None:
        report = Report(
            [
                event("turn.start", 0.0, question="Hello"),
                planned(0.5, 1, "answer", "Hello!"),
                plan_end(0.6),
                finished(0.6, 1, result="Hello!", attempts=0),
                round_end(0.61, asked=False),
            ]
        )
        assert [call.role for call in report.model_calls] == ["planner"]
        assert report.totals({}).startswith("0 tasks, 1 round, 0 model calls")

    def test_round_whose_joiner_was_not_asked_has_none(self) -> None:
        report = Report(
            [
                event("turn.start", 0.0, question="?"),
                planned(0.5, 1, "serch", "K2"),
                finished(0.5, 1, "failed", attempts=0),
                plan_end(0.6),
                round_end(0.7, "replan", feedback="No task could be run.", asked=False),
            ]
        )
        assert [(call.role, call.round) for call in report.model_calls] == [("planner", 1)]
        assert report.rounds[1].began == 0.7

    def test_resumed_run_counts_on_and_finishes_no_task_twice(self) -> None:
        events = turn()
        report = Report(events[: events.index(started(3.6, 3))])
        again = {"replayed": True}
        report.take(planned(3.7, 1, "search", "Everest") | again)
        report.take(finished(3.7, 1, result="8,849 m", took=2.8) | again)
        report.take(started(3.9, 3))
        report.take(finished(4.3, 3, result="238"))
        first, third = report.tasks[0], report.tasks[2]
        assert (first.started, first.ended) == (0.8, 3.6)
        assert third.started == 3.9
        assert third.ended == pytest.approx(4.3)

    def test_call_continues_when_the_plan_is_written_again(self) -> None:
        report = Report(
            [
                event("turn.start", 0.0, question="?"),
                planned(0.5, 1, "search", "K2"),
                started(0.5, 1),
                finished(0.9, 1, "skipped", error="the stream broke off", attempts=0),
                planned(1.5, 1, "search", "K2"),
                finished(1.7, 1, result="8,611 m", took=1.2),
            ]
        )
        (task,) = report.tasks
        assert (task.status, task.started, task.ended) == ("ok", 0.5, 1.7)

    def test_tokens_are_shown_by_role(self) -> None:
        usage = {"planner": {"calls": 2, "input": 1412, "output": 63}}
        totals = Report(turn()).totals(usage)
        assert totals == (
            "8 tasks, 1 round, 2 model calls · tokens: planner 1,412 in 63 out · "
            "5.2 s, one after another 8.4 s"
        )
