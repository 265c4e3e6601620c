"""How far each task has come: one record per task, its state, and the possible transitions.

    waiting ─ its needs are ok ───────────────────────────→ ready
    waiting ─ its needs are ok, no early start ───────────→ held
    waiting ─ its needs are ok, a person must decide ─────→ asked
    waiting ─ so are those for data; a person is asked ───→ asked
    waiting ─ its needs are ok, an equal call is known ───→ sharing
    waiting ─ its needs are ok, its call runs already ────→ running
    waiting ─ its needs are ok, it only computes ─────────→ computing
    waiting ─ its data are there, it is a loop ───────────→ looping
    waiting ─ its needs are ok, its arguments are large ──→ filling
    filling ─ they are filled in: as above ───────────────→ held | asked | sharing | running | ready
    filling ─ it cannot be called, or ended before ───────→ settled
    held    ─ the scheduler takes over ───────────────────→ ready
    asked   ─ approved, and its needs are ok ─────────────→ ready
    ready   ─ a slot is free ─────────────────────────────→ running
    running | sharing ─ the call ended ───────────────────→ settled
    computing ─ its expression has a value, or none ──────→ settled
    looping ─ all its instances and needs have ended ─────→ computing | settled
    looping ─ its list cannot be filled in ───────────────→ settled
    asked   ─ rejected, or what it comes after failed ────→ settled
    waiting ─ a need is not ok, or it does not compile ───→ settled
    waiting ─ its condition says no ──────────────────────→ settled
    waiting | filling | held | asked | ready | computing | looping ─ the deadline passed ─→ settled

A plan that breaks off is forgotten, whatever its tasks are doing. A task of an earlier round that
shared a call with one of them takes the call over:

    waiting | filling | computing | looping | held | asked ─ its plan broke off ─→ forgotten
    ready | running | sharing | settled ─ its plan broke off ─→ forgotten
    sharing ─ the plan of the call's first task broke off ─→ held | asked | ready | running

In the manner of h11's `_state.py`: `TRANSITIONS` is this drawing as a table, and `TaskRecord.move`
refuses every other.

A need for data is ok when its task ended `ok`. One for order is ok unless its task failed or was
skipped, or came after such a task; a task that its condition skips has not failed (conditions.py).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from llm_compiler.language.tasks.task import EACH, Outcome, Refused, Task, When
from llm_compiler.language.tasks.task_ids import TaskId
from llm_compiler.scheduling.effects import LastWrites
from llm_compiler.scheduling.facts import Filled, Prior
from llm_compiler.scheduling.loop import Loop
from llm_compiler.scheduling.orders import Compute, Fill, Gather
from llm_compiler.scheduling.shared_calls import Call

State = Literal[
    "waiting", "filling", "computing", "looping", "held", "asked", "ready", "running", "sharing",
    "settled", "forgotten",
]  # fmt: skip

TRANSITIONS: Mapping[State, frozenset[State]] = {
    "waiting": frozenset(
        {
            *("filling", "computing", "looping", "held", "asked", "ready", "running", "sharing"),
            *("settled", "forgotten"),
        }
    ),
    "filling": frozenset({"held", "asked", "ready", "running", "sharing", "settled", "forgotten"}),
    "computing": frozenset({"settled", "forgotten"}),
    "looping": frozenset({"computing", "settled", "forgotten"}),
    "held": frozenset({"ready", "settled", "forgotten"}),
    "asked": frozenset({"ready", "settled", "forgotten"}),
    "ready": frozenset({"running", "settled", "forgotten"}),
    "running": frozenset({"settled", "forgotten"}),
    "sharing": frozenset({"held", "asked", "ready", "running", "settled", "forgotten"}),
    "settled": frozenset({"forgotten"}),
    "forgotten": frozenset(),
}

NO_CALL: frozenset[State] = frozenset({"waiting", "filling", "computing", "looping", "settled"})
"""The states in which a task needs no call."""

T = TypeVar("T")


class InvalidTransitionError(AssertionError):
    """A bug in the schedule: a task cannot go from its state to that one."""


@dataclass(slots=True, eq=False)
class TaskRecord:
    """What the schedule knows of one task."""

    id: TaskId
    task: Task | Refused
    """`Refused` also when it turned out not to compile with the others."""
    priors: Sequence[Prior] = ()
    """How it ended in earlier runs or rounds, until it is known whether one is still valid."""
    earlier: bool = False
    """It is of an earlier round, or ran before."""
    asked: bool = False
    """A person was asked about its call in an earlier run."""
    state: State = "waiting"
    unmet: int = 0
    """How many of its needs have not ended."""
    data: Mapping[TaskId, None] = field(default_factory=dict)
    """Those of its needs that its arguments refer to; the others are for order."""
    order: Sequence[TaskId] = ()
    """The last write of each domain that it reads, written before it."""
    writes: bool = False
    """It has effects, or is a loop of such tasks."""
    last_writes: LastWrites | None = None
    """Of a loop: those before its next instance."""
    untaken: str = ""
    """Why its condition says no; it waits for its other needs then, and is skipped."""
    lacking: str = ""
    """Which of its data is not ok, while its condition is not known."""
    loop: Loop | None = None
    """What makes its instances, once its list is there."""
    stopper: Outcome | None = None
    """What failed or was skipped among the tasks that it comes after."""
    filling: Fill | None = None
    """The order that its arguments are filled in by."""
    filled: Filled | None = None
    """What came of that, until it is used."""
    computing: Compute | Gather | None = None
    """The order that its value is computed by."""
    call: Call | None = None
    """The call that it waits for, or waited for; that of equal tasks too."""
    why_asked: str | None = None
    """Why a person must decide, though its tool is not in `approve`."""
    outcome: Outcome | None = None
    life: list[State] = field(default_factory=lambda: ["waiting"])
    """Its states so far."""

    @property
    def needs(self) -> tuple[TaskId, ...]:
        return () if isinstance(self.task, Refused) else self.task.needs

    @property
    def when(self) -> When | None:
        """Its condition."""
        return self.task.when if isinstance(self.task, Task) else None

    @property
    def behind(self) -> TaskId | None:
        """The last write of the domain that it reads, written before it."""
        return self.order[0] if self.order else None

    @property
    def told(self) -> list[TaskId]:
        """Of a loop of reads: what it comes after because a person says so."""
        condition = self.when and self.when.id
        others = (it for it in self.needs if it not in self.data and it != condition)
        return [] if self.writes else [it for it in others if it not in self.order]

    @property
    def first_needs(self) -> Iterable[TaskId]:
        """What it waits for first: a loop for its data, since its instances keep the order."""
        if self.task.tool != EACH or isinstance(self.task, Refused):
            return self.needs
        condition = () if self.when is None else (self.when.id,)
        return dict.fromkeys((*self.data, *condition, *self.told))

    @property
    def later_needs(self) -> list[TaskId]:
        """What a loop waits for besides."""
        first = {*self.first_needs}
        return [need for need in self.needs if need not in first]

    @property
    def stops(self) -> Outcome | None:
        """What keeps the tasks that come after this one from starting."""
        it = self.outcome
        has_failed = it is not None and it.status in ("failed", "skipped") and not it.untaken
        return it if has_failed else self.stopper

    @property
    def known_call(self) -> Call:
        """Its call, once it has one."""
        assert self.call is not None, f"{self} has no call"
        return self.call

    def refused_before(self) -> Outcome | None:
        """How it failed without a call, if it was not edited since: its tool was not there, say.

        It stands, whatever its tool would take by now.
        """
        for prior in reversed(self.priors):
            it, task = prior.outcome, self.task
            if (it.status, it.attempts, it.tool, it.args) == ("failed", 0, task.tool, task.args):
                return it
        return None

    def same_before(self, outcome: Outcome) -> Outcome | None:
        """How it ended before, if `outcome` differs from that in its times alone."""
        return next(
            (it.outcome for it in self.priors if _comes_to(it.outcome) == _comes_to(outcome)), None
        )

    def __str__(self) -> str:
        return f"task {self.id} ({' → '.join(self.life)})"

    def move(self, to: State) -> None:
        """Move to another state.

        Raises:
            InvalidTransitionError: `TRANSITIONS` does not have it.
        """
        if to not in TRANSITIONS[self.state]:
            raise InvalidTransitionError(f"{self} cannot become {to}")
        self.state = to
        self.life.append(to)

    def validate(self) -> None:
        """Raises AssertionError if the parts disagree."""
        assert self.task.id == self.id, f"{self} is of task {self.task.id}"
        assert self.life[-1] == self.state, f"{self} is {self.state}"
        settled = self.state == "settled"
        assert settled == (self.outcome is not None), f"{self} with outcome {self.outcome}"
        assert self.outcome is None or self.outcome.id == self.id, f"{self} has {self.outcome}"
        calling = self.state not in NO_CALL
        assert not calling or self.call is not None, f"{self} has no call"


def _comes_to(outcome: Outcome) -> tuple[Any, ...]:
    return outcome.tool, outcome.status, outcome.args, outcome.value, outcome.error


class Column(Mapping[TaskId, T]):
    """One part of all records, by task, without those that do not have it."""

    def __init__(
        self, records: Mapping[TaskId, TaskRecord], part: Callable[[TaskRecord], T | None]
    ) -> None:
        self._records = records
        self._part = part

    def __getitem__(self, id: TaskId) -> T:
        if (part := self._part(self._records[id])) is None:
            raise KeyError(id)
        return part

    def __iter__(self) -> Iterator[TaskId]:
        return (id for id, record in self._records.items() if self._part(record) is not None)

    def __len__(self) -> int:
        return sum(1 for _ in self)
