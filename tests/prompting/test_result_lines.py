"""A plan with its results, as lines that a model reads."""

import re

import pytest

from llm_compiler.prompting.result_lines import fenced, results
from tests.support.outcomes import outcome, task

LONG = "long text " * 40


def test_a_long_result_that_was_read_is_shown_as_the_call_it_came_from() -> None:
    plan = [task(1, "search", query="K2"), task(2, "number", (1,), what="height", text="$1")]
    outcomes = {"1": outcome(1, LONG), "2": outcome(2, 8611)}
    assert results(plan, outcomes, 4000) == ['2. number("height", search("K2")) = 8611']


def test_a_long_result_is_shown_when_its_reader_failed() -> None:
    plan = [task(1, "search", query="K2"), task(2, "number", (1,), what="height", text="$1")]
    outcomes = {"1": outcome(1, LONG), "2": outcome(2, None, "failed", "no number")}
    first, second = results(plan, outcomes, 100)
    assert first == f'1. search("K2") = {LONG[:100]}… (400 characters)'
    assert second == '2. number("height", search("K2")) failed: no number'


def test_short_results_replace_their_references() -> None:
    plan = [task(1, "math", expression="1 + 1"), task(2, "math", expression="$1 * 3")]
    outcomes = {"1": outcome(1, 2), "2": outcome(2, 6)}
    assert results(plan, outcomes, 4000)[1] == '2. math("2 * 3") = 6'


def test_a_task_that_did_not_compile_is_shown_as_written_until_it_is_edited() -> None:
    refused = task(1, "mth") | {"text": '1. mth("1")'}
    failed = {"1": outcome(1, None, "failed", "no tool 'mth'")}
    assert results([refused], failed, 4000) == ["1. mth(\"1\") failed: no tool 'mth'"]
    edited = refused | {"tool": "math", "args": {"expression": "1"}}
    assert results([edited], {"1": outcome(1, 1)}, 4000) == ['1. math("1") = 1']


def test_delimiters_differ_each_time() -> None:
    assert fenced(["x"]) != fenced(["x"])


def test_delimiters_are_those_of_the_tools_and_do_not_occur_in_their_text() -> None:
    """See test_injection.py: test_a_delimiter_is_random_and_does_not_occur_in_its_text."""
    assert re.fullmatch(r"<([a-z]{5})>\nx\n</\1>", fenced(["x"]))


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.1 + 0.2, "0.3"), (2384146.3414634145, "2384146"), (8849.0, "8849.0"), (1e300, "1e+300")],
)
def test_long_tails_of_digits_are_not_shown(value: float, shown: str) -> None:
    plan = [task(1, "math", expression="1 + 1")]
    assert results(plan, {"1": outcome(1, value)}, 4000)[0].endswith(f"= {shown}")
