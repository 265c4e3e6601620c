"""Programs compile to tasks: which, in what order, with what arguments, and how they end."""

import ast
from collections import Counter
from random import Random
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.tools import tool

from llm_compiler.language.lowering.lowered import Either, Hole, Refused
from llm_compiler.language.program import Compiled, Program
from llm_compiler.language.tasks.task import COMPUTE, EACH, Task, When
from llm_compiler.language.tasks.task_ids import TaskId
from llm_compiler.language.toolbox.stubs import stub
from llm_compiler.language.toolbox.toolbox import Toolbox
from tests.campaigns import language
from tests.language.reading.test_source import TEXTS
from tests.support import programs
from tests.support.cost import grows_linearly
from tests.support.strategies import FEW, MANY, cut


@tool
def search(query: str) -> str:
    """Find."""
    return query


@tool
def number(what: str, text: str) -> float:
    """Read a number."""
    return 1.0


@tool
def pay(amount: int) -> str:
    """Pay."""
    return ""


pay.metadata = {"destructiveHint": True}
TOOLS = Toolbox.of([search, number, pay])


def compiled(*chunks: str, **options: Any) -> tuple[Program, list[Compiled]]:
    program = Program(TOOLS, **options)
    out = [it for chunk in chunks for it in program.feed(chunk)]
    return program, out + program.close()


def tasks(text: str) -> list[tuple[TaskId, str, str, Any, list[TaskId]]]:
    """Each task's id, name, tool, arguments and needs."""
    found = []
    for it in compiled(text)[0].tasks:
        assert isinstance(it, Task), it
        args = list(it.args.values())
        found.append((it.id, it.name, it.tool, args[0] if len(args) == 1 else args, [*it.needs]))
    return found


# ── tasks ─────────────────────────────────────────────────────────────────────────────────────


def test_calls_and_what_is_computed_between_them_are_tasks() -> None:
    text = """everest = number("height in m", search("Mount Everest"))
k2 = number("height in m", search("K2"))
difference = everest - k2
"""
    assert tasks(text) == [
        (1, "", "search", "Mount Everest", []),
        (2, "everest", "number", ["height in m", "$1"], [1]),
        (3, "", "search", "K2", []),
        (4, "k2", "number", ["height in m", "$3"], [3]),
        (5, "difference", "compute", "$2 - $4", [2, 4]),
    ]


def test_task_as_the_state_holds_it() -> None:
    program, _ = compiled("# first\nx = 2\ny = x * 3\n")
    assert [it.data() for it in program.tasks if isinstance(it, Task)] == [
        {
            "id": 1,
            "name": "y",
            "tool": "compute",
            "args": {"expression": "2 * 3"},
            "needs": [],
            "line": 3,
            "source": "y = x * 3",
        }
    ]


def test_call_is_a_task_at_its_closing_bracket() -> None:
    program = Program(TOOLS)
    assert program.feed('x = number("a", search("b"') == []
    [task] = program.feed(")")
    assert (task.id, task.source) == (1, 'search("b")')
    [outer] = program.feed(")")
    assert isinstance(outer, Task)
    assert (outer.id, outer.name, outer.args["text"]) == (2, "x", "$1")
    assert program.feed("\n") == []


@pytest.mark.parametrize(
    ("text", "waits"),
    [
        ("pay(5)", True),
        ("[pay(5), search('a')]", True),
        ("[search(q) for", True),
        ("x and search('a')", True),
        ("search('a') + ", False),
        # Until a comma or a bracket, a `for` may still bind x anew.
        ("[search(x)", True),
        ("[search(x),", False),
        ("[search(x)]", False),
        ("{'a': search(x)", True),
        ("{'a': search(x),", False),
        ("sum(search(x)", True),
        ("sum([search(x),", True),
        ("sum([search(x)])", False),
        ("f'{search(x)", True),
        ("f'{search(x)} and", False),
        ("number(search(x)", True),
        ("number(search(x),", False),
        ("number('a', search(x)", False),
        ("a[search(x)", False),
        ("y = search(x)", False),
        # Without names, or with those of functions only, nothing can change.
        ("[search('a')", False),
        ("[search(query=str(1.5))", False),
        ("[number('a', search('b'))", False),
        ("[search(math.pi)", True),
    ],
)
def test_call_that_may_not_be_meant_yet_waits(text: str, waits: bool) -> None:
    program = Program(TOOLS)
    program.feed("x = 'b'\n")
    assert (program.feed(text) == []) is waits


