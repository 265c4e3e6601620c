"""Texts made clean and short."""

import pytest

from llm_compiler.text import clean, quoted, shortened, truncated


def test_clean_joins_pairs_and_replaces_lone_surrogates() -> None:
    assert clean("\ud83d\ude00 \ud800 é") == "😀 � é"


def test_clean_leaves_other_text_as_it_is() -> None:
    assert clean("K2\n\t漢 👩‍🚀 \0") == "K2\n\t漢 👩‍🚀 \0"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", ""),
        ("abcdef", "abcdef"),
        ("abcdefg", "abcde…"),
        ("a\n b\tc  ", "a b c"),
        ("abcd efg", "abcd…"),
    ],
)
def test_shortened_is_one_line_with_an_ellipsis_in_the_place_of_the_rest(
    text: str, shown: str
) -> None:
    assert shortened(text, 6) == shown


def test_of_a_text_of_any_length_the_beginning_is_shown() -> None:
    assert shortened("ab " * 10_000_000, 6) == "ab ab…"
    assert shortened("a" + " " * 10_000 + "b", 6) == "a…"


def test_quoted_stands_in_quotes() -> None:
    assert quoted("it's") == '"it\'s"'
    assert quoted("x" * 61) == f"'{'x' * 59}…'"
    assert quoted("Plan\nwell", 200) == "'Plan well'"


@pytest.mark.parametrize(
    ("text", "note", "shown"),
    [
        ("a\n  b", None, "a\n  b"),
        ("a\n  b c", None, "a\n  b… (7 characters)"),
        ("a\n  b c", "max_result_chars", "a\n  b… (max_result_chars)"),
    ],
)
def test_truncated_keeps_the_beginning_and_says_how_much_there_was(
    text: str, note: str | None, shown: str
) -> None:
    assert truncated(text, 5, note) == shown
