"""Loops with calls compile to one task each, whose body is a template."""

import pytest

from llm_compiler.language.lowering.answers import answer_expression
from llm_compiler.language.tasks.task import EACH, Task
from tests.language.test_program import compiled
from tests.support.cost import grows_linearly
from tests.support.shown_tasks import shown


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "y = [search(x) for x in ['a', 'b']]",
            ["1 y = each items ['a', 'b'], value '$(1[])'", "  1[] search('$(1[].0)')"],
        ),
        # What needs no call is gone through before: one iteration for each item that passes.
        (
            "xs = search('a')\ny = [number(x.b, search(x)) for x in xs if x.c]",
            [
                "1 xs = search('a')",
                "2 [x for x in $1 if x.c]",
                "3 y = each items '$2', value '$(3[].2)'",
                "  3[].1 search('$(3[].0)')",
                "  3[].2 number('$(3[].0).b', '$(3[].1)')",
            ],
        ),
        (
            "y = {k: pay(v) for k, v in {'a': 1}.items()}",
            [
                "1 [[k, v] for k, v in {'a': 1}.items()]",
                "2 each items '$1', value ['$(2[].0)[0]', '$(2[])']",
                "  2[] pay('$(2[].0)[1]')",
                "3 y = {key: value for key, value in $2}",
            ],
        ),
        # Loops nest, and conditions that call decide what is kept.
        (
            "y = [z for x in search('a') for z in search(x) if search(z)]",
            [
                "1 search('a')",
                "2 each items '$1', value '$(2[].2)'",
                "  2[].1 search('$(2[].0)')",
                "  2[].2 each items '$(2[].1)', keep '2[].2[]', value '$(2[].2[].0)'",
                "    2[].2[] search('$(2[].2[].0)')",
                "3 y = [item for part in $2 for item in part]",
            ],
        ),
        (
            "y = [[search(z) for z in x] for x in search('a')]",
            [
                "1 search('a')",
                "2 y = each items '$1', value '$(2[])'",
                "  2[] each items '$(2[].0)', value '$(2[][])'",
                "    2[][] search('$(2[][].0)')",
            ],
        ),
        (
            "y = max(search('a'), key=lambda h: number('b', h))",
            [
                "1 search('a')",
                "2 each items '$1', value '$(2[])'",
                "  2[] number('b', '$(2[].0)')",
                "3 y = max(zip($1, $2), key=lambda row: row[1])[0]",
            ],
        ),
        ("y = sum(number('a', x) for x in [1])", [
            "1 each items [1], value '$(1[])'", "  1[] number('a', '$(1[].0)')", "2 y = sum($1)",
        ]),
        # What the first list comes from is called once.
        ("y = [x for x in search('a')]", ["1 search('a')", "2 y = [x for x in $1]"]),
        # Statements carry on what they read of the iteration before.
        (
            "t = 0\nfor x in [1, 2]:\n    t += number('a', x)\n",
            [
                "1 t = 0",
                "2 each items [1, 2], names {'x': {'init': null, 'next': '2[].0'},"
                " 't': {'init': 1, 'next': '2[].1'}}",
                "  2[] number('a', '$(2[].0)')",
                "  2[].1 t = $(2[].t) + $(2[])",
            ],
        ),
        # Lists and dicts that are only added to are not.
        (
            "r = []\nd = {}\nfor x in [1, 2]:\n    r.append(pay(x))\n    d[x] = 1\n",
            [
                "1 each items [1, 2], names {'x': {'init': null, 'next': '1[].0'},"
                " 'r': {'all': '1[]'}, 'd': {'all': '1[].1'}}",
                "  1[] pay('$(1[].0)')",
                "  1[].1 d = {$(1[].0): 1}",
                "2 r = $1.r",
                "3 d = {key: it for part in $1.d for key, it in part.items()}",
            ],
        ),
        (
            "r = [0]\nfor x in search('a'):\n    if x.b:\n        r.append(pay(x.c))\n",
            [
                "1 search('a')",
                "2 each items '$1', names {'x': {'init': null, 'next': '2[].0'},"
                " 'r': {'all': '2[]'}}",
                "  2[].1 $(2[].0).b",
                "  2[] pay('$(2[].0).c') if 2[].1",
                "3 r = [0, *$2.r]",
            ],
        ),
        (
            "for x in [1, 2]:\n    if search(x):\n        break\n    pay(x)\n",
            [
                "1 __stopped = False",
                "2 each items [1, 2], names {'x': {'init': null, 'next': '2[].5'},"
                " '__stopped': {'init': 1, 'next': '2[].6'}}",
                "  2[].1 not $(2[].__stopped)",
                "  2[].2 search('$(2[].0)') if 2[].1",
                "  2[].3 pay('$(2[].0)') unless 2[].2",
                "  2[].4 __stopped = True if $(2[].2) else $(2[].__stopped) if 2[].1",
                "  2[].5 x = $(2[].0) if 2[].1",
                "  2[].6 __stopped = $(2[].4) if $(2[].1) else $(2[].__stopped)",
            ],
        ),
    ],
)  # fmt: skip
def test_loops_compile_to(text: str, expected: list[str]) -> None:
    assert shown(compiled(text)[0].tasks) == expected


