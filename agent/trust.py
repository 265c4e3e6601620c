"""Where untrusted results go: the rule behind asking a person about destructive calls.

Untrusted is what a tool with `openWorldHint` returns: a page of the web may hold anything. It
reaches what refers to it, what is computed from that, and all that is planned in a later round,
since the planner has read it by then. The order of `after` carries no data.
"""

from agent.plan import Task
from agent.references import references


class Trust:
    """Traces the untrusted results of one turn."""

    def __init__(self) -> None:
        self._sources: dict[int, int] = {}
        self._read: int | None = None

    def trace(self, task: Task, *, untrusted: bool, earlier: bool) -> int | None:
        """The task whose untrusted result reaches this one's arguments, if one does.

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
