"""The changes of figures that a question makes."""

import pytest

from llm_compiler.language.grammar.plan_form import Change
from llm_compiler.prompting.question_changes import changes_in, changes_several, figures_changed


@pytest.mark.parametrize(
    ("said", "way"),
    [
        ("were 20% lower", ("*", "1 - 20 / 100")),
        ("grew by 12.5 %", ("*", "1 + 12.5 / 100")),
        ("with 10 percent of its people", ("*", "10 / 100")),
        ("were 1.5 times as high", ("*", "1.5")),
        ("were three times smaller", ("/", "3")),
        ("doubled", ("*", "2")),
        ("were twice as long", ("*", "2")),
        ("tripled its revenue", ("*", "3")),
        ("were half as high", ("*", "1 / 2")),
        ("half as high again", ("*", "1 + 1 / 2")),
        ("lost a tenth", ("*", "1 - 1 / 10")),
        ("lost two-thirds", ("*", "1 - 2 / 3")),
        ("had 5,000 fewer employees", ("-", "5000")),
        ("were 200 km longer", ("+", "200")),
        ("gained 60 m", ("+", "60")),
        ("lost 2.5 m", ("-", "2.5")),
    ],
)
def test_a_change_may_be_made_in_these_ways(said: str, way: Change) -> None:
    ((*ways,),) = changes_in(f"If Oslo {said}, which would be larger, Oslo or Bern?")
    assert way in ways


def test_a_word_behind_it_says_whether_it_is_more_or_less() -> None:
    fewer, more, trams = changes_in("If A had 5% fewer men, B 2% more, and C 3 more trams, which?")
    assert fewer == (("*", "1 - 5 / 100"),)
    assert more == (("*", "1 + 2 / 100"),)
    assert trams == (("+", "3"),)


@pytest.mark.parametrize(
    "question",
    [
        "Was Oslo's revenue in 2024 higher than Bern's?",
        "How many times as high as Oslo is Bern?",
        "By what percentage is Oslo larger?",
        "What did it gain in 1903, and which other one is older?",
        "If Oslo gained 5 million people, which would be larger?",
        "What is 20% of 350?",
        "A car at 80 km/h becomes 10% faster. How fast is it?",
        f"What was said of {'20% more, ' * 100}?",
    ],
)
def test_other_figures_change_nothing(question: str) -> None:
    assert changes_in(question) == ()


def test_changes_come_in_the_order_of_the_question() -> None:
    changes = changes_in("If A were 20% lower, B doubled and C lost a third, which is longest?")
    assert [ways[0][1] for ways in changes] == ["1 - 20 / 100", "2", "1 - 1 / 3"]


@pytest.mark.parametrize("said", ["both were", "each of them were", "all three were", "all had"])
def test_one_change_may_be_that_of_several(said: str) -> None:
    assert changes_several(f"If {said} 20% lower, which would be lowest?")
    assert not changes_several("If A were 20% lower, how much would each floor get?")


@pytest.mark.parametrize(
    ("question", "count"),
    [
        ("Oslo grows by 5% and Bern by a fifth. How far are they apart?", 2),
        ("If Oslo had 5% more people and twice the area, how crowded would Oslo be?", 2),
        ("If Oslo grew by 5%, which would be larger, Oslo or Bern?", 1),
        ("a cheetah is 5% slower and an ostrich 10%: which is faster?", 1),
        ("Hello!", 1),
    ],
)
def test_as_many_figures_are_changed(question: str, count: int) -> None:
    assert figures_changed(question) == count


def test_a_long_row_of_digits_is_read_in_linear_time() -> None:
    assert changes_in("1" * 490) == ()
    assert changes_in("1" * 100_000 + "% more") == ()
