"""Events carry a plan as a program, and show the start of a result, however long it is."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_compiler import build_graph
from llm_compiler.language.evaluation.references import as_text
from llm_compiler.language.tasks.task import Outcome
from llm_compiler.observability.stream_events import Events
from tests.support.cost import cost
from tests.support.scripted import Ledger, ScriptedModel

TEXTS = st.text(max_size=500)
DATA = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner),
)


PROGRAM = """# two at once
one, two = echo(1), echo(2)
three = add(one, echo(2)) + one
x = eho("x")
answer(f"It is {three}.")"""


async def events_of(ledger: Ledger, plan: str, *answers: str) -> list[dict[str, Any]]:
    graph = build_graph(ledger.tools, planner=ScriptedModel(plan), joiner=ScriptedModel(*answers))
    question: Any = {"messages": [("user", "What?")]}
    return [event async for event in graph.astream(question, stream_mode="custom")]


async def test_a_planned_task_has_its_variable_its_line_and_its_text(ledger: Ledger) -> None:
    events = await events_of(ledger, f"```python\n{PROGRAM}\n```", "It is 4.")
    planned = [event for event in events if event["event"] == "plan.task"]
    assert [(task["name"], task["tool"], task["line"], task["source"]) for task in planned] == [
        ("", "echo", 3, "echo(1)"),
        ("", "echo", 3, "echo(2)"),
        ("", "echo", 4, "echo(2)"),
        ("three", "add", 4, "add(one, echo(2))"),
        ("three", "compute", 4, "three = add(one, echo(2)) + one"),
        ("", "eho", 5, 'x = eho("x")'),
        ("", "answer", 6, 'answer(f"It is {three}.")'),
    ]
    assert [task["needs"] for task in planned] == [[], [], [], [1, 3], [1, 4], [], [5]]
    assert planned[3]["args"] == {"a": "$1", "b": "$3"}


async def test_a_refused_statement_has_its_error(ledger: Ledger) -> None:
    events = await events_of(ledger, PROGRAM, "It is 4.")
    errors = {e["id"]: e["error"] for e in events if e["event"] == "plan.task" and e["error"]}
    assert errors == {
        6: 'line 4: no function "eho"; did you mean "echo"?\n    x = eho("x")\n        ^^^'
    }


async def test_the_end_of_a_plan_has_the_program_and_the_names(ledger: Ledger) -> None:
    for plan in (PROGRAM, f"```python\n{PROGRAM}\n```\n"):
        events = await events_of(ledger, plan, "It is 4.")
        [end] = [event for event in events if event["event"] == "plan.end"]
        assert end["program"] == PROGRAM
        assert end["names"] == {"1": "one", "2": "two", "5": "three"}


@pytest.mark.parametrize(
    ("plan", "replies", "asked"),
    [('answer(f"It is {echo(1)}.")', [], False), ("answer(echo(1))", ["One."], True)],
)
async def test_the_end_of_a_round_says_whether_the_joiner_was_asked(
    ledger: Ledger, plan: str, replies: list[str], asked: bool
) -> None:
    *_, end = await events_of(ledger, plan, *replies)
    assert (end["event"], end["status"], end["asked"]) == ("round.end", "answer", asked)


def shown(value: Any) -> str:
    """What `task.finished` shows of a result."""
    written: list[Any] = []
    Events(written.append, 1, lambda: 0.0).task_finished(Outcome(1, "echo", "ok", value=value))
    return str(written[0]["result"])


@given(DATA)
def test_a_result_is_shown_as_text_and_cut(value: Any) -> None:
    text = " ".join(as_text(value)[:400].split())
    assert shown(value) == (text if len(text) <= 200 else text[:199].rstrip() + "…")


@pytest.mark.parametrize(
    "value",
    ["x" * 10_000_000, ["x" * 10_000_000], {"x" * 10_000_000: 1}, [[1, "x"]] * 1_000_000],
    ids=["text", "text in a list", "key", "list"],
)
def test_showing_a_long_result_takes_no_longer(value: Any) -> None:
    assert cost(lambda: shown(value)) < 0.01
