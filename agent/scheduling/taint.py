"""Where untrusted results go: the rule behind asking a person about destructive calls.

Untrusted is what a tool with `openWorldHint` returns: a page of the web may hold anything. It
reaches what refers to it, what is computed from that, and all that is planned in a later round,
since the planner has read it by then. So it does with all that is planned in a later turn, whose
planner reads the answer: results and answers carry a mark. The order of `after` carries no data.
"""

from llm_compiler.language.references import references
from llm_compiler.language.task import Task

EARLIER_TURN = 0
"""In place of a task, where the untrusted result is one of an earlier turn."""


class Trust:
    """Traces the untrusted results of one turn.

    Args:
        conversation: Whether the conversation before it is untrusted.
    """

    def __init__(self, *, conversation: bool = False) -> None:
        self._sources: dict[int, int] = {}
        self._read = EARLIER_TURN if conversation else None

    def trace(self, task: Task, *, untrusted: bool, earlier: bool) -> int | None:
        """The task, or `EARLIER_TURN`, whose untrusted result reaches this one's arguments.

        Args:
            task: All its needs have been traced.
            untrusted: Whether nobody vouches for what its tool returns.
            earlier: Whether it is of an earlier round.
        """
        source = None
        if self._sources:
            referred = {reference.id for reference in references(task.args)}
            reached = (id for id in task.needs if id in referred and id in self._sources)
            source = next((self._sources[id] for id in reached), None)
        if source is None and not earlier:
            source = self._read
        if untrusted:
            self._sources[task.id] = task.id
        elif source is not None:
            self._sources[task.id] = source
        if earlier and self._read is None:
            self._read = self._sources.get(task.id)
        return source

    def forget(self, id: int) -> None:
        self._sources.pop(id, None)
