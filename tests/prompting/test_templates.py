"""The texts of prompts/ and their placeholders."""

import re

import pytest

from llm_compiler.prompting import templates
from llm_compiler.prompting.templates import filled


@pytest.mark.parametrize(
    ("name", "placeholders"),
    [
        ("PLANNER", {"tools", "today"}),
        ("JOINER", {"missing"}),
        ("MAY_REPLAN", set()),
        ("LAST_ROUND", set()),
        ("JOINER_RESULTS", {"question", "results"}),
        ("UNGROUNDED", {"what"}),
        ("REPLAN", {"results"}),
    ],
)
def test_each_text_has_its_placeholders(name: str, placeholders: set[str]) -> None:
    text = getattr(templates, name)
    assert text.strip()
    assert set(re.findall(r"\{(\w+)\}", text)) == placeholders


def test_placeholders_in_filled_text_are_not_filled() -> None:
    values = {"question": "What is {results}?", "results": "{question}"}
    assert filled("{question} {results}", values) == "What is {results}? {question}"
