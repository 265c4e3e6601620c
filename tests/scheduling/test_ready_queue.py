"""The ready queue alone: slots, limits, and the longest path first."""

import pytest

from llm_compiler.language.tasks.task_ids import TaskId
from llm_compiler.scheduling.critical_path import Heights
from llm_compiler.scheduling.ready_queue import ReadyQueue


def queue(
    max_parallel: int = 1, needs: dict[TaskId, tuple[TaskId, ...]] | None = None
) -> ReadyQueue:
    """One before tasks that wait for those in it. The call of a task has ten times its id."""
    waiting = needs or {}
    heights = Heights(lambda id: waiting.get(id, ()))
    for id in waiting:
        heights.add(id)
    return ReadyQueue(max_parallel, heights)


def add(ready: ReadyQueue, *ids: int, **limits: int) -> None:
    for id in ids:
        ready.add(id, 10 * id, limits)


def start(ready: ReadyQueue) -> list[TaskId]:
    started = [id for id in ready.start() if id is not None]
    ready.validate()
    return started


def test_free_slots_are_filled_and_no_more() -> None:
    ready = queue(2)
    add(ready, 1, 2, 3)
    assert start(ready) == [1, 2]
    assert (list(ready.running), list(ready)) == ([10, 20], [3])
    assert start(ready) == []


def test_released_slot_goes_to_the_next() -> None:
    ready = queue(2)
    add(ready, 1, 2, 3)
    start(ready)
    ready.release(20)
    assert start(ready) == [3]
    assert list(ready.running) == [10, 30]


def test_it_is_idle_when_nothing_runs_or_waits() -> None:
    ready = queue()
    assert ready.idle
    add(ready, 1)
    assert not ready.idle
    start(ready)
    assert not ready.idle
    ready.release(10)
    assert ready.idle


def test_longest_path_goes_first_and_equal_paths_by_id() -> None:
    ready = queue(1, {11: (3,), 12: (11,), 13: (2,)})
    add(ready, 4, 3, 2, 1)
    order = []
    while started := start(ready):
        order += started
        ready.release(10 * int(started[0]))
    assert order == [3, 2, 1, 4]


def test_path_that_grows_while_a_task_is_queued_counts() -> None:
    needs: dict[TaskId, tuple[TaskId, ...]] = {}
    heights = Heights(lambda id: needs.get(id, ()))
    ready = ReadyQueue(1, heights)
    add(ready, 1, 2, 3)
    assert start(ready) == [1]
    needs[9] = (3,)
    heights.add(9)
    ready.release(10)
    assert start(ready) == [3]


def test_full_limit_holds_its_tasks_and_lets_others_pass() -> None:
    ready = queue(4)
    add(ready, 1, 2, 3, disk=1)
    add(ready, 4)
    assert start(ready) == [1, 4]
    ready.release(40)
    assert start(ready) == []
    ready.release(10)
    assert start(ready) == [2]


def test_task_with_two_limits_needs_room_in_both() -> None:
    ready = queue(4)
    add(ready, 1, disk=1)
    add(ready, 2, tool=2, disk=1)
    add(ready, 3, tool=2)
    assert start(ready) == [1, 3]
    ready.release(10)
    assert start(ready) == [2]


def test_task_that_was_woken_and_got_no_slot_keeps_its_place() -> None:
    ready = queue(2, {11: (5,)})
    add(ready, 1, disk=1)
    add(ready, 2, 3, disk=1)
    assert start(ready) == [1]
    add(ready, 4)
    assert start(ready) == [4]
    add(ready, 5)
    ready.release(10)
    assert start(ready) == [5]
    ready.release(40)
    assert start(ready) == [2]
    ready.release(20)
    assert start(ready) == [3]


def test_forgotten_tasks_never_start_and_block_no_other() -> None:
    ready = queue(2)
    add(ready, 1, 2, 3, disk=1)
    assert start(ready) == [1]
    ready.forget({2})
    ready.release(10)
    assert start(ready) == [3]


def test_cleared_queue_keeps_its_running_calls() -> None:
    ready = queue()
    add(ready, 1, 2)
    start(ready)
    ready.clear()
    assert (list(ready.running), list(ready)) == ([10], [])
    ready.release(10)
    assert start(ready) == []


def test_invariants_catch_a_free_slot_beside_a_queued_task() -> None:
    ready = queue()
    add(ready, 1)
    with pytest.raises(AssertionError, match=r"\[1\] could start in 1 free slots"):
        ready.validate()
