"""The door through which the state is read: what a client may have written, and its remedy."""

import math
from typing import Any

import pytest
from hypothesis import given
from langchain_core.messages import AIMessage, HumanMessage, RemoveMessage
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.graph.message import REMOVE_ALL_MESSAGES
from langgraph.types import Command, Overwrite

from llm_compiler.language.tasks.task import Outcome
from llm_compiler.prompting.annotated_program import annotated_program
from llm_compiler.round_messages import round_messages
from llm_compiler.run.stored_state import check_input, mended, read_state, repairs
from llm_compiler.state import question, tasks_of_round
from llm_compiler.thread_messages import check_messages, mended_messages, with_messages
from tests.support.loop_watch import LoopWatch
from tests.support.protocol import follows_protocol
from tests.support.stored import STATES, deep, outcome, task
from tests.support.strategies import MANY

ASKED = HumanMessage("What?", id="q")


def state(**values: Any) -> Any:
    return mended({"messages": [ASKED], "round": 1, **values})


SOUND: dict[str, Any] = {
    "messages": [ASKED],
    "plan": [task(), task(2, text="echo('x')", taint="1", loop={"over": "$1"})],
    "outcomes": {"1": outcome(), "2": outcome(2, status="failed", error="no", started_at=1.5)},
    "names": {"x": "$1", "city": "'Paris'"},
    "turn": "q",
    "round": 1,
    "feedback": "more",
    "usage": {"planner": {"calls": 1, "input": 10, "output": 5}},
    "seconds": 1.5,
}


def test_a_sound_state_is_handed_back_as_it_is() -> None:
    found = mended(SOUND)
    assert found == SOUND
    assert all(found[key] is SOUND[key] for key in SOUND)  # type: ignore[literal-required]
    assert repairs(SOUND, found) == {}


def test_an_empty_state_gets_every_key() -> None:
    empty = {"messages": [], "plan": [], "outcomes": {}, "names": {}, "turn": "", "round": 0}
    assert mended({}) == {**empty, "feedback": None, "usage": {}, "seconds": 0.0}


def test_what_was_mended_is_to_be_stored() -> None:
    stored = {**SOUND, "seconds": "x", "messages": "hi"}
    assert repairs(stored, mended(stored)) == {"seconds": 0.0}


def test_what_is_known_to_be_sound_is_not_looked_at_again() -> None:
    plan: Any = [object()]
    known = {"plan": plan, "outcomes": {}, "round": 1}
    assert mended({**known, "seconds": -1}, known)["plan"] is plan
    assert mended({**known, "plan": [*plan]}, known)["plan"] != plan


# ── the plan ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("stored", "came_to"),
    [
        (None, []),
        ([], []),
        ([task(2), task(1)], [task(1), task(2)]),
        ((task(),), [task()]),
        ([task("1", needs=["2", 3.0], round="1")], [task(needs=[2, 3])]),  # type: ignore[arg-type]
        ([{"id": 1, "tool": "echo"}], [task(args={})]),
        ([task(needs=4)], [task(needs=[4])]),
        ([task(needs="4, 12")], [task(needs=[4, 12])]),
        ([task(needs=["x", None, -1, 10**9])], [task()]),
        ([task(round=7)], [task()]),
        ([task(source=5, text=None)], [task(source="5")]),
        ([task(name=5, line="3", source=None)], [task(name="5", line=3)]),
        ([task(line=-1, error=None)], [task()]),
        ([task(error=("no",))], [task(error='["no"]')]),
        ([task(args={"value": (1, math.inf), 5: b"x"})],
         [task(args={"value": [1, "Infinity"], "5": "eA=="})]),
        ([task(args={"value": "\ud800"}, tool="e\ud800")],
         [task(args={"value": "\ufffd"}, tool="e\ufffd")]),
        ([task(taint="1", odd=(1,))], [task(taint="1", odd=[1])]),
        ([task(rules=("guarded", "odd", 5, "asks"))], [task(rules=["asks", "guarded"])]),
        ([task(rules=5)], [task()]),
        ([task(), task(args={"value": "other"}), {"tool": "echo"}],
         [task(), task(2, args={}, text="echo(…)", key="1-1-2"),
          task(3, args={}, text="echo(…)")]),
        ([task(10**9)], [task(args={}, text="echo(…)", key="1-1000000000")]),
    ],
)  # fmt: skip
def test_a_plan_that_can_be_mended(stored: Any, came_to: Any) -> None:
    found = state(plan=stored)
    assert found["plan"] == came_to
    assert found["outcomes"] == {}


