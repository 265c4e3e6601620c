"""What counts as the form of a question."""

import pytest

from llm_compiler.prompting.forms import form_of


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
    assert form_of("Who built the Golden Gate Bridge?")["names: 1"]
    assert form_of("Did Rome beat the Golden Gate Bridge?")["names: 2"]


def test_the_first_word_of_a_question_is_a_name_only_where_it_stands_as_one() -> None:
    assert form_of("Germany's area")["names: 1"]
    assert form_of("Uranus or Neptune?")["names: 2"]
    assert form_of("Which Way?")["names: 1"]


def test_adjectives_that_only_end_like_a_degree_are_words_of_their_own() -> None:
    form = form_of("the water under a banner")
    assert (form["water"], form["under"], form["banner"]) == (1, 1, 1)
    assert not form["more"]


def test_an_empty_question_has_a_form() -> None:
    assert form_of("") == {"names: 0": 2}


@pytest.mark.parametrize("mark", [" ", '"', "- "])
def test_a_mark_before_the_first_word_makes_it_no_name(mark: str) -> None:
    assert form_of(f"{mark}How high is K2?") == form_of("How high is K2?")


def test_the_first_word_of_a_later_sentence_is_no_name() -> None:
    assert form_of("It is Chile. How large is it?")["names: 1"]


def test_units_and_measures_in_capitals_are_no_names() -> None:
    assert form_of("the GDP of Chile in km/h") == form_of("the area of Chile in days")


def test_a_figure_ends_before_the_mark_behind_it() -> None:
    form = form_of("in 2020, or 1,200.5?")
    assert (form["1"], form[","], form["?"]) == (2, 1, 1)
