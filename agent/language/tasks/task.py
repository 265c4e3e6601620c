"""A plan's tasks and their outcomes, and their form in the state (plain JSON data)."""

from collections.abc import Iterable, Mapping
from dataclasses import field
from typing import Any, Literal, NotRequired

from typing_extensions import TypedDict

from llm_compiler.language.tasks.task_ids import TaskId
from llm_compiler.language.tasks.text_keys import with_text_keys
from llm_compiler.records import record

Status = Literal["ok", "failed", "skipped", "rejected"]
MAX_LEVELS = 100
"""Levels of lists and objects in a result or an argument; serializers fail above 250."""


COMPUTE = "compute"
"""The built-in that evaluates an expression over results: no tool, no slot, no journal."""
ANSWER = "answer"
"""The built-in that says what a plan ends with; evaluated as `compute` is."""
EACH = "each"
"""The built-in that goes through a list: one instance of its body for each item. No slot."""
WORDS = (ANSWER, "print")
"""The functions of the plan language that say something; each is a statement of its own."""


def is_pure(tool: str) -> bool:
    """Whether a task only computes: it calls no tool and is the same whenever it is repeated."""
    return tool in (COMPUTE, ANSWER)


def is_call(tool: str) -> bool:
    """Whether a task calls a tool, and is no built-in: it is in the messages, and counts."""
    return tool not in (COMPUTE, ANSWER, EACH)


class WhenData(TypedDict):
    """A condition in the state: `{"id": 3, "holds": true, "line": 4}`."""

    id: TaskId
    holds: bool
    line: int


class TaskData(TypedDict, total=False):
    """A task in the state. One that did not compile has `text`, as the model wrote it."""

    id: TaskId
    name: str
    """The variable that it is assigned to, or empty."""
    tool: str
    args: dict[str, Any]
    needs: list[TaskId]
    when: "WhenData"
    """The condition that it is run under, if any."""
    line: int
    """Of its round's program, from 1."""
    source: str
    """The statement that it stands in, as the model wrote it."""
    error: str
    """Why it did not compile, with line, column and remedy."""
    text: str
    round: int
    """The round whose plan it belongs to, from 1."""
    key: str
    """The name of its call in the journal, which it keeps even if a person edits it."""
    taint: str
    """Which untrusted result its planner had read or reaches its arguments; empty if none."""
    rules: list[str]
    """Those of its tool when it was planned, by name (tool_rules.py); none is lifted later."""


class OutcomeData(TypedDict):
    """An outcome in the state. Times are epoch seconds, `None` for a call that never began."""

    id: TaskId
    tool: str
    args: dict[str, Any]
    status: Status
    value: Any
    error: str | None
    started_at: float | None
    ended_at: float | None
    attempts: int
    reused: bool
    artifact: NotRequired[Any]
    command: NotRequired[dict[str, Any]]
    untaken: NotRequired[bool]
    """It is there and true if the task was skipped for its condition alone."""


@record
class When:
    """A condition that a task is run under: whether the value of task `id` is true, or is not."""

    id: TaskId
    holds: bool = True
    line: int = 0

    @property
    def untaken(self) -> str:
        """Why a task is skipped if the condition says so."""
        return f"condition on line {self.line} is {str(not self.holds).lower()}"


@record
class Task:
    """One planned task that compiled: a call of a tool, or a built-in."""

    id: TaskId
    tool: str
    args: Mapping[str, Any] = field(default_factory=dict)
    """By parameter name, as written: references are strings."""
    needs: tuple[TaskId, ...] = ()
    """The ids it waits for: those that its arguments refer to, that of its condition, and others
    for order alone."""
    maybe: frozenset[TaskId] = frozenset()
    """Those of its needs that are plain text ("a $5 bill") if no task has that id."""
    text: str = ""
    """As the model wrote it."""
    name: str = ""
    line: int = 0
    source: str = ""
    taint: str | None = None
    """As stored; None for a task that is planned now."""
    rules: tuple[str, ...] = ()
    """As stored."""
    when: When | None = None

    def data(self) -> TaskData:
        data = TaskData(
            id=self.id,
            name=self.name,
            tool=self.tool,
            args=dict(self.args),
            needs=list(self.needs),
            line=self.line,
            source=self.source,
        )
        if (it := self.when) is not None:
            data["when"] = WhenData(id=it.id, holds=it.holds, line=it.line)
        return data


@record
class Refused:
    """One planned tool call that did not compile."""

    id: TaskId
    tool: str
    error: str
    text: str = ""
    """As the model wrote it."""
    args: Mapping[str, Any] = field(default_factory=dict)
    """Of a task in the state."""
    line: int = 0

    def data(self) -> TaskData:
        return TaskData(
            id=self.id,
            name="",
            tool=self.tool,
            args={},
            needs=[],
            line=self.line,
            source=self.text,
            error=self.error,
            text=self.text,
        )


def stored_data(
    task: Task | Refused, *, round: int, key: str, taint: str, rules: Iterable[str]
) -> TaskData:
    """A task as the state has it, with what is known of it since it was planned.

    Args:
        task: The task.
        round, key: As in the state.
        taint: What was untrusted about its arguments.
        rules: The names of the rules of its tool that hold from then on.
    """
    data = task.data()
    data["round"], data["key"] = round, key
    # What did not compile may do so later: an edit, or another tool.
    if taint or not did_not_compile(data):
        data["taint"] = taint
    if rules := [*rules]:
        data["rules"] = rules
    return data


@record
class Outcome:
    """How a task ended."""

    id: TaskId
    tool: str
    status: Status
    args: Mapping[str, Any] = field(default_factory=dict)
    """With the references filled in, as far as they could be."""
    value: Any = None
    error: str | None = None
    started_at: float | None = None
    ended_at: float | None = None
    attempts: int = 0
    reused: bool = False
    """The value is that of an equal call, which ran once."""
    artifact: Any = None
    """What the tool returned for people and programs, and not for models."""
    command: Mapping[str, Any] | None = None
    """What the tool wants beside that: `messages` to say, and a `handoff`."""
    untaken: bool = False
    """It was skipped because of its condition alone, which is no failure."""

    @property
    def ok(self) -> bool:
        return self.status == "ok"

    def data(self) -> OutcomeData:
        data = OutcomeData(
            id=self.id,
            tool=self.tool,
            args=dict(self.args),
            status=self.status,
            value=self.value if is_call(self.tool) else with_text_keys(self.value),
            error=self.error,
            started_at=self.started_at,
            ended_at=self.ended_at,
            attempts=self.attempts,
            reused=self.reused,
        )
        if self.artifact is not None:
            data["artifact"] = self.artifact
        if self.command:
            data["command"] = dict(self.command)
        if self.untaken:
            data["untaken"] = True
        return data

    @classmethod
    def of(cls, data: OutcomeData) -> "Outcome":
        known = {name: data[name] for name in OutcomeData.__annotations__ if name in data}  # type: ignore[literal-required]
        return cls(**known)


def went_well(outcome: OutcomeData) -> bool:
    """Whether a task ended ok, or was not to be run."""
    return outcome["status"] == "ok" or outcome.get("untaken") is True


def did_not_compile(data: TaskData) -> bool:
    """Whether all that the state has of a task is the text that its model wrote.

    Arguments beside the text are a person's, and take its place.
    """
    return bool(data.get("text")) and not data.get("args")
