"""What happened in a turn, collected from its events: rounds, tasks and model calls.

Facts in, a record out: no I/O and no clock. All displays and the timeline show this record.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from llm_compiler.cli import wording
from llm_compiler.cli.round_report import ModelCallReport, RoundReport, TaskReport
from llm_compiler.language.tasks.task import ANSWER, EACH

_MAX_NESTED: Final = 60
"""Characters of a call that is shown inside another."""
_NEED: Final = re.compile(r"^needs (\d[\d.\[\]]*)(?=,)")
Event = Mapping[str, Any]


class Report:
    """The record of one turn. Pass it every event of `stream_mode="custom"` in order."""

    def __init__(self, events: Iterable[Event] = ()) -> None:
        self.question = ""
        self.rounds: list[RoundReport] = []
        self.seconds = 0.0
        """From the start of the turn to the last event."""
        self._by_id: dict[str, TaskReport] = {}
        for event in events:
            self.take(event)

    def take(self, event: Event) -> None:
        """Record one event."""
        if self.knows(event):
            return
        now = event["seconds"]
        self.seconds = max(self.seconds, now)
        match event["event"]:
            case "turn.start":
                self.question = event["question"]
                self._round(event["round"], now)
            case "plan.task":
                self._plan(event, now)
            case "task.started":
                task = self.task(event["id"])
                if task is not None:
                    task.started, task.status = now, "running"
            case "task.waiting":
                task = self.task(event["id"])
                if task is not None and task.ended is None:
                    task.status = "waiting"
            case "task.decided":
                task = self.task(event["id"])
                if task is not None and task.ended is None:
                    self._decide(task, event)
            case "task.finished":
                task = self.task(event["id"])
                if task is not None and task.ended is None:
                    self._finish(task, event, now)
            case "plan.end":
                round = self._round(event["round"], now)
                round.planned, round.program = now, event["program"]
                for task in round.tasks.values():
                    task.name = event["names"].get(str(task.id), "")
                    task.call = self._statement(task)
            case "round.end":
                round = self._round(event["round"], now)
                round.ended, round.verdict = now, event["status"]
                round.feedback, round.asked = event["feedback"], event["asked"]
                if round.verdict == "replan":
                    self._round(round.number + 1, now)

    def knows(self, event: Event) -> bool:
        """Whether this was told before: a run that goes on with a turn tells all of it again."""
        if not event.get("replayed"):
            return False
        if event["event"].startswith("task."):
            task = self.task(event["id"])
            return task is not None and (task.ended is not None or task.status == event["status"])
        round = next((it for it in self.rounds if it.number == event["round"]), None)
        match event["event"]:
            case "plan.task":
                return self.task(event["id"]) is not None
            case "plan.end":
                return round is not None and round.planned is not None
            case "round.end":
                return round is not None and round.ended is not None
        return round is not None

    @property
    def tasks(self) -> list[TaskReport]:
        """The tasks of all rounds, in the order of planning."""
        return [task for round in self.rounds for task in round.tasks.values()]

    def task(self, id: Any) -> TaskReport | None:
        """A task by its id."""
        return self._by_id.get(str(id))

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

    def _plan(self, event: Event, now: float) -> None:
        round = self._round(event["round"], now)
        before = round.tasks.get(event["id"])
        if before is not None and round.planned is not None:
            return  # a run that goes on repeats the events of its plan
        task = TaskReport(
            event["id"],
            event["tool"],
            event["args"],
            tuple(event["needs"]),
            now,
            event["name"],
            event["line"],
            event["source"],
            event["error"] or "",
        )
        if before is not None and (before.tool, before.args) == (task.tool, task.args):
            # The planner's stream broke off; the call continues for the plan that follows.
            task.started = before.started
            task.status = "planned" if before.started is None else "running"
        task.call = self._statement(task)
        round.tasks[task.id] = self._by_id[str(task.id)] = task

    def _decide(self, task: TaskReport, event: Event) -> None:
        """A person has decided: the call will run, or end as rejected."""
        task.status = "running" if event["status"] == "answered" else "planned"
        if event["args"] is not None:
            task.args = event["args"]
            task.call = self._statement(task)

    def _statement(self, task: TaskReport) -> str:
        if task.error:
            return wording.one_line(task.source) or f"{wording.visible(task.tool)}(…)"
        if task.tool == EACH and task.source:
            return wording.one_line(task.source)
        call = wording.call(task.tool, task.args, self._told)
        if not task.line:
            return f"{task.id}. {call}"  # it is in no program
        return f"{task.name} = {call}" if task.name else call

    def _told(self, id: str) -> str:
        """What stands for a task where its result is used: its variable, or the task itself."""
        task = self._by_id.get(id)
        if task is None and "[" in id:
            name = id.rpartition(".")[2]
            return "item" if name == "0" else name
        if task is None or not task.line:
            return f"${id}"
        assigned = task.source.partition("=")[0].strip() if task.error else task.name
        if assigned.isidentifier():
            return assigned
        if len(task.call) <= _MAX_NESTED:
            return task.call
        return "(…)" if task.computes else f"{task.tool}(…)"

    def _finish(self, task: TaskReport, event: Event, now: float) -> None:
        task.status, task.ended, task.reused = event["status"], now, event["reused"]
        note = wording.one_line(event["result"] if event["status"] == "ok" else event["error"])
        if task.status == "skipped":
            note = _NEED.sub(lambda found: f"needs {self._told(found[1])}", note)
        task.note = wording.computed(note) if task.computes else note
        if task.started is None and event["took"] > 0 and not task.reused and not task.computes:
            # It started for a plan that broke off, or before the run was resumed.
            task.started = max(0.0, now - event["took"])
