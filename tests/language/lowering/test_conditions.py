"""What stands under a condition gets it, and names and answers are those of the branch taken."""

import pytest

from llm_compiler.language.lowering.answers import answer_expression
from tests.language.test_program import compiled
from tests.support.shown_tasks import shown


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "c = search('c')\nx = pay(1) if c == 'a' else pay(2)",
            ["1 c = search('c')", "2 $1 == 'a'", "3 pay(1) if 2", "4 pay(2) unless 2",
             "5 x = $3 if $2 else $4"],
        ),
        (
            "c = search('c')\nx = c and pay(1)\ny = c or pay(2) or pay(3)",
            ["1 c = search('c')", "2 pay(1) if 1", "3 x = $1 and $2", "4 pay(2) unless 1",
             "5 $1 or $4", "6 pay(3) unless 5", "7 y = $5 or $6"],
        ),
        (
            "x = 1 < number('a', 'b') < pay(1)",
            ["1 number('a', 'b')", "2 1 < $1", "3 pay(1) if 2", "4 x = $2 and $1 < $3"],
        ),
        # A condition inside another is a task under it.
        (
            "c = search('c')\nif c == 'a':\n    if c:\n        pay(1)",
            ["1 c = search('c')", "2 $1 == 'a'", "3 $1 if 2", "4 pay(1) if 3"],
        ),
        (
            "c = search('c')\nif c:\n    x = pay(1)\nelif c == 2:\n    x = 2\nelse:\n    x = 3",
            ["1 c = search('c')", "2 x = pay(1) if 1", "3 $1 == 2 unless 1",
             "4 x = 2 if $3 else 3 unless 1", "5 x = $2 if $1 else $4"],
        ),
        # Without a value before, a name is that of its branch.
        (
            "c = search('c')\nif c:\n    x = pay(1)\n    y = 5\nz = x",
            ["1 c = search('c')", "2 x = pay(1) if 1", "3 y = 5 if 1", "4 z = $2"],
        ),
        # Branches without calls are one expression.
        (
            "c = search('c')\nx = 0\nif c:\n    x = 1\n    x += 2",
            ["1 c = search('c')", "2 x = 1 + 2 if $1 else 0"],
        ),
        # A read that was started before its condition is made again under it.
        (
            "x = search('a') if number('b', 'c') else 1",
            ["1 search('a')", "2 number('b', 'c')", "3 search('a') if 2", "4 x = $3 if $2 else 1"],
        ),
    ],
)  # fmt: skip
def test_calls_get_their_conditions(text: str, expected: list[str]) -> None:
    assert shown(compiled(text)[0].tasks) == expected


def test_read_that_turned_out_to_be_under_a_condition_is_wasted_with_its_arguments() -> None:
    program, _ = compiled("q = 'a'\nx = search(q + 'b') if pay(1) else 1")
    assert program.wasted == {1, 2}
    assert compiled("x = search('a') if 1 else 2\n")[0].wasted == {1}
    assert compiled("x = [search('a'), 1] if 1 else 2\n")[0].wasted == {1}
    assert compiled("x = [search('a') for _ in range(2)]\n")[0].wasted == {1}
    assert compiled("x = search('a')\nif x: pay(1)\n")[0].wasted == set()


def test_condition_tells_the_line_it_stands_on() -> None:
    program, _ = compiled("x = 1\nif search('a'):\n    pay(1)\nelif search('b'):\n    pay(2)\n")
    lines = [it.when.line for it in program.tasks if getattr(it, "when", None)]  # type: ignore[union-attr]
    assert lines == [2, 2, 4]


@pytest.mark.parametrize(
    ("text", "expected", "when"),
    [
        ("if c:\n    answer('a')\nelse:\n    answer(pay(1))", "'a' if $1 else $2", None),
        ("if c:\n    answer('a')\nx = pay(1)\nanswer(f'{x} b')", "'a' if $1 else f'{$2} b'", None),
        ("if c:\n    pass\nelse:\n    return 'a'\nanswer('b')", "'b' if $1 else 'a'", None),
        ("if c:\n    answer('a')\npay(1)", "'a'", 1),
        ("if c:\n    answer('a')\nif c:\n    answer('b')\npay(1)", "'a' if $1 else 'b'", 4),
        ("if c:\n    answer('a')\nprint('b')", "'a' if $1 else 'b'", None),
        ("print('a')\nif c:\n    answer('b')", "f'a\\nb' if $1 else 'a'", None),
        ("if c:\n    print('a')\nprint('b')", "'\\n'.join([*$2, 'b'])", None),
        ("if c:\n    if c == 1:\n        answer('a')\nanswer('b')", "'a' if $3 else 'b'", None),
        ("answer('a' if c else pay(1))", "'a' if $1 else $2", None),
        ("answer('a' if c else f'{c}.')", "'a' if $1 else f'{$1}.'", None),
    ],
)
def test_answer_is_that_of_the_branch_taken(text: str, expected: str, when: int | None) -> None:
    program, _ = compiled(f"c = search('c')\n{text}\n")
    assert [answer_expression(program.answer)] == [expected]
    condition = program.answer.when
    assert (condition and condition.id) == when
    assert when is None or when in program.answer.needs


def test_what_follows_an_answer_in_a_branch_is_under_the_other_condition() -> None:
    text = "if c:\n    answer('a')\nx = search('b')\nif x:\n    answer('b')\npay(x)"
    assert shown(compiled(f"c = search('c')\n{text}")[0].tasks) == [
        "1 c = search('c')",
        "2 x = search('b') unless 1",
        "3 pay('$2') unless 2",
        "4 $1 or $2",
    ]


def test_program_ends_where_every_branch_answers() -> None:
    program, _ = compiled("if search('c'):\n    answer('a')\nelse:\n    answer('b')\npay(1)\n")
    assert program.ended
    assert shown(program.tasks) == ["1 search('c')"]


def test_name_without_a_value_is_read_only_where_it_is_used() -> None:
    text = "c = search('c')\nif c:\n    x = pay(1)\nif c == 1:\n    x = 2\n"
    program, _ = compiled(text)
    assert shown(program.tasks)[-1] == "3 $1 == 1"
    assert program.names["x"] == "2 if $3 else $2"
