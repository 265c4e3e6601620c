"""The events of `stream_mode="custom"`: one dict each, with the seconds since the turn began.

- `turn.start`: the `question`.
- `plan.task`: a task as soon as it is written: `id`, `name` (its variable), `tool`, `args`,
  `needs`, `line`, `source`; with `error` if its statement did not compile. Until it is whole,
  `source` is the call alone and `name` may be a guess.
- `plan.end`: the `program` as written, and the `names` of its tasks, by id as a text.
- `task.started`, `task.finished`: the latter exactly once for each planned task.
- `round.end`: the verdict as `status`, whether the joiner's model was `asked`, and as `feedback`
  what is missing: for the next plan or, with the verdict `answer`, why the reply is no answer.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from llm_compiler.language.excerpts import excerpt
from llm_compiler.language.task import Outcome, Refused, Task, TaskData
from llm_compiler.language.task_ids import TaskId
from llm_compiler.scheduling.facts import Launch
from llm_compiler.text import shortened

_MAX_RESULT_CHARS = 200
_MAX_READ_CHARS = 2 * _MAX_RESULT_CHARS
"""Characters of a result that are read: it may have millions."""

Writer = Callable[[Mapping[str, Any]], None]


class Events:
    """Writes the events of one turn."""

    def __init__(self, write: Writer, round: int, clock: Callable[[], float]) -> None:
        self._write = write
        self._round = round
        self._clock = clock

    def _event(self, event: str, **what: Any) -> None:
        seconds = round(self._clock(), 6)
        self._write({"event": event, "round": self._round, "seconds": seconds, **what})

    def turn_start(self, question: str) -> None:
        self._event("turn.start", question=question, status="running")

    def plan_task(self, task: Task | Refused) -> None:
        data = task.data()
        maybe = task.maybe if isinstance(task, Task) else ()
        self._event(
            "plan.task",
            id=task.id,
            name=data["name"],
            tool=task.tool,
            args=data["args"],
            needs=[need for need in data["needs"] if need not in maybe],
            line=task.line,
            source=data["source"],
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

    def plan_end(self, tasks: Sequence[TaskData], program: str) -> None:
        self._event(
            "plan.end",
            ids=[task["id"] for task in tasks],
            tasks=len(tasks),
            names={str(task["id"]): task["name"] for task in tasks if task["name"]},
            program=program,
            status="planned",
        )

    def round_end(
        self, ids: Sequence[TaskId], verdict: str, feedback: str | None, *, asked: bool
    ) -> None:
        self._event("round.end", ids=list(ids), status=verdict, feedback=feedback, asked=asked)


def _shown(value: Any) -> str:
    return shortened(excerpt(value, _MAX_READ_CHARS)[:_MAX_READ_CHARS], _MAX_RESULT_CHARS)
