"""Where untrusted results go: the rule behind asking a person about writes.

Untrusted is what a tool with `openWorldHint` returns: a page of the web may hold anything. It
reaches what refers to it, what is computed from that, and all that is planned in a later round,
since the planner has read it by then. So it does with all that is planned in a later turn, whose
planner reads the answer: results and answers carry a mark. The order of `after` carries no data.

What reaches a task is stored with it when it is planned, and holds from then on: also where the
tool that read it is gone, or a person deleted its task.
"""

from collections.abc import Iterable

from llm_compiler.language.task import Refused, Task
from llm_compiler.language.task_ids import TaskId

EARLIER = "an untrusted result of an earlier turn may have reached it"


class Taint:
    """Traces the untrusted results of one turn, in words that follow "because".

    Args:
        read: Whether the planner reads an untrusted result in the messages.
    """

    def __init__(self, *, read: bool = False) -> None:
        self.read = EARLIER if read else ""
        """What of an untrusted result the planner of this round has read."""
        self._tasks: dict[TaskId, Task] = {}
        self._sources: dict[TaskId, Iterable[TaskId]] = {}
        self._own: dict[TaskId, str] = {}
        """What is untrusted about the result of a task whose tool is."""
        self._reached: dict[TaskId, str] = {}
        """What is known of tasks' arguments: empty where nothing reaches them."""

    def add(self, task: Task, sources: Iterable[TaskId], *, untrusted: bool, earlier: bool) -> None:
        """A task was planned.

        Args:
            task: With its stored taint, if it was planned before.
            sources: The tasks that its arguments refer to.
            untrusted: Whether what its tool returns is untrusted.
            earlier: Whether it is of an earlier round.
        """
        self._tasks[task.id] = task
        self._sources[task.id] = sources
        if untrusted:
            self._own[task.id] = f"the untrusted result of task {task.id} ({task.tool}) reaches it"
        if earlier and self.read in ("", EARLIER):
            self.read = self.of_result(task.id) or self.read

    def of_task(self, task: Task | Refused) -> str:
        """What is stored with a task: as `of_args`, or what the planner of one that did not
        compile had read."""
        return self.of_args(task.id) if isinstance(task, Task) else self.read

    def of_args(self, id: TaskId) -> str:
        """Which untrusted result reaches a task's arguments; empty if none does."""
        following = {} if id in self._reached else {id: None}
        while following:
            task = self._tasks[next(reversed(following))]
            referred = () if task.taint else self._sources[task.id]
            sources = [id for id in referred if id in self._tasks]
            unknown = [it for it in sources if it not in self._reached and it not in following]
            if unknown:
                following |= dict.fromkeys(unknown)
                continue
            stored = self.read if task.taint is None else task.taint
            reached = (self.of_result(it) for it in sources if it in self._reached)
            self._reached[task.id] = stored or next(filter(None, reached), "")
            del following[task.id]
        return self._reached[id]

    def of_result(self, id: TaskId) -> str:
        """Why the result of a task is untrusted; empty if it is not."""
        if id not in self._tasks:
            return ""
        return self._own.get(id) or self.of_args(id)

    def forget(self, id: TaskId) -> None:
        """A task is no longer planned."""
        for known in (self._tasks, self._sources, self._own, self._reached):
            known.pop(id, None)
