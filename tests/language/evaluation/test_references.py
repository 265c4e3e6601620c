"""References: which results a text names, and what is put in their place."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_compiler.errors import PlanError
from llm_compiler.language.evaluation.compute import evaluate
from llm_compiler.language.evaluation.references import Reference, as_text, references, substitute
from llm_compiler.language.tasks.task_ids import TaskId
from tests.support.strategies import LITERALS, MANY, STRINGS

RESULTS: dict[TaskId, Any] = {
    1: 8849,
    2: "Kathmandu",
    3: {"name": "K2", "height": 8611.0, "urls": [{"url": "https://k2"}], "a b": True, "tags": []},
    4: ["first", "second"],
    5: None,
    6: -4,
    7: "$1 and $2 and ${3}",
    8: 'é\n"quoted"',
    10: True,
}


def fill(value: Any) -> Any:
    return substitute(value, RESULTS.__getitem__, RESULTS.__contains__)


@pytest.mark.parametrize(
    ("written", "filled"),
    [
        ("$1", 8849),
        ("${1}", 8849),
        ("$3", RESULTS[3]),
        ("$4", ["first", "second"]),
        ("$5", None),
        ("$10", True),
        (["$1", {"a": "$4"}], [8849, {"a": ["first", "second"]}]),
        ({"$2": "$1", "$1": 0}, {"Kathmandu": 8849, "8849": 0}),
    ],
)
def test_reference_alone_is_the_value_itself_with_its_type(written: Any, filled: Any) -> None:
    assert fill(written) == filled
    assert type(fill(written)) is type(filled)


@pytest.mark.parametrize(
    ("written", "filled"),
    [
        ("$3.name", "K2"),
        ("${3.name}", "K2"),
        ("${3}.name", "K2"),
        ("$3.urls[0].url", "https://k2"),
        ('$3["a b"]', True),
        ("$3['name']", "K2"),
        ("$4[0]", "first"),
        ("$4[-1]", "second"),
        ("at ${4[1]}.", "at second."),
        ("see $3.urls[0].url, $3.height", "see https://k2, 8611.0"),
    ],
)
def test_paths(written: str, filled: Any) -> None:
    assert fill(written) == filled


@pytest.mark.parametrize(
    ("written", "filled"),
    [
        ("$1 m", "8849 m"),
        ("$1 - $1", "8849 - 8849"),
        ("from $2 to ${2}s", "from Kathmandu to Kathmandus"),
        ("list: $4", 'list: ["first", "second"]'),
        ("é: $8", 'é: é\n"quoted"'),
        ("nothing: $5, yes: $10", "nothing: null, yes: true"),
        ("It is $1.Then more", "It is 8849.Then more"),
        ("It is $2.", "It is Kathmandu."),
        ("${2}.txt", "Kathmandu.txt"),
        (" $1", " 8849"),
    ],
)
def test_inside_a_longer_string_a_reference_is_its_text(written: str, filled: str) -> None:
    assert fill(written) == filled


@pytest.mark.parametrize(
    ("written", "filled"),
    [
        ("$$", "$"),
        ("$$1", "$1"),
        ("$$$1", "$8849"),
        ("costs $$5 and $$1.name", "costs $5 and $1.name"),
        ("$", "$"),
        ("$x ${y} $-1", "$x ${y} $-1"),
    ],
)
def test_two_dollar_signs_are_one(written: str, filled: str) -> None:
    assert fill(written) == filled


def test_text_from_a_result_is_never_scanned_again() -> None:
    assert fill("$7") == "$1 and $2 and ${3}"
    assert fill("it says: $7") == "it says: $1 and $2 and ${3}"
    assert fill({"$7": 1}) == {"$1 and $2 and ${3}": 1}


def test_two_references_in_one_string_of_which_one_begins_the_other() -> None:
    assert fill("$1 costs $10") == "8849 costs true"
    assert fill("$1 costs $12") == "8849 costs $12"


def test_dollar_amount_without_such_a_task_is_plain_text() -> None:
    assert fill("a $50 bill, under $99 million") == "a $50 bill, under $99 million"


@pytest.mark.parametrize(
    ("path", "value", "found"),
    [
        (".id", '{"id": 7}', 7),
        ("[0].id", '[{"id": 7}]', 7),
        (".inner.id", {"inner": '{"id": 7}'}, 7),
        ("[3]", {"3": "three"}, "three"),
        ("[-1]", {"-1": "below"}, "below"),
        ("[-1]", "text", "t"),
        (".year", "2026-11-27", 2026),
    ],
)
def test_path_finds_what_an_expression_finds(path: str, value: Any, found: Any) -> None:
    results: dict[TaskId, Any] = {1: value}
    assert substitute(f"$1{path}", results.__getitem__, {1}.__contains__) == found
    assert evaluate(f"$1{path}", results.__getitem__) == found


@pytest.mark.parametrize(
    ("written", "filled"),
    [("$6 ** 2", "(-4) ** 2"), ("2 ** $6", "2 ** -4"), ("$6**2", "(-4)**2"), ("$6 * 2", "-4 * 2")],
)
def test_negative_number_before_a_power_is_put_in_brackets(written: str, filled: str) -> None:
    assert fill(written) == filled


@pytest.mark.parametrize(
    ("written", "error"),
    [
        (
            "$3.nam",
            "$3.nam cannot be resolved: an object with name, height, urls, a b, tags has no .nam",
        ),
        ("$4[2]", "$4[2] cannot be resolved: a list of 2 has no [2]"),
        ("$4.name", "$4.name cannot be resolved: a list of 2 has no .name"),
        ("$1.name", "$1.name cannot be resolved: a number has no .name"),
        ("$2[99]", "$2[99] cannot be resolved: a string has no [99]"),
        ("$5.x", "$5.x cannot be resolved: null has no .x"),
        ("$10.x", "$10.x cannot be resolved: true or false has no .x"),
        ("at ${2.name}", "$2.name cannot be resolved: a string has no .name"),
        ("$3.urls[0].uri", "$3.urls[0].uri cannot be resolved: an object with url has no .uri"),
    ],
)
def test_path_that_leads_nowhere_says_what_is_there(written: str, error: str) -> None:
    with pytest.raises(PlanError) as raised:
        fill(written)
    assert str(raised.value) == error


def test_references_of_a_value_in_reading_order() -> None:
    value = {"a": "$1", "b": ["from $2 to ${3}", {"$4": "$$5 $6.x"}]}
    assert list(references(value)) == [
        Reference(1, certain=True),
        Reference(2, certain=False),
        Reference(3, certain=True),
        Reference(4, certain=True),
        Reference(6, certain=False),
    ]


def test_id_that_no_machine_integer_holds_names_no_task() -> None:
    assert list(references("$" + "9" * 30)) == [Reference(0, certain=True)]


@MANY
@given(STRINGS)
def test_doubled_dollar_signs_say_any_text(text: str) -> None:
    assert list(references(text)) == []
    assert fill(text) == text.replace("$$", "$")


@MANY
@given(LITERALS, st.text(alphabet="ab ,.!\n"))
def test_any_result_is_put_in_whole(value: Any, around: str) -> None:
    def there(written: str) -> Any:
        return substitute(written, lambda id: value, lambda id: id == 1)

    assert there("$1") == value
    if around:
        assert there(f"{around}: $1 {around}") == f"{around}: {as_text(value)} {around}"
