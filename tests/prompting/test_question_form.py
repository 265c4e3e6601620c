"""What a question's words show of its form."""

import pytest

from llm_compiler.prompting.question_form import asks_which, form_of, unwanted


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
