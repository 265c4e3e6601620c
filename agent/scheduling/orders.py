"""What the schedule orders: frozen dataclasses, equal by value."""

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Any, Protocol

from llm_compiler.language.evaluation.references import Room
from llm_compiler.language.tasks.task import Outcome, Refused, Task
from llm_compiler.language.tasks.task_ids import TaskId
from llm_compiler.records import record
from llm_compiler.scheduling.facts import Prior


@record
class Launch:
    """Start a call. `id` is the task it is for, `call` the name under which it returns."""

    call: int
    id: TaskId
    tool: str
    args: Mapping[str, Any]
    destructive: bool = False
    """It is now, or was when it was planned."""


@record
class Compute:
    """Evaluate the expression of task `id`; `number` is the name under which it returns."""

    number: int
    id: TaskId
    expression: str
    results: Mapping[TaskId, Any]
    """What it may refer to; a `Missing` takes the place of what is not there."""


@record
class Fill:
    """Fill the arguments of a task in and check them (`fill`); `number` is as in `Compute`."""

    number: int
    task: Task
    priors: Sequence[Prior]
    results: "Found"
    large: bool
    """It is known that this takes long."""


@record
class Gather:
    """Put the value of a loop together (`gather`); it returns as `Computed`."""

    number: int
    id: TaskId
    loop: "Iterated"
    results: "Found"


@record
class Loops:
    """A loop has its list, and makes so many calls in all, without those of loops inside."""

    id: TaskId
    calls: int


@record
class Added:
    """A loop has made an instance. `known`: so it had in an earlier run or round."""

    task: Task | Refused
    known: bool


@record
class Continue:
    """Give others a turn, and loop `id` then another one: it has more iterations to make. None is
    the schedule itself: more follows from the facts that have come."""

    id: TaskId | None


@record
class Cancel:
    """Stop a launched call; nobody waits for it any more."""

    call: int


@record
class Settle:
    """A task has ended."""

    outcome: Outcome


@record
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
