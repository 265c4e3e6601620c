"""The life of a task: what is drawn, what the table allows, and what tasks of random plans do."""

import re
from dataclasses import replace
from itertools import product
from random import Random
from typing import Any, get_args

import pytest

from llm_compiler.language.tasks.task import COMPUTE, Outcome, Task
from llm_compiler.language.tasks.task_ids import TaskId
from llm_compiler.scheduling import task_record
from llm_compiler.scheduling.task_record import (
    TRANSITIONS,
    InvalidTransitionError,
    State,
    TaskRecord,
)
from tests.support.loops import each, inner
from tests.support.turn import Turn

STATES: tuple[State, ...] = get_args(State)
TABLE = {(start, end) for start, ends in TRANSITIONS.items() for end in ends}


def test_table_has_every_state() -> None:
    assert set(TRANSITIONS) == set(STATES)


def test_table_is_what_is_drawn() -> None:
    drawn: set[tuple[str, str]] = set()
    for line in str(task_record.__doc__).splitlines():
        if chain := re.fullmatch(r" {4}(\w.*?) +─ .+ ─+→ (\w.*)", line):
            starts, ends = (re.split(r" +\| +", side.strip()) for side in chain.groups())
            drawn |= set(product(starts, ends))
    assert drawn == TABLE


@pytest.mark.parametrize(("start", "end"), [*product(STATES, STATES)])
def test_task_moves_as_the_table_says_and_not_otherwise(start: State, end: State) -> None:
    record = TaskRecord(7, Task(7, "read"), state=start, life=[start])
    if (start, end) in TABLE:
        record.move(end)
        assert (record.state, record.life) == (end, [start, end])
    else:
        with pytest.raises(InvalidTransitionError) as error:
            record.move(end)
        assert str(error.value) == f"task 7 ({start}) cannot become {end}"
        assert record.state == start


def test_tasks_of_random_plans_take_every_transition_of_the_table_and_no_other() -> None:
    random = Random(0)
    taken: set[tuple[State, State]] = set()
    for number in range(30_000):
        turn = some_turn(random)
        turn.run()
        taken |= turn.transitions
        if number >= 1000 and taken >= TABLE:  # the rarest is taken by one plan in two thousand
            break
    assert taken == TABLE


def some_turn(random: Random) -> Turn:
    """One in which many calls are equal, and edited tasks of earlier rounds wait in a chain."""
    ids = random.sample(range(1, 20), random.randint(4, 9))
    tool = random.choice(["read", "read", "alone", "ask"])
    earlier = random.choice([0, 1, 2, 2, 2])
    plan: list[Task] = []
    priors: dict[TaskId, Outcome] = {}
    for place, id in enumerate(ids):
        waits = 0 < place < earlier or (place and random.random() < 0.2)
        needs = (ids[place - 1],) if waits else ()
        if random.random() < 0.1:
            needs = (random.choice(ids),)
        args: dict[str, Any] = {"x": random.choice([0, 0, 1]) if place else 1, "from": []}
        before = {**args, "x": 9 if random.random() < 0.8 else args["x"]}
        task = Task(id, tool if place else "read", args, needs)
        if random.random() < (0.1 if place else 0.5):
            task = Task(id, COMPUTE, {"expression": "[1]"}, needs)
            before = {"expression": random.choice(["[1]", "[9]", "[9]"])}
        elif random.random() < 0.1:
            body = inner(f"{id}[]", tool, {"x": f"$({id}[].0)"})
            task = replace(each(id, [1, 0], body, value="a"), needs=needs)
            before = {}
        plan.append(task)
        if place < earlier:
            priors[id] = Outcome(id, task.tool, "ok", before, "before")
    return Turn(
        plan,
        random.randint(1, 2),
        random,
        early_start=random.random() < 0.7,
        breaks=random.randrange(4),
        deadline=random.random() < 0.2,
        priors=priors,
    )