@pytest.mark.parametrize(
    ("stored", "error"),
    [
        (5, "the stored plan is a number, not a list of tasks"),
        ("echo('x')", "the stored plan is a string, not a list of tasks"),
        ({"1": task()}, "the stored plan is an object, not a list of tasks"),
        ({1, 2}, "the stored plan is of type set, not a list of tasks"),
        ([True], "the stored plan contains true or false in place of a task"),
        ([[task()]], "the stored plan contains a list in place of a task"),
        ([None], "the stored plan contains null in place of a task"),
        ([task(args=5)], "its stored arguments are a number, not an object"),
        ([task(args=[["value", 1]])], "its stored arguments are a list, not an object"),
        ([task(args={"value": deep(240)})],
         "its stored arguments are not JSON data, or exceed 100 levels"),
        ([task(tool="answer", args={"text": "So."})], "its stored expression is not a string"),
        ([task(tool="compute", args={"expression": 5})], "its stored expression is not a string"),
    ],
)  # fmt: skip
def test_a_plan_that_cannot_be_read_is_a_task_that_failed(stored: Any, error: str) -> None:
    found = state(plan=stored)
    [it] = found["plan"]
    assert (it["id"], it["args"], it["round"]) == (1, {}, 1)
    assert it["text"]
    assert {id: (o["status"], o["error"]) for id, o in found["outcomes"].items()} == {
        "1": ("failed", error)
    }


def test_what_is_no_task_comes_behind_all_others_and_their_outcomes() -> None:
    found = state(plan=[5, task(3)], outcomes={"3": outcome(3), "7": outcome(7)})
    assert [it["id"] for it in found["plan"]] == [3, 8]
    assert [*found["outcomes"]] == ["8", "3", "7"]


def test_tasks_without_an_id_get_free_ones() -> None:
    found = state(plan=[5, task(10**9 - 1), task(1), 6])
    assert [it["id"] for it in found["plan"]] == [1, 2, 3, 10**9 - 1]


@pytest.mark.parametrize(
    ("stored", "plan", "round"),
    [
        (2, [task()], 2),
        ("2", None, 2),
        ("odd", [task(round=1), task(2, round=3)], 3),
        (-1, [task(round=2)], 2),
        (0, [task()], 1),
        (0, [], 0),
        (2**70, None, 0),
        (None, 5, 1),
        (math.nan, [5], 1),
    ],
)
def test_the_round_is_that_of_the_tasks_if_it_cannot_be_read(
    stored: Any, plan: Any, round: int
) -> None:
    assert mended({"round": stored, "plan": plan})["round"] == round


# ── outcomes ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("stored", "came_to"),
    [
        (None, {}),
        ({"1": None, "x": outcome(), "0": outcome(), None: outcome()}, {}),
        ({"1": outcome(5)}, {"1": outcome()}),
        ({1: outcome()}, {"1": outcome()}),
        ({"01": outcome(value="other"), "1": outcome()}, {"1": outcome()}),
        ({"1": outcome(), "01": outcome(value="other")}, {"1": outcome()}),
        ({"1": {"status": "ok", "value": "x", "attempts": 1}}, {"1": outcome()}),
        ({"1": outcome(args=None, tool=5)}, {"1": outcome()}),
        ({"1": outcome(started_at=math.nan, ended_at="x")}, {"1": outcome()}),
        ({"1": outcome(started_at=-5, ended_at=2**70)}, {"1": outcome()}),
        ({"1": outcome(attempts="1", reused="yes", more=1)}, {"1": outcome()}),
        ({"1": outcome(value=(1, b"x", math.nan, "\ud800", {5: 2**70}))},
         {"1": outcome(value=[1, "eA==", "NaN", "\ufffd", {"5": 2.0**70}])}),
        ({"1": outcome(status="failed", error=None)},
         {"1": outcome(status="failed", error="no reason is stored")}),
        ({"1": outcome(status="failed", error={"a": 1})},
         {"1": outcome(status="failed", error='{"a": 1}')}),
        ({"1": outcome(artifact=[1], command={"messages": ["a"]})},
         {"1": outcome(artifact=[1], command={"messages": ["a"]})}),
        ({"1": outcome(artifact=[1], command={"handoff": {"goto": "x"}})}, {"1": outcome()}),
        ({"1": outcome(command=5)}, {"1": outcome()}),
        # Of a task that was deleted.
        ({"9": {"status": "ok", "value": 1}}, {"9": Outcome(9, "", "ok", value=1).data()}),
    ],
)  # fmt: skip
def test_an_outcome_that_can_be_mended(stored: Any, came_to: Any) -> None:
    assert state(plan=[task()], outcomes=stored)["outcomes"] == came_to


