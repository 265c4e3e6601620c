"""The events of `stream_mode="custom"`: one dict each, with the seconds that the turn has run.

- `turn.start`: the `question`.
- `plan.task`: a task as soon as it is written: `id`, `name` (its variable), `tool`, `args`,
  `needs`, `line`, `source`; with `error` if its statement did not compile. Until it is whole,
  `source` is the call alone and `name` may be a guess.
- `plan.end`: the `program` as written, and the `names` of its tasks, by id as a text.
- `task.started`, `task.finished`: the latter exactly once for each planned task.
- `task.waiting`: a person must decide on a call, whose `args` are filled in, or its tool asks one;
  `description` says what about. `task.decided`: the decision as `status`, with the `args` if it is
  "edited" and the `reason` if it is "rejected".
- `round.end`: the verdict as `status`, whether the joiner's model was `asked`, and as `feedback`
  what is missing: for the next plan or, with the verdict `answer`, why the reply is no answer.

A run that goes on with a turn, after a decision, a kill or a breakpoint, tells first how the turn
stands, in these events with `"replayed": True`: a client that joins then knows the whole turn, and
one that was there before ignores them. One that has edited the plan reads them: they tell what
became of its expressions. Without them, no event is told twice, but for a call that runs twice:
its process was killed before its end was journaled. An end that waited to be told until it is
journaled could be lost instead.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Literal

from llm_compiler.language.evaluation.excerpts import excerpt
from llm_compiler.language.tasks.task import Outcome, Refused, Task, TaskData
from llm_compiler.language.tasks.task_ids import TaskId
from llm_compiler.scheduling.orders import Launch
from llm_compiler.text import shortened

_MAX_RESULT_CHARS = 200
_MAX_READ_CHARS = 2 * _MAX_RESULT_CHARS
"""Characters of a result that are read: it may have millions."""

Writer = Callable[[Mapping[str, Any]], None]


class Events:
    """Writes the events of one round; `replayed` marks them as told again."""

    def __init__(
        self, write: Writer, round: int, clock: Callable[[], float], *, replayed: bool = False
    ) -> None:
        self.silent = False
        """Whether they are not written: a turn that is loaded is told as a whole afterwards."""
        self._write = write
        self._round = round
        self._clock = clock
        self._mark = {"replayed": True} if replayed else {}

    def again(self, round: int | None = None) -> "Events":
        """Writes events, of this round or another, that are told again."""
        return Events(self._write, round or self._round, self._clock, replayed=True)

    def _event(self, event: str, **what: Any) -> None:
        if self.silent:
            return
        seconds = round(self._clock(), 6)
        self._write(
            {"event": event, "round": self._round, "seconds": seconds, **what, **self._mark}
        )

    def turn_start(self, question: str) -> None:
        self._event("turn.start", question=question, status="running")

    def plan_task(self, task: Task | Refused) -> None:
        self.plan_data(task.data(), task.maybe if isinstance(task, Task) else ())

    def plan_data(self, data: TaskData, maybe: Collection[TaskId] = ()) -> None:
        """A task as the state has it; it may not need those in `maybe`."""
        self._event(
            "plan.task",
            id=data["id"],
            name=data.get("name", ""),
            tool=data["tool"],
            args=data["args"],
            needs=[need for need in data["needs"] if need not in maybe],
            line=data.get("line", 0),
            source=data.get("source", ""),
            error=data.get("error"),
            status="planned",
        )

    def task_started(self, launch: Launch) -> None:
        self._event("task.started", id=launch.id, tool=launch.tool, status="running")

    def task_finished(self, outcome: Outcome) -> None:
        self._event(
            "task.finished",
            id=outcome.id,
            tool=outcome.tool,
            status=outcome.status,
            result=_shown(outcome.value) if outcome.ok else None,
            error=outcome.error,
            reused=outcome.reused,
            attempts=outcome.attempts,
            took=(outcome.ended_at or 0) - (outcome.started_at or 0),
        )

    def task_waiting(
        self, id: TaskId, tool: str, args: Mapping[str, Any], description: Any
    ) -> None:
        shown = _shown(description)
        self._event(
            "task.waiting", id=id, tool=tool, args=dict(args), description=shown, status="waiting"
        )

    def task_decided(
        self,
        id: TaskId,
        tool: str,
        status: Literal["approved", "edited", "rejected", "answered"],
        *,
        args: Mapping[str, Any] | None = None,
        reason: str | None = None,
    ) -> None:
        edited = None if args is None else dict(args)
        self._event("task.decided", id=id, tool=tool, args=edited, reason=reason, status=status)

    def plan_end(self, ids: Sequence[TaskId], names: Mapping[str, str], program: str) -> None:
        self._event(
            "plan.end",
            ids=ids,
            tasks=len(ids),
            names=names,
            program=program,
            status="planned",
        )

    def round_end(
        self, ids: Sequence[TaskId], verdict: str, feedback: str | None, *, asked: bool
    ) -> None:
        self._event("round.end", ids=list(ids), status=verdict, feedback=feedback, asked=asked)


def ids_and_names(tasks: Sequence[TaskData]) -> tuple[list[TaskId], dict[str, str]]:
    """What `plan_end` tells of the tasks that were written."""
    names = {str(task["id"]): task["name"] for task in tasks if task["name"]}
    return [task["id"] for task in tasks], names


def _shown(value: Any) -> str:
    return shortened(excerpt(value, _MAX_READ_CHARS)[:_MAX_READ_CHARS], _MAX_RESULT_CHARS)
