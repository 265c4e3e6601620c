"""Paths of tasks that wait for one another: circles, and how long the path behind a task is."""

from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator

from llm_compiler.language.task import Task

Needs = Callable[[int], tuple[int, ...]]
"""What a task waits for, by its id; nothing if it has settled or is not planned yet."""
Dependants = Callable[[int], Iterable[int]]
"""The tasks that wait for one."""


def circle(task: Task, needs: Needs, dependants: Dependants) -> list[int] | None:
    """The ids from `task`, which is planned now, along needs back to it, if they lead there.

    Looks from both ends in step, so that the shorter way decides: before a task there may stand a
    long chain of tasks that wait, and behind it only the one that named it beforehand.
    """
    if task.id in task.needs:
        return [task.id, task.id]
    onward = _walk(task.id, task.needs, needs, {task.id})
    back = _walk(task.id, dependants(task.id), dependants, {*task.needs})
    # The end of either has seen all that it leads to, and no circle.
    for there, here in zip(onward, back, strict=False):
        if there is not None:
            return [*reversed(there)]
        if here is not None:
            return [task.id, *here]
    return None


def _walk(
    start: int, first: Iterable[int], following: Dependants, ends: Container[int]
) -> Iterator[list[int] | None]:
    """Look along one step after another: None for each, and at one of `ends` the way back."""
    came_from: dict[int, int] = {}
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
    """The length of the longest path of waiting tasks behind each task.

    Args:
        needs: What a task waits for.
        settled: The ids of tasks that wait for nothing any more.
    """

    def __init__(self, needs: Needs, settled: Container[int]) -> None:
        self._needs = needs
        self._settled = settled
        self._height: dict[int, int] = {}
        self._new: dict[int, Task] = {}

    def __getitem__(self, id: int) -> int:
        """As of the last `rank`."""
        return self._height.get(id, 0)

    def add(self, task: Task) -> None:
        self._new[task.id] = task

    def forget(self, forgotten: Container[int]) -> None:
        """Forget tasks, and what was ranked because of them."""
        self._new = {id: task for id, task in self._new.items() if id not in forgotten}
        self._height.clear()

    def rank(self) -> set[int]:
        """Bring heights up to date; return the ids of the tasks that were raised.

        A task's height is one more than the highest that waits for it. It passes it on when every
        new task that waits for it has, so that each need costs one step; only tasks ranked before
        are raised over and over.
        """
        new = {id: task for id, task in self._new.items() if id not in self._settled}
        self._new = {}
        above = Counter(need for task in new.values() for need in task.needs if need in new)
        top = [id for id in new if id not in above]
        raised_ids = set()
        while top:
            task = new.pop(top.pop())
            height = self._height.setdefault(task.id, 0)
            raised = [(need, height + 1) for need in task.needs]
            while raised:
                id, height = raised.pop()
                if self._height.get(id, 0) < height and id not in self._settled:
                    self._height[id] = height
                    raised_ids.add(id)
                    if id not in new:
                        raised += [(need, height + 1) for need in self._needs(id)]
            for need in task.needs:
                if need in new:
                    above[need] -= 1
                    if not above[need]:
                        top.append(need)
        return raised_ids
