"""The order of effects: one plain test a rule, then random plans against running them in order."""

from collections.abc import Iterator
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_compiler.language.tasks.task import ANSWER, COMPUTE, Outcome, Refused, Task
from llm_compiler.language.tasks.task_ids import TaskId
from llm_compiler.scheduling.effects import EffectOrder, data_needs
from llm_compiler.scheduling.facts import (
    Computed,
    Decided,
    Decision,
    Fact,
    PlanEnded,
    Planned,
    Prior,
    Returned,
    TakenOver,
)
from llm_compiler.scheduling.orders import Ask, Compute, Launch, Order, Settle
from llm_compiler.scheduling.schedule import Schedule
from tests.support.cost import grows_linearly
from tests.support.effects import RULES, Running, in_lines, task, tools
from tests.support.strategies import MANY
from tests.support.turn import FakeTools, drive


def ordered(*plan: Task | Refused) -> list[Task | Refused]:
    order = EffectOrder(tools())
    return [order.ordered(it) for it in plan]


def needs(*plan: Task | Refused) -> list[tuple[TaskId, ...]]:
    return [it.needs if isinstance(it, Task) else () for it in ordered(*plan)]


BROKEN = Refused(1, "buy", "line 1: no function")

# ── what a task waits for ─────────────────────────────────────────────────────────────────────


def test_reads_and_pure_tasks_wait_for_their_data_alone() -> None:
    assert needs(task(1, "see"), task(2, "look"), task(3, COMPUTE, 1), task(4, ANSWER, 3)) == [
        (),
        (),
        (1,),
        (3,),
    ]


def test_write_waits_for_every_task_written_before_it() -> None:
    assert needs(task(1, "see"), task(2, "peek"), task(3, COMPUTE), task(4, "buy"))[-1] == (1, 2, 3)


def test_write_waits_for_the_last_write_and_the_tasks_since() -> None:
    plan = [task(1, "see"), task(2, "buy"), task(3, "see"), task(4, "join"), task(5, "mail")]
    assert needs(*plan) == [(), (1,), (), (3, 2), (4,)]


def test_write_does_not_name_what_another_need_waits_for() -> None:
    assert needs(task(1, "see"), task(2, "see", 1), task(3, "see"), task(4, "buy"))[-1] == (2, 3)


def test_data_come_first_among_the_needs() -> None:
    assert needs(task(1, "see"), task(2, "see"), task(3, "buy", 2))[-1] == (2, 1)


def test_read_waits_for_the_last_write_of_its_domain() -> None:
    plan = [task(1, "buy"), task(2, "buy"), task(3, "join"), task(4, "look"), task(5, "peek")]
    assert needs(*plan)[3:] == [(2,), (3,)]


def test_read_of_another_domain_or_of_none_waits_for_no_write() -> None:
    assert needs(task(1, "buy"), task(2, "mail"), task(3, "peek"), task(4, "see"))[2:] == [(), ()]


def test_write_waits_for_what_did_not_compile() -> None:
    assert needs(BROKEN, task(2, "mail"), task(3, "see")) == [(), (1,), ()]


def test_task_waits_for_nothing_of_an_earlier_round() -> None:
    order = EffectOrder(tools(), [1, 2])
    assert order.ordered(task(3, "buy", 1)) == task(3, "buy", 1)


def test_forward_reference_makes_no_cycle() -> None:
    """In the numbered notation a task may name one that is written later."""
    assert needs(task(1, "buy", 9), task(8, "join"), task(9, "mail", 8)) == [(9,), (), (8,)]


@pytest.mark.parametrize(
    ("planned", "data"),
    [
        (Task(5, "see", {"x": ["$3", "a ${2} b"], "$$4": 1}, (2, 3, 4)), [3, 2]),
        (Task(5, COMPUTE, {"expression": "f'{$3:.1f} $$2' + $4.x"}, (2, 3, 4)), [3, 4]),
        (Task(5, "see", {"x": "$3"}), []),
    ],
)
def test_data_needs_are_those_that_the_arguments_refer_to(
    planned: Task, data: list[TaskId]
) -> None:
    assert [*data_needs(planned)] == data


# ── what starts when ──────────────────────────────────────────────────────────────────────────


def machine(*plan: Task | Refused, begin: bool = True) -> tuple[Schedule, list[Order]]:
    """A schedule with a plan, and its orders so far."""
    schedule = Schedule(tools(), max_parallel=9)
    facts: list[Fact] = [Planned(it) for it in ordered(*plan)]
    facts += [PlanEnded(), TakenOver()] if begin else []
    return schedule, [order for fact in facts for order in schedule.handle(fact)]


