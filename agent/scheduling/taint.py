"""Where untrusted results go: the rule behind asking a person about destructive calls.

Untrusted is what a tool with `openWorldHint` returns: a page of the web may hold anything. It
reaches what refers to it, what is computed from that, and all that is planned in a later round,
since the planner has read it by then. So it does with all that is planned in a later turn, whose
planner reads the answer: results and answers carry a mark. The order of `after` carries no data.
"""

from llm_compiler.language.references import references
from llm_compiler.language.task import Task
from llm_compiler.scheduling.facts import TaskId


class Taint:
    """Traces the untrusted results of one turn.

    Args:
        conversation: Whether the conversation before it is untrusted.
    """

    def __init__(self, *, conversation: bool = False) -> None:
        self._reached: dict[TaskId, str] = {}
        """By task, what of an untrusted result has reached it, or its own result."""
        earlier_turn = "an untrusted result of an earlier turn may have reached it"
        self._read = earlier_turn if conversation else None
        """What of an untrusted result the planner of this round has read."""

    def trace(self, task: Task, *, untrusted: bool, earlier: bool) -> str | None:
        """Which untrusted result reaches a task's arguments, in words that follow "because".

        Args:
            task: All its needs have been traced.
            untrusted: Whether nobody vouches for what its tool returns.
            earlier: Whether it is of an earlier round.
        """
        reached = None
        if self._reached:
            referred = {reference.id for reference in references(task.args)}
            tainted = (id for id in task.needs if id in referred and id in self._reached)
            reached = next((self._reached[id] for id in tainted), None)
        if reached is None and not earlier:
            reached = self._read
        if untrusted:
            own = f"the untrusted result of task {task.id} ({task.tool}) reaches it"
            self._reached[task.id] = own
        elif reached is not None:
            self._reached[task.id] = reached
        if earlier and self._read is None:
            self._read = self._reached.get(task.id)
        return reached

    def forget(self, id: TaskId) -> None:
        self._reached.pop(id, None)
