"""What is wrong with a line: where, and what to write instead."""

import pytest
from langchain_core.tools import StructuredTool, tool
from pydantic import BaseModel

from llm_compiler.language.lowering.lowered import Refused
from llm_compiler.language.program import Program
from llm_compiler.language.tasks.task import Task
from llm_compiler.language.toolbox.toolbox import Toolbox
from tests.language.test_program import TOOLS, compiled


def refusals(tools: Toolbox, text: str) -> list[str]:
    program = Program(tools)
    found = [*program.feed(text), *program.close()]
    return [str(it.diagnostic) for it in found if isinstance(it, Refused)]


def said(text: str) -> str:
    [refused] = [it for it in compiled(text)[0].tasks if isinstance(it, Refused)]
    return str(refused.diagnostic)


def test_diagnostic_has_its_line_a_caret_and_a_remedy() -> None:
    assert said('x = 1\n\ny = serch("K2")\n') == (
        'line 3: no function "serch"; did you mean "search"?\n    y = serch("K2")\n        ^^^^^'
    )


@pytest.mark.parametrize(
    ("line", "message", "caret"),
    [
        ("y = number('a', evrest)", 'no name "evrest"; did you mean "everest"?', "evrest"),
        ("y = everest + lenth([1])", 'no function "lenth"; did you mean "len"?', "lenth"),
        ("search(qury='a')", "search has no argument 'qury'; did you mean 'query'?", "qury='a'"),
        ("search()", "search needs the argument 'query'", "search"),
        ("search('a', 'b')", "search takes 1 argument, not 2", "'b'"),
        ("search('a', query='b')", "query is given twice", "query='b'"),
        ("search(**everest)", "without **", "**everest"),
        ("number('é', evrest, 1)", "number takes 2 arguments, not 3", "1"),
        ("number('é漢', everst)", 'no name "everst"', "everst"),
        ("pay('lots')", "should be a valid integer", "'lots'"),
        ("pay(amount=1.5)", "should be a valid integer", "amount=1.5"),
        ("for x in everest: y = serch(x)", 'no function "serch"', "serch"),
        ("y = [search(x, y) for x in everest]", "search takes 1 argument, not 2", "y"),
        ("y = [search(z) for x in everest]", 'no name "z"', "z"),
        ("y = search(z) if everest else 1", 'no name "z"', "z"),
        ("y = everest and pay('lots')", "should be a valid integer", "'lots'"),
        ("for x in everest: pass\nelse: pay(1)", "write what follows else below the loop", None),
        ("for x in everest: answer(x)", "keep the value in a name, and answer below", "answer(x)"),
        ("for x in everest: return x", "a loop cannot answer", "return x"),
        ("for everest.x in [1]: pay(1)", "only names can be assigned to", "everest.x"),
        (
            "for x in everest:\n    if x:\n        if x > 1: continue\n    pay(1)",
            "write what follows in this loop under else",
            None,
        ),
        ("x = search(…)", "invalid character '…' (U+2026)", "…"),
        ("continue", "this is outside of a loop", "continue"),
        ("break", "this is outside of a loop", "break"),
        ("for x in everest:\n    def f(): pass", "function is not in the plan language", None),
        ("if everest:\n    while 1: pass", "while is not in the plan language", None),
        ("any(pay(x) for x in everest)", "write a list, in brackets", "(pay(x) for x in everest)"),
        ("y = (pay(x) for x in everest)", "write a list, in brackets", "(pay(x) for x in everest)"),
        ("map(lambda x: search(x), everest)", 'no function "map"', "map"),
        ("sorted(everest, key=lambda x, y: search(x))", "a key's lambda takes one", "lambda x, y"),
        ("max(1, 2, key=lambda x: search(x))", "takes one list; write it without more", None),
        ("print = search('a')", '"print" is a function; use another name', None),
        ("while everest: pass", "while is not in the plan language; go through data", None),
        ("def f(): pass", "function is not in the plan language", None),
        ("try: pass\nexcept: pass", "try is not in the plan language; leave it out", None),
        ("import os", "os cannot be imported; only math can", "import os"),
        ("del everest", "only a part of a list or dict can be deleted", "everest"),
        ("y = lambda: 1", "a lambda may only be the key", "lambda: 1"),
        ("everest.pop(1)", "write everest = [*everest] before", "everest.pop(1)"),
        ("w.append(1)", "write w = [*w] before", "w.append(1)"),
        ("w['a'] = 1", "of a dict w = {**w}", "w['a'] = 1"),
        ("everest['a'].append(1)", 'everest = {**everest, "key": value}', None),
        ("everest['a']['b'] = 1", 'write a new dict: everest = {**everest, "key": value}', None),
        ("y = everest.__class__", "names with two underscores", "everest.__class__"),
        ("__y = 1", "names with two underscores", None),
        ("y = search", '"search" is a function; call it: search(…)', "search"),
        ("answer(1, 2)", "answer takes one value", "answer(1, 2)"),
        ("print(1, sep='')", "print takes values only", "sep=''"),
        ("answer()", "answer takes one value", "answer()"),
        ("answer(*everest)", "write the items out", "*everest"),
        ("answer(**everest)", "write the value itself", "**everest"),
        ("print(*everest)", "write the items out", "*everest"),
        ("y = print(1)", "print(…) has no value; write it on a line of its own", "print"),
        ("answer(answer(1))", "answer(…) has no value", "answer"),
        ("y = sqrt", '"sqrt" is a function; call it: sqrt(…)', "sqrt"),
        ("y = 'abc", "close the quote on the same line", "'"),
        ("y = search('a'", "close it", "("),
        ("y = (1, 2))", "close each bracket once", ")"),
        ("y == = 1", "write one Python statement per line", "="),
        ("first we search", "write one Python statement per line", "we"),
        ("y = “a”", "write it with ASCII operators and quotes", "“"),
        ("    y = 1", "this line is indented and belongs to no block", "y"),
    ],
)
def test_line_is_refused_with_what_to_write_instead(
    line: str, message: str, caret: str | None
) -> None:
    text = said(f"everest = search('a')\nw = [everest]; v = w\n{line}\nw = 1\n")
    first, shown, carets = text.split("\n")
    place = [it.strip() for it in line.split("\n")].index(shown.strip())
    assert first.startswith(f"line {3 + place}: ")
    assert message in first
    if caret is not None:
        place = carets.index("^")
        assert shown[place : place + len(caret)] == caret