def started(orders: list[Order]) -> list[TaskId]:
    return [order.id for order in orders if isinstance(order, Launch | Compute)]


def ended(schedule: Schedule, id: TaskId, error: str | None = None) -> list[Order]:
    """The orders that follow when the call of a task returns."""
    return schedule.handle(Returned(schedule.records[id].known_call.number, error=error))


def settled(orders: list[Order]) -> dict[TaskId, tuple[str, str | None]]:
    outcomes = [order.outcome for order in orders if isinstance(order, Settle)]
    return {it.id: (it.status, it.error) for it in outcomes}


def asked(orders: list[Order]) -> list[TaskId]:
    return [call.id for order in orders if isinstance(order, Ask) for call in order.calls]


def test_read_starts_early_unless_it_waits_and_a_write_never_does() -> None:
    plan = [task(1, "see"), task(2, "buy"), task(3, "look"), task(4, "peek"), task(5, COMPUTE)]
    _, orders = machine(*plan, begin=False)
    assert started(orders) == [1, 4, 5]


def test_writes_happen_one_after_another() -> None:
    schedule, orders = machine(task(1, "buy"), task(2, "join"), task(3, "look"))
    assert started(orders) == [1]
    assert started(ended(schedule, 1)) == [2, 3]


def test_write_behind_a_failure_is_skipped_and_reads_go_on() -> None:
    schedule, orders = machine(
        task(1, "see"), task(2, "buy"), task(3, "join"), task(4, "look"), task(5, "see", 1)
    )
    assert started(orders) == [1]
    assert settled(ended(schedule, 1, "no")) == {
        1: ("failed", "no"),
        2: ("skipped", "comes after 1, which failed"),
        3: ("skipped", "comes after 2, which was skipped"),
        4: ("skipped", "comes after 2, which was skipped"),
        5: ("skipped", "needs 1, which failed"),
    }


def test_read_of_another_domain_runs_though_a_write_before_it_failed() -> None:
    schedule, orders = machine(task(1, "buy"), task(2, "peek"), task(3, "look"))
    assert started(orders) == [2, 1]
    assert settled(ended(schedule, 1, "no")) == {
        1: ("failed", "no"),
        3: ("skipped", "comes after 1, which failed"),
    }
    assert settled(ended(schedule, 2)) == {2: ("ok", None)}


def test_write_behind_what_did_not_compile_is_skipped() -> None:
    _, orders = machine(BROKEN, task(2, "mail"))
    assert settled(orders)[2] == ("skipped", "comes after 1, which failed")


def test_write_behind_an_expression_that_fails_is_skipped() -> None:
    schedule, orders = machine(task(1, COMPUTE), task(2, "mail"))
    assert started(orders) == [1]
    orders = schedule.handle(Computed(0, 1, error="division by zero"))
    assert settled(orders)[2] == ("skipped", "comes after 1, which failed")


# ── asking ────────────────────────────────────────────────────────────────────────────────────


def test_writes_that_wait_for_each_other_alone_are_asked_about_together() -> None:
    schedule, orders = machine(task(1, "pay"), task(2, "mail"), task(3, "pay"), task(4, "check"))
    assert asked(orders) == [1, 3, 4]
    assert started(schedule.handle(Decided((Decision(1), Decision(3), Decision(4))))) == [1, 4]
    assert started(ended(schedule, 1)) == [2]
    assert started(ended(schedule, 2)) == [3]


def test_what_needs_a_result_is_asked_about_when_it_is_there() -> None:
    schedule, orders = machine(task(1, "pay"), task(2, "pay", 1), task(3, "pay"))
    assert asked(orders) == [1, 3]
    schedule.handle(Decided((Decision(1), Decision(3))))
    assert asked(ended(schedule, 1)) == [2]
    assert started(schedule.handle(Decided((Decision(2),)))) == [2]
    assert started(ended(schedule, 2)) == [3]


def test_approved_call_behind_one_that_fails_is_skipped() -> None:
    schedule, _ = machine(task(1, "pay"), task(2, "pay"))
    assert started(schedule.handle(Decided((Decision(1), Decision(2))))) == [1]
    assert settled(ended(schedule, 1, "no"))[2] == ("skipped", "comes after 1, which failed")


def test_rejection_stops_only_what_needs_the_value() -> None:
    schedule, _ = machine(task(1, "pay"), task(2, "mail"), task(3, "see", 1), task(4, "see"))
    orders = schedule.handle(Decided((Decision(1, rejected="no"),)))
    assert settled(orders) == {1: ("rejected", "no"), 3: ("skipped", "needs 1, which was rejected")}
    assert started(orders) == [2]


