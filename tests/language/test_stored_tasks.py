"""Tasks of a stored plan, which a person may have edited: they compile, or say why not."""

from typing import Any

import pytest
from langchain_core.tools import tool

from llm_compiler.language.stored_tasks import compile_data
from llm_compiler.language.tasks.task import Refused, Task, TaskData, When
from llm_compiler.language.tasks.task_ids import TaskId
from llm_compiler.scheduling.facts import PlanEnded, Planned, Returned
from llm_compiler.scheduling.orders import Launch, Settle
from llm_compiler.scheduling.schedule import Schedule
from tests.support.functions import toolbox


@tool
def search(query: str, most: int = 5) -> str:
    """Search."""
    return query


@tool
def math(expression: str) -> float:
    """Calculate."""
    return 0.0


@tool
def convert(value: float) -> float:
    """Convert."""
    return value


TOOLS = toolbox(search, math, convert)


def data(id: int = 3, tool: str = "math", **what: Any) -> TaskData:
    task: Any = {"id": id, "tool": tool, "args": {}, "needs": []}
    made: TaskData = task | what
    return made


def test_edited_arguments_are_checked_and_their_references_are_needs() -> None:
    edited = compile_data(TOOLS, data(args={"expression": "$1 - ${2}"}, needs=[7]))
    assert isinstance(edited, Task)
    assert (edited.needs, edited.maybe) == ((7, 1, 2), frozenset({1}))
    wrong = compile_data(TOOLS, data(args={"expresion": "1"}))
    assert isinstance(wrong, Refused)
    assert wrong.error == "math has no argument 'expresion'; did you mean 'expression'?"


REFUSED = data(text='mth("1 + 1")', source='mth("1 + 1")', error='line 1: no function "mth"')


def test_edited_text_of_a_refused_task_is_compiled_again() -> None:
    assert isinstance(compile_data(TOOLS, REFUSED), Refused)
    edited: TaskData = {**REFUSED, "text": 'math("1 + 1")'}
    mended = compile_data(TOOLS, edited)
    assert isinstance(mended, Task)
    assert (mended.id, mended.tool, mended.args) == (3, "math", {"expression": "1 + 1"})


def test_edited_arguments_of_a_refused_task_are_taken() -> None:
    edited: TaskData = {**REFUSED, "args": {"expression": "2"}}
    mended = compile_data(TOOLS, edited)
    assert isinstance(mended, Task)
    assert mended.args == {"expression": "2"}


@pytest.mark.parametrize("name", ["compute", "answer"])
def test_expressions_need_what_they_refer_to(name: str) -> None:
    task = compile_data(TOOLS, data(tool=name, args={"expression": "$1 + ${2}"}, needs=[7]))
    assert isinstance(task, Task)
    assert task.needs == (7, 1, 2)
    wrong = compile_data(TOOLS, data(tool=name, args={"expresion": "1"}))
    assert isinstance(wrong, Refused)
    assert wrong.error == f'{name} takes one string; write {{"expression": "$1 - $2"}}'


@pytest.mark.parametrize(
    ("what", "error"),
    [
        ({"tool": "mth", "args": {"expression": "1"}}, "no tool 'mth'; did you mean 'math'?"),
        ({"args": ["1"]}, "the arguments are not an object; write them by parameter name"),
        ({"args": {}}, "math needs the argument 'expression'"),
        ({"text": "prose"}, 'line 1: no name "prose"'),
        ({"text": 'math("1"'}, "line 1: the plan was cut off inside this statement"),
        ({"args": {"expression": "1"}, "needs": ["x"]}, "invalid literal for int()"),
    ],
)
def test_edit_that_does_not_compile_says_why(what: dict[str, Any], error: str) -> None:
    refused = compile_data(TOOLS, data(**what))
    assert isinstance(refused, Refused)
    assert refused.id == 3
    assert refused.error.startswith(error)


LOOP: dict[str, Any] = {
    "items": "$1",
    "body": [{"id": "3[]", "tool": "search", "args": {"query": "$(3[].0) $(2[0].1)"}, "needs": []}],
    "value": "$(3[])",
}


def edited(**body: Any) -> dict[str, Any]:
    """The arguments of a loop whose body a person edited."""
    [task] = LOOP["body"]
    return {**LOOP, "body": [{**task, **body}]}


