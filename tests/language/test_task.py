"""Tasks in the state: which did not compile."""

from typing import Any

import pytest

from llm_compiler.language.compiler import is_answer
from llm_compiler.language.task import Refused, Task, did_not_compile


@pytest.mark.parametrize(
    ("data", "refused"),
    [
        (Task(1, "math", {"expression": "1"}, text='1. math("1")').data(), False),
        (Task(1, "now").data(), False),
        (Refused(1, "mth", "no tool 'mth'", '1. mth("1")').data(), True),
        ({"id": 1, "tool": "mth", "args": {}, "text": '1. mth("1")'}, True),
        ({"id": 1, "tool": "mth", "text": '1. mth("1")'}, True),
        # A person has put arguments in the place of the text.
        ({"id": 1, "tool": "math", "args": {"expression": "1"}, "text": '1. mth("1")'}, False),
        ({"id": 1, "tool": "now", "args": {}, "text": ""}, False),
    ],
)
def test_a_task_with_its_text_alone_did_not_compile(data: Any, refused: bool) -> None:
    assert did_not_compile(data) is refused


def test_an_answer_that_compiled_or_was_mended_is_an_answer() -> None:
    broken: Any = {"id": 1, "tool": "answer", "args": {}, "text": "1. answer(5)"}
    assert not is_answer(broken)
    assert is_answer(broken | {"args": {"text": "5"}})
    assert is_answer(broken | {"args": {"text": "5"}, "text": ""})
