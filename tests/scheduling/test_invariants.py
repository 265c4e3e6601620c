"""`Schedule.validate` finds what must not be, and names it."""

from collections.abc import Callable
from typing import Any

import pytest

from llm_compiler.language.tasks.task import Outcome, Task
from llm_compiler.scheduling.facts import Planned, Returned
from llm_compiler.scheduling.schedule import Schedule
from tests.support.turn import FakeTools

OK = Outcome(9, "read", "ok")


@pytest.fixture
def schedule() -> Schedule:
    """Task 1 is settled, 2 runs, 3 is ready, 4 waits for 2, 5 shares the call of 3, 6 is held."""
    schedule = Schedule(FakeTools(), max_parallel=1)
    for task in (
        Task(1, "read", {"x": 1}),
        Task(2, "read", {"x": 4}, (1,)),
        Task(3, "read", {"x": 5}),
        Task(4, "read", {"x": 6}, (2,)),
        Task(5, "read", {"x": 5}),
        Task(6, "destroy", {"x": 7}),
    ):
        schedule.handle(Planned(task))
    schedule.handle(Returned(0, "v"))
    schedule.validate()
    states = [schedule.records[id].state for id in range(1, 7)]
    assert states == ["settled", "running", "ready", "waiting", "sharing", "held"]
    return schedule


def corrupt(id: int, part: str, value: Any) -> Callable[[Schedule], None]:
    return lambda schedule: setattr(schedule.records[id], part, value)


def swap_state(id: int, state: Any) -> Callable[[Schedule], None]:
    def swap(schedule: Schedule) -> None:
        record = schedule.records[id]
        record.state = record.life[-1] = state

    return swap


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (corrupt(2, "state", "ready"), r"task 2 \(waiting → ready → running\) is ready"),
        (corrupt(1, "outcome", None), r"task 1 \(.*\) with outcome None"),
        (corrupt(1, "outcome", OK), r"task 1 \(.*\) has Outcome\(id=9"),
        (corrupt(3, "outcome", OK), r"task 3 \(.*\) with outcome Outcome"),
        (corrupt(3, "call", None), r"task 3 \(.*\) has no call"),
        (corrupt(4, "unmet", 2), r"task 4 \(waiting\) counts 2 of 1 unmet needs"),
        (swap_state(4, "held"), r"task 4 \(held\) has no call"),
        (swap_state(3, "held"), r"queued and set\(\) ready"),
        (swap_state(6, "ready"), r"are queued and \{3, 6\} ready"),
        (swap_state(3, "running"), r"task 3 .* though call 1 runs=False"),
        (swap_state(5, "held"), r"task 5 .* in a call of \[3, 5\]"),
        (lambda it: it.records[2].call.owners.clear(), r"call 3 is for \[\], not for task 2"),
        (lambda it: it._queue.running.clear(), "could start in 1 free slots"),
        (lambda it: it._queue.running.update({7: {}}), "2 calls run at once"),
        (lambda it: it._queue._used.update({"disk": 1}), "is counted and Counter\\(\\) used"),
        (lambda it: it._calls.forget(it.records[2].call), "has the forgotten call 3"),
        (lambda it: it._graph._dependants.clear(), r"2 will not notify task 4"),
        (lambda it: setattr(it._graph, "unsettled", 9), "9 counted, 5 unsettled"),
    ],
)
def test_what_must_not_be_is_found(
    schedule: Schedule, spoil: Callable[[Any], None], says: str
) -> None:
    spoil(schedule)
    with pytest.raises(AssertionError, match=says):
        schedule.validate()


def test_what_runs_has_its_needs(schedule: Schedule) -> None:
    schedule.records[1].outcome = Outcome(1, "read", "failed", error="no")
    with pytest.raises(AssertionError, match=r"task 2 \(.*\) is running and its need 1 is not ok"):
        schedule.validate()
