"""Reads the calls of a program, and lowers each where it is made.

    Call ──names resolved, arguments checked──► compute tasks of its arguments, then its own

A call is lowered at its closing bracket if it can be: a read, all of whose names are bound, outside
of every condition. One with names that a comprehension around it may still bind waits for the comma
or bracket after it. Others wait for the end of their statement, and so do the calls after them. A
call that was lowered early and turns out to be under a condition or in a loop is lowered again
there; the first one is only wasted.
"""

import ast
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from llm_compiler.errors import PlanError
from llm_compiler.language.evaluation.expressions import NodeError
from llm_compiler.language.lowering.names import placeholder, reference, template
from llm_compiler.language.lowering.owning import ALL
from llm_compiler.language.lowering.resolving import Resolver, Row, Statements
from llm_compiler.language.lowering.trees import has_calls, has_names, parsed
from llm_compiler.language.reading.diagnostics import PlacedError, lines_on
from llm_compiler.language.reading.written import Call, Statement
from llm_compiler.language.tasks.task import Task
from llm_compiler.language.tasks.task_ids import TaskId
from llm_compiler.language.toolbox.stubs import written_names
from llm_compiler.language.toolbox.tool import Tool
from llm_compiler.language.toolbox.toolbox import Toolbox


@dataclass
class ReadCall:
    """A complete call and its tree, until it is a task."""

    call: Call
    tree: ast.Call | PlacedError

    @cached_property
    def has_names(self) -> bool:
        """Whether a comprehension around it may bind names in it."""
        return isinstance(self.tree, PlacedError) or has_names(self.tree)


