"""Makes the tasks of resolved expressions, in the frame that is being read."""

import ast
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from llm_compiler.language.lowering.checking import checked
from llm_compiler.language.lowering.frames import Frame, Tasks, made
from llm_compiler.language.lowering.names import expression, ids_in, reference, referred, template
from llm_compiler.language.tasks.task import COMPUTE, When
from llm_compiler.language.tasks.task_ids import TaskId, is_task


class TaskBuilder:
    """Makes the tasks of a program.

    Args:
        first_id: Of the tasks.
    """

    def __init__(self, first_id: int) -> None:
        self.frame = Frame(Tasks(next=first_id))
        self.line = 0
        self.source = ""
        """The statement or the call that is being read, and its line."""
        self.named: dict[TaskId, str] = {}
        """The names of the tasks in the statement."""
        self.whens: dict[TaskId, When] = {}
        """The conditions of tasks."""

    def add(
        self, tool: str, args: Mapping[str, Any], ids: tuple[TaskId, ...], name: str = ""
    ) -> TaskId:
        """A new task that refers to `ids`; its id."""
        id = self.frame.tasks.new_id(tool)
        self.add_as(id, tool, args, ids, name)
        return id

    def add_as(self, id: TaskId, tool: str, args: Mapping[str, Any], ids: tuple[TaskId, ...],
               name: str = "") -> None:  # fmt: skip
        """As `add`, with an id of before."""
        made(self.frame, id, tool, args, ids, name, self.line, self.source)
        self.whens.pop(id, None)
        if self.frame.when is not None:
            self.whens[id] = self.frame.when

    def compute(self, node: ast.expr | ast.Module, name: str = "") -> ast.expr:
        """A reference to a task of its own for a resolved expression, or a block of statements."""
        id = self.add(COMPUTE, {"expression": expression(node)}, ids_in(node), name)
        if name:
            self.named[id] = name
        return reference(id)

    def value(self, node: ast.expr) -> tuple[Any, tuple[TaskId, ...]]:
        """A resolved expression as an argument, computed by a task of its own if necessary."""
        if (plain := template(node)) is ...:
            node = self.compute(node)
            plain = template(node)
        return plain, ids_in(node)

    def condition(self, node: ast.expr) -> TaskId:
        """The task whose value says whether a resolved condition holds."""
        id, when = referred(node), self.frame.when
        # It is under the conditions that hold here, the innermost of which it takes the place of.
        same = id is not None and is_task(id) and (when is None or self.whens.get(id) == when)
        if id is None or not same or not self.is_certain(id):
            id = referred(self.compute(checked(node)))
            assert id is not None
        return id

    def is_certain(self, id: TaskId) -> bool:
        """Whether a task is run if what is written here is."""
        when = self.whens.get(id)
        return when is None or self.frame.holds(when)

    @contextmanager
    def within(self, frame: Frame) -> Iterator[Frame]:
        """Read what is written in another frame."""
        outside, self.frame = self.frame, frame
        try:
            yield frame
        finally:
            self.frame = outside

    @contextmanager
    def under(self, when: When) -> Iterator[Frame]:
        """Read what is run only under a condition."""
        with self.within(self.frame.branch(when)) as branch:
            yield branch
