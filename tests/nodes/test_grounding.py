"""Figures and names in a reply: which stand somewhere, and what is held back until it is known."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_compiler.nodes.facts import Facts
from llm_compiler.nodes.grounding import Grounding
from tests.support.outcomes import outcome, task

HEIGHT = 8848.86


def facts(*results: Any, said: Any = (), tool: str = "f", **args: Any) -> Facts:
    plan = [task(id, tool, **args, place=id) for id, _ in enumerate(results, 1)]
    outcomes = {str(id): outcome(id, value) for id, value in enumerate(results, 1)}
    return Facts.of(said, plan, outcomes, 1000)


def violation(text: str, known: Facts) -> str:
    grounding = Grounding(known)
    shown = grounding.feed(text) + grounding.close()
    if not grounding.violation:
        assert shown == text
    return grounding.violation


# ── figures ───────────────────────────────────────────────────────────────────────────────────

SAME: list[Any] = [
    (42, "Twelve of them."),
    (HEIGHT, "It is 8,848.86 m."),
    (HEIGHT, "It is 8849 m."),
    (HEIGHT, "about 8,850 m"),
    (HEIGHT, "8.849 km"),
    (HEIGHT, "8,85 km"),
    (HEIGHT, "8.85 thousand metres"),
    (HEIGHT, "8 849 m"),
    (HEIGHT, "8848 m"),
    (HEIGHT, "8849m"),
    (HEIGHT, "9 km"),
    (HEIGHT, "8’849 m"),
    ("8,848.86 m", "8848.86"),
    ("8.848,86 m", "8848.86"),
    ("1.2 million", "1,200,000 people"),
    (38929902, "38.9 million"),
    (38929902, "about 39 million people"),
    (38.9, "38,900,000"),
    (0.123, "12.3 %"),
    (0.123, "12%"),
    (0.123, "12 percent"),
    (12.3, "a share of 0.123"),
    (-3, "It fell by 3."),
    (-3, "It is -3."),
    ("on 2024-05-01", "on 1 May 2024"),
    ("on 1.5.2024", "2024-05-01"),
    (4, "There are four."),
    (42, "The answer is forty-two."),
    ("four", "It is 4."),
    (1994, "in the 1990s"),
    (1856, "in the 19th century"),
    (1e300, "0 left"),
    ([1, 2, 3], "3 of them"),
    ({"a": {"b": 77}}, "77"),
    ({"99": 1}, "99"),
    (4200000, "four million"),
    ([5] * 9, "All nine are 5."),
    ("v3.11.2", "v3.11.2"),
    (7, "7"),
    ("12:30", "at 12:30"),
]
OTHER: list[Any] = [
    (HEIGHT, "8850.1", "8850.1"),
    (HEIGHT, "It is 8611 m.", "8611"),
    (HEIGHT, "8.9 km", "8.9"),
    (HEIGHT, "5 km", "5"),
    (HEIGHT, "88,488", "88,488"),
    (0.123, "14 %", "14"),
    (0.5, "51 %", "51"),
    ("", "The population is 26,000.", "26,000"),
    (42, "It is forty-three.", "forty-three"),
    (42, "It is twelve of them.", "twelve"),
    (2024, "in 2025", "2025"),
    (2024, "It is from 2025.", "2025"),
    ("on 2024-05-01", "on 2 June 2025", "2"),
    ("A380", "A340 and A380", "A340"),
    (3, "the 5th", None),
    (1994, "in the 1980s", "1980"),
    (9, "1) It is 9.\n2) It is 10.", "10"),
    (5, "(17)", "17"),
]


@pytest.mark.parametrize(("value", "said"), SAME)
def test_a_figure_is_known_after_rounding_and_scale(value: Any, said: str) -> None:
    assert violation(said, facts(value)) == ""


@pytest.mark.parametrize(("value", "said", "which"), [it for it in OTHER if it[2]])
def test_a_figure_that_stands_nowhere_is_none_that_may_be_said(
    value: Any, said: str, which: str
) -> None:
    assert violation(said, facts(value)) == which


def test_the_markers_of_a_list_are_no_figures() -> None:
    assert violation("Two things:\n1. this\n2. that\n  3) more\n**17.** last", facts("", "")) == ""


def test_figures_of_the_question_and_of_earlier_messages_may_be_said() -> None:
    assert violation("135 and 7.5", facts(said=["Is it 135?", "It was 7.5."])) == ""


def test_the_arguments_of_calls_and_expressions_that_ran_may_be_said() -> None:
    assert violation("80", facts(5, limit=80)) == ""
    assert violation("0.8", facts(5, tool="compute", expression="$1 * 0.8")) == ""


@pytest.mark.parametrize("expression", ["26000", "-26000", "[26000]", "'26000 people'"])
def test_a_figure_that_the_planner_made_up_is_no_result(expression: str) -> None:
    value = 26000
    assert violation("26,000", facts(value, tool="compute", expression=expression)) == "26,000"


def test_what_an_error_says_may_be_said() -> None:
    ended = {"1": outcome(1, None, "failed", "no page 404 on Zanzibar")}
    known = Facts.of([], [task(1, "f")], ended, 1000)
    assert violation("It said 404: the page on Zanzibar is missing.", known) == ""


def test_as_many_as_there_were_calls_or_items_can_be_counted() -> None:
    assert violation("Both: the 2 are alike, and 2 calls were made.", facts("", "")) == ""
    assert violation("3 calls", facts("", "")) == "3"
    assert violation("5 of the 8 are open.", facts([0] * 8)) == ""


def test_only_the_beginning_of_an_endless_result_is_read() -> None:
    assert violation("77777", facts("x" * 1000 + " 77777")) == "77777"


# ── names ─────────────────────────────────────────────────────────────────────────────────────

NAMED: list[Any] = [
    ("Mount Everest", "The highest is Mount Everest."),
    ("everest", "It is called Everest."),
    ("Canada", "It is the Canadian flag."),
    ("München", "It is in Munchen."),
    ("the US", "in the United States"),
    ("", "It is in May."),
    ("", "The GDP of it is unknown."),
    ("", "It is the Mount."),
    ("", "Sorry! It is unknown."),
    ("", "Die Hauptstadt ist Ottawa."),
    ("", "Der Berg heißt Ortler und liegt in Tirol."),
    ("", "La capitale est Ottawa."),
    ("", "# The Height of It\nIt is unknown."),
    ("", "| The | Name |"),
    ("", 'It is called "Unknown".'),
    ("", "The name is: Nobody."),
    ("", "It is not known. Nobody said."),
    ("", "Ottawa."),
    ("", "Ottawa is the capital."),
    ("", "See https://example.com/Ottawa/77 for it."),
    ("Obama", "The president was Barack Obama and it is known."),
    ("", "It's what I'd say, and that is it."),
    ("it", "This is K2."),
    ("", "It is\n- Unknown\n- Other"),
    ("O'Neill", "He is O’Neill."),
]
UNNAMED: list[Any] = [
    ("", "The capital is Ottawa.", "Ottawa"),
    ("", "The president of it is Emmanuel Macron.", "Emmanuel Macron"),
    ("the president", "The president is President Emmanuel Macron.", "President Emmanuel Macron"),
    ("", "Emmanuel Macron is the president.", "Emmanuel Macron"),
    ("Everest", "It is higher than Kangchenjunga", "Kangchenjunga"),
    ("", "The capital is **Ottawa**.", "Ottawa"),
    ("", "It was founded in Toronto, it says.", "Toronto"),
]


@pytest.mark.parametrize(("known", "said"), NAMED)
def test_names_are_doubted_only_where_they_are_surely_unknown(known: str, said: str) -> None:
    assert violation(said, facts(known)) == ""


@pytest.mark.parametrize(("known", "said", "which"), UNNAMED)
def test_a_name_that_stands_nowhere_may_not_be_said(known: str, said: str, which: str) -> None:
    assert violation(said, facts(known)) == which


# ── while it is written ───────────────────────────────────────────────────────────────────────


def pieces(text: str, known: Facts, size: int = 1) -> list[str]:
    grounding = Grounding(known)
    shown = [grounding.feed(text[at : at + size]) for at in range(0, len(text), size)]
    return [*shown, grounding.close()]


def test_plain_words_are_shown_at_once() -> None:
    said = "a cold black lake"
    assert pieces(said, facts()) == [*said, ""]


def test_a_figure_is_shown_when_it_is_whole() -> None:
    shown = pieces("is 8849 m high", facts(HEIGHT))
    assert shown[:3] == ["i", "s", " "]
    assert next(filter(None, shown[3:])) == "8849 m "
    assert "".join(shown) == "is 8849 m high"


def test_nothing_from_an_unknown_figure_on_is_shown() -> None:
    assert "".join(pieces("it is 8611 m, no more", facts(HEIGHT))) == "it is "


def test_nothing_is_shown_of_a_piece_with_an_unknown_figure() -> None:
    grounding = Grounding(facts(HEIGHT))
    assert grounding.feed("it is 8611 m, no more") + grounding.close() == ""


@given(st.sampled_from([*SAME, *NAMED, *(it[:2] for it in [*OTHER, *UNNAMED])]), st.integers(1, 7))
def test_any_chunking_comes_to_the_same(case: Any, size: int) -> None:
    value, said = case
    grounding, other = Grounding(facts(value)), Grounding(facts(value))
    whole = grounding.feed(said) + grounding.close()
    shown = ""
    for at in range(0, len(said), size):
        shown += other.feed(said[at : at + size])
    shown += other.close()
    assert other.violation == grounding.violation
    assert shown == whole or grounding.violation


@given(st.text("1,.' %-kmAb\n", max_size=60), st.integers(1, 9))
def test_any_text_is_shown_whole_or_stopped(said: str, size: int) -> None:
    grounding = Grounding(facts(11))
    shown = "".join([grounding.feed(said[at : at + size]) for at in range(0, len(said), size)])
    shown += grounding.close()
    assert said.startswith(shown)
    assert grounding.violation or shown == said


@pytest.mark.parametrize("endless", ["9" * 100_000, "A" * 100_000, "Ab " * 40_000, "1,1" * 40_000])
def test_an_endless_figure_or_name_is_bounded(endless: str) -> None:
    grounding = Grounding(facts(said=[endless[:300]]))
    for at in range(0, len(endless), 100):
        grounding.feed(endless[at : at + 100])
        assert len(grounding._held) < 1000
