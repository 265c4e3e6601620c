"""The expressions of the plan language: what they come to, and what they refuse."""

import json
import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from llm_compiler.language.evaluation.budget import ComputeError
from llm_compiler.language.evaluation.compute import evaluate, hole, references
from llm_compiler.language.evaluation.nodes import NODES
from llm_compiler.language.tasks.task_ids import TaskId
from llm_compiler.language.tasks.text_keys import with_text_keys
from tests.support.cost import cost
from tests.support.strategies import MANY

RESULTS: dict[TaskId, Any] = {
    1: 8849,
    2: "1,234",
    3: {"name": "K2", "height": 8611, "first name": "Q", "2024": 5},
    4: '[{"a": 1, "b": [1, 2]}, {"a": 2}]',
    5: [3, 1, 2],
    6: "2026-11-27",
    7: "about 5 km",
    8: {"a": "1,000", "b": "999"},
    9: '{"id": 7, "tags": ["x", "y"]}',
    10: [place / 7 for place in range(3000)],
}


def only(*results: Any) -> Callable[[TaskId], Any]:
    """The results of the tasks from 1 on."""
    return dict[TaskId, Any](enumerate(results, 1)).__getitem__


def value(expression: str) -> Any:
    return evaluate(expression, RESULTS.__getitem__)


