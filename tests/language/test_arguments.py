"""Reading a call's arguments: what models write, mended and taken as literals."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_compiler.errors import PlanError
from llm_compiler.language.arguments import read_arguments
from tests.support.strategies import LITERALS, MANY, literal


@pytest.mark.parametrize(
    ("source", "positional", "keywords"),
    [
        ("", [], {}),
        ('"K2"', ["K2"], {}),
        ("1, -2.5, +3, 1e30", [1, -2.5, 3, 1e30], {}),
        ("true, false, null", [True, False, None], {}),
        ("True, False, None", [True, False, None], {}),
        ("['a', (1, 2), {3}]", [["a", [1, 2], [3]]], {}),
        ("{'a': 1, 2: {'b': null}}", [{"a": 1, "2": {"b": None}}], {}),
        ("'x', key='y', other=[1]", ["x"], {"key": "y", "other": [1]}),
        ("text='key=value'", [], {"text": "key=value"}),
        ("$3, ${4}, $5.name, $6[0].url", ["$3", "${4}", "$5.name", "$6[0].url"], {}),
        ("values={'a': $1, 'b': [$2]}", [], {"values": {"a": "$1", "b": ["$2"]}}),
        ("'a' 'b'", ["ab"], {}),
        ("  \n 'x',\n ", ["x"], {}),
        ("-9223372036854775808, 18446744073709551615", [-(2**63), 2**64 - 1], {}),
    ],
)
def test_literals(source: str, positional: list[Any], keywords: dict[str, Any]) -> None:
    assert read_arguments(source) == (positional, keywords)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ('"two\nlines"', "two\nlines"),
        ('"a\r\nb"', "a\r\nb"),
        (r'"\d+ and \/"', r"\d+ and \/"),
        (r'"tab\tquote\" é \u00e9 \x41 \101"', 'tab\tquote" é é A A'),
        (r'"\N{DASH} \u12 \x4"', r"\N{DASH} \u12 \x4"),
        (r'"\ud83d\ude00 \U0001F600 \U0010FFFF"', "😀 😀 \U0010ffff"),
        (r'"lone \ud800"', "lone �"),
        ('"lone \ud800"', "lone �"),
        ('"nul \0"', "nul \0"),
        ('"""three "quotes" inside"""', 'three "quotes" inside'),
        ("'''it's'''", "it's"),
        ('"not a $3 reference"', "not a $3 reference"),
        ("r'\\d'", r"\d"),
        ('"ends in \\\\"', "ends in \\"),
    ],
)
def test_strings_as_models_write_them(source: str, text: str) -> None:
    assert read_arguments(source) == ([text], {})


@MANY
@given(st.data())
def test_any_literal_is_read_back_as_it_was_written(data: st.DataObject) -> None:
    value = data.draw(LITERALS)
    assert read_arguments(data.draw(literal(value))) == ([value], {})


@pytest.mark.parametrize(
    ("source", "remedy"),
    [
        ("height of K2", "the arguments do not parse"),
        ('"open', 'with \\" for a quote inside a string'),
        ("a, b", "a is not a literal; put it in quotes"),
        ("$3 - $4", "$3 - $4 is not a literal; put it in quotes"),
        ("f'{x}'", "is not a literal"),
        ("b'x'", "is not a literal"),
        ("open('x')", "open('x') is not a literal"),
        ("*[1]", "is not a literal"),
        ("5j", "5j is not a literal"),
        ("...", "is not a literal"),
        ("1e999", "is not a literal"),
        ("18446744073709551616", "is not a literal; put it in quotes"),
        ("-18446744073709551615", "is not a literal; put it in quotes"),
        ("1" + "0" * 400, "is not a literal; put it in quotes"),
        ("9" * 5000, "the arguments do not parse"),
        ("**{'a': 1}", "write each argument as key=value"),
        ("a=1, a=2", "'a' is given twice"),
        ("{null: 1}", "the key of an object must be a string"),
        ("{**$1}", "the key of an object must be a string"),
        ("1)(2", "close each bracket once"),
        ("1) + _(2", "close each bracket once"),
        ("[" * 300 + "]" * 300, "too many nested parentheses"),
        ("\0", "the arguments do not parse"),
    ],
)
def test_what_is_no_literal_is_refused_with_a_remedy(source: str, remedy: str) -> None:
    with pytest.raises(PlanError) as error:
        read_arguments(source)
    assert remedy in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("depth", [100, 500, 900, 5000])
@pytest.mark.parametrize("source", ["+1", ".a", "[0]", "-", "not ", "lambda:"])
def test_deep_nesting_is_refused_and_never_a_crash(source: str, depth: int) -> None:
    deep = source * depth + "1" if source[-1] in "- :" else "a" + source * depth
    # How deep is too deep is the interpreter's affair.
    with suppress(PlanError):
        assert read_arguments(deep) == ([1], {})


@MANY
@given(st.one_of(st.text(), st.text(alphabet="'\"\\#$1.[]{}()=, \nab")))
def test_any_text_is_read_or_refused(source: str) -> None:
    with suppress(PlanError):
        read_arguments(source)
