"""How a round, its tasks and its model calls stand, as a report has collected it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from llm_compiler.language.tasks.task import ANSWER, is_call
from llm_compiler.language.tasks.task_ids import TaskId

TaskStatus = Literal["planned", "waiting", "running", "ok", "failed", "skipped", "rejected"]


@dataclass
class TaskReport:
    """The current state of a task. Times are seconds since the turn began."""

    id: TaskId
    tool: str
    args: Mapping[str, Any]
    needs: tuple[TaskId, ...]
    planned: float
    name: str = ""
    """The variable that it is assigned to."""
    line: int = 0
    source: str = ""
    error: str = ""
    """Why its statement did not compile, over several lines."""
    call: str = ""
    """The statement as it is shown: `k2 = search("K2")`."""
    started: float | None = None
    ended: float | None = None
    status: TaskStatus = "planned"
    note: str = ""
    """Its result, or the reason why it has none, on one line."""
    reused: bool = False

    @property
    def computes(self) -> bool:
        """It calls no tool and takes no time."""
        return not is_call(self.tool)

    @property
    def shown(self) -> bool:
        """It has a row: an answer is shown as what it says, unless it says nothing."""
        return self.tool != ANSWER or self.status == "failed"

    @property
    def took(self) -> float:
        """How many seconds its own call ran."""
        if self.started is None or self.ended is None or self.reused:
            return 0.0
        return self.ended - self.started


@dataclass(frozen=True)
class ModelCallReport:
    """A model call of the planner or the joiner; model calls inside tools belong to their tasks."""

    role: Literal["planner", "joiner"]
    round: int
    started: float
    ended: float


@dataclass
class RoundReport:
    """The current state of one plan with its outcomes."""

    number: int
    began: float
    tasks: dict[TaskId, TaskReport] = field(default_factory=dict)
    planned: float | None = None
    """When the plan was complete."""
    ended: float | None = None
    verdict: str = ""
    feedback: str | None = None
    asked: bool = True
    """Whether the joiner's model was asked, as far as is known."""
    program: str = ""
    """As the planner wrote it, when it is complete."""

    @property
    def finished(self) -> bool:
        """The plan is complete and every task has its outcome."""
        return self.planned is not None and all(t.ended is not None for t in self.tasks.values())

    @property
    def joined_from(self) -> float | None:
        """When the joiner's model could start; None if it is not called, or not yet."""
        if self.planned is None or not self.finished or not self.asked:
            return None
        return max([self.planned, *(task.ended or 0.0 for task in self.tasks.values())])
