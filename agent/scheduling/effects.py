"""The order of effects: a plan does what its lines would do one after another, only sooner.

- A write waits for every task written before it. It does not start if one of them failed, did not
  compile or was skipped: a program that raises does not go on. What a person rejected has not
  failed.
- A read of a domain waits for the last write of that domain written before it.
- Other reads, and tasks that only compute, wait for their data alone.

What a task waits for in this way stands among its needs. It is told from its data by its arguments.
"""

from collections.abc import Iterable
from dataclasses import replace

from llm_compiler.language import compute
from llm_compiler.language.references import references
from llm_compiler.language.task import Refused, Task, is_pure
from llm_compiler.language.task_ids import TaskId
from llm_compiler.language.tool_rules import ToolRules
from llm_compiler.scheduling.facts import Tools


def data_needs(task: Task) -> dict[TaskId, None]:
    """Those of a task's needs that its arguments refer to, in order; all others are for order."""
    if not task.needs:
        return {}
    if is_pure(task.tool):
        referred: Iterable[TaskId] = compute.references(str(task.args.get("expression")))
    else:
        referred = (reference.id for reference in references(task.args))
    needs = {*task.needs}
    return {id: None for id in referred if id in needs}


class LastWrites:
    """The last write of each domain, among the tasks so far."""

    def __init__(self) -> None:
        self._last: dict[str, TaskId] = {}

    def add(self, id: TaskId, rules: ToolRules) -> TaskId | None:
        """Count a task in; return the last write before it of the domain that it reads."""
        if rules.writes:
            self._last[rules.domain] = id
            return None
        return self._last.get(rules.domain) if rules.domain else None


class EffectOrder:
    """Gives the tasks of one plan, in the order in which they are written, what they wait for.

    Args:
        tools: Tells reads from writes.
        earlier: The ids of earlier rounds, all of whose tasks have ended: a plan does not wait for
            them, nor is it stopped by what failed there.
    """

    def __init__(self, tools: Tools, earlier: Iterable[TaskId] = ()) -> None:
        self._tools = tools
        self._known = {*earlier}
        self._unordered: set[TaskId] = set()
        """Tasks that wait for one which was not written yet, or for such a task. Nothing waits for
        them but for data, or there could be cycles."""
        self._last_of = LastWrites()
        self._last: TaskId | None = None
        self._since: dict[TaskId, None] = {}
        """The tasks since the last write, without those that another of them waits for."""

    def ordered(self, task: Task | Refused) -> Task | Refused:
        """The next task of the plan, with what its effects wait for among its needs."""
        self._known.add(task.id)
        if isinstance(task, Refused):
            self._since[task.id] = None
            return task
        if any(need not in self._known or need in self._unordered for need in task.needs):
            self._unordered.add(task.id)
        counted = task.id not in self._unordered
        rules = ToolRules() if is_pure(task.tool) else self._tools.rules(task.tool)
        needs = dict.fromkeys(task.needs)
        if rules.writes:
            needs |= self._since
            if self._last is not None:
                needs[self._last] = None
            if counted:
                self._last = task.id
                self._since.clear()
                self._last_of.add(task.id, rules)
        else:
            if (write := self._last_of.add(task.id, rules)) is not None:
                needs[write] = None
            if counted:
                for need in needs:
                    self._since.pop(need, None)
                self._since[task.id] = None
        return replace(task, needs=tuple(needs)) if len(needs) > len(task.needs) else task