def error(expression: str) -> str:
    with pytest.raises(ComputeError) as raised:
        value(expression)
    return str(raised.value)


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        # Texts that are numbers count where a number is needed.
        ("$2 + 5", 1239),
        ("$1 - $2", 7615),
        ("'12' + '30'", 42),
        ("'-3.5e6' * 2", -7_000_000.0),
        ("'5' * 3", 15),
        ("max('1,234', '999')", 1234),
        ("min($8['a'], 5000)", 1000),
        ("sorted(['10', '9', '1,000'])", ["9", "10", "1,000"]),
        ("largest($8)", "a"),
        ("smallest({'x': 2, 'y': '1'})", "y"),
        ("largest({'x': '2021-12-01', 'y': '2022-01-31'})", "y"),
        ("round('2.567', 1)", 2.6),
        ("sum(['1', 2, '3.5'])", 6.5),
        ("mean(['1', '3'])", 2.0),
        ("'10' > '9'", True),
        ("$2 == 1234", True),
        ("1234 in [$2]", True),
        ("int(' 7 ')", 7),
        ("f'{$2:.1f}'", "1234.0"),
        ("-$2", -1234),
        # Other texts are texts.
        ("'ab' + 'c'", "abc"),
        ("'ab' * 2", "abab"),
        ("'b' > 'a'", True),
        ("f'{$7:.1f} {$7:>12}|'", "about 5 km   about 5 km|"),
        # Texts that are JSON have parts.
        ("$4[0].b[1]", 2),
        ("[x['a'] for x in $4]", [1, 2]),
        ("len($4)", 2),
        ("$9.id + 1", 8),
        ("'x' in $9.tags", True),
        ("list($9.keys())", ["id", "tags"]),
        # Parts.
        ("$3.name + $3['first name']", "K2Q"),
        ("$3[2024]", 5),
        ("$3.get('none', 3)", 3),
        ("$5[-1] + $5[0]", 5),
        ("$5[::-1]", [2, 1, 3]),
        ("[name for name, n in $3.items() if n == 8611]", ["height"]),
        # Numbers.
        ("7 // 2 + 7 % 4 - 2 ** 3", -2),
        ("6 / 2", 3.0),
        ("2 ** 63 - 1", 9.223372036854775807e18),
        ("2 ** 62", 2**62),
        ("2 ** 64", 1.8446744073709552e19),
        ("2 ** -1", 0.5),
        ("math.sqrt(16) + sqrt(9)", 7.0),
        ("math.floor(2.5) + math.pi", 2 + math.pi),
        ("1 < 2 < 3", True),
        ("1 if 0 else 2", 2),
        ("0 or 5", 5),
        ("5 and None", None),
        ("None is None", True),
        # Lists, sets and dicts.
        ("(1, *[2, 3])", [1, 2, 3]),
        ("{1, 2, 1}", [1, 2]),
        ("{**$8, 'b': 1}", {"a": "1,000", "b": 1}),
        ("{n: n * n for n in range(3)}", {0: 0, 1: 1, 2: 4}),
        ("[a + b for a, (b, *_) in [(1, (2, 3))]]", [3]),
        ("[x * y for x in $5 for y in $5 if x < y]", [3, 2, 6]),
        ("list(zip($5, 'ab'))", [[3, "a"], [1, "b"]]),
        ("list(enumerate('ab', 1))", [[1, "a"], [2, "b"]]),
        ("sorted($5, key=lambda n: -n)", [3, 2, 1]),
        ("max($8, key=$8.get)", "a"),
        ("sorted(['bb', 'a'], key=len, reverse=True)", ["bb", "a"]),
        ("min([], default=0)", 0),
        ("dict(zip(['a'], [1]))", {"a": 1}),
        ("any(n > 2 for n in $5) and not all($5[1:2])", False),
        ("sorted([['b', 1], ['a', 2]])", [["a", 2], ["b", 1]]),
        # Texts.
        ("', '.join(str(n) for n in $5)", "3, 1, 2"),
        ("$7.upper().split()[-1]", "KM"),
        ("'abc'.replace('b', 'x').startswith('ax')", True),
        ("f'{1234.5:,.0f} {0.5:.0%} {7:03d} {\"x\"!r}'", "1,234 50% 007 'x'"),
        ("f'{3.0:d} {None} {True}'", "3 None True"),
        ("'costs $$5'", "costs $5"),
        # What a comprehension goes through is computed once.
        ("[x for x in " * 14 + "[1, 2]" + "]" * 14, [1, 2]),
        ("dict(key='a')", {"key": "a"}),
        # Dates.
        ("date('2026-12-01') - $6", 4),
        ("($6 + 5).replace('-', '/')", "2026/12/02"),
        ("date('2026-12-01') > date($6)", True),
        ("$6.year + $6.month", 2037),
        ("date(2026, 2, 3)", "2026-02-03"),
        ("(date('2026-12-01') - date($6)).days", 4),
    ],
)
def test_expression_comes_to(expression: str, result: Any) -> None:
    found = value(expression)
    assert (found, type(found)) == (result, type(result))
    assert json.loads(json.dumps(found)) == with_text_keys(found)


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        (
            "$7 * 2.5",
            'the string "about 5 km" is not a plain number; read the number from it with number',
        ),
        ("'12 %' - 5", 'the string "12 %" is not a plain number'),
        ("'$$1,200' - 5", "is not a plain number"),
        ("int('5 km')", "is not a plain number"),
        ("max($7, 5)", 'the string "about 5 km" is not a plain number'),
        ("$7 + 5", "cannot be added; join strings with f"),
        ("$3.heigth", 'no "heigth" in {name, height, first name, 2024}'),
        ("$3['x']", 'no "x" in {name'),
        ("$5[3]", "no [3] in a list of 3"),
        ("$4.a", "its items have {a, b}, so take one by [0]"),
        ("$7.name", 'no "name" in the string "about 5 km"'),
        ("[x for x in 5]", "the number 5 has no items to go through"),
        ("1 / 0", "division by zero"),
        ("1 % '0'", "division by zero"),
        ("(-8) ** 0.5", "the result is not a number"),
        ("1e308 * 10", "too large"),
        ("math.sqrt(-1)", "sqrt(-1) is not a number"),
        ("9 ** 9 ** 9", "the exponent 387420489 is too large"),
        ("mean([])", "an empty list has no mean"),
        ("max([])", "an empty list has no max"),
        ("[a for a, b in [[1]]]", "a list of 1 cannot be unpacked into 2 names"),
        ("sorted([1, None])", "have no order"),
        ("{[1]: 2}", "cannot be a key"),
        ("'%s' % 1", "put values in a string with f"),
        ("date('2026-13-01')", "is not a date"),
        ("$5.name()", "no method"),
        ("$1.upper()", "the number 8849 has no method upper"),
        ("$5.append(1)", "write x = x + [item]"),
        ("'{}'.format(1)", "write an f-string"),
        ("lambda: 1", "a lambda may only be the key"),
        ("(x := 1)", "assign on a line of its own"),
        ("$1 @ 1", "this operator is not in the plan language"),
        ("eval('1')", 'no function "eval"'),
        ("len()", "len takes 1 arguments, not 0"),
        ("math.pow(1)", "math.pow takes 2 arguments, not 1"),
        ("math.atan2(1)", "math.atan2 takes 2 arguments, not 1"),
        ("sum([1], by=2)", 'sum has no argument "by"; there are start'),
        ("$3.__class__", "names with two underscores"),
        ("__4", 'no name "__4"'),
        ("x", 'no name "x"'),
        ("1 +", "it is not one expression"),
        ("f'{1:>9999}'", "is not a format"),
        ("f'{\"a\":>999}' * 9999", "makes too much"),
        ("[x for x in range(10 ** 9)]", "makes too much"),
        ("[1 for x in range(999) for y in range(999)]", "takes too many steps"),
        ("len([[y * 2 for y in $10] for x in $10])", "takes too many steps"),
    ],
)
def test_expression_is_refused_with_what_is_there_or_what_to_write(
    expression: str, reason: str
) -> None:
    assert reason in error(expression)


