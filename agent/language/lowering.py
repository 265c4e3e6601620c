"""Lowers the calls of a program to tasks, and its pure expressions to tasks of `compute`.

    Call ──names resolved, arguments checked──► compute tasks of its arguments, then its own

A call is lowered at its closing bracket if it can be: a read, all of whose names are bound, outside
of every condition. One with names that a comprehension around it may still bind waits for the comma
or bracket after it. Others wait for the end of their statement, and so do the calls after them.
"""

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from llm_compiler.errors import PlanError
from llm_compiler.language.diagnostics import PlacedError
from llm_compiler.language.expressions import NodeError
from llm_compiler.language.names import (
    HeldError,
    Names,
    References,
    expression,
    ids_in,
    reference,
    referred,
    template,
)
from llm_compiler.language.nodes import compiled
from llm_compiler.language.stubs import written_names
from llm_compiler.language.task import COMPUTE, Task
from llm_compiler.language.task_ids import TaskId
from llm_compiler.language.tool import Tool
from llm_compiler.language.toolbox import Toolbox
from llm_compiler.language.trees import Calls, calls_in, has_names, parsed
from llm_compiler.language.written import Call, bounded

_REFERENCE = re.compile(r"\$\d.*", re.DOTALL)


@dataclass(slots=True)
class ReadCall:
    """A complete call and its tree, until it is a task."""

    call: Call
    tree: ast.Call | PlacedError
    inside: Calls
    has_names: bool


class Lowering:
    """The tasks of a program so far. New tasks are put into `out`, for the caller to take."""

    def __init__(self, tools: Toolbox, first_id: int) -> None:
        self.tools = tools
        self.names = Names(tools)
        self.out: list[Task] = []
        self.next_id = first_id
        self.calls: list[ReadCall] = []
        """Of the statement that is being read."""
        self._lowered = 0
        """How many of them are tasks: the first ones."""
        self._waits = False
        """The next one waits for the end of the statement."""
        self._done: dict[int, ast.expr] = {}
        """By index, the references that replace calls that are tasks."""

    def begin(self) -> None:
        """A statement begins."""
        self.calls.clear()
        self._done.clear()
        self._lowered, self._waits = 0, False

    # ── calls ─────────────────────────────────────────────────────────────────────────────────

    def read(self, call: Call) -> None:
        """Take in a complete call, and make it a task at once if that is safe."""
        try:
            tree = parsed(call.written, "eval")
            inside = calls_in(tree) if call.written.may_hold_calls else {}
            self.calls.append(ReadCall(call, tree, inside, has_names(tree)))
        except PlacedError as fault:
            self.calls.append(ReadCall(call, fault, {}, has_names=True))
        self.settle(call.settled)

    def settle(self, below: int) -> None:
        """Make tasks of the calls that are safe by now; those below this index are certain."""
        while not self._waits and self._lowered < len(self.calls):
            read = self.calls[self._lowered]
            if read.has_names and self._lowered >= below:
                return
            self._waits = not self._lower_early(read)

    def _lower_early(self, read: ReadCall) -> bool:
        if read.call.conditional or not self._tool(read.call).rules.early_start:
            return False
        before = len(self.out), self.next_id
        try:
            self._lower(read)
        except (HeldError, PlacedError, RecursionError):
            # What is wrong with it is said with its statement.
            del self.out[before[0] :]
            self.next_id = before[1]
            return False
        return True

    def lower_held(self) -> None:
        """Make tasks of the calls that waited for the end of their statement.

        Raises:
            PlacedError: a call does not compile.
        """
        for read in self.calls[self._lowered :]:
            self._lower(read)

    def _lower(self, read: ReadCall) -> None:
        if isinstance(read.tree, PlacedError):
            raise read.tree
        call, written = read.call, read.call.written
        tool = self._tool(call)
        try:
            args, ids = self._arguments(read.tree, tool, call)
        except NodeError as fault:
            raise PlacedError.of(fault.node, str(fault), written) from None
        try:
            tool.check_written({name: _as_meant(value) for name, value in args.items()})
        except PlanError as error:
            at = _argument(read.tree, tool, error.argument)
            raise PlacedError.of(at, str(error), written) from None
        id = self.add(tool.name, args, ids, call.target, call.line, call.source)
        self._done[call.index] = reference(id)
        self._lowered += 1

    def _tool(self, call: Call) -> Tool:
        return self.tools[self.tools.python_names[call.tool]]

    def _arguments(
        self, tree: ast.Call, tool: Tool, call: Call
    ) -> tuple[dict[str, Any], tuple[TaskId, ...]]:
        parameters = list(tool.parameters)
        if len(tree.args) > len(parameters):
            raise NodeError(
                tree.args[len(parameters)],
                f"{tool.name} takes {len(parameters)} arguments, not {len(tree.args)};"
                f" write {tool.signature}",
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
        for name, node in written:
            resolved = self.resolved(node)
            value, needed = self.value(resolved, call.line, call.source)
            args[name] = value
            ids += needed
        return args, tuple(ids)

    # ── values ────────────────────────────────────────────────────────────────────────────────

    def resolved(self, node: ast.expr) -> ast.expr:
        """`node` with its names replaced, checked to be in the language.

        Raises:
            NodeError, HeldError
        """
        resolved = self.names.resolve(node, self._done)
        if referred(resolved) is None:
            compiled(resolved, References())
        return resolved

    def value(self, node: ast.expr, line: int, source: str) -> tuple[Any, tuple[TaskId, ...]]:
        """A resolved expression as an argument, computed by a task of its own if necessary."""
        plain = template(node)
        if plain is not ...:
            return plain, ids_in(node)
        id = self.compute(node, "", line, source)
        return f"${id}", (id,)

    def compute(self, node: ast.expr, name: str, line: int, source: str) -> int:
        """A task for a resolved expression; its id."""
        return self.add(COMPUTE, {"expression": expression(node)}, ids_in(node), name, line, source)

    def add(
        self,
        tool: str,
        args: Mapping[str, Any],
        needs: tuple[TaskId, ...],
        name: str,
        line: int,
        source: str,
    ) -> int:
        """A new task; its id."""
        ordered = tuple(sorted(set(needs)))
        self.out.append(
            Task(self.next_id, tool, args, ordered, name=name, line=line, source=bounded(source))
        )
        self.next_id += 1
        return self.next_id - 1

    def take(self) -> list[Task]:
        """The new tasks."""
        out, self.out = self.out, []
        return out


def _as_meant(value: Any) -> Any:
    """A literal argument without the doubling of its dollars, as the tool will get it."""
    if isinstance(value, str) and "$" in value:
        return value if _REFERENCE.fullmatch(value) else value.replace("$$", "$")
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
