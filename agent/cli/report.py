"""What happened in a turn, collected from its events: rounds, tasks and model calls.

Facts in, a record out: no I/O and no clock. All displays and the timeline show this record.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from llm_compiler.cli import wording

ANSWER = "answer"
Event = Mapping[str, Any]
TaskStatus = Literal["planned", "running", "ok", "failed", "skipped", "rejected"]


@dataclass
class TaskReport:
    """The current state of a task. Times are seconds since the turn began."""

    id: int
    tool: str
    args: Mapping[str, Any]
    needs: tuple[int, ...]
    planned: float
    started: float | None = None
    ended: float | None = None
    status: TaskStatus = "planned"
    note: str = ""
    """Its result, or the reason why it has none, on one line."""
    reused: bool = False
    compiled: bool = True
    text: str = ""
    """The text that the model wrote, for a task that did not compile."""

    @property
    def call(self) -> str:
        """The call as written."""
        if self.text or self.args or self.compiled:
            return wording.one_line(self.text) or wording.call(self.tool, self.args)
        return f"{wording.visible(self.tool)}(…)"

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
    tasks: dict[int, TaskReport] = field(default_factory=dict)
    planned: float | None = None
    """When the plan was complete."""
    ended: float | None = None
    verdict: str = ""
    feedback: str | None = None

    @property
    def finished(self) -> bool:
        """The plan is complete and every task has its outcome."""
        return self.planned is not None and all(t.ended is not None for t in self.tasks.values())

    @property
    def joined_from(self) -> float | None:
        """When the joiner's model could start; None if it is not called, or not yet."""
        if self.planned is None or not self.finished or self._unjoined:
            return None
        return max([self.planned, *(task.ended or 0.0 for task in self.tasks.values())])

    @property
    def _unjoined(self) -> bool:
        tasks = self.tasks.values()
        none_compiled = bool(tasks) and not any(task.compiled for task in tasks)
        return any(t.tool == ANSWER and t.status == "ok" for t in tasks) or (
            none_compiled and self.verdict != "answer"
        )


class Report:
    """The record of one turn. Pass it every event of `stream_mode="custom"` in order."""

    def __init__(self, events: Iterable[Event] = ()) -> None:
        self.question = ""
        self.rounds: list[RoundReport] = []
        self.seconds = 0.0
        """From the start of the turn to the last event."""
        self._resumed_at = 0.0
        for event in events:
            self.take(event)

    def take(self, event: Event) -> None:
        """Record one event."""
        now = self._resumed_at + event["seconds"]
        self.seconds = max(self.seconds, now)
        match event["event"]:
            case "turn.start":
                self.question = event["question"]
                self._round(event["round"], now)
            case "plan.task":
                self._plan(event, now)
            case "task.started":
                task = self._task(event)
                if task is not None:
                    task.started, task.status = now, "running"
            case "task.finished":
                task = self._task(event)
                if task is not None and task.ended is None:
                    _finish(task, event, now)
            case "plan.end":
                self._round(event["round"], now).planned = now
            case "round.end":
                round = self._round(event["round"], now)
                round.ended, round.verdict = now, event["status"]
                round.feedback = event["feedback"]
                if round.verdict == "replan":
                    self._round(round.number + 1, now)

    def resumed(self) -> None:
        """A person has answered and the run continues: its events count from zero again."""
        self._resumed_at = self.seconds

    @property
    def tasks(self) -> list[TaskReport]:
        """The tasks of all rounds, in the order of planning."""
        return [task for round in self.rounds for task in round.tasks.values()]

    @property
    def model_calls(self) -> list[ModelCallReport]:
        """The model calls of planner and joiner that have ended, in order."""
        calls = []
        for round in self.rounds:
            if round.planned is not None:
                calls.append(ModelCallReport("planner", round.number, round.began, round.planned))
            if round.ended is not None and (since := round.joined_from) is not None:
                calls.append(ModelCallReport("joiner", round.number, since, round.ended))
        return calls

    @property
    def one_after_another(self) -> float:
        """The seconds that the same calls would have taken one after another."""
        models = sum(call.ended - call.started for call in self.model_calls)
        return models + sum(task.took for task in self.tasks)

    def totals(self, usage: Mapping[str, Mapping[str, int]]) -> str:
        """The turn on one line."""
        tasks = [task for task in self.tasks if task.tool != ANSWER]
        rounds = sum(1 for round in self.rounds if round.tasks or round.ended is not None)
        calls = sum(used["calls"] for used in usage.values())
        spent = wording.tokens(usage)
        return " · ".join(
            [
                f"{wording.counted(len(tasks), 'task')}, {wording.counted(rounds, 'round')}, "
                f"{wording.counted(calls, 'model call')}",
                *([f"tokens: {spent}"] if spent else []),
                f"{wording.seconds(self.seconds)}, one after another "
                f"{wording.seconds(self.one_after_another)}",
            ]
        )

    def _round(self, number: int, now: float) -> RoundReport:
        if not self.rounds or self.rounds[-1].number < number:
            self.rounds.append(RoundReport(number, now))
        return next(round for round in reversed(self.rounds) if round.number <= number)

    def _task(self, event: Event) -> TaskReport | None:
        return next(
            (r.tasks[event["id"]] for r in reversed(self.rounds) if event["id"] in r.tasks), None
        )

    def _plan(self, event: Event, now: float) -> None:
        round = self._round(event["round"], now)
        before = round.tasks.get(event["id"])
        if before is not None and round.planned is not None:
            return  # a resumed run repeats the events of its plan
        task = TaskReport(
            event["id"],
            event["tool"],
            event["args"],
            tuple(event["needs"]),
            now,
            text=event.get("text", ""),
        )
        if before is not None and (before.tool, before.args) == (task.tool, task.args):
            # The planner's stream broke off; the call continues for the plan that follows.
            task.started = before.started
            task.status = "planned" if before.started is None else "running"
        round.tasks[task.id] = task


def _finish(task: TaskReport, event: Event, now: float) -> None:
    task.status, task.ended, task.reused = event["status"], now, event["reused"]
    task.note = wording.one_line(event["result"] if event["status"] == "ok" else event["error"])
    task.compiled = task.status != "failed" or event["attempts"] > 0
    if task.started is None and event["took"] > 0 and not task.reused:
        # It started for a plan that broke off, or before the run was resumed.
        task.started = max(0.0, now - event["took"])
