"""`--tools FILE.py:NAME`."""

from pathlib import Path

import pytest

from llm_compiler.cli.given_tools import tools_given
from llm_compiler.errors import SetupError
from tests.cli.program import Model, Run

FILE = '''
from dataclasses import dataclass
from langchain_core.tools import tool
import neighbour

print("no part of an answer")

@dataclass
class Town:
    name: str

def population(town: str) -> int:
    """People of a town."""
    return neighbour.PEOPLE[Town(town).name]

async def mayor(town: str) -> str:
    """Mayor of a town."""
    return "Ada"

@tool
def search(query: str) -> str:
    """Mine."""
    return "mine"

def nothing_said(town):
    return 1

TOOLS = [population, mayor]
EMPTY = []
NUMBER = 3
'''


@pytest.fixture
def file(tmp_path: Path) -> str:
    (tmp_path / "neighbour.py").write_text('PEOPLE = {"Paris": 2_048_000}\n')
    path = tmp_path / "mine.py"
    path.write_text(FILE)
    return str(path)


def test_plan_calls_a_given_function(run: Run, model: Model, file: str) -> None:
    model.plan = 'answer(f"In Paris live {population("Paris")} people.")'
    done = run("--quiet", "--tools", f"{file}:population", "How many?")
    assert (done.exit_code, done.stdout) == (0, "In Paris live 2048000 people.\n")
    assert "no part of an answer" in done.stderr


@pytest.mark.parametrize(
    ("names", "known"),
    [
        (["population"], {"search", "number", "read", "population"}),
        (["TOOLS"], {"search", "number", "read", "population", "mayor"}),
        (["mayor", "population"], {"search", "number", "read", "population", "mayor"}),
        (["search"], {"search", "number", "read"}),
    ],
)
def test_given_tools_come_beside_those_shipped(
    file: str, names: list[str], known: set[str]
) -> None:
    tools = tools_given(f"{file}:{name}" for name in names)
    assert tools is not None
    assert sorted(tool.name for tool in tools) == sorted(known)
    [search] = [tool for tool in tools if tool.name == "search"]
    assert (search.description == "Mine.") == (names == ["search"])


def test_no_place_is_the_shipped_tools() -> None:
    assert tools_given(()) is None


@pytest.mark.parametrize(
    ("name", "told"),
    [
        (":poplation", "the file has no poplation; did you mean population?"),
        (":NUMBER", "'3' is neither a function nor a tool"),
        (":Town", "is neither a function nor a tool"),
        (":EMPTY", "the list is empty"),
        (":nothing_said", "nothing_said cannot be a tool"),
        ("", "write FILE.py:NAME"),
        (":", "write FILE.py:NAME"),
        (":a-b", "write FILE.py:NAME"),
    ],
)
def test_what_is_no_tool_is_told_before_anything_runs(
    run: Run, model: Model, file: str, name: str, told: str
) -> None:
    done = run("--tools", f"{file}{name}", "?")
    assert (done.exit_code, done.stdout, model.asked) == (2, "", [])
    assert told in done.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "x = 1\nraise RuntimeError('no such\\nhost')\n",
            "bad.py, line 2: RuntimeError: no such host",
        ),
        ("x = (\n", "bad.py: "),
        ("import not_installed_here\n", "bad.py, line 1: ModuleNotFoundError"),
        ("import sys\nsys.exit(3)\n", "bad.py, line 2: SystemExit: 3"),
        ("", "the file has no f; it has no function, tool or list"),
        ("def g(): ...\n", "the file has no f; it has g"),
    ],
)
def test_file_that_cannot_be_run_is_one_line(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "bad.py"
    path.write_text(text)
    with pytest.raises(SetupError) as refused:
        tools_given([f"{path}:f"])
    assert told in str(refused.value)
    assert "\n" not in str(refused.value)


def test_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=r"there is no file .*none\.py"):
        tools_given([f"{tmp_path}/none.py:f"])
