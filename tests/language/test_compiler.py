"""The compiler: calls become tasks, and whatever cannot be compiled says why and what to do."""

import enum
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.tools import tool

from llm_compiler.language.compiler import Compiler, compile_data
from llm_compiler.language.parser import PlanParser
from llm_compiler.language.task import Refused, Task, TaskData
from llm_compiler.scheduling.facts import Launch, PlanEnded, Planned, Returned, Settle
from llm_compiler.scheduling.schedule import Schedule
from tests.support.functions import toolbox
from tests.support.strategies import FEW, Written, written_plans


class Unit(enum.Enum):
    METRES = "m"
    FEET = "ft"


@tool
def search(query: str, most: int = 5) -> str:
    """Search."""
    return query


@tool
def math(expression: str) -> float:
    """Calculate."""
    return 0.0


@tool
def convert(value: float, to: Unit = Unit.METRES, rounding: Literal["up", "down"] = "up") -> float:
    """Convert."""
    return value


@tool
def total(values: list[int], labels: dict[str, str] | None = None) -> int:
    """Add up."""
    return sum(values)


@tool
def t(first: Any, second: Any, third: Any) -> Any:
    """Anything."""
    return first


TOOLS = toolbox(search, math, convert, total, t)


def compiled(
    text: str, *, taken: tuple[int, ...] = (), max_tasks: int = 50
) -> list[Task | Refused]:
    parser, compiler = PlanParser(), Compiler(TOOLS, taken=taken, max_tasks=max_tasks)
    calls = [*parser.feed(text), *parser.close()]
    return [*(task for call in calls for task in compiler.compile(call)), *compiler.close()]


def only(text: str, **options: Any) -> Task | Refused:
    [task] = compiled(text, **options)
    return task


def refusal(text: str, **options: Any) -> str:
    task = only(text, **options)
    assert isinstance(task, Refused)
    return task.error


# ── what compiles ─────────────────────────────────────────────────────────────────────────────


def test_positional_arguments_follow_the_schema() -> None:
    text = 'Thought: its height \ud800.\n4. after 2: search("K2 $1", most=3)'
    assert only(text, taken=(1, 2)) == Task(
        4,
        "search",
        {"query": "K2 $1", "most": 3},
        (2, 1),
        thought="its height �.",
        text='4. after 2: search("K2 $1", most=3)',
    )


@pytest.mark.parametrize(
    ("text", "args"),
    [
        ("1. total([1, 2])", {"values": [1, 2]}),
        ("1. total(values=[1], labels={'a': 'b'})", {"values": [1], "labels": {"a": "b"}}),
        ('1. search("""two\nlines""")', {"query": "two\nlines"}),
        ('1. search("two\nlines")', {"query": "two\nlines"}),
        ('1. convert(5, "ft", "down")', {"value": 5, "to": "ft", "rounding": "down"}),
        ("1. convert(value=5)", {"value": 5}),
        ("1. total(labels=null, values=[])", {"values": [], "labels": None}),
    ],
)
def test_arguments(text: str, args: dict[str, Any]) -> None:
    task = only(text)
    assert isinstance(task, Task)
    assert task.args == args


def test_argument_that_holds_a_reference_is_checked_when_it_is_filled() -> None:
    task = only("3. convert($1, to=$2)", taken=(1, 2))
    assert isinstance(task, Task)
    assert (task.needs, task.maybe) == ((1, 2), frozenset())
    assert "'sideways'" in refusal("3. convert($1, rounding='sideways')", taken=(1,))


def test_needs_are_references_and_what_stands_behind_after() -> None:
    task = only('9. after 2: search("$1 and ${3} and $2, $7 and $$4")', taken=(1, 3))
    assert isinstance(task, Task)
    # Task 1 is there already; whether 7 is a task, or seven dollars, the whole plan tells.
    assert (set(task.needs), task.maybe) == ({1, 2, 3, 7}, frozenset({7}))


def test_task_does_not_wait_for_itself_where_it_names_an_amount() -> None:
    task = only('5. search("houses under $5 million")')
    assert isinstance(task, Task)
    assert task.needs == ()