@pytest.mark.parametrize(
    ("stored", "error"),
    [
        (5, "the stored outcomes are a number, not an object by id"),
        ([outcome()], "the stored outcomes are a list, not an object by id"),
        ({"1": 5}, "the stored outcome is a number, not an object; it cannot be read"),
        ({"1": {}}, "the stored outcome has the status 'None'; it cannot be read"),
        ({"1": outcome(status="done")},
         "the stored outcome has the status 'done'; it cannot be read"),
        ({"1": outcome(status=["ok"])},
         "the stored outcome has the status \"['ok']\"; it cannot be read"),
        ({"1": outcome(value=deep(240))},
         "the stored value is not JSON data, or exceeds 100 levels; it cannot be read"),
    ],
)  # fmt: skip
def test_an_outcome_that_cannot_be_read_failed(stored: Any, error: str) -> None:
    """And is that of the call as it stands, which is not repeated."""
    found = state(plan=[task()], outcomes=stored)["outcomes"]
    it = found["1"]
    assert [*found] == ["1"]
    assert (it["status"], it["value"], it["error"]) == ("failed", None, error)
    assert (it["id"], it["tool"], it["args"]) == (1, "echo", {"value": "x"})


def test_an_outcome_without_arguments_has_those_of_its_task_filled_in() -> None:
    plan = [task(), task(2, args={"value": "$1 costs $$5"}, needs=[1]), task(3, args={"v": "$9"})]
    done = {"status": "ok", "value": 5}
    found = state(plan=plan, outcomes={"2": done, "1": done, "3": done})["outcomes"]
    assert [o["args"] for o in found.values()] == [
        {"value": "5 costs $5"},
        {"value": "x"},
        {"v": "$9"},
    ]


# ── the other keys ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("key", "stored", "came_to"),
    [
        ("seconds", 2, 2.0),
        ("seconds", "2.5", 2.5),
        ("seconds", -1.0, 0.0),
        ("seconds", math.nan, 0.0),
        ("seconds", math.inf, 0.0),
        ("seconds", 10.0**300, 0.0),
        ("seconds", 2**2000, 0.0),
        ("seconds", [1], 0.0),
        ("seconds", True, 0.0),
        ("turn", "q", "q"),
        ("turn", 5, "5"),
        ("turn", None, "q"),
        ("feedback", None, None),
        ("feedback", "", ""),
        ("feedback", "a\ud800", "a\ufffd"),
        ("feedback", 5, "5"),
        ("feedback", {"missing": ("a",)}, '{"missing": ["a"]}'),
        ("feedback", deep(240), "it cannot be read"),
        ("names", None, {}),
        ("names", ["x"], {}),
        ("names", {"x": "$1", 5: "$2", "y": 3, "z": "\ud800"}, {"x": "$1"}),
        ("usage", 5, {}),
        ("usage", {"planner": 5}, {}),
        ("usage", {"planner": {"calls": "3", "input": 2.0, "output": None}},
         {"planner": {"calls": 3, "input": 2, "output": 0}}),
        ("usage", {"planner": {"calls": 2**70, "input": -1, "output": math.inf}},
         {"planner": {"calls": 2**53, "input": 0, "output": 0}}),
    ],
)  # fmt: skip
def test_each_key_is_mended(key: str, stored: Any, came_to: Any) -> None:
    found = state(**{key: stored})[key]
    assert (found, type(found)) == (came_to, type(came_to))


# ── messages ──────────────────────────────────────────────────────────────────────────────────

SAID = AIMessage("So.", id="a")


@pytest.mark.parametrize(
    ("stored", "came_to"),
    [
        (None, []),
        (5, []),
        ("hi", [("human", "hi")]),
        ({"role": "user", "content": "hi"}, [("human", "hi")]),
        ([ASKED, 5, None, {"role": "odd"}, SAID], [("human", "What?"), ("ai", "So.")]),
        ([ASKED, ("ai", "So.")], [("human", "What?"), ("ai", "So.")]),
        ([ASKED, RemoveMessage("q")], [("human", "What?")]),
        ([ASKED, SAID, HumanMessage("Who?", id="q")], [("human", "Who?"), ("ai", "So.")]),
        ([HumanMessage.model_construct(content=5)], []),  # type: ignore[arg-type]
    ],
)
def test_messages_that_were_written_past_their_reducer(stored: Any, came_to: Any) -> None:
    found = mended_messages(stored)
    assert [(message.type, message.text) for message in found] == came_to


