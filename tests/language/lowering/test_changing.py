"""Statements that change a list, a dict or a set: a name gets a new one, and the old one stays."""

from random import Random
from typing import Any

import pytest

from llm_compiler.language.evaluation.budget import ComputeError
from llm_compiler.language.evaluation.compute import evaluate
from llm_compiler.language.lowering.lowered import Refused
from llm_compiler.language.program import Program
from llm_compiler.language.tasks.task import EACH, Task
from llm_compiler.prompting.statement_check import StatementCheck
from tests.campaigns.language import toolbox
from tests.support import fake_tools, plan_driver

TOOLS = toolbox()
FUNCTIONS = fake_tools.READS | fake_tools.WRITES


def compiled(text: str) -> Program:
    program = Program(TOOLS)
    program.feed(text)
    program.close()
    return program


def tasks(text: str) -> list[Task]:
    found = [it for it in compiled(text).tasks if isinstance(it, Task)]
    assert len(found) == len(compiled(text).tasks), "refused"
    return found


def ran(text: str) -> tuple[dict[str, Any], list[str]]:
    """What the names of a program come to, None for what has failed, and its effects."""
    program = compiled(text)
    refused = [str(it.diagnostic) for it in program.tasks if isinstance(it, Refused)]
    assert not refused, refused[0]
    it = plan_driver.run(program.tasks, TOOLS, FUNCTIONS, Random(text), program.wasted)
    values = {}
    for name, expression in program.names.items():
        try:
            values[name] = it.value(expression)
        except ComputeError:
            values[name] = None
    return values, it.effects


CHANGES = {
    "d = {}\nfor x in ['a', 'b', 'a']:\n    d.setdefault(x, []).append(1)": {"a": [1, 1], "b": [1]},
    "d = {}\nfor x in ['a', 'b']:\n    d.setdefault(x, []).append(num(x))": {
        "a": [fake_tools.num("a")],
        "b": [fake_tools.num("b")],
    },
    "d = {'a': []}\nd['a'].append(1)\nd['a'] += [2]": {"a": [1, 2]},
    "d = {}\nd.setdefault('a', []).append(num(len(d)))": {"a": [fake_tools.num(1)]},
    "d = {}\nfor x in [1, 2, 3]:\n    g = d.setdefault(x % 2, [])\n    g.append(x)": {
        1: [1, 3],
        0: [2],
    },
    "d = {}\nfor x in [1, 2]:\n    d[x] = []\n    g = d[x]\n    g += [x]\n    g.append(0)": {
        1: [1, 0],
        2: [2, 0],
    },
    "d = {'a': {'b': {}}}\nd['a']['b']['c'] = 1\nd['a']['b']['c'] += 2": {"a": {"b": {"c": 3}}},
    "d = {}\nd['a'] = d.get('a', 0) + 1\nd['a'] = d.get('a', 0) + 1": {"a": 2},
    "d = {'a': 1, 'b': 2}\ndel d['a']": {"b": 2},
    "d = {'a': 1}\nd.update({'b': 2}, c=3)": {"a": 1, "b": 2, "c": 3},
    "d = {}\nd[3] = 1\nd[3] += 1\nd[4] = 1": {3: 2, 4: 1},
    "d = [3, 1, 2]\nd.sort(reverse=True)\nd.insert(0, 5)\nd.remove(1)": [5, 3, 2],
    "d = [3, 1, 2]\nd.reverse()\nx = d.pop()\ndel d[0]\nd[0] += x": [4],
    "d = numbers(7)\nd.extend([9])\nd.clear()\nd.append(1)": [1],
    "d = set()\nfor x in [2, 1, 2]:\n    if x not in d:\n        d.add(x)": [1, 2],
    "a = {1, 2}\nb = {2, 3}\nd = sorted(a - b) + sorted(a & b) + sorted(a | b)": [1, 2, 1, 2, 3],
    "d = [{'n': 1}, {'n': 2}]\nfor it in d:\n    it['m'] = it['n'] * 2": [
        {"n": 1, "m": 2},
        {"n": 2, "m": 4},
    ],
    "d = records(9)\nfor it in d:\n    if it.n: it['m'] = num(it.n)": [
        {"n": it["n"], "name": it["name"], **({"m": fake_tools.num(it["n"])} if it["n"] else {})}
        for it in fake_tools.records(9)
    ],
    "d = [5]\nfor x in [1, 2]:\n    d[0] = num(x)": [fake_tools.num(2)],
    "d = [1]\nif d:\n    d += [2]\nd.append(3)": [1, 2, 3],
    "d = {'a': [1]}\nfor k, v in d.items():\n    v.append(k)": {"a": [1, "a"]},
    "d = []\nfor x in [1, 2]:\n    row = []\n    row.append(x)\n    d.append(row)": [[1], [2]],
}


@pytest.mark.parametrize("text", CHANGES)
def test_a_value_is_changed_as_in_python(text: str) -> None:
    expected = CHANGES[text]
    assert ran(text)[0]["d"] == expected


def test_the_result_of_a_call_stays_what_it_was() -> None:
    text = "a = numbers(7)\nb = list(a)\nb.sort(reverse=True)\nb.append(9)\nc = [a, b]\n"
    values, _ = ran(text)
    assert values["c"] == [values["a"], [*sorted(values["a"], reverse=True), 9]]


def test_what_a_new_list_holds_is_not_changed_with_it() -> None:
    text = "h = 0\na = []\nfor i in [num(fail(1))]:\n    a = a + [h]\n    a.remove(i)\n"
    values, _ = ran(text)
    assert (values["h"], values["a"]) == (0, None)