@FEW
@given(written_plans())
def test_written_plans_compile_to_the_same_tasks(plan: list[Written]) -> None:
    tasks = compiled("\n".join(call.text for call in plan))
    assert all(isinstance(task, Task) for task in tasks), tasks
    assert [(task.id, task.args, task.needs) for task in tasks if isinstance(task, Task)] == [
        (call.id, call.args, call.needs) for call in plan
    ]


@FEW
@given(written_plans())
def test_tasks_of_the_state_compile_to_the_same_tasks(plan: list[Written]) -> None:
    for task in compiled("\n".join(call.text for call in plan)):
        assert isinstance(task, Task)
        again = compile_data(TOOLS, task.data())
        assert isinstance(again, Task)
        assert (again.id, again.args, set(again.needs)) == (task.id, task.args, set(task.needs))


# ── what is refused ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ('1. serch("K2")', "no tool 'serch'; did you mean 'search'?"),
        ("1. zzz()", "no tool 'zzz'; there are search, math, convert, total, t"),
        ('1. search(qery="K2")', "search has no argument 'qery'; did you mean 'query'?"),
        (
            '1. math("1", zzz=2)',
            "math has no argument 'zzz'; there are expression",
        ),
        (
            "1. search()",
            "search needs the argument 'query'; write search(query, most: integer=5)",
        ),
        ('1. math("1", "2", "3")', "math takes 1 arguments, not 3; write math(expression)"),
        (
            '1. math("1", expression="2")',
            "math: 'expression' is given twice; write math(expression)",
        ),
        ("1. search(5)", "search: query: Input should be a valid string, not 5"),
        ("1. total([1, 'x'])", "total: values.1: Input should be a valid integer, unable to parse"),
        ('1. convert(1, "miles")', "convert: to: Input should be 'm' or 'ft', not 'miles'"),
        ("1. math($1 - 5)", "$1 - 5 is not a literal; put it in quotes"),
        ("1. math(height of K2)", "the arguments do not parse (invalid syntax"),
        ("1. math(1 +)", "the arguments do not parse"),
        ('1. search("K2"', "the plan was cut off inside this call; it was not run"),
        ('1. search("K', "the plan was cut off inside this call; it was not run"),
        ("1. after 3: sea", "the plan was cut off inside this call; it was not run"),
        ("1. answer(1)", 'answer takes one string; write answer("…")'),
        ('1. answer("a", "b")', 'answer takes one string; write answer("…")'),
        ('1. answer("a', "the plan was cut off inside this call; it was not run"),
        ('0. math("1")', "the id 0 is out of range (1–999999999)"),
        ('12345678901. math("1")', "the id 0 is out of range (1–999999999)"),
    ],
)
def test_refusal_says_why_and_what_to_do(text: str, error: str) -> None:
    assert refusal(text).startswith(error)
    assert "\n" not in refusal(text)


def test_refused_task_keeps_what_the_model_wrote() -> None:
    task = only('Thought: look \ud800.\n7. after 3: serch("K2 \ud800")')
    assert task == Refused(
        7,
        "serch",
        "no tool 'serch'; did you mean 'search'?",
        '7. after 3: serch("K2 �")',
        "look �.",
    )
    assert task.data() == {
        "id": 7,
        "tool": "serch",
        "args": {},
        "needs": [],
        "thought": "look �.",
        "text": '7. after 3: serch("K2 �")',
    }


def test_duplicate_id_gets_one_of_its_own_behind_all_others() -> None:
    plan = '1. math("1")\n1. math("2")\n5. math("3")\n0. math("4")'
    tasks = compiled(plan)
    assert [task.id for task in tasks] == [1, 5, 6, 7]
    assert tasks[2] == Refused(
        6, "math", "the id 1 is used twice; count on from it", '1. math("2")'
    )
    assert tasks[3].text == '0. math("4")'


def test_id_of_an_earlier_round_is_used_twice() -> None:
    assert refusal('1. math("1")', taken=(1, 2)) == "the id 1 is used twice; count on from it"


