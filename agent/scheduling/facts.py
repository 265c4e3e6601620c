"""What the schedule is told: frozen dataclasses, equal by value.

Facts go into `Schedule.handle` (schedule.py), orders (orders.py) come out of it.
"""

from collections.abc import Mapping
from dataclasses import field
from typing import Any, Protocol

from llm_compiler.language.tasks.task import Outcome, Refused, Task
from llm_compiler.language.tasks.task_ids import TaskId
from llm_compiler.language.toolbox.tool_rules import ToolRules
from llm_compiler.records import record


@record
class Prior:
    """How a task ended in an earlier run or round."""

    outcome: Outcome
    planned: Mapping[str, Any]
    """Its arguments, filled in, before a person gave it others: those of the outcome, else."""

    def holds(self, tool: str, args: Mapping[str, Any]) -> bool:
        """Whether a task with these arguments, filled in, need not run: it was not edited since,
        and neither was what it waited for."""
        it = self.outcome
        return it.status != "skipped" and (it.tool, self.planned) == (tool, args)

    @classmethod
    def of(cls, outcome: Outcome) -> "Prior":
        """That of a task which ran as it was planned."""
        return cls(outcome, outcome.args)


@record
class Known:
    """What is known of an instance before its loop makes it."""

    task: Task | Refused | None = None
    """As the state holds it. Its arguments take the place of those that the loop gives it."""
    priors: tuple[Prior, ...] = ()
    asked: bool = False


@record
class Planned:
    """A task was planned. `priors` say how it ended before: several if it was edited and ran again.

    One holds, and the task does not run, if the task is called with the arguments that it had then.
    `asked`: a person was asked about its call, which never runs undecided from then on.
    `instances`: what is known of those that it makes, at any depth, if it is a loop.
    `allowed`: the number of calls by loop that may be made whatever the limit is by now, since
    they were before.
    """

    task: Task | Refused
    priors: tuple[Prior, ...] = ()
    asked: bool = False
    instances: Mapping[TaskId, Known] = field(default_factory=dict)
    allowed: Mapping[TaskId, int] = field(default_factory=dict)


@record
class PlanBroke:
    """The plan's stream broke off; a new plan of the same round follows."""


@record
class PlanEnded:
    """No more tasks come in this round."""


@record
class TakenOver:
    """The plan is in the checkpoint and the scheduler has it: tasks without early start may run."""


@record
class Returned:
    """A launched call ended."""

    call: int
    value: Any = None
    error: str | None = None
    started_at: float | None = None
    ended_at: float | None = None
    attempts: int = 1
    artifact: Any = None
    command: Mapping[str, Any] | None = None

    @classmethod
    def again(cls, call: int, outcome: Outcome) -> "Returned":
        """The outcome of a call that ran earlier."""
        it, when = outcome, (outcome.started_at, outcome.ended_at)
        return cls(call, it.value, it.error, *when, it.attempts, it.artifact, it.command)


@record
class Computed:
    """An expression was evaluated; `number` is that of its order."""

    number: int
    id: TaskId
    value: Any = None
    error: str | None = None
    started_at: float | None = None
    ended_at: float | None = None
    skipped: bool = False
    """It read the result of a task that did not end ok."""


@record
class Filled:
    """The arguments of a task were filled in and checked; `number` is that of the order."""

    number: int
    id: TaskId
    args: Any = None
    """Of a loop, its list. None if they cannot be filled in; `error` says why."""
    key: str | None = None
    """A text that is equal for equal calls; None if they were refused, or for a loop."""
    error: str | None = None
    prior: Prior | None = None
    """How the task ended before, if it was called with these arguments then."""


@record
class Continued:
    """It is the turn of loop `id` again, after `Continue`; or of the facts that have come."""

    id: TaskId | None


@record
class Decision:
    """What a person decided on a task that was asked about: `args` edit it, `rejected` says why.

    It binds to the call that the person was shown, the tool and the arguments in `asked`, whatever
    the settings of the run are by then. None is the call that is being asked about now.
    """

    id: TaskId
    args: Mapping[str, Any] | None = None
    rejected: str | None = None
    asked: tuple[str, Mapping[str, Any]] | None = None


@record
class Decided:
    """A person decided on calls. What is not asked about yet is decided when it would be."""

    decisions: tuple[Decision, ...]


@record
class DeadlinePassed:
    """The turn's time is up."""

    seconds: float


Fact = (
    Planned
    | PlanBroke
    | PlanEnded
    | TakenOver
    | Returned
    | Computed
    | Filled
    | Continued
    | Decided
    | DeadlinePassed
)


class Tools(Protocol):
    """The tools as the rules see them; both methods are pure."""

    def rules(self, tool: str) -> ToolRules: ...

    def check(self, tool: str, args: Mapping[str, Any]) -> str:
        """A text that is equal for equal calls, defaults included; PlanError if refused."""
        ...
