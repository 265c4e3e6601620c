"""The reader of programs: which calls and statements it finds, in text of any chunking."""

import ast
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_compiler.language.reading.source import Source
from llm_compiler.language.reading.written import Call, Event, Fence, Statement, Written
from tests.support.cost import grows_linearly
from tests.support.strategies import FEW, MANY, cut

TOOLS = frozenset(("f", "g", "search"))


def read(*chunks: str, stopped: bool = False) -> list[Event]:
    source = Source(TOOLS)
    found = [event for chunk in chunks for event in source.feed(chunk)]
    return found + list(source.close(cut=stopped))


def calls(text: str) -> list[str]:
    return [event.source for event in read(text) if isinstance(event, Call)]


def statements(text: str) -> list[str]:
    return [event.raw.strip() for event in read(text) if isinstance(event, Statement)]


def faults(text: str) -> list[str]:
    return [event.fault for event in read(text) if isinstance(event, Statement)]


def plain(events: list[Event]) -> list[Any]:
    """Events without how their text was cut into pieces."""
    return [
        (event.written.text, replace(event, written=Written("", ())))
        if isinstance(event, Call | Statement)
        else event
        for event in events
    ]


# ── calls ─────────────────────────────────────────────────────────────────────────────────────


def test_call_comes_out_at_its_closing_bracket_inside_an_unfinished_statement() -> None:
    source = Source(TOOLS)
    assert list(source.feed('x = f(g(1), search("K2"')) != []
    [call] = source.feed(")")
    assert isinstance(call, Call)
    assert (call.tool, call.source) == ("search", 'search("K2")')


def test_calls_come_out_in_the_order_of_their_closing_brackets() -> None:
    assert calls("f(g(1), f(2)); g(3)\n") == ["g(1)", "f(2)", "f(g(1), f(2))", "g(3)"]


def test_call_in_a_hole_of_an_f_string_comes_out() -> None:
    assert calls("""x = f'{search("K2"):>{g(1)}} {{f(2)}} {"f(3)"}'\n""") == [
        'search("K2")',
        "g(1)",
    ]


@pytest.mark.parametrize(
    "text",
    ['"f(1)"', "'''f(1)\nf(2)'''", "# f(1)", "x.f(1)", "ff(1)", "f[1]", "rb'f(1)'", "f\n(1)"],
)
def test_what_only_looks_like_a_call_is_none(text: str) -> None:
    assert calls(f"{text}\n") == []


@pytest.mark.parametrize(
    ("text", "conditional"),
    [
        ("f(1) if x else g(1)", [False, True]),
        ("x and f(1)", [True]),
        ("[x and 1, f(1)]", [False]),
        ("[1 for a, b in f(1)]", [True]),
        ("sorted(x, key=lambda a, b: f(a))", [True]),
        ("for x in f(1): g(x)", [False, True]),
        ("if f(1): g(1)", [False, True]),
        ("while f(1): pass", [True]),
        ("with f(1): pass", [True]),
        ("not f(1)", [False]),
        ("return f(1)", [False]),
        ("x = await f(1)", [False]),
    ],
)
def test_call_behind_a_condition_a_loop_or_a_lambda_is_conditional(
    text: str, conditional: list[bool]
) -> None:
    found = [event.conditional for event in read(f"{text}\n") if isinstance(event, Call)]
    assert found == conditional


def test_calls_in_a_block_are_conditional() -> None:
    text = "if x:\n    f(1)\nelif y:\n    f(2)\nelse:\n    f(3)\nf(4)\n"
    found = [event.conditional for event in read(text) if isinstance(event, Call)]
    assert found == [True, True, True, False]


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("x = f(1)", "x"),
        ("x = await f(1)", "x"),
        ("x == f(1)", ""),
        ("x = [f(1)]", ""),
        ("x, y = f(1)", ""),
        ("x += f(1)", ""),
        ("f(1)", ""),
    ],
)
def test_target_of_a_call_is_the_name_before_it(text: str, target: str) -> None:
    [call] = [event for event in read(f"{text}\n") if isinstance(event, Call)]
    assert call.target == target


# ── statements ────────────────────────────────────────────────────────────────────────────────


def test_statements_end_with_their_line_or_at_a_semicolon() -> None:
    text = "x = (1,\n  2)\ny = 1 + \\\n 2; z = 3\n# a comment\n\nw = '''a\nb'''"
    assert statements(text) == ["x = (1,\n  2)", "y = 1 + \\\n 2", "z = 3", "w = '''a\nb'''"]


def test_compound_statement_comes_with_its_block() -> None:
    text = "if x:\n    y = 1\n\n    # more\n    z = 2\nelse: y = 2\nw = 3\nfor a in b: c = 1\nd = 1"
    assert statements(text) == [
        "if x:\n    y = 1\n\n    # more\n    z = 2\nelse: y = 2",
        "w = 3",
        "for a in b: c = 1",
        "d = 1",
    ]


def test_program_may_be_indented_as_a_whole() -> None:
    assert (
        faults("   x = f(1)\n   if x:\n      y = 1\n   else:\n      y = 2\n   z = 1\n") == [""] * 3
    )


def test_indented_line_of_no_block_is_at_fault() -> None:
    assert faults("x = 1\n    f(1)\ny = 2\n") == ["", "indent", ""]
    assert calls("x = 1\n    f(1)\n") == []


