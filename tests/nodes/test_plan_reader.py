"""A plan is read, and ends with the task that says what it says."""

from typing import Any

import pytest

from llm_compiler.language.tasks.task import ANSWER, Refused, Task
from llm_compiler.nodes.plan_reader import PlanReader
from tests.language.test_program import TOOLS


def read(*chunks: str) -> list[tuple[str, Any]]:
    """The tool and the arguments, or the error, of each task of a plan."""
    reader = PlanReader(TOOLS, {}, 1, 50)
    tasks: list[Task | Refused] = [it for chunk in chunks for it in reader.feed(chunk)]
    tasks += reader.close(cut=False)
    assert [it.id for it in tasks] == [*range(1, len(tasks) + 1)]
    return [(it.tool, it.error if isinstance(it, Refused) else [*it.args.values()]) for it in tasks]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("answer('a')", ["'a'"]),
        ("print('a')\nprint(1)", ["f'a\\n{1}'"]),
        ("print(f'It is {1:.1f}.')\n", ["f'It is {1:.1f}.'"]),
        ("print('a')\nanswer('b')\nprint('c')", ["f'a\\nb'"]),
        ("print('a')\nreturn\nprint('b')", ["'a'"]),
        ("answer('')", ["''"]),
    ],
)
def test_what_a_program_says_is_a_task_at_its_end(text: str, said: list[str]) -> None:
    for chunks in ([text], [*text]):
        assert read(*chunks) == [(ANSWER, said)]


@pytest.mark.parametrize("text", ["return", "print()", "x = 1", "# nothing\n"])
def test_program_that_says_nothing_has_no_such_task(text: str) -> None:
    assert read(*text) == []


@pytest.mark.parametrize(
    "text", ["answer()", "answer(1, 2)", "return 1 +", "print(x)", "answer(*[])"]
)
def test_end_that_is_wrong_is_a_diagnostic(text: str) -> None:
    [(_, error)] = read(*text)
    assert error.startswith("line 1: ")


@pytest.mark.parametrize(
    "text",
    [
        "Sure! Here is the plan (in Python):\n\n```python\nsearch('a')\n```",
        "~~~\nsearch('a')\n~~~",
        "\ufeffsearch('a')",
        "\n\n  search('a')",
    ],
)
def test_what_stands_around_a_program_is_left_out(text: str) -> None:
    assert read(*text) == read(text) == [("search", ["a"])]
