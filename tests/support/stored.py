"""What a client may write into a thread: sound values, and anything near them or far off."""

import math
from typing import Any

from hypothesis import strategies as st
from langchain_core.messages import AIMessage, HumanMessage, RemoveMessage, ToolMessage

from llm_compiler.language.tasks.task import Outcome


def task(id: int = 1, **more: Any) -> dict[str, Any]:
    of = {"id": id, "name": "", "tool": "echo", "args": {"value": "x"}, "needs": [], "line": 0}
    return {**of, "source": "", "round": 1, "key": f"1-{id}", **more}


def outcome(id: int = 1, **more: Any) -> dict[str, Any]:
    return {**Outcome(id, "echo", "ok", {"value": "x"}, "x", attempts=1).data(), **more}


def deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


NUMBERS = st.sampled_from([0, 1, 2, 3, -1, True, 1.0, 2**63, 2**70, 10**9, math.nan, math.inf])
TEXTS = st.sampled_from(["", "1", "2", "01", "x", "$1", "answer", "echo", "ok", "done", "\ud800"])
LEAVES = st.one_of(st.none(), NUMBERS, TEXTS, st.text(max_size=3), st.binary(max_size=2))
JSONISH = st.recursive(
    st.one_of(LEAVES, st.just(deep(240))),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner)
        | st.dictionaries(st.one_of(TEXTS, st.integers(0, 3), st.none()), inner, max_size=3)
    ),
    max_leaves=6,
)


def near(sound: dict[str, Any]) -> st.SearchStrategy[Any]:
    """What is almost sound: with a few of its keys gone or wrong."""
    wrong = st.dictionaries(st.sampled_from([*sound]), JSONISH, max_size=3)
    gone = st.sets(st.sampled_from([*sound]), max_size=2)
    return st.builds(
        lambda wrong, gone: {k: v for k, v in {**sound, **wrong}.items() if k not in gone},
        wrong,
        gone,
    )


TASKS = st.one_of(
    near(task()), near(task(2)), near(task(3, text="x = echo(", error="cut off")), JSONISH
)
OUTCOMES = st.one_of(near(outcome()), near(outcome(2, status="failed", error="no")), JSONISH)
MESSAGES = st.sampled_from(
    [
        HumanMessage("What?", id="q"),
        AIMessage("So.", id="a"),
        AIMessage("", tool_calls=[{"name": "f", "args": {}, "id": "c"}]),
        ToolMessage("x", tool_call_id="c"),
        HumanMessage([{"type": "text"}, {"type": "image_url", "image_url": "data:"}, "So?"]),
        RemoveMessage("q"),
        {"role": "user", "content": "hi"},
        {"type": "human", "content": None},
    ]
)
KEYS = st.one_of(TEXTS, st.integers(0, 3))
STATES = st.fixed_dictionaries(
    {},
    optional={
        "messages": st.one_of(
            st.lists(MESSAGES, max_size=4),
            st.lists(MESSAGES, max_size=4),
            st.builds(
                lambda past: {"__overwrite__": past},
                st.one_of(JSONISH, st.lists(st.one_of(MESSAGES, JSONISH), max_size=4)),
            ),
            JSONISH,
        ),
        "plan": st.one_of(JSONISH, st.lists(TASKS, max_size=4)),
        "outcomes": st.one_of(JSONISH, st.dictionaries(KEYS, OUTCOMES, max_size=4)),
        "round": JSONISH,
        "turn": JSONISH,
        "feedback": JSONISH,
        "usage": st.one_of(JSONISH, near({"planner": {"calls": 1, "input": 2, "output": 3}})),
        "seconds": JSONISH,
        "names": st.one_of(JSONISH, st.dictionaries(TEXTS, st.one_of(TEXTS, NUMBERS), max_size=3)),
    },
)
