"""Hypothesis strategies for plans: their texts, their calls, and whole plans for the rules."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

from llm_compiler.language.task import Outcome, Status, Task, is_pure

FEW = settings(max_examples=60, deadline=None, derandomize=True)
MANY = settings(max_examples=300, deadline=None, derandomize=True)

# ── texts of plans, whole and broken ──────────────────────────────────────────────────────────

_FRAGMENTS = st.sampled_from(
    [
        '1. search("K2")',
        "2. math('$1 - 5')",
        "3) number(text=$1, what='height (m)')",
        '4. after 1, 2 and 3: save(text="""a "quoted" ) text""")',
        "5. after 3 save({'a': [1, (2)]})",
        "7.\nlookup(\n  # a comment with ) and '\n  1,\n)",
        "12. note('it\\'s #1')",
        "1. answer('Hi (there)')",
        "join()",
        "9. join()",
        '6. "lookup"(1)',
        "8. `lookup",
        "<END_OF_PLAN>",
        "<END",
        "Thought: I need both.",
        "```python\n",
        "## Plan\n",
        "# 8. not('a task')\n",
        "It was 1953. He (John) left. ",
        "v1.2. x(",
        "after ",
        "and",
        ": ",
        "3.14",
        "$5.",
        "9999999999. big()",
        "0. zero()",
        "é漢字😀",
        "\ud800",
        "\\",
        "''",
        '"""',
    ]
)
_CHARACTERS = st.sampled_from(list("12. )(:\n\"'\\#<[]{}$,aé_-=\t"))
PLAN_TEXTS = st.lists(
    st.one_of(_FRAGMENTS, st.just("\n"), st.just(" "), _CHARACTERS, st.text(max_size=5)),
    max_size=25,
).map("".join)


def cut(text: str, places: list[int]) -> list[str]:
    """`text` in pieces, cut at the places given (any integers)."""
    at = sorted({place % (len(text) + 1) for place in places} | {0, len(text)})
    return [text[start:end] for start, end in pairwise(at)]


# ── calls of a tool `t(first, second, third)` with arguments of any kind ─────────────────────

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
PARAMETERS = ("first", "second", "third")


@st.composite
def string_literal(draw: st.DrawFn, text: str) -> str:
    """A text in one of the ways in which models quote it."""
    written = [repr(text), json.dumps(text), json.dumps(text, ensure_ascii=False)]
    raw = text.replace("\\", "\\\\")
    if "\0" not in raw:
        written.append('"' + raw.replace('"', '\\"') + '"')
        if '"""' not in raw and not raw.endswith('"') and not raw.startswith('"'):
            written.append(f'"""{raw}"""')
    return draw(st.sampled_from(written))


@st.composite
def literal(draw: st.DrawFn, value: Any) -> str:
    """A value in the plan language: as Python or as JSON writes it."""
    if isinstance(value, str):
        return draw(string_literal(value))
    if isinstance(value, list):
        left, right = draw(st.sampled_from([("[", "]"), ("(", ")")]))
        comma = "," if left == "(" and len(value) == 1 else ""
        return left + ", ".join(draw(literal(item)) for item in value) + comma + right
    if isinstance(value, dict):
        pairs = ((draw(literal(key)), draw(literal(item))) for key, item in value.items())
        return "{" + ", ".join(f"{key}: {item}" for key, item in pairs) + "}"
    return draw(st.sampled_from([repr(value), json.dumps(value)]))


@dataclass(frozen=True)
class Written:
    """A call as it was rendered, and what it must compile to."""

    id: int
    args: dict[str, Any]
    needs: tuple[int, ...]
    text: str


@st.composite
def written_plans(draw: st.DrawFn) -> list[Written]:
    """Tasks with rising ids and gaps, their arguments positional or by keyword."""
    ids = sorted(draw(st.sets(st.integers(1, 999), min_size=1, max_size=5)))
    plan = []
    for id in ids:
        args: dict[str, Any] = {}
        pieces = []
        positional = draw(st.integers(0, len(PARAMETERS)))
        for place, name in enumerate(PARAMETERS):
            value = draw(LITERALS)
            args[name] = value
            text = draw(literal(value))
            pieces.append(text if place < positional else f"{name}={text}")
        if draw(st.booleans()):
            keywords = draw(st.permutations(pieces[positional:]))
            pieces = [*pieces[:positional], *keywords]
        earlier = [other for other in ids if other < id]
        after = draw(st.lists(st.sampled_from(earlier), unique=True)) if earlier else []
        head = f"after {', '.join(map(str, after))}: " if after else ""
        space = draw(st.sampled_from(["", " ", "\n  "]))
        plan.append(
            Written(id, args, tuple(after), f"{id}. {head}t({space}{', '.join(pieces)}{space})")
        )
    return plan


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
def later_rounds(draw: st.DrawFn, tools: list[str]) -> tuple[list[Task], dict[int, Outcome]]:
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
