"""What ruled a task when it was planned rules it still, whatever its tool is by now."""

from typing import Any

import pytest

from llm_compiler.language.tasks.task import Outcome, Task
from llm_compiler.language.toolbox.tool_rules import STORED, ToolRules
from llm_compiler.scheduling.facts import Decided, Decision, PlanEnded, Planned, Prior, TakenOver
from llm_compiler.scheduling.orders import Ask, Launch, Order, Settle
from llm_compiler.scheduling.schedule import Schedule
from tests.support.turn import FakeTools


def orders(*facts: Any) -> list[Order]:
    """What a schedule orders once the plan has ended and was taken over."""
    machine = Schedule(FakeTools(), max_parallel=4, early_start=False)
    return [it for fact in (*facts, PlanEnded(), TakenOver()) for it in machine.handle(fact)]


@pytest.mark.parametrize(
    ("names", "rules"),
    [
        ([], ToolRules()),
        (["asks"], ToolRules(asks=True)),
        (["untrusted"], ToolRules(untrusted=True)),
        (["writes"], ToolRules(writes=True)),
        (["guarded", "writes"], ToolRules(writes=True, guarded=True)),
        (["destructive", "writes"], ToolRules(writes=True, destructive=True)),
    ],
)
def test_stored_rules_are_added_to_those_of_the_tool(names: list[str], rules: ToolRules) -> None:
    assert ToolRules().with_stored(names) == rules
    assert rules.stored == names
    assert rules.with_stored([]) == rules


def test_what_was_destructive_is_a_write() -> None:
    rules = ToolRules().with_stored(["destructive"])
    assert rules.writes
    assert not rules.early_start


def test_a_guarded_read_stays_a_read() -> None:
    rules = ToolRules().with_stored(["guarded"])
    assert rules.guarded
    assert rules.early_start


def test_no_rule_is_lifted() -> None:
    strict = ToolRules(True, "", True, True, True, True, direct=True)
    assert strict.stored == list(STORED)
    assert strict.with_stored(["asks"]) == strict


def test_task_that_had_to_ask_asks_though_its_tool_does_not() -> None:
    ask = Ask((Launch(0, 1, "read", {"x": 1}),))
    assert orders(Planned(Task(1, "read", {"x": 1}, rules=("asks",)))) == [ask]


@pytest.mark.parametrize("rules", [(), ("guarded",)])
def test_task_that_was_guarded_asks_where_taint_was_stored(rules: tuple[str, ...]) -> None:
    task = Task(1, "read", {"x": 1}, taint="it was read", rules=rules)
    call = Launch(0, 1, "read", {"x": 1})
    assert orders(Planned(task)) == [Ask((call,), {1: "it was read"}) if rules else call]


def test_task_that_was_destructive_is_launched_as_such() -> None:
    [launch] = orders(Planned(Task(1, "read", {"x": 1}, rules=("destructive",))))
    assert launch == Launch(0, 1, "read", {"x": 1}, destructive=True)


def test_task_that_was_asked_about_is_decided_though_its_tool_does_not_ask() -> None:
    planned = Planned(Task(1, "read", {"x": 1}), asked=True)
    bound = ("read", {"x": 1})
    assert isinstance(orders(planned)[0], Ask)
    rejected = Outcome(1, "read", "rejected", {"x": 1}, error="no")
    no = Decided((Decision(1, rejected="no", asked=bound),))
    assert orders(planned, no) == [Settle(rejected)]
    assert orders(planned, Decided((Decision(1, asked=bound),))) == [Launch(0, 1, *bound)]
    other = ("read", {"x": 2})
    assert isinstance(orders(planned, Decided((Decision(1, asked=other),)))[0], Ask)


def test_task_that_failed_without_a_call_stands_before_its_needs_have_ended() -> None:
    task = Task(2, "read", {"x": "$1"}, (1,))
    failed = Outcome(2, "read", "failed", {"x": "$1"}, error="no tool 'read'")
    first = Planned(Task(1, "read", {"x": 9}))
    assert orders(first, Planned(task, (Prior.of(failed),))) == [Launch(0, 1, "read", {"x": 9})]


@pytest.mark.parametrize(
    "change",
    [{"tool": "two"}, {"args": {"x": 5}}, {"attempts": 1}, {"status": "rejected"}],
    ids=["another tool", "other arguments", "a call", "rejected"],
)
def test_task_that_was_edited_since_it_failed_runs(change: dict[str, Any]) -> None:
    before: dict[str, Any] = {"tool": "read", "status": "failed", "args": {"x": "$1"}, **change}
    prior = Prior.of(Outcome(2, error="no", **before))
    task = Task(2, "read", {"x": "$1"}, (1,))
    machine = Schedule(FakeTools(), max_parallel=4)
    machine.handle(Planned(Task(1, "read", {"x": 9})))
    machine.handle(Planned(task, (prior,)))
    assert machine.records[2].state == "waiting"