@pytest.mark.parametrize("line", ['1. math("1")', '1. no_tool("1")', '0. math("1")', "1. math("])
def test_a_line_repeated_for_ever_counts_each_time(line: str) -> None:
    parser, compiler = PlanParser(), Compiler(TOOLS, taken=(), max_tasks=5)
    tasks: list[Task | Refused] = []
    for _ in range(1000):
        for call in parser.feed(f"{line}\n"):
            tasks += compiler.compile(call)
    for call in parser.close():
        tasks += compiler.compile(call)
    tasks += compiler.close()
    assert 1 <= len(tasks) <= 6
    assert sorted(task.id for task in tasks) == list(range(1, len(tasks) + 1))
    if len(tasks) == 6:
        assert compiler.full
        why = "the plan has more than 5 tasks (max_tasks); plan fewer"
        assert [task.error for task in tasks if isinstance(task, Refused)][-1] == why


def test_one_task_too_many_is_refused_and_the_rest_not_read() -> None:
    tasks = compiled('1. math("1")\n2. math("2")\n3. math("3")', max_tasks=2)
    assert [type(task) for task in tasks] == [Task, Task, Refused]
    why = "the plan has more than 2 tasks (max_tasks); plan fewer"
    assert tasks[2] == Refused(3, "math", why, '3. math("3")')
    compiler = Compiler(TOOLS, taken=(), max_tasks=0)
    compiler.compile(PlanParser().feed('1. math("1")')[0])
    assert compiler.full


def test_answer_alone_is_a_task_behind_all_of_the_turn() -> None:
    assert only('1. answer("Hello!")') == Task(
        1, "answer", {"text": "Hello!"}, text='1. answer("Hello!")'
    )
    assert only('answer("Hello!")', taken=(1, 2)).id == 3
    assert only('answer(text="Two\nlines (and a bracket)")') == Task(
        1,
        "answer",
        {"text": "Two\nlines (and a bracket)"},
        text='1. answer(text="Two\nlines (and a bracket)")',
    )


def test_answer_behind_other_tasks_is_dropped() -> None:
    assert [task.tool for task in compiled('1. math("1")\n2. answer("It is $1")')] == ["math"]


@FEW
@given(st.text(alphabet="1.2. search(\"math'$){}[,=\n"))
def test_any_plan_compiles_or_says_why(text: str) -> None:
    for task in compiled(text):
        assert task.id > 0
        assert isinstance(task, Task) or task.error


# ── tasks of the state, which a person may have edited ────────────────────────────────────────


def data(**what: Any) -> TaskData:
    task: Any = {"id": 3, "tool": "math", "args": {}, "needs": [], "thought": ""}
    made: TaskData = task | what
    return made


def test_edited_arguments_are_checked_and_their_references_are_needs() -> None:
    edited = compile_data(TOOLS, data(args={"expression": "$1 - ${2}"}, needs=[7]))
    assert isinstance(edited, Task)
    assert (edited.needs, edited.maybe) == ((7, 1, 2), frozenset({1}))
    wrong = compile_data(TOOLS, data(args={"expresion": "1"}))
    assert isinstance(wrong, Refused)
    assert wrong.error == "math has no argument 'expresion'; did you mean 'expression'?"


def test_edited_text_of_a_refused_task_is_compiled_again() -> None:
    refused = only('3. mth("1 + 1")').data()
    assert isinstance(compile_data(TOOLS, refused), Refused)
    mended = compile_data(TOOLS, {**refused, "text": '3. math("1 + 1")'})
    assert isinstance(mended, Task)
    assert (mended.id, mended.tool, mended.args) == (3, "math", {"expression": "1 + 1"})


def test_edited_arguments_of_a_refused_task_are_taken() -> None:
    refused = only('3. mth("1 + 1")').data()
    mended = compile_data(TOOLS, {**refused, "tool": "math", "args": {"expression": "2"}})
    assert isinstance(mended, Task)
    assert mended.args == {"expression": "2"}


