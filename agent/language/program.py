"""Compiles a program while it is written: text of any chunking in, tasks out.

    text ─source.py─► calls, statements ─lowering.py, statements.py─► tasks, refused statements

A machine in the manner of h11: `feed` and `close`, no I/O. Tasks come out in the order in which
their calls are complete; a call inside an unfinished statement comes out at its closing bracket.
"""

from collections.abc import Iterator, Mapping, Set
from contextlib import suppress
from dataclasses import replace
from typing import NamedTuple

from llm_compiler.language.evaluation.expressions import NodeError
from llm_compiler.language.lowering import conditions, gathering
from llm_compiler.language.lowering.branches import ended
from llm_compiler.language.lowering.frames import Frame
from llm_compiler.language.lowering.lowered import Answer, Refused
from llm_compiler.language.lowering.lowering import Lowering
from llm_compiler.language.lowering.names import expression, reference, tree_of
from llm_compiler.language.lowering.statements import lower
from llm_compiler.language.lowering.targets import targets
from llm_compiler.language.lowering.trees import lone_call, parsed
from llm_compiler.language.reading.diagnostics import Diagnostic, PlacedError, diagnostic
from llm_compiler.language.reading.source import Source
from llm_compiler.language.reading.written import Call, Event, Fence, Settled, Statement, bounded
from llm_compiler.language.tasks.task import Task, When, is_pure
from llm_compiler.language.tasks.task_ids import TaskId, order_of
from llm_compiler.language.toolbox.toolbox import Toolbox

ROWS = {**conditions.ROWS, **gathering.ROWS}
_NOT_PYTHON = "this is not Python; write one statement per line, and thoughts after #"
_CUT = "the plan was cut off inside this statement; it was not run"
_INDENTED = "this line is indented and belongs to no block; it was not run"

Compiled = Task | Refused


class Stands(NamedTuple):
    """Where a task stands in its program."""

    name: str
    """The variable that it is assigned to, or empty."""
    line: int
    source: str
    """The statement."""