@pytest.mark.parametrize(
    "text",
    [
        "y = [search(x) for x in [1, 2]]",
        "y = [number('a', search(x)) for x in [1, 2]]",
        "y = {x: [search(x)] for x in [1, 2]}",
        "y = max(search(x) for x in [1, 2])",
        "y = f'{[search(x) for x in [1, 2]]}'",
        "y = [[search(x), 1] for x in [1, 2]]",
    ],
)
def test_call_does_not_run_with_a_name_that_a_comprehension_binds_anew(text: str) -> None:
    program, _ = compiled("x = 'b'\n", *text)
    tasks = [it for it in program.tasks if isinstance(it, Task)]
    assert len(tasks) == len(program.tasks)
    assert [it.tool for it in tasks if it.tool != COMPUTE] == [EACH]
    assert {"query": "$(1[].0)"} in [it["args"] for it in tasks[0].args["body"]]


def test_calls_that_waited_for_a_bracket_are_tasks_in_the_order_of_their_brackets() -> None:
    program = Program(TOOLS)
    program.feed("x = 'a'\n")
    assert program.feed("y = [number(x, search(x)) , search('b') ]") != []
    assert [it.args for it in program.tasks if isinstance(it, Task)] == [
        {"query": "a"},
        {"what": "a", "text": "$1"},
        {"query": "b"},
    ]