@pytest.mark.parametrize(
    "line",
    [
        "x = f(1",
        "x = f([1, {2: 'a'",
        "x = 'it is",
        "x = f('it's')",
        'x = f"{a',
        "x = f(1))",
        "x = [1)",
        "I think f(1) is it",
        "Call `f(1)`:",
        "1. f(1)",
        "x = 5if y",
        "x = $1",
    ],
)
def test_broken_line_spoils_itself_only(line: str) -> None:
    found = read(f"{line}\ny = g(1)\n")
    assert [event.source for event in found if isinstance(event, Call)][-1] == "g(1)"
    assert statements(f"{line}\ny = g(1)\n") == [line, "y = g(1)"]


def test_lines_that_an_open_bracket_may_mean_belong_to_it() -> None:
    assert statements("x = f(\nquery='a',\n1 if y\nelse 2\n)\n") == [
        "x = f(\nquery='a',\n1 if y\nelse 2\n)"
    ]


def test_no_call_is_complete_in_what_cannot_be_python() -> None:
    assert calls("First we call f(1) and then g(2)\n") == []


@pytest.mark.parametrize("text", ["x = f(1", "x = '''a", "x = [f(1),", "if x:\n  y = f("])
def test_statement_that_the_end_cuts_off_is_at_fault(text: str) -> None:
    assert faults(text) == ["cut"]


def test_last_line_of_a_model_that_was_stopped_is_at_fault() -> None:
    [whole, last] = [it for it in read("x = 1\ny = 2", stopped=True) if isinstance(it, Statement)]
    assert (whole.fault, last.fault) == ("", "cut")
    [line] = [it for it in read("x = 1\n", stopped=True) if isinstance(it, Statement)]
    assert line.fault == ""


# ── fences ────────────────────────────────────────────────────────────────────────────────────


def test_what_stands_behind_a_fence_is_not_read() -> None:
    text = "```python\nx = f(1)\n```\nThen g(1).\n```\ng(2)\n```\n"
    assert calls(text) == ["f(1)"]
    assert next(event for event in read(text) if isinstance(event, Fence)) == Fence("python")


def test_second_fence_with_a_tag_is_read() -> None:
    assert calls("```py\nf(1)\n```\nand\n```py\ng(1)\n```\n") == ["f(1)", "g(1)"]


def test_fence_inside_a_text_is_text() -> None:
    assert calls('x = """\n```\nf(1)\n"""\ng(1)\n') == ["g(1)"]


def test_fence_ends_an_open_statement() -> None:
    assert faults("```python\nx = f(1\n```\n") == ["broken"]


# ── any chunks ────────────────────────────────────────────────────────────────────────────────

_PIECES = st.sampled_from(
    [
        "x = f(1)", "f(g(x), 'a')", "\n", "\n    ", "if x:", "else:", "for a in b:", ":", ";",
        "(", ")", "[", "]", "{", "}", "'", '"', '"""', "'''", "\\", "\\\n", "f'", 'f"{', "}\"",
        "rb'", "```", "```python\n", "# c", "#", "`", "$1", "é漢😀", "\ud800", "\r\n", "\t", "\0",
        "1.5e3", "1if", "a.b", "lambda x: ", "and ", "in", "answer(f\"{x:.1f}\")", "{{", "!r:>{5}",
        "f(1, [x, -2.5])", "g(a='b', c=x.y)", "max(x)", "match(x)", "f(é)", "f(not)", "\n    \t",
        "\N{KELVIN SIGN}", "\U00020000", "_", " ", "=", "==", ",", "x y", "\\N{DASH}", "@",
    ]
)  # fmt: skip
TEXTS = st.lists(_PIECES | st.just("\n") | st.text(max_size=3), max_size=30).map("".join)


@MANY
@given(TEXTS, st.lists(st.integers(0, 500), max_size=8))
def test_events_are_the_same_for_any_chunks(text: str, places: list[int]) -> None:
    whole = plain(read(text))
    assert plain(read(*cut(text, places))) == whole
    assert plain(read(*text)) == whole


@FEW
@given(TEXTS)
def test_text_of_a_call_is_a_call_to_python_or_refused_by_it(text: str) -> None:
    for event in read(text):
        if isinstance(event, Call):
            assert event.written.text.startswith(event.tool)
            try:
                tree = ast.parse(event.written.text, mode="eval").body
            except SyntaxError:
                continue
            assert isinstance(tree, ast.Call)
            assert isinstance(tree.func, ast.Name)
            assert tree.func.id == event.tool


SIZED: dict[str, Callable[[int], str]] = {
    "brackets": lambda n: "x = " + "[" * n,
    "closed brackets": lambda n: "x = " + "[" * n + "]" * n + "\n",
    "long text": lambda n: f"x = f('{'a' * 10 * n}')\n",
    "long word": lambda n: "a" * 10 * n,
    "comment": lambda n: "#" * 10 * n,
    "nested calls": lambda n: "f(" * n + ")" * n + "\n",
    "open calls": lambda n: "f(" * n,
    "one line": lambda n: "f(1);" * n,
    "lines": lambda n: "x = f(1)\n" * n,
    "a block": lambda n: "if x:\n" + "  y = f(1)\n" * n,
    "quotes": lambda n: '"' * n,
    "holes": lambda n: 'f"{' * n,
    "backslashes": lambda n: "\\" * n,
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SIZED)
def test_reading_takes_time_in_step_with_the_text(name: str) -> None:
    def one_by_one(size: int) -> list[Event]:
        return read(*SIZED[name](size))

    # What is kept of a call's own text is bounded, which shows only in longer ones.
    small = 1000 if name == "nested calls" else 100
    assert grows_linearly(one_by_one, small, 10 * small)


def test_letters_that_stand_for_strings_inside_are_refused_in_a_program() -> None:
    assert faults("x = f'{\U00020003 \"a\"}'\n") == ["broken"]
