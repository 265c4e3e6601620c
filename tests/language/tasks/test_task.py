"""Tasks in the state: which did not compile."""

from typing import Any

import pytest

from llm_compiler.language.tasks.task import Refused, Task, did_not_compile


@pytest.mark.parametrize(
    ("data", "refused"),
    [
        (Task(1, "math", {"expression": "1"}, text='math("1")').data(), False),
        (Task(1, "now").data(), False),
        (Refused(1, "mth", "no tool 'mth'", 'mth("1")').data(), True),
        ({"id": 1, "tool": "mth", "args": {}, "text": 'mth("1")'}, True),
        ({"id": 1, "tool": "mth", "text": 'mth("1")'}, True),
        # A person has put arguments in the place of the text.
        ({"id": 1, "tool": "math", "args": {"expression": "1"}, "text": 'mth("1")'}, False),
        ({"id": 1, "tool": "now", "args": {}, "text": ""}, False),
    ],
)
def test_a_task_with_its_text_alone_did_not_compile(data: Any, refused: bool) -> None:
    assert did_not_compile(data) is refused
