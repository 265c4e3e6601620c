"""What models write makes no warning, and is read alike where warnings are errors, as here."""

import re
from pathlib import Path
from typing import Any

import pytest

import llm_compiler
from llm_compiler.language.evaluation.compute import evaluate
from llm_compiler.language.lowering.lowered import Refused
from llm_compiler.language.program import Program
from llm_compiler.language.tasks.task import TaskData
from llm_compiler.nodes.facts import _is_literal
from llm_compiler.prompting.statement_check import StatementCheck
from llm_compiler.silent_parser import syntax_tree
from tests.campaigns.language import toolbox

WARNED_OF = {
    '"\\d+"': "\\d+",
    "'a\\.b' + f'\\w{1}'": "a\\.b\\w1",
    "1if 0else 2": 2,
    "[1, 2if 1else 3]": [1, 2],
    "0x1for 2": 31,
    "1.if 1. else 2": 1.0,
    "'\\777'": "\u01ff",
}
"""Texts that Python's parser warns of, and what they come to."""


@pytest.mark.parametrize(("text", "value"), WARNED_OF.items())
def test_an_expression_is_evaluated(text: str, value: Any) -> None:
    if "for" not in text:
        assert evaluate(text, lambda id: None) == value
    assert syntax_tree(text, "eval")
    assert _is_literal(text) in (True, False)


def test_a_program_compiles() -> None:
    text = "'\\d' + f'\\w{1}'"
    lines = [f"x = {text}", f"y = num({text})", f"z = [num(a) for a in [{text}]]", "w = x"]
    program = Program(toolbox())
    program.feed("\n".join(lines) + f"\nif w == {text}:\n    num([{text}])\n")
    program.close()
    assert not [it.diagnostic for it in program.tasks if isinstance(it, Refused)]
    again = Program(toolbox(), names=program.names, first_id=90)
    again.feed("num(w)\n")
    assert again.tasks


def test_a_word_right_behind_a_number_is_refused_by_the_program() -> None:
    program = Program(toolbox())
    program.feed("x = 1if 0else 2\ny = num(1if 0else 2)\n")
    program.close()
    assert all("this is not Python" in str(it.diagnostic) for it in program.tasks)  # type: ignore[union-attr]


def test_a_statement_is_compared_with_its_tasks() -> None:
    source = 'x = num("\\d")'
    task = TaskData(id=1, name="x", tool="num", args={"x": "\\d"}, needs=[], line=1, source=source)
    assert StatementCheck({1: "x"}).still_says(source, [task])


def test_no_other_module_parses_what_models_write() -> None:
    """`expression` refuses such texts, and the others parse texts of their own."""
    folder = Path(str(llm_compiler.__file__)).parent
    parsing = re.compile(r"\bast\.(?:parse|literal_eval)\((?!\")(?!node\))(?!syntax_tree)")
    found = {it.name for it in folder.rglob("*.py") if parsing.search(it.read_text())}
    assert found <= {"silent_parser.py", "expression.py"}