@pytest.mark.parametrize("end", ["search('b'", "y = '''a", "y = everest +", "y = [1,"])
def test_statement_that_is_cut_off_is_never_run(end: str) -> None:
    assert "the plan was cut off inside this statement" in said(f"everest = search('a')\n{end}")


def test_what_needs_a_refused_line_needs_its_id() -> None:
    program, _ = compiled("x = serch('a')\na, b = = 1\nsearch(x)\nsearch(b)\n")
    [one, two, first, second] = program.tasks
    assert isinstance(one, Refused)
    assert isinstance(two, Refused)
    assert isinstance(first, Task)
    assert isinstance(second, Task)
    assert (first.needs, second.needs) == ((1,), (2,))


class Order(BaseModel):
    amount: int
    label: str


@tool
def order(amount: str, from_: str, order: Order, items: list[int] | None = None) -> str:
    """Order."""
    return amount


@pytest.mark.parametrize(
    ("line", "caret"),
    [
        # The message says "amount", and means that of the order.
        ("order('1', 'a', {'amount': 'lots', 'label': 'a'})", "{'amount': 'lots', 'label': 'a'}"),
        ("order('1', 'a', {'amount': 1, 'label': 'a'}, [1, 'x'])", "[1, 'x']"),
        ("order(amount=[5], from_='a', order={'amount': 1, 'label': ''})", "amount=[5]"),
        ("order('a', 'b')", "order"),
        ("order('1', 'a', 'b', itms=[1])", "itms=[1]"),
    ],
)
def test_caret_stands_at_the_argument_that_the_schema_refuses(line: str, caret: str) -> None:
    [refused] = refusals(Toolbox.of([order]), line)
    _, shown, carets = refused.split("\n")
    assert shown[carets.index("^") : carets.rindex("^") + 1] == caret


def test_parameter_whose_name_python_has_is_known_by_the_name_that_the_stub_shows() -> None:
    schema = {"type": "object", "properties": {"from": {"type": "integer"}}}
    go = StructuredTool(name="go", description="Go.", args_schema=schema, func=print)
    [refused] = refusals(Toolbox.of([go]), "go(from_='x')")
    assert refused.split("\n")[2].strip() == "^" * len("from_='x'")


def test_function_that_is_absent_is_named_with_the_reason() -> None:
    def why(name: str) -> str | None:
        return "the MCP server 'wiki' is down" if name == "wiki_serch" else None

    down, unknown = refusals(Toolbox(TOOLS.values(), why), "wiki_serch('a')\nserch('b')\n")
    assert "no function \"wiki_serch\"; the MCP server 'wiki' is down; " in down
    assert 'no function "serch"; did you mean "search"?' in unknown


def test_long_line_is_cut_around_its_caret() -> None:
    text = said(f"x = '{'a' * 500}' + y + '{'b' * 500}'\n")
    assert all(len(line) < 200 for line in text.split("\n"))
    _, shown, carets = text.split("\n")
    assert shown[carets.index("^")] == "y"
