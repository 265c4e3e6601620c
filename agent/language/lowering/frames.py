"""Where tasks are made: in the program itself, in a branch of it, or in an iteration of a loop."""

import ast
from collections import ChainMap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from llm_compiler.language.lowering.lowered import Answer
from llm_compiler.language.reading.written import bounded
from llm_compiler.language.tasks.task import Task, When, is_pure
from llm_compiler.language.tasks.task_ids import TaskId, is_task, order_of


@dataclass(slots=True)
class Tasks:
    """The tasks of a program, or of one iteration of the loop `loop`, as they are made."""

    next: int = 1
    loop: TaskId | None = None
    alone: bool = False
    """The iteration makes one call, which needs no number."""
    out: list[Task] = field(default_factory=list)

    def new_id(self, tool: str) -> TaskId:
        if self.alone and not is_pure(tool):
            self.alone = False
            return f"{self.loop}[]"
        self.next += 1
        return self.next - 1 if self.loop is None else f"{self.loop}[].{self.next - 1}"


_NOTHING = Answer()


class Frame:
    """A part of a program whose tasks run together or not at all, with the names in it.

    Args:
        parent: The frame around it, if any, whose conditions hold here too.
        when: The innermost condition within the iteration, or within the program.
    """

    def __init__(self, tasks: Tasks, parent: "Frame | None" = None, when: When | None = None):
        self.tasks, self.parent, self.when = tasks, parent, when
        self.holding = {when} if when else set()
        """The conditions that came to hold here."""
        self.names: ChainMap[str, ast.expr] = parent.names.new_child() if parent else ChainMap()
        self.owned: ChainMap[str, int] = parent.owned.new_child() if parent else ChainMap()
        """How many levels of the lists and dicts that names hold nothing else refers to."""
        self.lent: ChainMap[str, dict[str, int]] = parent.lent.new_child() if parent else ChainMap()
        """Of names that loops went through, the loops' variables: each holds what is so many levels
        below, until it is assigned again."""
        self.places: dict[str, str] = parent.places if parent else {}
        """The names that were given to parts, `x = d[k]`, with the parts as written."""
        self.collecting: frozenset[str] = parent.collecting if parent else frozenset()
        """Names that hold what the iteration adds to a list or a dict, as a tree."""
        self.said = _NOTHING
        """What was printed here."""
        self.ends: list[tuple[When, Answer]] = []
        """Where it answers: if a condition holds, and none before it does."""
        self.last: Answer | None = None
        """What it answers in all other cases; `None` if it goes on then."""

    def part(self) -> "Frame":
        """A statement of this frame, which takes effect with `take_in`."""
        return Frame(self.tasks, self, self.when)

    def branch(self, when: When) -> "Frame":
        return Frame(self.tasks, self, when)

    def body(self, loop: TaskId, *, alone: bool) -> "Frame":
        return Frame(Tasks(loop=loop, alone=alone), self)

    @property
    def changed(self) -> Mapping[str, ast.expr]:
        """The names that were bound here."""
        return self.names.maps[0]

    def hide(self, names: Iterable[str]) -> None:
        """Names of outside that have no value here until they are assigned."""
        hidden = {*names}
        seen = {name: value for name, value in self.names.items() if name not in hidden}
        self.names = ChainMap({}, seen)

    def holds(self, when: When) -> bool:
        """Whether a condition holds for all that is written here."""
        frame: Frame | None = self
        while frame is not None and when not in frame.holding:
            frame = frame.parent
        return frame is not None

    def end(self, when: When, answer: Answer) -> None:
        """It answers if a condition holds; all that follows here runs only if it does not."""
        self.ends.append((when, self.said.then(answer)))
        self.when = When(when.id, not when.holds, when.line)
        self.holding.add(self.when)

    def final(self) -> Answer:
        """What it answers, where it does."""
        ends = [*self.ends]
        answer = ends.pop()[1] if self.last is None else self.last
        for when, other in reversed(ends):
            answer = other.unless(when, answer)
        return answer

    def take_in(self, part: "Frame") -> None:
        """A part is whole: go on as it left off."""
        self.names.maps[0].update(part.names.maps[0])
        self.owned.maps[0].update(part.owned.maps[0])
        self.lent.maps[0].update(part.lent.maps[0])
        self.holding |= part.holding
        self.when = part.when
        self.ends += [(when, self.said.then(answer)) for when, answer in part.ends]
        if part.last is not None:
            self.last = self.said.then(part.last)
        if part.said is not _NOTHING:
            self.said = self.said.then(part.said)


def needed(ids: Iterable[TaskId], when: When | None) -> tuple[TaskId, ...]:
    """The tasks among ids that are referred to, in order."""
    needs = {id for id in ids if is_task(id)}
    if when is not None:
        needs.add(when.id)
    return tuple(sorted(needs, key=order_of)) if len(needs) > 1 else tuple(needs)


def made(
    frame: Frame,
    id: TaskId,
    tool: str,
    args: Mapping[str, Any],
    ids: Iterable[TaskId],
    name: str,
    line: int,
    source: str,
) -> Task:
    """A new task of a frame that refers to `ids`."""
    needs = needed(ids, frame.when)
    text = bounded(source)
    task = Task(id, tool, args, needs, name=name, line=line, source=text, when=frame.when)
    frame.tasks.out.append(task)
    return task