def test_write_waits_for_what_a_rejected_one_comes_after() -> None:
    schedule, _ = machine(task(1, "pay"), task(2, "pay"), task(3, "mail"))
    no = Decision(2, rejected="no")
    assert started(schedule.handle(Decided((Decision(1), no)))) == [1]
    assert schedule.records[2].state == "asked"
    orders = ended(schedule, 1, "no money")
    assert settled(orders) == {
        1: ("failed", "no money"),
        2: ("rejected", "no"),
        3: ("skipped", "comes after 1, which failed"),
    }


def test_equal_writes_are_decided_on_each() -> None:
    schedule, orders = machine(task(1, "pay", x=5), task(2, "pay", x=5))
    assert asked(orders) == [1, 2]
    orders = schedule.handle(Decided((Decision(1, rejected="no"), Decision(2))))
    assert settled(orders) == {1: ("rejected", "no")}
    assert started(orders) == [2]


def test_equal_reads_that_wait_are_asked_about_once() -> None:
    plan = [task(1, "pay"), task(2, "buy"), task(3, "check", x=5), task(4, "check", x=5)]
    schedule, orders = machine(*plan)
    assert asked(orders) == [1, 3]
    schedule.handle(Decided((Decision(1), Decision(3))))
    ended(schedule, 1)
    assert started(ended(schedule, 2)) == [3]
    assert settled(ended(schedule, 3)) == {3: ("ok", None), 4: ("ok", None)}


def test_decisions_of_an_earlier_run_are_carried_out_in_order() -> None:
    schedule = Schedule(tools(), max_parallel=9, early_start=False)
    for it in ordered(task(1, "pay"), task(2, "pay")):
        schedule.handle(Planned(it, asked=True))
    schedule.handle(PlanEnded())
    schedule.handle(Decided((Decision(1), Decision(2))))
    assert started(schedule.handle(TakenOver())) == [1]
    assert started(ended(schedule, 1)) == [2]


def test_equal_writes_are_decided_on_each_after_a_restart_too() -> None:
    schedule = Schedule(tools(), max_parallel=9, early_start=False)
    for it in ordered(task(1, "pay", x=5), task(2, "pay", x=5)):
        schedule.handle(Planned(it, asked=True))
    schedule.handle(PlanEnded())
    schedule.handle(Decided((Decision(1, rejected="no"), Decision(2))))
    assert started(schedule.handle(TakenOver())) == [2]


# ── equal calls ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("between", "runs"), [("buy", True), ("join", False), ("mail", False), ("see", False)]
)
def test_equal_read_runs_again_behind_a_write_of_its_domain(between: str, runs: bool) -> None:
    schedule, orders = machine(task(1, "look", x=5), task(2, between), task(3, "look", x=5))
    for _ in range(2):
        for launch in [it for it in orders if isinstance(it, Launch)]:
            orders = schedule.handle(Returned(launch.call))
    assert (schedule.records[3].state == "running") == runs
    assert schedule.records[3].outcome is None or schedule.records[3].outcome.reused


def test_equal_read_of_a_later_round_runs_again_behind_a_write_of_its_domain() -> None:
    schedule = Schedule(tools(), max_parallel=9)
    for it in (task(1, "look", x=5), task(2, "peek", x=5), task(3, "buy")):
        before = Outcome(it.id, it.tool, "ok", it.args, "v", attempts=1)
        schedule.handle(Planned(it, (Prior.of(before),)))
    assert started(schedule.handle(Planned(task(4, "look", x=5)))) == [4]
    assert started(schedule.handle(Planned(task(5, "peek", x=5)))) == []


def test_rejected_read_is_not_proposed_again_behind_a_write() -> None:
    schedule = Schedule(tools(), max_parallel=9)
    rejected = Outcome(1, "check", "rejected", {"x": 5, "from": []}, error="no")
    schedule.handle(Planned(task(1, "check", x=5), (Prior.of(rejected),)))
    schedule.handle(Planned(task(2, "buy")))
    assert settled(schedule.handle(Planned(task(3, "check", x=5)))) == {3: ("rejected", "no")}


def test_write_that_ran_stays_ok_though_an_edited_one_before_it_fails() -> None:
    """What happened is not called skipped; what has not happened yet does not begin."""
    schedule = Schedule(tools(), max_parallel=9, early_start=False)
    first, second, third = (task(id, "mail") for id in (1, 2, 3))
    edited = Prior.of(Outcome(1, "mail", "ok", {"x": 9}))
    schedule.handle(Planned(first, (edited,)))
    ran = Prior.of(Outcome(2, "mail", "ok", second.args, "v", attempts=1))
    schedule.handle(Planned(replace(second, needs=(1,)), (ran,)))
    schedule.handle(Planned(replace(third, needs=(2,))))
    schedule.handle(PlanEnded())
    assert started(schedule.handle(TakenOver())) == [1]
    assert settled(ended(schedule, 1, "no")) == {
        1: ("failed", "no"),
        3: ("skipped", "comes after 1, which failed"),
    }
    assert schedule.outcomes[2].ok


