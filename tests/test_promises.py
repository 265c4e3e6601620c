"""The pages about promises and threats name tests, files and campaigns that are there."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from tests.campaigns.__main__ import TRIES

ROOT = Path(__file__).parents[1]
PROMISES = (ROOT / "docs" / "promises.md").read_text(encoding="utf-8")
THREATS = (ROOT / "docs" / "threat-model.md").read_text(encoding="utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PROMISES.splitlines()
    if line.startswith("| ") and not line.startswith("| promise ")
]
NAMED = re.compile(r"[\w/]+\.py::\w+(?:::\w+)*")


@cache
def collected(file: str) -> frozenset[str]:
    """The tests that pytest would collect of a file: functions, and methods as `Class::name`."""
    path = ROOT / "tests" / file
    if not path.is_file() or not path.name.startswith("test_"):
        return frozenset()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = _tests(tree.body)
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name.startswith("Test"):
            found |= {f"{node.name}::{name}" for name in _tests(node.body)}
    return frozenset(found)


def _tests(body: list[ast.stmt]) -> set[str]:
    functions = (it for it in body if isinstance(it, ast.FunctionDef | ast.AsyncFunctionDef))
    return {it.name for it in functions if it.name.startswith("test") and not _left_out(it)}


def _left_out(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether a test is never run, or may fail."""
    marks = (ast.unparse(decorator) for decorator in function.decorator_list)
    return any(re.match(r"pytest\.mark\.(skip\b|xfail)", mark) for mark in marks)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0][:50])
def test_every_promise_is_checked_by_tests_that_exist(row: list[str]) -> None:
    promise, held_by, *_ = row
    assert len(row) == 3
    assert promise.endswith(".")
    names = [name.strip() for name in held_by.split(",")]
    for name in names:
        assert NAMED.fullmatch(name), f"{name!r} is no test; write file::name, from tests/ on"
        file, _, test = name.partition("::")
        assert test in collected(file), f"{name} is not there; name the test that holds {promise!r}"
    assert len(set(names)) == len(names)


def test_only_the_rows_name_tests() -> None:
    """So that no name escapes the check."""
    assert len(NAMED.findall(PROMISES)) == sum(len(row[1].split(",")) for row in ROWS)
    assert len({row[0] for row in ROWS}) == len(ROWS) > 40


def test_every_campaign_is_named() -> None:
    assert {*re.findall(r"`(\w+)`", PROMISES.split("\n\n")[1])} >= {*TRIES}


def test_the_threat_model_is_one_page_and_names_files_that_exist() -> None:
    lines = THREATS.splitlines()
    assert len(lines) <= 95
    assert max(map(len, lines)) <= 120
    files = re.findall(r"`((?:agent|tools)/[\w/.]+)`", THREATS)
    assert len(files) > 15
    assert [file for file in files if not (ROOT / file).is_file()] == []


def test_a_missing_name_is_found() -> None:
    here = "test_promises.py"
    assert "test_a_missing_name_is_found" in collected(here)
    assert not {"collected", "test_no_such_test"} & collected(here)
    assert collected("support/scripted.py") == collected("no_such_file.py") == frozenset()