def test_sound_messages_are_the_same_list() -> None:
    given = [ASKED, SAID, HumanMessage("without an id")]
    assert mended_messages(given) is given


@pytest.mark.parametrize(
    ("stored", "added", "came_to"),
    [
        (5, [ASKED], [ASKED]),
        ([ASKED, 5], [SAID], [ASKED, SAID]),
        ([ASKED], SAID, [ASKED, SAID]),
        ([ASKED], 5, [ASKED]),
        ([ASKED], [None, SAID, {"role": "odd"}], [ASKED, SAID]),
        ([ASKED], RemoveMessage("q"), []),
        ([ASKED], [RemoveMessage("no such"), SAID, RemoveMessage("a")], [ASKED]),
        ([ASKED], [RemoveMessage(REMOVE_ALL_MESSAGES), SAID], [SAID]),
    ],
)
def test_messages_are_added_whatever_is_stored(stored: Any, added: Any, came_to: Any) -> None:
    assert with_messages(stored, added) == came_to


@pytest.mark.parametrize(
    "wrong",
    [
        5,
        None,
        [None],
        [{"role": "odd", "content": "x"}],
        [{"type": "ai", "content": "", "tool_calls": 5}],
        [{"type": "human", "content": [5]}],
    ],
)
def test_what_is_no_message_is_refused_before_it_is_stored(wrong: Any) -> None:
    with pytest.raises(ValueError, match="these are not messages: "):
        check_messages({"messages": wrong})
    with pytest.raises(ValueError, match="these are not messages: "):
        check_input(None, Command(update={"messages": wrong}))


def test_an_empty_command_is_refused() -> None:
    empties: list[Any] = [Command(), Command(update={})]
    for empty in empties:
        with pytest.raises(ValueError, match="this Command is empty"):
            check_input(None, empty)


@pytest.mark.parametrize(
    "values",
    [None, 5, {}, {"plan": 5}]
    + [{"messages": it} for it in ["hi", [], [ASKED, ("ai", "So.")], RemoveMessage("x")]]
    + [{"messages": it} for it in [Overwrite(5), {"__overwrite__": 5}]]
    + [{"messages": {"type": "__overwrite__", "value": 5}}],
)
def test_what_can_be_read_is_not_refused(values: Any) -> None:
    check_messages(values)


# ── anything ──────────────────────────────────────────────────────────────────────────────────


@MANY
@given(STATES)
def test_whatever_is_stored_comes_to_a_state_that_works(values: dict[str, Any]) -> None:
    found = mended(values)
    again = mended(found)
    assert repairs(found, again) == {}
    assert again["messages"] is found["messages"]
    JsonPlusSerializer().dumps_typed({k: v for k, v in found.items() if k != "messages"})
    ids = [it["id"] for it in found["plan"]]
    assert ids == sorted(set(ids))
    assert all(str(o["id"]) == id for id, o in found["outcomes"].items())
    assert all(0 < it["round"] <= found["round"] for it in found["plan"])
    assert 0 <= found["seconds"] < math.inf
    # What the nodes do with it.
    question(found)
    ended = tasks_of_round(found)
    annotated_program(found["plan"], found["outcomes"], 100)
    messages: Any = round_messages(ended, found["outcomes"], 100, mark="1")
    said: Any = with_messages([], messages)
    assert follows_protocol(said)


async def test_a_long_plan_is_read_without_holding_the_loop() -> None:
    tasks = [
        {"id": n, "tool": "f", "args": {"x": [1, "two", {"three": 3.0}] * 3}, "needs": []}
        for n in range(1, 10_001)
    ]
    outcomes = {
        str(n): {**Outcome(n, "f", "ok", {"x": 1}, [1, 2, 3]).data(), "extra": 1}
        for n in range(1, 10_001)
    }
    async with LoopWatch() as watch:
        read = await read_state({"messages": [], "plan": tasks, "outcomes": outcomes})
    assert len(read["plan"]) == len(read["outcomes"]) == 10_000
    assert watch.busy < 0.05