# ── refused statements ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "failed"),
    [
        ("serch(a,\n  b=1)", ""),
        ("serch(a,\n  b=1", ""),
        ("y = serch(a,\n  b=1)", "y"),
        ("y = serch(x = = 1,\n  b=1)", "y"),
        ("a, (b, *c) = serch(1)", "abc"),
        ("a = b = serch(1)", "ab"),
        ("a: int = serch(1)", "a"),
        ("a //= serch(1)", "a"),
        ("a **= 1 1", "a"),
        ("a == serch(1)", ""),
        ("y = [serch(b) for b in a]", "y"),
        ("a = (b := 1)", "ab"),
        ("for b in a:\n    y = serch(b)", "by"),
        ("while a:\n    y = 1\n    b = 2", "by"),
        ("if a:\n    y = = 1\n    b = 2", "by"),
        ("def f():\n    a = 1", ""),
        ("with a as b:\n    y = 1", "by"),
        # What it would have changed is not what it was.
        ("a.append(1)", "a"),
        ("a['b'].c = 1", "a"),
        ("for b in c:\n    a.append(b)", "ab"),
        ("y = a.serch(1)", "y"),
    ],
)
def test_refused_statement_spoils_the_names_that_it_assigns_or_changes(
    text: str, failed: str
) -> None:
    program, _ = compiled("a = b = c = y = 1\n", text, "\n")
    [refused] = program.tasks
    assert isinstance(refused, Refused)
    assert "".join(name for name, value in program.names.items() if value == "$1") == failed


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # Constants and other names of a result are no tasks.
        ("x = 5\ny = x\nsearch(f(y))", None),
        pytest.param(f"x = search('a')\nsearch(x{'.a' * 380}(1))", None, id="deep"),
        ("x = 'a'\nsearch(x)", [(1, "", "search", "a", [])]),
        (
            "x = search('a')\ny = x\nsearch(y)",
            [(1, "x", "search", "a", []), (2, "", "search", "$1", [1])],
        ),
        # A name is what it was assigned last.
        (
            "x = search('a')\nx = search(x)\nsearch(x)",
            [
                (1, "x", "search", "a", []),
                (2, "x", "search", "$1", [1]),
                (3, "", "search", "$2", [2]),
            ],
        ),
        # Paths are references.
        (
            "x = search('a')\nnumber(x.name, x['b c'][0])",
            [(1, "x", "search", "a", []), (2, "", "number", ["$1.name", '$1["b c"][0]'], [1])],
        ),
        (
            "x = search('a')\nnumber(x['from'], x['a\\\\b'])\nanswer(f'{x.b} {x[\"from\"]}.')",
            [
                (1, "x", "search", "a", []),
                (2, "", "compute", "$1['a\\\\b']", [1]),
                (3, "", "number", ['$1["from"]', "$2"], [1, 2]),
            ],
        ),
        # A dollar is no reference.
        ("search('$5 and $$')", [(1, "", "search", "$$5 and $$$$", [])]),
        # What an argument computes is one task.
        (
            "x = search('a')\nsearch(x[1:] + 'b' * 2)",
            [
                (1, "x", "search", "a", []),
                (2, "", "compute", "$1[1:] + 'b' * 2", [1]),
                (3, "", "search", "$2", [2]),
            ],
        ),
        ("a, b = search('a'), search('b')\nsearch(b)", [
            (1, "a", "search", "a", []), (2, "b", "search", "b", []), (3, "", "search", "$2", [2]),
        ]),
        ("a, b = search('a')\nsearch(b)", [
            (1, "", "search", "a", []),
            (2, "", "compute", "[[a, b] for a, b in [$1]][0]", [1]),
            (3, "", "search", "$2[1]", [2]),
        ]),
        ("x = 1\nx += 2", [(1, "x", "compute", "1 + 2", [])]),
        (
            "a = b = search('a')\nsearch(b)",
            [(1, "a", "search", "a", []), (2, "", "search", "$1", [1])],
        ),
        ("x: str = await search('a')", [(1, "x", "search", "a", [])]),
        (
            "import asyncio\na, b = await asyncio.gather(search('a'), search('b'))",
            [(1, "a", "search", "a", []), (2, "b", "search", "b", [])],
        ),
        # A call means the function even where a variable has its name.
        (
            "search = search('a')\nsearch(search)\nlen = len(search)",
            [
                (1, "search", "search", "a", []),
                (2, "", "search", "$1", [1]),
                (3, "len", "compute", "len($1)", [1]),
            ],
        ),
        # Names inside a comprehension are its own.
        (
            "x = search('a')\ny = [x for x in x if x]",
            [(1, "x", "search", "a", []), (2, "y", "compute", "[x for x in $1 if x]", [1])],
        ),
        (
            "x = search('a')\nif x == 'b':\n    y = 1\nelif x:\n    y = 2\nelse:\n    y = 3\n",
            [
                (1, "x", "search", "a", []),
                (2, "", "compute", "$1 == 'b'", [1]),
                (3, "y", "compute", "1 if $2 else 2 if $1 else 3", [1, 2]),
            ],
        ),
        (
            "a, b = 1, 2\nif search('a') == b:\n    a, b = b, a\n",
            [
                (1, "", "search", "a", []),
                (2, "", "compute", "$1 == 2", [1]),
                (3, "a", "compute", "2 if $2 else 1", [2]),
                (4, "b", "compute", "1 if $2 else 2", [2]),
            ],
        ),
        # A key is a function's name, also one of math.
        ("x = sorted([4, 1], key=sqrt)", [(1, "x", "compute", "sorted([4, 1], key=sqrt)", [])]),
        (
            "import math\nx = min([4, 1], key=math.sqrt)",
            [(1, "x", "compute", "min([4, 1], key=math.sqrt)", [])],
        ),
        ("'''A thought.'''\npass\nimport math\n", []),
    ],
)  # fmt: skip
def test_program_compiles_to(text: str, expected: Any) -> None:
    if expected is None:
        assert isinstance(compiled(text)[0].tasks[-1], Refused)
        return
    assert tasks(text) == expected


def test_f_string_with_the_quotes_of_its_own_inside_is_read() -> None:
    text = """x = search("a")\ny = f"{x["name"]} {", ".join(x)} {search("b")}"\n"""
    assert tasks(text)[-1] == (
        3,
        "y",
        "compute",
        """f"{$1['name']} {', '.join($1)} {$2}\"""",
        [1, 2],
    )


def test_reading_goes_on_with_the_names_of_earlier_rounds() -> None:
    first, _ = compiled("x = search('a')\ny, z = x, [1, {'a$': 2}]\np, q = search('b')\n")
    assert first.names == {
        "x": "$1", "y": "$1", "z": "[1, {'a$$': 2}]", "p": "$3[0]", "q": "$3[1]",
    }  # fmt: skip
    second, _ = compiled("number(y, q)\nx = z[1]\n", names=first.names, first_id=4)
    assert [(it.id, [*it.args.values()]) for it in second.tasks if isinstance(it, Task)] == [
        (4, ["$1", "$3[1]"]),
        (5, ["[1, {'a$$': 2}][1]"]),
    ]


def test_name_of_an_earlier_round_that_is_no_expression_is_not_bound() -> None:
    program, _ = compiled("search(x)\n", names={"x": "$1 +", "y": "$1"})
    [refused] = program.tasks
    assert isinstance(refused, Refused)
    assert 'no name "x"' in str(refused.diagnostic)


