"""Where untrusted results go: the rule behind asking a person about writes.

Untrusted is what a tool with `openWorldHint` returns: a page of the web may hold anything. It
reaches what refers to it, what is computed from that, and all that is planned in a later round,
since the planner has read it by then. It reaches what a condition on it decides, and every instance
of a loop that goes through it. So it does with all that is planned in a later turn, whose
planner reads the answer: results and answers carry a mark. The order of `after` carries no data.

What reaches a task is stored with it when it is planned, and holds from then on: also where the
tool that read it is gone, or a person deleted its task.
"""

from collections.abc import Iterable

from llm_compiler.language.evaluation.references import references
from llm_compiler.language.tasks.task import EACH, Refused, Task, is_call
from llm_compiler.language.tasks.task_ids import TaskId
from llm_compiler.scheduling.effects import body_rules
from llm_compiler.scheduling.facts import Tools

EARLIER = "an untrusted result of an earlier turn may have reached it"


class Taint:
    """Traces the untrusted results of one turn, in words that follow "because".

    Args:
        tools: Tell whose results are untrusted.
        read: Whether the planner reads an untrusted result in the messages.
    """

    def __init__(self, tools: Tools, *, read: bool = False) -> None:
        self.read = EARLIER if read else ""
        """What of an untrusted result the planner of this round has read."""
        self._tools = tools
        self._stored: dict[TaskId, str | None] = {}
        """What was stored with each task; the list of loop 7 is `7[]`."""
        self._sources: dict[TaskId, Iterable[TaskId]] = {}
        self._own: dict[TaskId, str] = {}
        """What is untrusted about the result of a task whose tool is."""
        self._reached: dict[TaskId, str] = {}
        """What is known of tasks' arguments: empty where nothing reaches them."""

    def add(
        self, task: Task, data: Iterable[TaskId], *, earlier: bool, loop: TaskId | None = None
    ) -> None:
        """A task was planned.

        Args:
            task: With its stored taint, if it was planned before.
            data: The tasks that its arguments refer to.
            earlier: Whether it is of an earlier round.
            loop: Whose instance it is: what reaches the list reaches every instance.
        """
        around = [] if task.when is None else [task.when.id]
        around += [] if loop is None else [f"{loop}[]"]
        sources = [*data, *around]
        if task.tool == EACH:
            gone_through = f"{task.id}[]"
            self._stored[gone_through] = task.taint
            listed = (it.id for it in references(task.args["items"]))
            self._sources[gone_through] = [*listed, *around]
            sources.append(gone_through)
        self._stored[task.id] = task.taint
        self._sources[task.id] = sources
        if tool := self._untrusted(task):
            self._own[task.id] = f"the untrusted result of task {task.id} ({tool}) reaches it"
        if earlier and self.read in ("", EARLIER):
            self.read = self.of_result(task.id) or self.read

    def of_task(self, task: Task | Refused) -> str:
        """What is stored with a task: as `of_args`, or what the planner of one that did not
        compile had read."""
        return self.of_args(task.id) if isinstance(task, Task) else self.read

    def of_args(self, id: TaskId) -> str:
        """Which untrusted result reaches a task's arguments; empty if none does."""
        if (known := self._reached.get(id)) is not None:
            return known
        following = {id: None}
        while following:
            this = next(reversed(following))
            stored = self._stored[this]
            sources = () if stored else [it for it in self._sources[this] if it in self._stored]
            unknown = [it for it in sources if it not in self._reached and it not in following]
            if unknown:
                following |= dict.fromkeys(unknown)
                continue
            reached = self.read if stored is None else stored
            for it in sources:
                if not reached and it in self._reached:
                    reached = self.of_result(it)
            self._reached[this] = reached
            del following[this]
        return self._reached[id]

    def of_result(self, id: TaskId) -> str:
        """Why the result of a task is untrusted; empty if it is not."""
        if id not in self._stored:
            return ""
        return self._own.get(id) or self.of_args(id)

    def forget(self, id: TaskId) -> None:
        """A task is no longer planned."""
        for known in (self._stored, self._sources, self._own, self._reached):
            for it in (id, f"{id}[]"):
                known.pop(it, None)

    def _untrusted(self, task: Task) -> str:
        """The tool whose untrusted results a task's result has; empty if none has."""
        if task.tool == EACH:
            rules = body_rules(task, self._tools).items()
            return next((tool for tool, it in rules if it.untrusted), "")
        if not is_call(task.tool):
            return ""
        return task.tool if self._tools.rules(task.tool).with_stored(task.rules).untrusted else ""