SHARED = [
    "a = {}\nb = a\nb.setdefault('x', 1)",
    "a = []\nb = {'x': a}\nb['x'].append(1)",
    "a = []\nb = {}\nb['x'] = a\nb['x'].append(1)",
    "a = []\nb = {}\nb.setdefault('x', a).append(1)",
    "a = [[]]\nb = list(a)\nb[0].append(1)",
    "a = [[]]\nb = a[0]\na[0].append(1)",
    "a = [{}]\nfor x in a:\n    num(x)\nfor y in a:\n    y['k'] = 1",
    "a = [{}]\nb = sorted(a)\nfor y in b:\n    y['k'] = 1",
    "a = [[]]\nfor x in [1, 2]:\n    a[0].append(num(x))\n    b = a[0]\n",
    "a = []\nif num(1):\n    b = a\na.append(1)",
    "a = []\nc = 1\nb = []\nif c:\n    b = a\na.append(1)",
    "a = [{}]\nb = a\nfor x in a:\n    x['k'] = num(1)",
    "a = [{}]\nfor x in a:\n    x['k'] = num(a)",
    "a = [1]\nb = a\nb += [2]",
    "a = []\nb = [a] * 2\na.append(1)",
    "a = {'x': {}}\nb = a | {}\na['x']['y'] = 1",
    "a = [[]]\nb = a[:]\nb[0].append(1)",
    "a = {'x': []}\nb = a['x']\nb.append(num(1))",
]


@pytest.mark.parametrize("text", SHARED)
def test_what_another_name_may_hold_is_not_changed(text: str) -> None:
    refused = [it for it in compiled(text).tasks if isinstance(it, Refused)]
    assert len(refused) == 1
    assert "write" in str(refused[0].diagnostic)


def test_a_loop_without_calls_is_one_task() -> None:
    text = (
        "s = 0\nfor x in numbers(1):\n    if x == 2:\n        continue\n    s += x\n    last = x\n"
    )
    found = tasks(text)
    assert [it.tool for it in found] == ["numbers", "compute"]
    values, _ = ran(text)
    assert (values["s"], values["last"], values["x"]) == (6, 4.5, 4.5)
    assert EACH in {it.tool for it in tasks("for x in [1]:\n    num(x)\n")}


def test_a_long_loop_is_one_task_within_bounds() -> None:
    orders = [{"city": f"c{n % 7}", "price": n} for n in range(20_000)]
    text = (
        "g = {}\nt = ''\nfor o in $1:\n    g.setdefault(o.city, []).append(o.price)\n    t += 'x'\n"
    )
    value = evaluate(text, lambda id: orders)
    assert [len(it) for it in value["g"].values()] == [2858, *[2857] * 6]
    with pytest.raises(ComputeError, match="too many steps"):
        evaluate("s = 0\nfor x in range(999):\n    for y in range(999):\n        s += 1\n", str)


@pytest.mark.parametrize(
    ("text", "effects"),
    [
        ("x = [1 / 0, save(1)]", []),
        ("x = {'a': [1][2], 'b': save(1)}", []),
        ("x = max(1 / 0, save(1))", []),
        ("x = [{'a': 1}.b, save(1)]", []),
        ("x = [save(1), 1 / 0, save(2)]", ["save[1]"]),
        ("x = save([[1][2], save(1)])", []),
        ("x = f'{1 / 0} {save(1)}'", []),
        ("d = {'a': 1}\nd['b'] += save(1)", []),
        ("for a, b in [[1, 2], [3], [4, 5]]:\n    save(a)", ["save[1]"]),
        ("x = [save(a) for a, b in [[1, 2], [3], [4, 5]]]", ["save[1]"]),
        ("x = [save(a) for a in [5, 1, 0, 1] if 10 / a > 5]", ["save[1]"]),
        ("x = [save(b) for a in [[1], 2, [3]] for b in a]", ["save[1]"]),
    ],
)
def test_what_fails_before_a_write_keeps_it_from_happening(text: str, effects: list[str]) -> None:
    assert ran(text)[1] == effects


def test_a_block_still_says_what_its_statement_says() -> None:
    loop = "for x in xs:\n    total += x"
    [_, _, fold] = tasks(f"xs = numbers(7)\ntotal = num(1)\n{loop}\n")
    check = StatementCheck({1: "xs", 2: "total"})
    assert check.still_says(loop, [fold.data()])
    assert not check.still_says(loop.replace("+=", "-="), [fold.data()])


def test_a_set_that_grows_in_a_loop_is_quick() -> None:
    text = "seen = set()\nfor x in $1:\n    if x not in seen:\n        seen.add(x)\nlen(seen)"
    assert evaluate(text, lambda id: [f"c{n % 3000}" for n in range(6000)]) == 3000
    assert evaluate("[3 in ['3', 1], '3' in [3], 1.0 in [1], 'a' in ['b']]", lambda id: 0) == [
        *(True, True, True),
        False,
    ]


def test_a_change_still_says_what_its_statement_says() -> None:
    text = "xs = numbers(1)\nfor x in xs:\n    xs = [*xs, num(x)]\nd = {}\nd['n'] = [len(xs)]\n"
    [*_, change] = tasks(text + "d['m'] = len(xs) - len(d)\n")
    check = StatementCheck({1: "xs", 2: "xs", change.id: "d"})
    assert check.still_says("d['m'] = len(xs) - len(d)", [change.data()])
    assert not check.still_says("d['m'] = len(xs) + len(d)", [change.data()])


def test_a_read_that_was_only_wasted_does_not_hide_what_failed_before_it() -> None:
    text = "a = records(fail(1))\nb = records(len(a)) if False else 1\nsave(b)\n"
    assert ran(text)[1] == []
