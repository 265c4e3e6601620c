"""An answer as an expression says exactly what its texts and its holes say."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_compiler.language.evaluation.budget import ComputeError
from llm_compiler.language.evaluation.compute import evaluate
from llm_compiler.language.evaluation.references import literal, substitute
from llm_compiler.language.lowering.answers import answer_expression, in_words
from llm_compiler.language.lowering.lowered import Answer, Hole
from llm_compiler.language.tasks.task_ids import TaskId
from tests.language.test_program import compiled
from tests.support.strategies import MANY

RESULTS: dict[TaskId, Any] = {
    1: 8848.86,
    2: 'it\'s $5 {x}\n"q"',
    3: {"name": [{"a b": 4, "é": "x"}, {"a b": "1,234"}], "it's": [None, True]},
    4: [1, "two", [3.5]],
}
PATHS = ["$1", "$2", "$3", "$4", '$3.name[0]["a b"]', "$3.name[-1]", '$3.name[0]["é"]', "$4[2][0]"]
TEXTS = st.lists(
    st.sampled_from(
        ["a", " ", "'", '"', '"""', "'''", "\n", "\r", "\t", "\\", "\\n", "$", "$1", "$$", "{", "}",
         "{x}", "é", "漢", "😀", "\x00", "\N{LINE SEPARATOR}", "#", "%", "__1", "\xa0"]
    ),
    max_size=6,
).map("".join)  # fmt: skip
LITERALS = st.recursive(
    TEXTS | st.integers(1 - 2**63, 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=5,
)  # fmt: skip
SPECS = st.sampled_from(
    ["", "", ".1f", ",.0f", ">8", "^12", "'>9", '"<9', "\\^9", "{<9", "}>9", "d", "%", "zz", "é>5"]
)
HOLES = st.builds(
    Hole,
    st.sampled_from(PATHS) | LITERALS.map(literal),
    st.sampled_from(["", "r", "s", "a"]),
    SPECS,
)
ANSWERS = st.lists(TEXTS | HOLES, min_size=1, max_size=5).map(lambda it: Answer(tuple(it)))


def said(answer: Answer) -> Any:
    """What an answer says, part by part."""

    def value(hole: Hole) -> Any:
        return substitute(hole.value, RESULTS.__getitem__, RESULTS.__contains__)

    [first, *rest] = answer.parts
    if isinstance(first, Hole) and not (rest or first.spec or first.conversion):
        return value(first)
    return "".join(it.text(value(it)) if isinstance(it, Hole) else str(it) for it in answer.parts)


def outcome(say: Callable[[], Any]) -> str:
    try:
        return json.dumps(say())
    except ComputeError as error:
        return f"failed: {error}"


@MANY
@given(ANSWERS)
def test_expression_of_an_answer_says_what_its_parts_say(answer: Answer) -> None:
    expression = answer_expression(answer)
    found = outcome(lambda: evaluate(expression, RESULTS.__getitem__))
    assert found == outcome(lambda: said(answer))


@MANY
@given(ANSWERS.filter(lambda it: len(it.parts) > 1))
def test_expression_of_an_answer_tells_whether_it_is_in_words(answer: Answer) -> None:
    words = any(isinstance(it, str) and any(map(str.isalpha, it)) for it in answer.parts)
    assert in_words(answer_expression(answer)) is words


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("""sep = "\\n"\nanswer(f"{sep.join(['a', 'b'])}")""", "a\nb"),
        ("""sep = "\\n"\nx = f"<{sep.join(['a', 'b'])}>"\nanswer(f"{x}!")""", "<a\nb>!"),
        ("""q = "it's"\np = '"'\nx = f"{q + p}: {len(q)}"\nanswer(x)""", "it's\": 4"),
        ("""w = 5\nanswer(f"{'a':>{w}}{f'{w}':_<3}.")""", "    a5__."),
        ("""d = {"a'": 1}\nanswer(f"It is {d} {{}}.")""", """It is {"a'": 1} {}."""),
        # What stands in a hole may have backslashes and the quotes around it.
        ("""x = ['a', 'b']\nanswer(f"<{'\\n'.join(x)}>")""", "<a\nb>"),
        ("""x = ['a']\nanswer(f"{", ".join(f"{y}: {y + "\\t"}" for y in x)}.")""", "a: a\t."),
        ("""answer(f"{'a' "b" 'c'}{"d"}{'e' if "" else '\\\\'}")""", "abcd\\"),
        ("""x = {'a"': 'b'}\nanswer(f"{x['a\\"']} {f'{f"{1}"}'}")""", "b 1"),
        ("""answer(f"{\'\'\'a\nb\'\'\'} {len("c")}")""", "a\nb 1"),
        ("""d = {"from": [5]}\nx = d["from"] + []\nanswer(f"{d['from'][0]} {x[0]}")""", "5 5"),
        ("""answer(f"{ {'a': 1}['a'] }{'#'}{(1, 2)}x")""", "1#[1, 2]x"),
        ("""x = "\\\\"\nanswer(f"{[f'{i}{x}' for i in [1, 2]]}")""", "['1\\\\', '2\\\\']"),
    ],
)
def test_texts_in_holes_are_what_python_takes_them_for(text: str, said: str) -> None:
    program, _ = compiled(text)
    results: dict[TaskId, Any] = {}
    for task in program.tasks:
        results[task.id] = evaluate(task.args["expression"], results.__getitem__)  # type: ignore[union-attr]
    assert str(evaluate(answer_expression(program.answer), results.__getitem__)) == said
