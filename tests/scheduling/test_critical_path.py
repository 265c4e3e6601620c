"""Cycles among tasks that wait, found from both ends."""

from collections.abc import Iterator
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from llm_compiler.language.tasks.task import Task
from llm_compiler.language.tasks.task_ids import TaskId
from llm_compiler.scheduling.critical_path import find_cycle
from llm_compiler.scheduling.facts import Planned
from llm_compiler.scheduling.schedule import Schedule
from tests.support.cost import grows_linearly
from tests.support.turn import FakeTools

NEEDS = st.lists(st.lists(st.integers(0, 9), max_size=3, unique=True), max_size=10)
ORDERS = st.permutations(range(10))


class Waiting:
    """Tasks that wait, planned one after another."""

    def __init__(self) -> None:
        self.needs: dict[TaskId, tuple[TaskId, ...]] = {}

    def needs_of(self, id: TaskId) -> tuple[TaskId, ...]:
        return self.needs.get(id, ())

    def dependants_of(self, id: TaskId) -> Iterator[TaskId]:
        return (other for other, needs in self.needs.items() if id in needs)

    def leads_back(self, task: Task) -> bool:
        """The simple search: everything along needs."""
        seen, stack = set(), list(task.needs)
        while stack:
            if (id := stack.pop()) not in seen:
                seen.add(id)
                stack += self.needs_of(id)
        return task.id in seen


@given(NEEDS, ORDERS)
def test_a_cycle_is_found_when_it_closes_and_only_then(
    needs: list[list[TaskId]], order: list[TaskId]
) -> None:
    waiting = Waiting()
    for id, its in zip(order, needs, strict=False):
        task = Task(id, "read", needs=tuple(its))
        found = find_cycle(task, waiting.needs_of, waiting.dependants_of)
        assert (found is not None) == waiting.leads_back(task)
        if found is None:
            waiting.needs[id] = task.needs
            continue
        assert found[0] == found[-1] == id
        assert len(set(found)) == len(found) - 1
        for one, other in pairwise(found):
            assert other in (task.needs if one == id else waiting.needs[one])


def chain(length: int) -> Schedule:
    """Each task of a long chain that waits was named beforehand by one that waits for it."""
    schedule = Schedule(FakeTools(), max_parallel=1)
    for id in range(1, 2 * length, 2):
        schedule.handle(Planned(Task(id, "read", {"x": id}, (id + 1,))))
        before = id - 1 or 10**6
        schedule.handle(Planned(Task(id + 1, "read", {"x": id}, (before,))))
    return schedule


def test_forward_references_into_a_long_chain_take_time_linear_in_it() -> None:
    assert grows_linearly(chain, 200, 2000)
