"""What counts as the form of a question."""

import pytest

from agent.forms import form_of


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("How long is the Nile?", "How long is the Amazon River?"),
        ("If Spain grew by 3%, who passes it?", "If Spain grew by 71.5%, who passes it?"),
        ("Is K2 higher than Mont Blanc?", "Is Asia larger than Lake Baikal?"),
        ("Which is the heaviest of both?", "Which is the longest of all?"),
        ("Rome's age in total", "Berlin’s population in all"),
        ("Berlin or Rome: which is older?", "Paris or Oslo: which is earlier?"),
        ("What percentage is 5?", "What percent is 1,200?"),
    ],
)
def test_questions_that_ask_for_the_same_thing_have_the_same_form(one: str, other: str) -> None:
    assert form_of(one) == form_of(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Is K2 higher than Denali?", "Is K2 lower than Denali?"),
        ("Which is the largest?", "Which is the smallest?"),
        ("Which is the oldest?", "Which is the newest?"),
        ("Is Rome or Oslo larger?", "Is Rome, Oslo or Bonn larger?"),
        ("By 10 km", "By 10% km"),
    ],
)
def test_questions_that_ask_for_something_else_differ(one: str, other: str) -> None:
    assert form_of(one) != form_of(other)


def test_a_name_of_several_words_is_one_name() -> None:
    assert form_of("Who built the Golden Gate Bridge?")["1 names"]
    assert form_of("Did Rome beat the Golden Gate Bridge?")["2 names"]


def test_the_first_word_of_a_question_is_a_name_only_where_it_stands_as_one() -> None:
    assert form_of("Germany's area")["1 names"]
    assert form_of("Uranus or Neptune?")["2 names"]
    assert form_of("Which Way?")["1 names"]


def test_adjectives_that_only_end_like_a_degree_are_words_of_their_own() -> None:
    form = form_of("the water under a banner")
    assert (form["water"], form["under"], form["banner"]) == (1, 1, 1)
    assert not form["more"]


def test_an_empty_question_has_a_form() -> None:
    assert form_of("") == {"0 names": 2}