def test_loop_is_compiled_with_the_tasks_of_its_body() -> None:
    task = compile_data(
        TOOLS, data(tool="each", args=LOOP, when={"id": 2, "holds": False, "line": 4})
    )
    assert isinstance(task, Task)
    assert (task.args, task.when) == (LOOP, When(2, False, 4))
    assert {*task.needs} == {1, 2, "2[0].1"}


@pytest.mark.parametrize(
    ("args", "error"),
    [
        (edited(tool="serch"), "3[]: no tool 'serch'; did you mean 'search'?"),
        (edited(args={"qury": "a"}), "3[]: search has no argument 'qury'; did you mean 'query'?"),
        (edited(args={"query": "a", "most": "x"}), "3[]: search: most: Input should be a valid"),
        (edited(args={"query": "$(3[].7)"}), "no task in the loop has the id 3[].7; there are"),
        (edited(id="4[]"), "4[] is no id of a task in the body of 3"),
        (edited(tool="compute"), '3[]: compute takes one string; write {"expression": "$1 - $2"}'),
        ({**LOOP, "body": "x"}, 'each takes {"items": "$1", "body": [tasks with ids'),
        ({"items": "$1", "body": []}, 'each takes "value", or "names"'),
    ],
)
def test_edit_of_a_loop_that_does_not_compile_says_why(args: dict[str, Any], error: str) -> None:
    refused = compile_data(TOOLS, data(tool="each", args=args))
    assert isinstance(refused, Refused)
    assert refused.error.startswith(error)


def test_loop_that_has_ended_needs_no_tool() -> None:
    ended = compile_data(TOOLS, data(tool="each", args=edited(tool="gone")), ended=True)
    assert isinstance(ended, Task)


# ── what shows only with the whole plan (with the schedule) ───────────────────────────────────


def settled(*plan: TaskData) -> dict[TaskId, tuple[str, str | None]]:
    """How the tasks of a plan end whose calls all return "done"."""
    schedule = Schedule(TOOLS, max_parallel=4)
    facts: list[Any] = [*(Planned(compile_data(TOOLS, task)) for task in plan), PlanEnded()]
    ended: dict[TaskId, tuple[str, str | None]] = {}
    while facts:
        for order in schedule.handle(facts.pop(0)):
            if isinstance(order, Launch):
                facts.append(Returned(order.call, "done"))
            elif isinstance(order, Settle):
                ended[order.outcome.id] = order.outcome.status, order.outcome.error
    assert schedule.finished
    return ended


def sums(id: int, expression: str, **more: Any) -> TaskData:
    return data(id, args={"expression": expression}, **more)


def test_cycle_is_named_in_the_order_of_the_needs() -> None:
    ended = settled(sums(5, "$3"), sums(3, "$5"), sums(7, "${3} + 1"), sums(8, "1"))
    cycle = "dependency cycle: 3 → 5 → 3"
    assert ended == {
        3: ("failed", cycle),
        5: ("failed", cycle),
        7: ("skipped", "needs 3, which failed"),
        8: ("ok", None),
    }


def test_task_that_needs_itself_is_a_cycle() -> None:
    assert settled(sums(4, "${4} + 1")) == {4: ("failed", "dependency cycle: 4 → 4")}


@pytest.mark.parametrize("written", ["$9", "${9} m", "$9.name"])
def test_unknown_reference_is_named(written: str) -> None:
    ended = settled(sums(1, "1"), sums(2, written))
    assert ended[2] == ("failed", "no task has the id 9; there are 1, 2")


def test_unknown_need_is_named() -> None:
    assert settled(sums(1, "1", needs=[9]))[1][1] == "no task has the id 9; there are 1"


def test_dollar_amount_is_plain_text_if_no_task_has_its_id() -> None:
    plan = [
        data(id, "search", args={"query": text}) for id, text in ((1, "a $5 bill"), (2, "$50 m"))
    ]
    assert settled(*plan) == {1: ("ok", None), 2: ("ok", None)}


def test_gap_in_the_ids_and_forward_references_are_fine() -> None:
    plan = [sums(20, "$30"), sums(30, "${7} ${8}"), sums(7, "1"), sums(8, "2")]
    assert settled(*plan) == dict.fromkeys((7, 8, 20, 30), ("ok", None))


def test_filled_argument_that_the_schema_refuses_fails() -> None:
    plan = [data(1, "search", args={"query": "x"}), data(2, "convert", args={"value": "$1"})]
    assert settled(*plan)[2][1] == (
        "convert: value: Input should be a valid number, unable to parse string as a number,"
        " not 'done'"
    )
