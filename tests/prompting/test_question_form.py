"""What a question's words show of its form."""

import pytest

from llm_compiler.prompting.question_form import (
    asks_rates,
    asks_which,
    changes,
    chooses,
    form_of,
    unwanted,
)
from tests.support.cost import grows_linearly


def test_names_and_small_words_are_no_form() -> None:
    form = form_of("Which is the longer river, the Nile or the Rhine, at 5% of its length?")
    assert form == {"which", "long", "river", "percent", "length"}


@pytest.mark.parametrize(
    "question",
    [
        "Which is lower, K2 or Denali?",
        "Who was born first?",
        "If A were 5% lower, which of the two would be the larger one?",
        "Whose revenue is larger?",
        "Where do the most people live?",
        "Give K2 40% more height. Which mountain is lower then?",
    ],
)
def test_it_asks_for_the_one_that_has_the_value(question: str) -> None:
    assert asks_which(question)


@pytest.mark.parametrize(
    "question",
    [
        "How high is K2?",
        "In which year was K2 climbed?",
        "Which share of Peru is forest?",
        "Which is lower, and by how many metres?",
        "Is the ratio of A to B larger than that of C to D? Give the larger one.",
        "How high is the mountain which is the highest in Peru?",
    ],
)
def test_it_asks_for_a_value(question: str) -> None:
    assert not asks_which(question)


@pytest.mark.parametrize(
    "question",
    [
        "How far apart are K2 and Denali?",
        "What is the smallest difference in height among K2, Denali and Ben Nevis?",
        "Of the three, what is the largest of the gaps?",
        "By what percentage is K2 higher?",
        "If A doubled, what would its revenue per employee be?",
    ],
)
def test_where_a_value_is_asked_for_nothing_names_the_one_that_has_it(question: str) -> None:
    assert unwanted(question) == ("largest", "smallest", ">")


@pytest.mark.parametrize("question", ["Which is lower, K2 or Denali?", "Whose is older?"])
def test_where_one_is_asked_for_nothing_gives_its_value(question: str) -> None:
    assert unwanted(question) == ("min", "max", ">")


@pytest.mark.parametrize(
    "question",
    [
        "hello",
        "Is K2 higher than Denali?",
        "What is the highest mountain: K2, Denali or Ben Nevis?",
        "Is it higher in Norway, Austria or Poland?",
        "Welcher ist höher?",
    ],
)
def test_where_either_may_be_meant_nothing_is_left_out(question: str) -> None:
    assert unwanted(question) == ()


@pytest.mark.parametrize(
    "question",
    ["If A were 20% lower", "A doubles", "1.5 times as high", "a fifth more", "5 more floors"],
)
def test_it_changes_a_figure(question: str) -> None:
    assert changes(question)


@pytest.mark.parametrize(
    "question",
    ["What percentage of A is B?", "How many times as high as A is B?", "Who was first?"],
)
def test_it_changes_none(question: str) -> None:
    assert not changes(question)


@pytest.mark.parametrize(
    "question",
    [
        "Per head, which is the richest: A, B or C?",
        "Which of A and B has the most trams per inhabitant?",
        "Which has the smaller ratio of length to width, A or B?",
    ],
)
def test_it_asks_for_a_rate_of_each(question: str) -> None:
    assert asks_rates(question)


@pytest.mark.parametrize(
    "question",
    [
        "Which ratio is larger: the length of A to that of B, or that of C to that of D?",
        "Which pair has the smaller ratio of lengths: A and B or C and D?",
        "If A lost 5%, which would have the most trams per inhabitant, A or B?",
        "How many people per square kilometre live in A and B?",
        "Which country has the highest income per head?",
    ],
)
def test_it_asks_for_no_rate_of_each(question: str) -> None:
    assert not asks_rates(question)


@pytest.mark.parametrize(
    ("question", "does"),
    [
        ("Which is lower, K2 or Denali?", True),
        ("Vienna, Madrid, Tokyo: whose metro is the oldest?", True),
        ("For which of these is it the smallest?", True),
        ("In what year was the peak of the country whose capital is Oslo climbed?", False),
        ("Work out the GDP of the country whose capital is Kathmandu.", False),
        ("When was she born, and where?", False),
    ],
)  # fmt: skip
def test_all_it_asks_for_is_one_of_several(question: str, does: bool) -> None:
    assert chooses(question) == does


@pytest.mark.parametrize(
    ("first", "then"), [("'s ", "to "), ("' ", "x "), ("how to ", "x "), (". is ", "x ")]
)
def test_long_question_takes_linear_time(first: str, then: str) -> None:
    def read(times: int) -> None:
        question = f"Which per or {first * times}or {then * times}"
        asks_rates(question)
        unwanted(question)

    assert grows_linearly(read)
