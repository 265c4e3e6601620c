"""Hypothesis strategies for plans: their texts, their values, and whole plans for the rules."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

from llm_compiler.language.tasks.task import Outcome, Status, Task, is_pure
from llm_compiler.language.tasks.task_ids import TaskId

FEW = settings(max_examples=60, deadline=None, derandomize=True)
MANY = settings(max_examples=300, deadline=None, derandomize=True)


def cut(text: str, places: list[int]) -> list[str]:
    """`text` in pieces, cut at the places given (any integers)."""
    at = sorted({place % (len(text) + 1) for place in places} | {0, len(text)})
    return [text[start:end] for start, end in pairwise(at)]


# ── values ────────────────────────────────────────────────────────────────────────────────────

_NASTY = st.sampled_from(
    [
        "\n",
        '"""',
        "'''",
        '"',
        "'",
        "\\",
        "\\n",
        "\\d",
        ")",
        "(",
        "# no",
        "key=",
        "$$",
        "2. x()",
        "😀",
    ]
)
# Dollar signs come doubled: a single one may begin a reference.
STRINGS = st.one_of(st.text(), st.lists(_NASTY).map("".join)).map(
    lambda text: text.encode("utf-8", "replace").decode().replace("$", "$$")
)
LITERALS = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**63), 2**64 - 1),
        st.floats(allow_nan=False, allow_infinity=False),
        STRINGS,
    ),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(STRINGS, inner, max_size=4),
    max_leaves=8,
)

# ── plans for the rules ───────────────────────────────────────────────────────────────────────

UNKNOWN = 99
"""An id that no task of these plans has."""
STATUSES: list[Status] = ["ok", "failed", "skipped", "rejected"]


@st.composite
def scheduled_plans(
    draw: st.DrawFn, tools: list[str], *, most: int = 9, sound: bool = False
) -> list[Task]:
    """Plans in any order of ids: forward references, cycles, unknown ids, equal calls.

    With `sound` only earlier ids are needed, so that every task can run.
    """
    ids = draw(st.lists(st.integers(1, 20), min_size=1, max_size=most, unique=True))
    if sound:
        ids.sort()
    plan = []
    for place, id in enumerate(ids):
        known = ids[:place] if sound else [*ids, UNKNOWN]
        some = st.lists(st.sampled_from(known), max_size=2, unique=True) if known else st.just([])
        references, after = draw(some), draw(some)
        soft = [other for other in draw(some) if other != id]
        if not sound and draw(st.integers(0, 3)):
            # Most needs lead backwards, or hardly a task would run.
            references, after, soft = (
                [other for other in needs if other in ids[:place]]
                for needs in (references, after, soft)
            )
        x, tool = draw(st.integers(0, 3)), draw(st.sampled_from(tools))
        if is_pure(tool):
            written = ", ".join(map(str, [x, *(f"${other}" for other in references)]))
            needs = tuple(dict.fromkeys([*after, *references]))
            plan.append(Task(id, tool, {"expression": f"[{written}]"}, needs))
            continue
        plan.append(
            Task(
                id,
                tool,
                {
                    "x": x,
                    "from": [f"${other}" for other in references],
                    "text": " ".join(f"a ${other} bill" for other in soft),
                },
                tuple(dict.fromkeys([*after, *references, *soft])),
                frozenset(soft) - {*after, *references},
            )
        )
    return plan


@st.composite
def later_rounds(draw: st.DrawFn, tools: list[str]) -> tuple[list[Task], dict[TaskId, Outcome]]:
    """A plan, and how its first tasks ended in earlier rounds; some were edited since."""
    plan = draw(scheduled_plans(tools))
    priors = {}
    for task in plan[: draw(st.integers(0, len(plan)))]:
        args: Mapping[str, Any] = task.args
        if draw(st.booleans()):
            args = {"expression": "9"} if is_pure(task.tool) else {**args, "x": 9}
        status = draw(st.sampled_from(STATUSES))
        value, error = ("before", None) if status == "ok" else (None, f"{status} before")
        priors[task.id] = Outcome(task.id, task.tool, status, args, value, error)
    return plan, priors
