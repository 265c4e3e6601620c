"""What models write beside the plan language: each is read as it is meant, also one by one."""

from typing import Any

import pytest

from llm_compiler.language.lowering.lowered import Hole, Refused
from llm_compiler.language.tasks.task import Task
from tests.language.test_program import compiled

A = ("search", "a", "x")
B = ("search", "b", "y")


def read(text: str) -> tuple[list[Any], Any]:
    """The calls and computations of a program read character by character, and its answer."""
    program, _ = compiled(*text)
    whole, _ = compiled(text)
    assert program.tasks == whole.tasks
    tasks = [
        (it.tool, *it.args.values(), it.name) if isinstance(it, Task) else str(it.diagnostic)
        for it in program.tasks
    ]
    return tasks, program.answer.parts


@pytest.mark.parametrize(
    ("text", "tasks"),
    [
        # ── Python around calls
        ("x = await search('a')\ny = (await search('b'))", [A, B]),
        ("x, y = await asyncio.gather(search('a'), search('b'))", [A, B]),
        ("x, y = await asyncio.gather(\n    search('a'),\n    search('b'),\n)", [A, B]),
        ("[x, y] = asyncio.gather(search('a'), search('b'))", [A, B]),
        ("x = search('a'); y = search('b')", [A, B]),
        ("x = search('a'); y = search('b');", [A, B]),
        ("x = search('a');y = search('b')  # both", [A, B]),
        ("x: str = search('a')\ny: list[dict[str, int]] = search('b')", [A, B]),
        ("x: 'str'\nx = search('a')", [A]),
        ("(x) = search('a')", [A]),
        ("x = (search('a'))", [A]),
        ("x = (\n    search(\n        'a',\n    )\n)", [A]),
        ("x = search(  'a'  )  ", [A]),
        ("x = search(query = 'a')", [A]),
        ("x = \\\n    search('a')", [A]),
        ('x = search("""a""")', [A]),
        ("x = search(f'a')", [A]),
        ("x = search(r'a')", [A]),
        ("x = search('' 'a')", [A]),
        ("from math import sqrt\nimport math, asyncio\nx = search('a')", [A]),
        # ── line ends, indentation, marks
        ("x = search('a')\r\ny = search('b')\r\n", [A, B]),
        ("if 1:\r\n    z = 2\r\nx = search('a')\r\n", [("compute", "2 if 1 else 1", "z"), A]),
        ("\ufeffx = search('a')", [A]),
        ("\tx = search('a')\n\ty = search('b')\n", [A, B]),
        ("x = [\n\t'a',\n    'b']\nif x:\n\tz = 2\nelse:\n        z = 3\n", [
            ("compute", "2 if ['a', 'b'] else 3", "z"),
        ]),
        ("\n\n  \n\t\nx = search('a')\n\n\n", [A]),
        ("x\u00a0=\u00a0search('a')", [A]),
        ("x = search('a')\u200b\n", [A]),
        ("x = search('a')\x0c\n", [A]),
        # ── fences
        ("```Python\nx = search('a')\n```", [A]),
        ("```PYTHON3\nx = search('a')\n```", [A]),
        ("```py title=plan\nx = search('a')\n```", [A]),
        ("``` python\nx = search('a')\n```", [A]),
        ("````python\nx = search('a')\n````", [A]),
        ("   ```python\n   x = search('a')\n   ```", [A]),
        ("```python\r\nx = search('a')\r\n```\r\n", [A]),
        ("~~~\nx = search('a')\n~~~", [A]),
        ("~~~python\nx = search('a')\n~~~\nThat's all (really).", [A]),
        ("```tool_code\nx = search('a')\n```", [A]),
        ("```\nx = search('a')\n```", [A]),
        ("```python\nx = search('a')", [A]),
        ("```python\nx = search('a')\n", [A]),
        ("Here it is:\n```python\nx = search('a')", [A]),
        ("```python\nx = search('a')\n```\nThen:\n```python\ny = search('b')\n```", [A, B]),
        ("```python\nx = search('a')\n```\n\n```Python\ny = search('b')", [A, B]),
        ("```python\nx = search('a')\n```python\ny = search('b')\n```", [A, B]),
        ("```python\nx = search('a')\n```\nIt prints\n```text\ny = search('b')\n```", [A]),
        ("```python\nx = search('a')\n```\n```json\n{\"a\": 1}\n```", [A]),
        ("```text\nWe search (first).\n```\n```python\nx = search('a')\n```", [A]),
        ("```python\n```\n```python\nx = search('a')\n```", [A]),
        ("```python\n'''\n```\n'''\nx = search('a')\n```", [A]),
        ("> I'll search\n- it's (fine\n```python\nx = search('a')\n```", [A]),
    ],
)  # fmt: skip
def test_is_read_as_it_is_meant(text: str, tasks: list[Any]) -> None:
    begun = "z = 1\n" if "z = " in text else ""
    assert read(begun + text)[0] == tasks


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("return", ()),
        ("x = 1\nreturn\nsearch('a')", ()),
        ("return;", ()),
        ("print()", ()),
        ("print()\nprint('a')", ("a",)),
        ("print('a')\nprint()\nprint('b')", ("a", "\n", "\n", "b")),
        ("x = 5\nprint(f'It is {x}.')", ("It is ", Hole(5), ".")),
        ("x = 5\nprint('It is', x)", ("It is", " ", Hole(5))),
        ("print('a'); print('b')", ("a", "\n", "b")),
        ("await answer('a')", ("a",)),
        ("(answer('a'))", ("a",)),
        ("answer('''a\n  b''')", ("a\n  b",)),
        ("answer('a' 'b')", ("ab",)),
        ("answer(None)", (Hole(None),)),
        ("return f'1', 2", (Hole(["1", 2]),)),
        ("answer('')", ("",)),
        ("```python\nanswer('a')\n```\nnot read(", ("a",)),
    ],
)
def test_how_it_ends(text: str, parts: Any) -> None:
    tasks, said = read(text)
    assert said == parts
    assert not [it for it in tasks if isinstance(it, str)]


@pytest.mark.parametrize("end", ["answer(", "answer('a", "return f'{x", "print(1", "answer(f'{1}"])
def test_end_that_is_cut_off_says_nothing(end: str) -> None:
    program, out = compiled(*f"x = 1\n{end}")
    assert program.answer.parts == ()
    [refused] = out
    assert isinstance(refused, Refused)
    assert "cut off" in str(refused.diagnostic)