class Program:
    """One round's program.

    `names` are those of earlier rounds, as their `names` returned them; `first_id` follows the
    ids of their tasks. At most `max_calls` tool calls and refused statements are accepted; the next
    one is refused, and `full` is set: nothing more is read.
    """

    def __init__(
        self,
        tools: Toolbox,
        *,
        names: Mapping[str, str] | None = None,
        first_id: int = 1,
        max_calls: int = 100_000,
    ) -> None:
        self._source = Source(tools.python_names)
        self._lowering = Lowering(tools, first_id, ROWS, lower)
        self._max_calls = self._left = max_calls
        self._in_statement: list[TaskId] = []
        """The tasks of the statement that is being read."""
        self._tasks: dict[TaskId, Task | Refused] = {}
        self.statements: dict[TaskId, Stands] = {}
        """The statements that tasks stand in, as soon as they are whole."""
        self._prose: list[Refused] = []
        """What was refused before any fence or task: prose, if a fence follows."""
        self.full = False
        self._when: When | None = None
        """It answers only if this condition holds."""
        for name, value in (names or {}).items():
            with suppress(SyntaxError, ValueError, RecursionError, MemoryError):
                # It comes from the state, which a person may have edited.
                self._lowering.top.names[name] = tree_of(value)
        self._before = dict(self._lowering.top.names)

    @property
    def tasks(self) -> list[Compiled]:
        """All tasks, with their final names."""
        found = (self._tasks[id] for id in sorted(self._tasks, key=order_of))
        return [
            replace(task, name=stands.name, line=stands.line, source=stands.source)
            if isinstance(task, Task) and (stands := self.statements.get(task.id))
            else task
            for task in found
        ]

    @property
    def ended(self) -> bool:
        """Whether `answer(…)` or `return` was read; the rest is not read."""
        return self._lowering.top.last is not None

    @property
    def unfinished_tokens(self) -> int:
        """How long the statement that is being read is by now."""
        return self._source.unfinished_tokens

    @property
    def answer(self) -> Answer:
        """What it printed and answered so far; its parts refer to values."""
        top = self._lowering.top
        answer = top.said if top.last is None else top.final()
        if self._when is None:
            return answer
        return replace(answer, when=self._when, needs=(*answer.needs, self._when.id))

    @property
    def wasted(self) -> Set[TaskId]:
        """Reads that were started early, and turned out to be under a condition or in a loop.

        They are called again there.
        """
        return self._lowering.wasted

    @property
    def names(self) -> dict[str, str]:
        """What each name stands for, as an expression: `$3`, `$4[0]`, `"Paris"`."""
        return {name: expression(node) for name, node in self._lowering.top.names.items()}

    def take_id(self) -> int:
        """An id behind those of all tasks so far."""
        id = self._lowering.next_id
        self._lowering.next_id = id + 1
        return id

    def feed(self, text: str) -> list[Compiled]:
        """Read more text; return the tasks that it completes, in order."""
        return self._read(self._source.feed(text))

    def close(self, *, cut: bool = False) -> list[Compiled]:
        """The text has ended. `cut`: the model was stopped, so the last line is not run."""
        out = self._read(self._source.close(cut=cut))
        if not self.ended and not self.full:
            out += self._was_program()
            if self._lowering.top.ends:
                self._end_of_text()
                out += self._added()
        return out

    def _end_of_text(self) -> None:
        """It answers only if it came to one of its ends, unless it printed something."""
        top = self._lowering.top
        if top.said.parts:
            top.last = top.said
            return
        [(when, _), *more] = top.ends
        if more:
            with self._lowering.within(Frame(top.tasks)):
                when = When(self._lowering.condition(ended(top)), True, when.line)
        self._when = when
        _, top.last = top.ends.pop()

    def _read(self, events: Iterator[Event]) -> list[Compiled]:
        out: list[Compiled] = []
        if self.ended or self.full:
            return out
        for event in events:
            match event:
                case Call():
                    self._lowering.read(event)
                    out += self._added()
                case Settled(below=below):
                    self._lowering.settle(below)
                    out += self._added()
                case Fence():
                    self._was_prose()
                case Statement():
                    out += self._statement(event)
            if self.ended or self.full:
                break
        return out

    def _statement(self, statement: Statement) -> list[Compiled]:
        lowering = self._lowering
        next_id = lowering.next_id
        try:
            self._lower(statement)
        except PlacedError as fault:
            lowering.drop(next_id)
            self._settle(statement, {})
            self._begin()
            return self._refused(statement, fault)
        out = self._was_program()
        out += self._added()
        self._settle(statement, lowering.named)
        self._begin()
        return out

    def _lower(self, statement: Statement) -> None:
        written = statement.written
        if statement.fault == "cut":
            raise PlacedError(statement.at, 1, _CUT)
        if statement.fault == "indent":
            raise PlacedError(statement.at, 1, _INDENTED)
        call = lone_call(written)
        try:
            body = [] if call is not None else parsed(written, "exec")
        except PlacedError as fault:
            # What is wrong at the end of the text may be that more was to come.
            if statement.last and fault.at + fault.length >= statement.raw_at + len(statement.raw):
                raise PlacedError(statement.at, 1, _CUT) from None
            raise
        if statement.fault:
            raise PlacedError(statement.at, 1, _NOT_PYTHON)
        try:
            if call is not None:
                self._lowering.lone_call(statement, *call)
            else:
                self._lowering.statement(statement, body)
        except NodeError as fault:
            raise PlacedError.of(fault.node, str(fault), written) from None
        except RecursionError:
            raise PlacedError(statement.at, 1, "this is nested too deeply; split it up") from None

    def _begin(self) -> None:
        """The next statement begins."""
        self._lowering.begin()
        self._in_statement.clear()

    def _added(self) -> list[Compiled]:
        """The new tasks, as far as `max_calls` allows."""
        if not (tasks := self._lowering.take()):
            return []
        out = self._was_program()
        for task in tasks:
            if self.full:
                break
            if not is_pure(task.tool) and not self._spend():
                return [*out, self._too_many(task.id, task.line, task.source)]
            self._tasks[task.id] = task
            self._in_statement.append(task.id)
            out.append(task)
        return out

    def _spend(self) -> bool:
        self._left -= 1
        self.full = self._left < 0
        return not self.full

    def _too_many(self, id: TaskId, line: int, source: str) -> Refused:
        message = f"the plan has more than {self._max_calls} calls (max_tasks); plan fewer"
        shown = Diagnostic(line, 1, len(source), message, source.split("\n")[0])
        refused = self._tasks[id] = Refused(id, shown, source)
        return refused

    def _refused(self, statement: Statement, fault: PlacedError) -> list[Compiled]:
        id = self.take_id()
        refused = Refused(id, diagnostic(statement, fault), statement.raw.strip())
        for name in targets(statement):
            self._lowering.top.names[name] = reference(id)
        self._prose.append(refused)
        is_prose = not self._source.is_program and not self._source.fenced
        return [] if is_prose else self._was_program()

    def _was_program(self) -> list[Compiled]:
        """Something made sense outside a fence: what was refused before was not prose."""
        self._source.is_program = True
        out: list[Compiled] = []
        if not self._prose:
            return out
        prose, self._prose = self._prose, []
        for refused in prose:
            if not self._spend():
                return [*out, self._too_many(refused.id, refused.line, refused.source)]
            self._tasks[refused.id] = refused
            out.append(refused)
        return out

    def _was_prose(self) -> None:
        """A fence begins the program: what was refused before is forgotten."""
        if self._prose:
            first = self._prose[0].id
            assert isinstance(first, int)
            self._lowering.next_id = first
            self._lowering.top.names.clear()
            self._lowering.top.names.update(self._before)
            self._prose.clear()

    def _settle(self, statement: Statement, names: Mapping[TaskId, str]) -> None:
        """Give the tasks of a statement their final names, and its text as their source."""
        source = bounded(statement.raw.strip())
        for id in self._in_statement:
            self.statements[id] = Stands(names.get(id, ""), statement.line, source)