class Lowering(Resolver):
    """The tasks of a program so far. New tasks are put into `out`, for the caller to take."""

    def __init__(
        self, tools: Toolbox, first_id: int, rows: Mapping[type[ast.AST], Row], lower: Statements
    ) -> None:
        super().__init__(tools, first_id, rows, lower)
        self.top = self.frame
        """The frame of the whole program."""
        self.wasted: set[TaskId] = set()
        """Reads that were started early and turned out to be under a condition or in a loop."""
        self._calls: list[ReadCall] = []
        """Of the statement that is being read."""
        self._lowered = 0
        """How many of them are tasks: the first ones."""
        self._waits = False
        """The next one waits for the end of the statement."""
        self._done: dict[int, list[TaskId]] = {}
        """By index, the tasks of calls that were lowered early: what they compute, and the call."""
        self._lines: Sequence[int] = ()
        """The lines of the program that those of the tree being read are on."""

    @property
    def next_id(self) -> int:
        return self.top.tasks.next

    @next_id.setter
    def next_id(self, id: int) -> None:
        self.top.tasks.next = id

    def begin(self) -> None:
        """A statement begins."""
        self._calls.clear()
        self._done.clear()
        self.named.clear()
        self._lowered, self._waits, self.again = 0, False, False

    def statement(self, statement: Statement, body: list[ast.stmt]) -> None:
        """Lower a whole statement. It takes effect if all is well.

        Raises:
            NodeError, PlacedError, RecursionError: it does not compile.
        """
        self._go_to(statement)
        self._lines = lines_on(statement)
        with self.within(self.top.part()) as part:
            for node in body:
                self._lower(node, self)
        self.top.take_in(part)

    def lone_call(self, statement: Statement, index: int, name: str) -> None:
        """As `statement`, for one that is a call, which it may assign to a name."""
        self._go_to(statement)
        value = self.called(index)
        if name:
            self.bind(name, value)
            self.top.owned[name] = ALL

    def _go_to(self, statement: Statement) -> None:
        self.line, self.source = statement.line, statement.raw.strip()
        self.statement_line, self.statement_source = self.line, self.source

    def take(self) -> list[Task]:
        """The new tasks."""
        out, self.top.tasks.out = self.top.tasks.out, []
        return out

    def drop(self, next_id: int) -> None:
        """Forget the new tasks, the first of which has the id `next_id`."""
        self.top.tasks.out.clear()
        self.next_id = next_id

    # ── calls ─────────────────────────────────────────────────────────────────────────────────

    def read(self, call: Call) -> None:
        """Take in a complete call, and make it a task at once if that is safe."""
        try:
            self._calls.append(ReadCall(call, parsed(call.written, "eval")))
        except PlacedError as fault:
            self._calls.append(ReadCall(call, fault))
        self.settle(call.settled)

    def settle(self, below: int) -> None:
        """Make tasks of the calls that are safe by now; those below this index are certain."""
        while not self._waits and self._lowered < len(self._calls):
            read = self._calls[self._lowered]
            if self._lowered >= below and read.has_names:
                return
            self._waits = not self._lower_early(read)

    def _lower_early(self, read: ReadCall) -> bool:
        if read.call.conditional or not self._tool(read.call).rules.early_start:
            return False
        out, next_id, wasted = self.top.tasks.out, self.top.tasks.next, self.wasted.copy()
        count = len(out)
        try:
            self._lower_call(read)
        except (PlacedError, RecursionError):
            # What is wrong with it is said with its statement.
            del out[count:]
            self.next_id, self.wasted = next_id, wasted
            if not isinstance(read.tree, PlacedError):  # its tree was changed on the way
                read.tree = parsed(read.call.written, "eval")
            return False
        self._lowered += 1
        self._done[read.call.index] = [task.id for task in out[count:]]
        return True

    def called(self, index: int) -> ast.expr:
        if index >= len(self._calls):
            raise NodeError(None, "this call cannot be read; write it on its own line")
        read, done = self._calls[index], self._done.get(index)
        if done is None:
            return self._lower_call(read)
        at_top = self.frame.tasks is self.top.tasks and self.frame.when == self.top.when
        if at_top and not self.again:
            return reference(done[-1])
        self.wasted.update(done)
        return self._lower_call(ReadCall(read.call, parsed(read.call.written, "eval")))

    def tree(self, index: int) -> ast.AST:
        """A call in the statement as it was written."""
        read = self._calls[index]
        if isinstance(read.tree, PlacedError):
            raise read.tree
        return parsed(read.call.written, "eval") if index in self._done else read.tree

    def nodes(self, parts: Iterable[ast.AST]) -> Iterator[ast.AST]:
        waiting = [*parts]
        while waiting:
            node = waiting.pop()
            yield node
            if (index := placeholder(node)) is not None:
                waiting.append(self.tree(index))
            waiting += ast.iter_child_nodes(node)

    def has_writes(self, part: ast.AST) -> bool:
        calls = (placeholder(node) for node in self.nodes([part]))
        return any(self._tool(self._calls[index].call).rules.writes
                   for index in calls if index is not None)  # fmt: skip

    def line_of(self, node: ast.AST) -> int:
        line = getattr(node, "lineno", 1)
        return self._lines[line - 1] if line <= len(self._lines) else self.line

    def _lower_call(self, read: ReadCall) -> ast.expr:
        if isinstance(read.tree, PlacedError):
            raise read.tree
        call, written = read.call, read.call.written
        tool = self._tool(call)
        around = self._lines, self.line, self.source
        self.line, self.source = call.line, call.source
        self._lines = range(call.line, call.line + call.source.count("\n") + 1)
        try:
            args, ids, later = self._arguments(read.tree, tool)
        except NodeError as fault:
            raise PlacedError.of(fault.node, str(fault), written) from None
        else:
            id = self.add(tool.name, args, ids, call.target)
        finally:
            self._lines, self.line, self.source = around
        try:
            meant = {name: it if name in later else _as_meant(it) for name, it in args.items()}
            tool.check_written(meant, later)
        except PlanError as error:
            at = _argument(read.tree, tool, error.argument)
            raise PlacedError.of(at, str(error), written) from None
        return reference(id)

    def _tool(self, call: Call) -> Tool:
        return self.tools[self.tools.python_names[call.tool]]

    def _arguments(
        self, tree: ast.Call, tool: Tool
    ) -> tuple[dict[str, Any], tuple[TaskId, ...], list[str]]:
        """The arguments, the tasks that they refer to, and the names of those that do."""
        parameters = tool.parameters
        if len(tree.args) > len(parameters):
            taken = "1 argument" if len(parameters) == 1 else f"{len(parameters)} arguments"
            raise NodeError(
                tree.args[len(parameters)],
                f"{tool.name} takes {taken}, not {len(tree.args)}; write {tool.signature}",
            )
        written = list(zip(parameters, tree.args, strict=False))
        names = written_names(tool) if tree.keywords else {}
        for keyword in tree.keywords:
            if keyword.arg is None:
                raise NodeError(keyword, "write each argument as name=value, without **")
            name = names.get(keyword.arg, keyword.arg)
            if name in dict(written):
                raise NodeError(keyword, f"{name} is given twice; write {tool.signature}")
            written.append((name, keyword.value))
        args: dict[str, Any] = {}
        ids: list[TaskId] = []
        later: list[str] = []
        last = self.last_write([node for _, node in written]) if has_calls(tree) else 0
        for place, (name, node) in enumerate(written):
            if isinstance(node, ast.Constant) and (constant := template(node)) is not ...:
                args[name] = constant
                continue
            resolved = self.resolved(node)
            args[name], needed = self.value(self.settled(resolved) if place < last else resolved)
            if needed:
                ids += needed
                later.append(name)
        return args, tuple(ids), later


def _as_meant(value: Any) -> Any:
    """A literal argument without the doubling of its dollars, as the tool will get it."""
    if isinstance(value, str):
        return value.replace("$$", "$")
    if isinstance(value, list):
        return [_as_meant(item) for item in value]
    if isinstance(value, dict):
        return {_as_meant(name): _as_meant(item) for name, item in value.items()}
    return value


def _argument(tree: ast.Call, tool: Tool, name: str | None) -> ast.AST:
    """An argument as it was written, or the name that is called."""
    written: dict[str, ast.AST] = dict(zip(tool.parameters, tree.args, strict=False))
    names = written_names(tool)
    written |= {names.get(it.arg, it.arg): it for it in tree.keywords if it.arg}
    return tree.func if name is None else written.get(name, tree.func)