def test_references_of_an_expression() -> None:
    assert list(references("$3 - ${12} + f'{$3.a}' + '$$5'")) == [3, 12, 3]


def test_values_of_references_are_data_and_never_read_as_code() -> None:
    result = "1) or $1 + __import__('os')"
    assert evaluate("$1 + '!'", only(result)) == result + "!"


def test_every_node_that_is_allowed_is_in_the_table() -> None:
    assert sorted(node.__name__ for node in NODES) == [
        "Attribute", "BinOp", "BoolOp", "Call", "Compare", "Constant", "Dict", "DictComp",
        "FormattedValue", "GeneratorExp", "IfExp", "JoinedStr", "List", "ListComp", "Name", "Set",
        "SetComp", "Subscript", "Tuple", "UnaryOp",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("given", "conversion", "spec", "shown"),
    [
        (1234.5, "", ",.1f", "1,234.5"),
        ("x", "r", "", "'x'"),
        ([1], "", "", "[1]"),
        (3, "", "", "3"),
    ],
)
def test_hole_of_an_answer(given: Any, conversion: str, spec: str, shown: str) -> None:
    assert hole(given, conversion, spec) == shown


# ── long lists ────────────────────────────────────────────────────────────────────────────────

MILLION = 1_000_000
_WHOLE = list(range(MILLION))
_FLOATS = [number + 0.5 for number in _WHOLE]


@pytest.mark.parametrize(
    ("expression", "numbers"),
    [
        ("[x * 1.2 for x in $1]", _FLOATS),
        ("[x * 3 - 1 for x in $1]", _WHOLE),
        ("[x / 4 for x in $1]", _WHOLE),
        ("sum(x * 2.5 for x in $1)", _FLOATS),
        ("sum($1)", _FLOATS),
        ("max($1) - min($1)", _WHOLE),
        ("mean($1)", _FLOATS),
    ],
)
def test_million_numbers_take_less_than_a_tenth_of_a_second(
    expression: str, numbers: list[float]
) -> None:
    results = only(numbers)
    evaluate(expression, results)
    assert min(cost(lambda: evaluate(expression, results)) for _ in range(7)) < 0.1