def test_loop_needs_what_its_body_refers_to_outside_of_it() -> None:
    text = "q = search('q')\nt = search('t')\nfor x in search('a'):\n    t = number(q, x) + t\n"
    [*_, loop] = compiled(text)[0].tasks
    assert isinstance(loop, Task)
    assert (loop.tool, loop.needs) == (EACH, (1, 2, 3))
    assert loop.args["body"][0]["needs"] == [1]


def test_tasks_of_a_body_have_the_line_and_the_text_of_the_whole_statement() -> None:
    text = "# first\nfor x in [1]:\n    y = pay(x)"
    [loop] = compiled(text)[0].tasks
    assert isinstance(loop, Task)
    [task] = loop.args["body"]
    place = (2, "for x in [1]:\n    y = pay(x)")
    assert (loop.line, loop.source) == (task["line"], task["source"]) == place
    assert (task["id"], task["name"]) == ("1[]", "y")


def test_names_behind_a_loop_are_what_they_were_without_an_iteration() -> None:
    program, _ = compiled("y = 5\nfor x in search('a'):\n    y = pay(x)\n    z = y\n")
    assert program.names == {
        "x": "$2.x", "y": "$2.y if 'y' in $2 else 5", "z": "$2.z",
    }  # fmt: skip


def test_variable_of_a_comprehension_in_a_loop_is_none_of_the_loop() -> None:
    text = "for x in search('a'):\n    pay(1)\nfor y in [1]:\n    z = [x for x in search(y)]\n"
    [*_, loop] = compiled(text + "    for x in z:\n        pay(x)\n")[0].tasks
    assert isinstance(loop, Task)
    assert loop.args["names"]["x"]["init"] is None


def test_what_is_printed_in_a_loop_is_said_in_order() -> None:
    program, _ = compiled("print('a')\nfor x in [1, 2]:\n    print(pay(x))\nanswer('b')\n")
    assert answer_expression(program.answer) == "'\\n'.join(['a', *$2, 'b'])"


@pytest.mark.parametrize(
    "text",
    [
        "a = []\nb = a\na.append(1)",
        "a = []\nb = [a]\na.append(1)",
        "a = b = []\na.append(1)",
        "a = []\nc = {}\nc['x'] = a\na.append(1)",
        "a = []\nfor x in [1, 2]:\n    a.append(pay(x))\n    c = a\n",
        "for x in search('a'):\n    x['b'] = pay(1)\n",
        "a = []\nb = a if search('c') else [1]\nb.append(1)",
    ],
)
def test_list_that_another_name_may_stand_for_is_not_changed(text: str) -> None:
    refused = [it for it in compiled(text)[0].tasks if not isinstance(it, Task)]
    assert len(refused) == 1
    assert "write" in str(refused[0].diagnostic)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a = []\na.append(1)\na.append(2)\nb = a", "[1, 2]"),
        (
            "a = {'x': 1}\na['y'] = 2\na.update({'z': 3})",
            "a = {'x': 1, 'y': 2}\na.update({'z': 3})\na",
        ),
        ("a = [1]\na.extend([2])\na += [3]", "[*$1, 3]"),
        ("a = search('a')\na.append(1)", "[*$1, 1]"),
        ("a = [1]\na += [2, *search('a')]", "[1, 2, *$1]"),
    ],
)
def test_list_that_only_one_name_stands_for_is_changed(text: str, expected: str) -> None:
    program, _ = compiled(text)
    found = [it.args["expression"] for it in program.tasks if isinstance(it, Task)
             and "expression" in it.args]  # fmt: skip
    assert expected in [*found, *program.names.values()]


SIZED = {
    "calls in a body": lambda n: "for x in [1]:\n" + "    y = search(x)\n" * n,
    "loops": lambda n: "y = [search(x) for x in [1]]\n" * n,
    "conditions": lambda n: "c = search('c')\n" + "if c:\n    y = search('a')\n" * n,
    "early answers": lambda n: "c = search('c')\n" + "if c:\n    answer('a')\n" * n,
    "elif": lambda n: "if 1:\n    pay(1)\n" + "elif search('a'):\n    pay(2)\n" * min(n, 60),
    "names in branches": lambda n: (
        "c = search('c')\n" + "if c:\n    y = search('a')\nif c:\n    z = y\n" * n
    ),
    "additions in branches": lambda n: (
        "a = []\nfor x in search('c'):\n" + "    if x: a.append(pay(x))\n" * n
    ),
    "additions": lambda n: "a = []\nfor x in [1]:\n" + "    a.append(search(x))\n" * n,
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SIZED)
def test_compiling_loops_takes_time_in_step_with_the_text(name: str) -> None:
    assert grows_linearly(lambda size: compiled(SIZED[name](size)), 150, 1500)
