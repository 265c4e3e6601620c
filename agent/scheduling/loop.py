"""An `each` whose list is there: it makes the tasks of its iterations, and its value of theirs."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from llm_compiler.language.evaluation.each import referred
from llm_compiler.language.evaluation.references import Room, substitute
from llm_compiler.language.tasks.task import Outcome, Task, When, is_call
from llm_compiler.language.tasks.task_ids import TaskId, in_iteration, is_task
from llm_compiler.scheduling.templates import (
    Fill,
    Rename,
    args_template,
    id_template,
    value_template,
)

OutcomeOf = Callable[[TaskId], Outcome | None]


def _known(id: TaskId) -> bool:
    return True


class Loop:
    """The iterations of one `each`, made one after another.

    Args:
        task: The `each`; its arguments have been checked.
        items: What it goes through.
    """

    def __init__(self, task: Task, items: list[Any]) -> None:
        self.items = items
        self.made = 0
        """Iterations so far."""
        self.tasks: list[TaskId] = []
        """The instances so far, in the order of the program."""
        self._id = task.id
        self._own = own = f"{task.id}[]"
        self._body = [_BodyTask.of(it, own) for it in task.args["body"]]
        self._names: Mapping[str, Mapping[str, TaskId | None]] = task.args.get("names") or {}
        self._next = {
            name: id_template(it["next"], own)
            for name, it in self._names.items()
            if it.get("next") is not None
        }
        self._held: Mapping[str, TaskId | None] = {
            name: _bound(it.get("init")) for name, it in self._names.items() if "all" not in it
        }
        """What holds the value of each variable when the next iteration begins."""
        self._ends = [self._held]
        """The same before the loop, and behind each iteration so far."""
        self._all = {
            name: id_template(it["all"], own) for name, it in self._names.items() if "all" in it
        }
        """Of variables that are lists of what each iteration has."""
        self._value = None
        if "value" in task.args:
            self._value = value_template(task.args["value"], own)
        self._keep: str | None = task.args.get("keep")

    @property
    def calls(self) -> int:
        """The calls of one iteration, without those of loops inside."""
        return sum(is_call(it.tool) for it in self._body)

    @property
    def conditional(self) -> bool:
        """Whether some of its calls may not be taken: behind a `break` or an `if`, say."""
        return any(it.when is not None and is_call(it.tool) for it in self._body)

    @property
    def size(self) -> int:
        """The tasks of one iteration."""
        return len(self._body)

    @property
    def complete(self) -> bool:
        """Whether all iterations were made."""
        return self.made == len(self.items)

    def next_iteration(self) -> Iterator[Task]:
        """The tasks of the next iteration, in the order of the program."""
        index, held, own = self.made, self._held, len(self._own)
        here = f"{self._id}[{index}]"

        def rename(id: str) -> TaskId:
            rest = id[own:]
            if rest[1:] in held:  # `.total`; no variable has a digit's name
                known = held[rest[1:]]
                return here + rest if known is None else known
            return here + rest

        for it in self._body:
            task = it.task(rename)
            self.tasks.append(task.id)
            yield task
        self._held = {**held, **{name: id(rename) for name, id in self._next.items()}}
        self._ends.append(self._held)
        self.made += 1

    def failure(self, outcome_of: OutcomeOf) -> str | None:
        """Why the loop failed, if an instance failed, or was skipped and not for its condition."""
        failed: dict[int, tuple[TaskId, str]] = {}
        for place, id in enumerate(self.tasks):
            it = outcome_of(id)
            if it is not None and it.status in ("failed", "skipped") and not it.untaken:
                failed.setdefault(place // self.size, (id, it.error or it.status))
        if not failed:
            return None
        id, why = next(iter(failed.values()))
        return f"{len(failed)} of {len(self.items)} iterations failed, first {id}: {why}"

    def value(
        self, outcome_of: OutcomeOf, value_of: Callable[[TaskId], Any], room: Room | None = None
    ) -> Any:
        """What the loop comes to. All its instances have ended, and none failed.

        Args:
            outcome_of: The outcome of a task.
            value_of: What a reference refers to.
            room: As for `substitute`.

        Raises:
            PlanError: a part of it was rejected, say.
            NoRoomError: there is not enough room.
        """
        if self._value is None:
            held = {name: self._last(name, outcome_of) for name in self._held}
            lists = {
                name: [value_of(id) for index in range(self.made)
                       if not _absent(outcome_of(id := every(self._renaming(index))))]
                for name, every in self._all.items()
            }  # fmt: skip
            return {name: value_of(id) for name, id in held.items() if id is not None} | lists
        return [
            substitute(self._value(self._renaming(index)), value_of, _known, room, computed=True)
            for index in range(self.made)
            if self._is_kept(index, outcome_of, value_of)
        ]

    def _last(self, name: str, outcome_of: OutcomeOf) -> TaskId | None:
        """What holds a variable's value behind the loop: of the last iteration that assigned it."""
        *others, first = reversed(self._ends)
        for held in others:
            id = held[name]
            if id is None or not _absent(outcome_of(id)):
                return id
        # Without any, what it was before, if it was anything.
        id = first[name]
        before = None if id is None else outcome_of(id)
        return id if before is None or before.ok else None

    def _is_kept(
        self, index: int, outcome_of: OutcomeOf, value_of: Callable[[TaskId], Any]
    ) -> bool:
        if self._keep is None:
            return True
        id = in_iteration(self._keep, self._id, index)
        return not _absent(outcome_of(id)) and bool(value_of(id))

    def _renaming(self, index: int) -> Rename:
        return lambda id: in_iteration(id, self._id, index)


@dataclass(frozen=True, slots=True)
class _BodyTask:
    """One task of a loop's body."""

    id: Fill
    tool: str
    args: Fill
    needs: list[Fill]
    """What it needs for data, also items and variables, which are no tasks or become some."""
    when: tuple[Fill, bool, int] | None
    name: str
    line: int
    source: str
    rules: tuple[str, ...]

    @classmethod
    def of(cls, data: Mapping[str, Any], own: str) -> "_BodyTask":
        id, tool, args, when = data["id"], data["tool"], data["args"], data.get("when")
        needs = dict.fromkeys([*data.get("needs", ()), *referred(id, tool, args)])
        condition = None
        if when is not None:
            needs[when["id"]] = None
            holds, line = bool(when.get("holds", True)), when.get("line", 0)
            condition = id_template(when["id"], own), holds, line
        return cls(
            id_template(id, own),
            tool,
            args_template(tool, args, own),
            [id_template(it, own) for it in needs],
            condition,
            data.get("name", ""),
            data.get("line", 0),
            data.get("source", ""),
            tuple(data.get("rules", ())),
        )

    def task(self, rename: Rename) -> Task:
        needs = dict.fromkeys(need(rename) for need in self.needs)
        when = None
        if self.when is not None:
            condition, holds, line = self.when
            when = When(condition(rename), holds, line)
        return Task(
            self.id(rename),
            self.tool,
            self.args(rename),
            tuple(id for id in needs if is_task(id)),
            name=self.name,
            line=self.line,
            source=self.source,
            taint="",
            rules=self.rules,
            when=when,
        )


def _bound(id: TaskId | None) -> TaskId | None:
    """What holds a variable's value, unless that is a variable without one of a loop outside."""
    return id if id is None or is_task(id) or str(id).endswith(".0") else None


def _absent(outcome: Outcome | None) -> bool:
    return outcome is not None and outcome.untaken