@pytest.mark.parametrize(
    ("element", "numbers"),
    [
        ("x * 1.2", [*map(float, range(2000))]),
        ("x * 3 - 1", [*range(2000)]),
        ("-x + 0.1", [*range(2000)]),
        ("x / 7", [*range(2000)]),
        ("x * x * x", [10**5 + number for number in range(2000)]),
        ("x * 2 ** 3", [*range(2000)]),
        ("x * y", [1.5] * 2000),
        ("x + 1", [True] * 2000),
        ("x + 1", [1, 2.5] * 1000),
        ("x + '1'", [1] * 2000),
    ],
)
def test_vector_comes_to_what_python_comes_to(element: str, numbers: list[Any]) -> None:
    found = evaluate(f"[{element} for x in $1 for y in [3]]", only(numbers))
    fast = evaluate(f"[{element} for x, y in zip($1, [3] * {len(numbers)})]", only(numbers))
    assert json.dumps(fast) == json.dumps(found)
    alone = evaluate(f"[{element.replace('y', '3')} for x in $1]", only(numbers))
    assert json.dumps(alone) == json.dumps(found)


def test_vector_with_a_zero_to_divide_by_fails_as_one_number_does() -> None:
    with pytest.raises(ComputeError, match="division by zero"):
        evaluate("[1 / x for x in $1]", only([*range(2000)]))


# ── Python itself as the oracle ───────────────────────────────────────────────────────────────

_NUMBERS = st.integers(-1000, 1000) | st.floats(-1e6, 1e6, allow_nan=False)


@MANY
@given(_NUMBERS, _NUMBERS, st.sampled_from("+ - * / // % < <= == !=".split()))
def test_operators_on_numbers_are_pythons(a: float, b: float, operator: str) -> None:
    results = only(a, b)
    try:
        right = eval(f"({a!r}) {operator} ({b!r})")
        assume(math.isfinite(right))
    except ZeroDivisionError:
        with pytest.raises(ComputeError, match="division by zero"):
            evaluate(f"$1 {operator} $2", results)
        return
    assert evaluate(f"$1 {operator} $2", results) == right


@MANY
@given(st.text(alphabet="0123456789,.+-eE ", max_size=12))
def test_text_counts_as_a_number_only_if_it_is_wholly_one(text: str) -> None:
    try:
        found = evaluate("$1 - 0", only(text))
    except ComputeError:
        return
    assert found == float(text.replace(",", ""))


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("{2, 1} == {1, 2}", True),
        ("set($5) != {1, 2, 3}", False),
        ("{('b', 1), ('a', 2)} == {('a', 2), ('b', 1)}", True),
        ("list({'b', 'a', 3, None})", [None, 3, "a", "b"]),
        ("set($5) | {4}", [1, 2, 3, 4]),
        ("$5 | [4]", [1, 2, 3, 4]),
        ("set($5) & {3, 4}", [3]),
        ("set($5) ^ {3, 4}", [1, 2, 4]),
        ("set($5) - {3}", [1, 2]),
        ("$5 - {3}", [1, 2]),
        ("{1} <= {1, 2}", True),
        ("{1, 3} <= {1, 2}", False),
        ("{1, 2} < {2, 1}", False),
        ("{2, 1} > {1}", True),
        ("{1, 2} >= {1, 2}", True),
        ("{'a': 1} | {'b': 2, 'a': 3}", {"a": 3, "b": 2}),
        ("(1 > 0) & (2 > 3)", False),
        ("6 | 1", 7),
        ("6 ^ 2", 4),
        ("next(x for x in $5 if x > 1)", 3),
        ("next((x for x in $5 if x > 9), None)", None),
        ("next(iter($3.values()))", "K2"),
        ("pow(2, 3)", 8),
        ("math.pow(2, 3)", 8.0),
    ],
)
def test_sets_and_the_first_of_something_are_as_in_python(expression: str, result: Any) -> None:
    found = value(expression)
    assert (found, type(found)) == (result, type(result))


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("{1} < 2", "have no order; compare sets with sets"),
        ("1.5 | 2", "| is for two sets or two whole numbers, not the number 1.5 and the number 2"),
        ("next(x for x in $5 if x > 9)", "give a default: next(…, None)"),
        ("largest({'x': '2021-12-01', 'y': '5 km'})", "is not a plain number"),
    ],
)
def test_what_sets_and_next_refuse(expression: str, reason: str) -> None:
    assert reason in error(expression)
