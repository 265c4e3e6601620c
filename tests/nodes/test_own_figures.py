"""Constants in a plan's computations: which need no result, and which are made up."""

import pytest

from llm_compiler.nodes.figures import Figures
from llm_compiler.nodes.own_figures import made_up_in

ASKED = "If it were 17% larger and 12.5 % later, and 4.2 million people came in 1889"


@pytest.fixture
def known() -> Figures:
    figures = Figures()
    figures.read(ASKED)
    return figures


@pytest.mark.parametrize(
    "expression",
    [
        *("$3 - $4", "($1 + $2 + $3) / 3", "$1 * (1 - 20 / 100)", "$1[0] * 0.75", "$1 * 1.5"),
        *("$1 * 1000", "$1 / 1e6", "$1 * 10 ** 9", "$1 * 0.333", "$1 * 2.67", "$1 / 60 / 24"),
        *("$1 * 1.17", "$1 * 0.875", "$1 * 0.83", "$1 + 4200000", "$1 - 1889", "$1 / 4.2e6"),
        *("$1 * 1.609344", "$1 / 1.61", "$1 * 0.6214", "$1 * 3.281", "$1 * 0.3048", "$1 * 30.48"),
        *("$1 / 365.25", "$1 * 86400", "$1 + 273.15", "$1 * 3.14159", "$1 * 2.205", "$1 / 299792"),
        *('f"{$1:.2f} of 3,777"', "round($1, 2)", "largest({'a': $1, 'b': $2})", "$", "("),
        "x = 0\nfor y in $1:\n    x += 2\n",
    ],
)
def test_small_round_asked_for_and_converting_ones_need_no_result(
    known: Figures, expression: str
) -> None:
    assert made_up_in(expression, known) == ""


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("96000000 * 1", "96000000"),
        ("$1 / 6.6743 * 10 ** 11", "6.6743"),
        ("$1 - 1203 if $1 else 0", "1203"),
        ("sum([8848.86, $1])", "8848.86"),
        ("max(4478, $2)", "4478"),
        ("$1 * 1.37", "1.37"),
        ("x = 0\nfor y in $1:\n    x += 417\n", "417"),
    ],
)
def test_others_are_made_up(known: Figures, expression: str, found: str) -> None:
    assert made_up_in(expression, known) == found
