"""What references refer to: the results of tasks, and the items that loops hand out."""

from collections.abc import Iterable, Mapping
from typing import Any

from llm_compiler.errors import PlanError
from llm_compiler.language.evaluation.budget import Missing
from llm_compiler.language.tasks.task import Outcome, Task
from llm_compiler.language.tasks.task_ids import TaskId, loop_of
from llm_compiler.scheduling.task_record import TaskRecord


class Results:
    """The results so far, by what references call them."""

    def __init__(self, records: Mapping[TaskId, TaskRecord]) -> None:
        self._records = records

    def only(self, ids: Iterable[TaskId]) -> "Results":
        """Those that these ids refer to, which stay as they are whatever happens to the others."""
        found: dict[TaskId, TaskRecord] = {}
        for id in ids:
            # An item is the loop's that it belongs to.
            named = id if id in self._records else loop_of(id)
            if named is not None and (record := self._records.get(named)) is not None:
                found[named] = record
        return Results(found)

    def all(self) -> "Results":
        """All of them, which stay as they are whatever happens to the tasks."""
        return Results({**self._records})

    def outcome(self, id: TaskId) -> Outcome | None:
        """How a task ended; None for what is no task."""
        record = self._records.get(id)
        return None if record is None else record.outcome

    def found(self, id: TaskId) -> Any:
        """A result, or a `Missing` in its place."""
        record = self._records.get(id)
        if record is None:
            return self._handed_out(id)
        if (outcome := record.outcome) is not None and outcome.ok:
            return outcome.value
        assert outcome is not None, f"{record} has not ended"
        if not outcome.untaken:
            return Missing(f"needs {id}, which {how(outcome)}", skips=True)
        name = record.task.name if isinstance(record.task, Task) else ""
        assigned = f'"{name}" was not assigned' if name else "not assigned"
        return Missing(f"{assigned}: {outcome.error}")

    def value(self, id: TaskId) -> Any:
        """A result.

        Raises:
            PlanError: it is missing.
        """
        found = self.found(id)
        if type(found) is Missing:
            raise PlanError(found.why)
        return found

    def _handed_out(self, id: TaskId) -> Any:
        """An item, `7[2].0`, or a variable without a value, `7[0].total`."""
        if not isinstance(id, str):
            return Missing(f"no task has the id {id}")
        name = id.rpartition(".")[2]
        if name != "0":
            return Missing(f'"{name}" was not assigned before the loop')
        holder = self._records.get(loop_of(id) or 0)
        if holder is None or holder.loop is None:
            return Missing(f"no task has the id {id}")
        return holder.loop.items[int(id[id.rindex("[") + 1 : id.rindex("]")])]


def how(outcome: Outcome) -> str:
    """How a task that did not end ok ended, behind "which"."""
    if outcome.untaken:
        return f"was not run ({outcome.error})"
    return "failed" if outcome.status == "failed" else f"was {outcome.status}"