@pytest.mark.parametrize(
    ("what", "error"),
    [
        ({"tool": "mth", "args": {"expression": "1"}}, "no tool 'mth'; did you mean 'math'?"),
        ({"args": ["1"]}, "the arguments are not an object; write them by parameter name"),
        ({"args": {}}, "math needs the argument 'expression'"),
        ({"text": "prose"}, 'line 1: no name "prose"'),
        ({"text": '3. math("1"'}, "the plan was cut off inside this call; it was not run"),
        ({"args": {"expression": "1"}, "needs": ["x"]}, "invalid literal for int()"),
    ],
)
def test_edit_that_does_not_compile_says_why(what: dict[str, Any], error: str) -> None:
    refused = compile_data(TOOLS, data(**what))
    assert isinstance(refused, Refused)
    assert refused.id == 3
    assert refused.error.startswith(error)


@pytest.mark.parametrize(
    "plan", ['1. math("1")\n1. math("2")', '1. math("1")\n0. math("2")', '3. math("1'], ids=repr
)
def test_what_was_refused_stays_refused_until_it_is_edited(plan: str) -> None:
    refused = [task for task in compiled(plan) if isinstance(task, Refused)]
    again = [compile_data(TOOLS, task.data()) for task in refused]
    assert [type(task) for task in again] == [Refused]
    assert [task.id for task in again] == [task.id for task in refused]


def test_edited_text_may_become_an_answer() -> None:
    answer = compile_data(TOOLS, data(text='3. answer("Hi")'))
    assert isinstance(answer, Task)
    assert (answer.id, answer.tool, answer.args) == (3, "answer", {"text": "Hi"})


# ── what shows only with the whole plan (compiler and schedule together) ──────────────────────


def settled(text: str) -> dict[int, tuple[str, str | None]]:
    """How the tasks of a plan end whose calls all return "done"."""
    schedule = Schedule(TOOLS, max_parallel=4)
    facts: list[Any] = [*map(Planned, compiled(text)), PlanEnded()]
    ended: dict[int, tuple[str, str | None]] = {}
    while facts:
        for order in schedule.handle(facts.pop(0)):
            if isinstance(order, Launch):
                facts.append(Returned(order.call, "done"))
            elif isinstance(order, Settle):
                ended[order.outcome.id] = order.outcome.status, order.outcome.error
    assert schedule.finished
    return ended


def test_cycle_is_named_in_the_order_of_the_needs() -> None:
    ended = settled('5. math("$3")\n3. math("$5")\n7. math("$3 + 1")\n8. math("1")')
    cycle = "dependency cycle: 3 → 5 → 3"
    assert ended == {
        3: ("failed", cycle),
        5: ("failed", cycle),
        7: ("skipped", "needs 3, which failed"),
        8: ("ok", None),
    }


def test_task_that_needs_itself_is_a_cycle() -> None:
    assert settled('4. math("${4} + 1")') == {4: ("failed", "dependency cycle: 4 → 4")}


@pytest.mark.parametrize("written", ["$9", '"$9"', '"${9} m"', '"$9.name"'])
def test_unknown_reference_is_named(written: str) -> None:
    ended = settled(f'1. math("1")\n2. math({written})')
    assert ended[2] == ("failed", "no task has the id 9; there are 1, 2")


def test_unknown_id_behind_after_is_named() -> None:
    assert settled('1. after 9: math("1")')[1][1] == "no task has the id 9; there are 1"


def test_dollar_amount_is_plain_text_if_no_task_has_its_id() -> None:
    assert settled('1. search("a $5 bill")\n2. search("under $50 million")') == {
        1: ("ok", None),
        2: ("ok", None),
    }


def test_gap_in_the_ids_and_forward_references_are_fine() -> None:
    plan = '20. math("$30")\n30. math("$7 $8")\n7. math("1")\n8. search("x")'
    assert settled(plan) == dict.fromkeys((7, 8, 20, 30), ("ok", None))


def test_filled_argument_that_the_schema_refuses_fails() -> None:
    assert settled('1. search("x")\n2. convert($1)')[2][1] == (
        "convert: value: Input should be a valid number, unable to parse string as a number,"
        " not 'done'"
    )