def test_tool_is_called_by_its_name_as_python_can_write_it() -> None:
    names = ["get-time", "get_time", "8000ers", "import", "a.b"]
    tools = Toolbox.of([tool(name)(search.func) for name in names])  # type: ignore[attr-defined]
    program = Program(tools)
    program.feed("get_time('a')\nx = _8000ers('a')\nimport_('a')\na_b(query=x)\n")
    assert [it.tool for it in program.tasks if isinstance(it, Task)] == [
        "get_time", "_8000ers", "import", "a_b",
    ]  # fmt: skip
    assert stub(tools["_8000ers"]).startswith("def _8000ers(query: str)")


def test_more_calls_than_allowed_are_one_refusal_and_end_the_reading() -> None:
    program, out = compiled(*("search('a')\n" * 100), max_calls=3)
    assert [type(it) for it in out] == [Task, Task, Task, Refused]
    assert program.full
    assert "more than 3 calls (max_tasks)" in str(out[-1].diagnostic)  # type: ignore[union-attr]


def test_literal_dollars_are_checked_as_the_tool_will_get_them() -> None:
    @tool
    def price(kind: Literal["$5", "$$6"], label: str) -> str:
        """Name a price."""
        return kind

    program = Program(Toolbox.of([price]))
    program.feed("price('$5', 'a $')\nprice('$$6', 'b')\nprice('$$7', 'b')\n")
    assert [type(it) for it in program.tasks] == [Task, Task, Refused]


def test_tools_are_called_by_their_names_as_python_can_write_them() -> None:
    def act(what: str) -> str:
        """Act."""
        return what

    tools = [tool(name)(act) for name in ("delete-file", "mail.send", "class", "a-b", "a_b")]
    program = Program(Toolbox.of(tools))
    program.feed("delete_file('x')\nmail_send('x')\nclass_('x')\na_b('x')\ndelete-file('x')\n")
    *found, refused = program.tasks
    assert [it.tool for it in found if isinstance(it, Task)] == [
        "delete-file", "mail_send", "class", "a_b",
    ]  # fmt: skip
    assert 'no name "delete"' in str(refused.diagnostic)  # type: ignore[union-attr]


def test_refused_lines_count_as_calls_do() -> None:
    program, out = compiled("x = 1\n", *("x = = 1\n" * 100), max_calls=3)
    assert len(out) == 4
    assert program.full


# ── the end ───────────────────────────────────────────────────────────────────────────────────


def test_answer_is_texts_and_holes_with_tasks_behind_them() -> None:
    program, _ = compiled('x = search("a")\nanswer(f"It is {x - 1:.1f} m, {x!r}.")\nsearch("b")\n')
    assert program.answer.parts == (
        "It is ", Hole("$2", "", ".1f"), " m, ", Hole("$1", "r", ""), ".",
    )  # fmt: skip
    assert program.answer.in_words
    assert program.answer.needs == (2, 1)
    assert program.ended
    assert len(program.tasks) == 2


@pytest.mark.parametrize(
    ("text", "parts", "in_words"),
    [
        ("answer(5)", (Hole(5),), False),
        ("return 5", (Hole(5),), False),
        ("answer('Hello!')", ("Hello!",), True),
        ("answer(f'{5}')", (Hole(5),), False),
        ("answer(f'{5} %')", (Hole(5), " %"), False),
        ("answer('a' if 1 else 'b')", (Either(When(1, True, 1), ("a",), ("b",)),), True),
        ("answer(text='Hi')", ("Hi",), True),
        ("print(5)\nprint('a', 6)", (Hole(5), "\n", "a", " ", Hole(6)), True),
        ("print('a')\nanswer('b')", ("a", "\n", "b"), True),
        (
            "x = 1\nif x > 0:\n    answer('a')\nelse:\n    answer('b')\n",
            (Either(When(1, True, 2), ("a",), ("b",)),),
            True,
        ),
        ("x = 1", (), False),
    ],
)
def test_how_a_program_ends(text: str, parts: Any, in_words: bool) -> None:
    answer = compiled(text)[0].answer
    assert (answer.parts, answer.in_words) == (parts, in_words)


def test_program_goes_on_behind_print() -> None:
    program, _ = compiled("print(1)\nsearch('a')\n")
    assert not program.ended
    assert len(program.tasks) == 1


