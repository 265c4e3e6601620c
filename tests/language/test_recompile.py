"""Statements of a stored plan that did not compile are compiled again."""

from typing import Any

import pytest
from langchain_core.tools import tool

from llm_compiler.language.program import Program
from llm_compiler.language.recompile import planned
from llm_compiler.language.stored_tasks import compile_data
from llm_compiler.language.tasks.task import Refused, Task, TaskData
from llm_compiler.language.toolbox.toolbox import Toolbox


@tool
def search(query: str) -> str:
    """Find."""
    return query


@tool
def look(query: str) -> str:
    """Look."""
    return query


NOW = Toolbox.of([search, look])
NAMES = {"x": "$1", "k": "'K2'", "late": "$7"}


def stored(written: str, **more: Any) -> TaskData:
    """The statement of a planner without `look` that was refused, as task 3 on line 5."""
    program = Program(Toolbox.of([search]), names=NAMES, first_id=3)
    out = [*program.feed("\n" * 4 + written), *program.close(cut=True)]
    [refused] = [it for it in map(planned, out) if isinstance(it, Refused)]
    data: TaskData = {**refused.data(), "id": 3, **more}  # type: ignore[typeddict-item]
    return data


def again(data: TaskData) -> Task | Refused:
    return compile_data(NOW, data, names=NAMES)


def test_statement_whose_tool_is_there_by_now_is_its_call() -> None:
    task = again(stored("y = look(x)\n", taint="search", rules=["destructive"]))
    assert isinstance(task, Task)
    assert (task.id, task.tool, task.args, task.needs) == (3, "look", {"query": "$1"}, (1,))
    assert (task.name, task.line, task.source) == ("y", 5, "y = look(x)")
    assert (task.taint, task.rules) == ("search", ("destructive",))


def test_constants_of_the_program_are_known() -> None:
    task = again(stored("look(k)\n"))
    assert isinstance(task, Task)
    assert task.args == {"query": "K2"}


@pytest.mark.parametrize(
    "text",
    [
        "look(zz)\n",
        "look(late)\n",  # assigned behind it
        "look(look('a'))\n",
        "y = look('a') + 1\n",
        "answer(look('a'))\n",
        "print(f'{look(x)}')\n",
        "look('a'",
        "look('a')",  # cut off
    ],
)
def test_statement_that_is_not_one_call_stays_refused_as_it_was(text: str) -> None:
    data = stored(text)
    task = again(data)
    assert isinstance(task, Refused)
    assert (task.error, task.line, task.text) == (data["error"], 5, data["text"])


def test_line_refused_for_another_reason_stays_refused_though_it_reads_well() -> None:
    data = stored("search('a')\n    search('b')\n")
    assert data["text"] == "search('b')"
    task = again(data)
    assert isinstance(task, Refused)
    assert "this line is indented" in task.error


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("y = loook(x)", 'line 5: no function "loook"; did you mean "look"?'),
        ("\nlook()", "line 6: look needs the argument 'query'"),
        ("look(late)", 'line 5: no name "late"'),
        ("look('a'", "line 5: the plan was cut off inside this statement"),
        ("look('a')\nlook('b')", "this is not one call of a tool"),
        ("y = 1 + 1", "this is not one call of a tool"),
        ("answer('Hi')", "this is not one call of a tool"),
        ("# nothing", "this is not one call of a tool"),
    ],
)
def test_edited_text_that_is_not_one_call_says_why(text: str, error: str) -> None:
    task = again(stored("y = serch(x)\n", text=text))
    assert isinstance(task, Refused)
    assert task.error.startswith(error)


def test_edited_text_is_its_call_and_its_source() -> None:
    task = again(stored("y = = 1\n", text="z = search(query=x.name)"))
    assert isinstance(task, Task)
    assert (task.id, task.tool, task.args, task.needs) == (3, "search", {"query": "$1.name"}, (1,))
    assert (task.name, task.line, task.source) == ("z", 5, "z = search(query=x.name)")


def test_arguments_of_a_person_take_the_place_of_the_text() -> None:
    task = again(stored("y = = 1\n", tool="look", args={"query": "a"}))
    assert isinstance(task, Task)
    assert (task.tool, task.args) == ("look", {"query": "a"})