def test_write_that_was_asked_about_stays_skipped_though_its_tool_is_gone() -> None:
    """Found by the campaign of deploys: it turned from skipped to failed."""
    schedule = Schedule(FakeTools(RULES, refused=3), max_parallel=9, early_start=False)
    failed = Prior.of(Outcome(1, "mail", "failed", task(1, "mail").args, error="no", attempts=1))
    schedule.handle(Planned(task(1, "mail"), (failed,)))
    schedule.handle(Planned(replace(task(2, "mail", x=3), needs=(1,)), asked=True))
    schedule.handle(PlanEnded())
    assert settled(schedule.handle(TakenOver())) == {}
    assert schedule.outcomes[2].error == "comes after 1, which failed"


def test_writes_whose_order_a_person_removed_start_at_once() -> None:
    schedule = Schedule(tools(), max_parallel=9, early_start=False)
    for it in ordered(task(1, "mail"), task(2, "mail")):
        schedule.handle(Planned(replace(it, needs=()) if isinstance(it, Task) else it))
    schedule.handle(PlanEnded())
    assert started(schedule.handle(TakenOver())) == [1, 2]


# ── any plan, in any order of finishing, against its lines run one after another ──────────────


@st.composite
def plans(draw: st.DrawFn) -> list[Task | Refused]:
    """Straight plans of reads, writes and expressions, in which calls are often equal and fail."""
    plan: list[Task | Refused] = []
    for id in range(1, draw(st.integers(1, 12)) + 1):
        tool = draw(st.sampled_from([*RULES, COMPUTE]))
        data = draw(
            st.lists(st.sampled_from([*range(max(0, id - 4), id)]), max_size=2, unique=True)
        )
        x = draw(st.sampled_from([1, 1, 2, 3, 4, 5]))
        call = task(id, tool, *(it for it in data if it), x=x)
        refused = draw(st.integers(0, 19)) == 0
        plan.append(Refused(id, tool, "no such name") if refused else call)
    return plan


@MANY
@given(plans(), st.integers(0, 2**32).map(Random), st.integers(0, 2))
def test_results_and_effects_are_those_of_the_lines_one_after_another(
    plan: list[Task | Refused], random: Random, kills: int
) -> None:
    running = Running(plan, random, kills)
    running.run()
    right, effects = in_lines(plan)
    assert running.world.effects == effects
    for id, (status, value) in right.items():
        found = running.schedule.outcomes[id]
        if running.said_no(id) and status == "skipped":
            assert found.status in ("skipped", "rejected")  # it was decided on before the failure
        else:
            assert (found.status, found.value) == (status, value), id


# ── linear time ───────────────────────────────────────────────────────────────────────────────


def shape(name: str, size: int) -> Iterator[Task]:
    for id in range(1, size + 1):
        match name:
            case "writes":
                yield task(id, "buy")
            case "one in five":
                yield task(id, "mail" if id % 5 == 0 else "see", *([id - 1] if id % 5 == 3 else []))
            case "reads between":
                yield task(id, ["buy", "look", "peek", "join"][id % 4])
            case "one at the end":
                yield task(id, "mail" if id == size else "see")
            case "asked":
                yield task(id, "see" if id % 2 else "pay")


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    "name", ["writes", "one in five", "reads between", "one at the end", "asked"]
)
@pytest.mark.slow
def test_time_is_linear_in_the_number_of_tasks_with_writes(name: str, streamed: bool) -> None:
    plans = {size: list(shape(name, size)) for size in (1000, 10_000)}

    def driven(size: int) -> Schedule:
        machine, order = Schedule(tools(), max_parallel=16), EffectOrder(tools())
        return drive(machine, plans[size], lambda it: streamed and it.id % 2 == 1, order)

    assert grows_linearly(driven)


@pytest.mark.parametrize("name", ["one in five", "one at the end"])
def test_what_is_forgotten_costs_no_look_at_all_tasks(name: str) -> None:
    plans = {size: list(shape(name, size)) for size in (1000, 10_000)}

    def read(size: int) -> EffectOrder:
        order = EffectOrder(tools())
        for it in plans[size]:
            order.forget({1})  # as a plan tells it with each task
            order.ordered(it)
        return order

    assert grows_linearly(read)
