"""Paths of tasks that wait for one another: cycles, and how long the path behind a task is."""

from collections.abc import Callable, Container, Generator, Iterable, Iterator

from llm_compiler.language.tasks.task import Task
from llm_compiler.language.tasks.task_ids import TaskId
from llm_compiler.scheduling.steps import EVERY

Needs = Callable[[TaskId], tuple[TaskId, ...]]
"""What a task waits for, by its id; nothing if it does not wait, or is not planned yet."""
Dependants = Callable[[TaskId], Iterable[TaskId]]
"""The tasks that wait for one."""


def find_cycle(task: Task, needs: Needs, dependants: Dependants) -> list[TaskId] | None:
    """The ids along needs from `task`, which is planned now, back to it, if there is a cycle.

    Looks from both ends in step, so that the shorter direction decides: there may be a long chain
    of waiting tasks before a task, and behind it only the one that named it beforehand.
    """
    if task.id in task.needs:
        return [task.id, task.id]
    onward = _walk(task.id, task.needs, needs, {task.id})
    back = _walk(task.id, dependants(task.id), dependants, {*task.needs})
    # Once either walk has ended, it has seen all it leads to: there is no cycle.
    for there, here in zip(onward, back, strict=False):
        if there is not None:
            return [*reversed(there)]
        if here is not None:
            return [task.id, *here]
    return None


def _walk(
    start: TaskId, first: Iterable[TaskId], following: Dependants, ends: Container[TaskId]
) -> Iterator[list[TaskId] | None]:
    """Look along one step after another: None for each, and at one of `ends` the way back."""
    came_from: dict[TaskId, TaskId] = {}
    stack = [(start, first)]
    while stack:
        id, found = stack.pop()
        for other in found:
            if other not in came_from:
                came_from[other] = id
                if other in ends:
                    way = [other, id]
                    while way[-1] != start:
                        way.append(came_from[way[-1]])
                    yield way
                stack.append((other, following(other)))
            yield None


class Heights:
    """The length of the longest path of waiting tasks behind each task."""

    def __init__(self, needs: Needs) -> None:
        self._needs = needs
        self._height: dict[TaskId, int] = {}
        self._new: list[TaskId] = []
        self.complete = False
        """No more tasks come, those of loops included."""

    def __getitem__(self, id: TaskId) -> int:
        """As of the last `rank`."""
        return self._height.get(id, 0)

    def add(self, id: TaskId) -> None:
        """Count a task that waits among those behind its needs."""
        self._new.append(id)

    def put_behind(self, id: TaskId, loop: TaskId) -> None:
        """A loop waits for a new instance; it need not be ranked again for that."""
        self._height[id] = self._height.get(loop, 0) + 1

    def clear(self) -> None:
        """Forget all tasks; add those that remain again."""
        self._new.clear()
        self._height.clear()

    def rank(self) -> Generator[None, None, set[TaskId]]:
        """Bring heights up to date, in steps; return the ids of the tasks that were raised.

        A task's height is one more than the highest that waits for it. It passes it on when every
        new task that waits for it has, so that each need costs one step; only tasks ranked before
        are raised over and over. So until the plan is complete, new tasks are ranked when they
        are an eighth of those ranked before: a path that grows at its end is not walked for each.
        """
        if not self.complete and len(self._new) < len(self._height) // 8:
            return set()
        new: dict[TaskId, tuple[TaskId, ...]] = {}
        for number, id in enumerate(self._new):
            if needs := self._needs(id):
                new[id] = needs
            if number % EVERY == EVERY - 1:
                yield
        self._new.clear()
        above: dict[TaskId, int] = {}
        for number, needs in enumerate(new.values()):
            for need in needs:
                if need in new:
                    above[need] = above.get(need, 0) + 1
            if number % EVERY == EVERY - 1:
                yield
        top = [id for id in new if id not in above]
        raised_ids = set()
        known = self._height
        number = 0
        while top:
            number += 1
            if number % EVERY == 0:
                yield
            id = top.pop()
            needs = new.pop(id)
            height = known.get(id, 0) + 1
            raised = [(need, height) for need in needs]
            while raised:
                number += 1
                if number % EVERY == 0:
                    yield
                id, height = raised.pop()
                if known.get(id, 0) < height:
                    known[id] = height
                    raised_ids.add(id)
                    if id not in new:
                        raised += [(need, height + 1) for need in self._needs(id)]
            for need in needs:
                if need in new:
                    above[need] -= 1
                    if not above[need]:
                        top.append(need)
        return raised_ids