# ── fences and prose ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "text",
    [
        "```python\nx = search('a')\n```\nThis searches.\n",
        "Plan: I'll search(it).\n\n```python\nx = search('a')\n```",
        "Sure!\n\n1. foo\n- search\n```\nx = search('a')\n```\n```\nresult: 5\n```\n",
        "x = search('a')\n```\nDone, (as asked).",
        "  x = search('a')\n",
    ],
)
def test_fences_and_prose_around_a_program_leave_no_trace(text: str) -> None:
    program, out = compiled(text)
    assert tasks(text) == [(1, "x", "search", "a", [])]
    assert len(out) == 1
    assert program.names == {"x": "$1"}


def test_prose_before_a_fence_uses_up_no_calls() -> None:
    prose = "This is a thought.\nx = foo bar\n" * 50
    program, out = compiled(*f"{prose}```python\nsearch('a')\n```\n", max_calls=1)
    assert [(type(it), it.id) for it in out] == [(Task, 1)]
    assert not program.full


def test_prose_without_a_fence_counts_as_refused_lines_do() -> None:
    program, out = compiled(*("This is a thought.\n" * 50), max_calls=3)
    assert [it.id for it in out] == [1, 2, 3, 4]
    assert program.full
    program, out = compiled(*("This is a thought.\n" * 50), "search('a')\n", max_calls=3)
    assert [type(it) for it in out] == [Refused] * 4
    assert program.full


def test_line_that_is_no_python_is_no_prose_without_a_fence() -> None:
    program, _ = compiled("I will search.\nx = search('a')\nThat is all.\n")
    assert [type(it) for it in program.tasks] == [Refused, Task, Refused]
    assert [it.id for it in program.tasks] == [1, 2, 3]


# ── any chunks, and Python itself as the oracle ───────────────────────────────────────────────


@MANY
@given(TEXTS, st.lists(st.integers(0, 500), max_size=8))
def test_tasks_are_the_same_for_any_chunks_of_any_text(text: str, places: list[int]) -> None:
    text = text.replace("f(", "search(")
    whole, out = compiled(text)
    for chunks in (cut(text, places), list(text)):
        program, others = compiled(*chunks)
        assert others == out
        assert program.tasks == whole.tasks
        assert (program.answer, program.names) == (whole.answer, whole.names)


@FEW
@given(st.integers(0, 10**9))
def test_random_program_is_the_same_character_by_character(seed: int) -> None:
    source = programs.Writer(Random(seed)).program()
    tools = language.toolbox()
    whole, out = language.compiled(source, tools)
    program = Program(tools)
    others = [it for character in source for it in program.feed(character)] + program.close()
    assert (others, program.tasks, program.answer) == (out, whole.tasks, whole.answer)


@FEW
@given(st.integers(0, 10**9))
def test_calls_of_a_program_are_those_that_ast_sees(seed: int) -> None:
    source = programs.Writer(Random(seed)).program().split("answer(")[0]
    tools = language.toolbox()
    seen = [
        ast.dump(node)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in tools
    ]
    found = [it for it in language.compiled(source, tools)[1] if isinstance(it, Task)]
    calls = [it.source for it in found if it.tool != COMPUTE and not it.source.endswith("…")]
    assert Counter(ast.dump(ast.parse(it, mode="eval").body) for it in calls) <= Counter(seen)
    assert len([it for it in found if it.tool != COMPUTE]) == len(seen)


def test_programs_come_to_what_python_comes_to() -> None:
    report = language.try_programs(20, 90, lambda line: None)
    assert not report.broken, report.text()
    assert report.figures["failed"] > 40
    assert report.figures["effects"] > 20
    assert report.figures["instances"] > 100
    assert report.figures["untaken"] > 100


SIZED = {
    "statements": lambda n: "x = search('a')\n" * n,
    "nested calls": lambda n: "search(" * n + "'a'" + ")" * n + "\n",
    "nested calls that wait": lambda n: "search(" * n + "zz" + ")" * n + "\n",
    "calls in a list": lambda n: "x = [" + "search('a'), " * n + "]\n",
    "a chain": lambda n: "x = 1\n" + "x = x + 1\n" * n,
    "one line": lambda n: "x = 1; " * n + "\n",
    "broken lines": lambda n: "x = = search('a'\n" * n,
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SIZED)
def test_compiling_takes_time_in_step_with_the_text(name: str) -> None:
    def work(size: int) -> Program:
        return compiled(SIZED[name](size))[0]

    assert grows_linearly(work, 300, 3000)
