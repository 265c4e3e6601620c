"""What holds for a task since it was planned, whatever becomes of its tool or of the settings."""

from collections.abc import Mapping

from llm_compiler.language.tasks.task import Task, TaskData, is_call, stored_data
from llm_compiler.language.tasks.task_ids import TaskId
from llm_compiler.language.toolbox.tool_rules import ABSENT, ToolRules
from llm_compiler.scheduling.facts import Tools
from llm_compiler.scheduling.taint import Taint
from llm_compiler.scheduling.task_record import TaskRecord

_PURE = ToolRules()


class Binding:
    """What holds for the tasks of one turn.

    Args:
        records: The tasks.
        tools: As they are now.
        taint: What untrusted results reach.
    """

    def __init__(self, records: Mapping[TaskId, TaskRecord], tools: Tools, taint: Taint) -> None:
        self._records = records
        self._tools = tools
        self._taint = taint

    def rules(self, id: TaskId) -> ToolRules:
        """What rules a task's call: its tool as it is now, and as it was when it was planned."""
        task = self._records[id].task
        if not is_call(task.tool):
            return _PURE
        rules = self._tools.rules(task.tool)
        return rules.with_stored(task.rules) if isinstance(task, Task) else rules

    def data(self, id: TaskId, *, round: int, key: str) -> TaskData:
        """A task as the state has it: its `round` and `key`, and what holds for it from now on."""
        task, taint, rules = self._records[id].task, self._taint, self.rules(id)
        # The worst is assumed of an absent tool, but not for ever.
        stored = () if rules is ABSENT else rules.stored
        return stored_data(task, round=round, key=key, taint=taint.of_task(task), rules=stored)
