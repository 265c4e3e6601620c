"""What the schedule is told, and what it orders: frozen dataclasses, equal by value.

Facts go into `Schedule.handle` (schedule.py), orders come out of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from llm_compiler.language.references import Room
from llm_compiler.language.task import Outcome, Refused, Task
from llm_compiler.language.task_ids import TaskId
from llm_compiler.language.tool_rules import ToolRules

# ── facts ─────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of an instance before its loop makes it."""

    task: Task | Refused | None = None
    """As the state holds it. Its arguments take the place of those that the loop gives it."""
    priors: tuple[Prior, ...] = ()
    asked: bool = False


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
class PlanBroke:
    """The plan's stream broke off; a new plan of the same round follows."""


@dataclass(frozen=True, slots=True)
class PlanEnded:
    """No more tasks come in this round."""


@dataclass(frozen=True, slots=True)
class TakenOver:
    """The plan is in the checkpoint and the scheduler has it: tasks without early start may run."""


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
class Continued:
    """It is the turn of loop `id` again, after `Continue`."""

    id: TaskId


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person decided on a task that was asked about: `args` edit it, `rejected` says why.

    It binds to the call that the person was shown, the tool and the arguments in `asked`, whatever
    the settings of the run are by then. None is the call that is being asked about now.
    """

    id: TaskId
    args: Mapping[str, Any] | None = None
    rejected: str | None = None
    asked: tuple[str, Mapping[str, Any]] | None = None


@dataclass(frozen=True, slots=True)
class Decided:
    """A person decided on calls. What is not asked about yet is decided when it would be."""

    decisions: tuple[Decision, ...]


@dataclass(frozen=True, slots=True)
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

# ── orders ────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Launch:
    """Start a call. `id` is the task it is for, `call` the name under which it returns."""

    call: int
    id: TaskId
    tool: str
    args: Mapping[str, Any]
    destructive: bool = False
    """It is now, or was when it was planned."""


@dataclass(frozen=True, slots=True)
class Compute:
    """Evaluate the expression of task `id`; `number` is the name under which it returns."""

    number: int
    id: TaskId
    expression: str
    results: Mapping[TaskId, Any]
    """What it may refer to; a `Missing` takes the place of what is not there."""


@dataclass(frozen=True, slots=True)
class Fill:
    """Fill the arguments of a task in and check them (`fill`); `number` is as in `Compute`."""

    number: int
    task: Task
    priors: Sequence[Prior]
    results: "Found"
    large: bool
    """It is known that this takes long."""


@dataclass(frozen=True, slots=True)
class Gather:
    """Put the value of a loop together (`gather`); it returns as `Computed`."""

    number: int
    id: TaskId
    loop: "Iterated"
    results: "Found"


@dataclass(frozen=True, slots=True)
class Loops:
    """A loop has its list, and makes so many calls in all, without those of loops inside."""

    id: TaskId
    calls: int


@dataclass(frozen=True, slots=True)
class Added:
    """A loop has made an instance. `known`: so it had in an earlier run or round."""

    task: Task | Refused
    known: bool


@dataclass(frozen=True, slots=True)
class Continue:
    """Give others a turn, and loop `id` then another one: it has more iterations to make."""

    id: TaskId


@dataclass(frozen=True, slots=True)
class Cancel:
    """Stop a launched call; nobody waits for it any more."""

    call: int


@dataclass(frozen=True, slots=True)
class Settle:
    """A task has ended."""

    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Ask:
    """A person must decide on these calls; everything else has run."""

    calls: tuple[Launch, ...]
    why: Mapping[TaskId, str] = field(default_factory=dict)
    """By the task's id, why it is asked about though its tool is not in `approve`."""


Order = Launch | Compute | Fill | Gather | Loops | Added | Continue | Cancel | Settle | Ask


class Found(Protocol):
    """The results that an order refers to."""

    def outcome(self, id: TaskId) -> Outcome | None: ...

    def value(self, id: TaskId) -> Any: ...


class Iterated(Protocol):
    """A loop all of whose instances have ended, as in loop.py."""

    tasks: list[TaskId]

    def failure(self, outcome_of: Any) -> str | None: ...

    def value(self, outcome_of: Any, value_of: Any, room: Room | None = None) -> Any: ...


class Tools(Protocol):
    """The tools as the rules see them; both methods are pure."""

    def rules(self, tool: str) -> ToolRules: ...

    def check(self, tool: str, args: Mapping[str, Any]) -> str:
        """A text that is equal for equal calls, defaults included; PlanError if refused."""
        ...
