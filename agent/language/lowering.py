"""Lowers the calls of a program to tasks, and its pure expressions to tasks of `compute`.

    Call ──names resolved, arguments checked──► compute tasks of its arguments, then its own

A call is lowered at its closing bracket if it can be: a read, all of whose names are bound, outside
of every condition. Otherwise it waits for the end of its statement, and so do the calls after it.
"""

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from llm_compiler.errors import PlanError
from llm_compiler.language.diagnostics import PlacedError
from llm_compiler.language.expressions import NodeError
from llm_compiler.language.functions import FUNCTIONS
from llm_compiler.language.lowered import Task
from llm_compiler.language.names import (
    HeldError,
    Names,
    References,
    expression,
    ids_in,
    reference,
    template,
)
from llm_compiler.language.nodes import compiled
from llm_compiler.language.stubs import python_name, takes_none
from llm_compiler.language.task import COMPUTE
from llm_compiler.language.tool import Tool
from llm_compiler.language.toolbox import Toolbox
from llm_compiler.language.trees import Calls, calls_in, parsed
from llm_compiler.language.written import MAX_SOURCE, Call

_REFERENCE = re.compile(r"\$\d.*", re.DOTALL)
WORDS = ("answer", "print")
"""Functions of the plan language itself."""


@dataclass(slots=True)
class ReadCall:
    """A complete call and its tree, until it is a task."""

    call: Call
    tree: ast.Call | PlacedError
    inside: Calls
    task: int | None = None


class Lowering:
    """The tasks of a program so far. New tasks are put into `out`, for the caller to take."""

    def __init__(self, tools: Toolbox, first_id: int) -> None:
        self.tools = tools
        self.names = Names(tools, [*tools, *FUNCTIONS, *WORDS])
        self.out: list[Task] = []
        self.next_id = first_id
        self.calls: list[ReadCall] = []
        """Of the statement that is being read."""
        self._done: dict[int, ast.expr] = {}
        """By index, the references that replace calls that are tasks."""

    def begin(self) -> None:
        """A statement begins."""
        self.calls.clear()
        self._done.clear()

    # ── calls ─────────────────────────────────────────────────────────────────────────────────

    def read(self, call: Call) -> None:
        """Take in a complete call, and make it a task at once if that is safe."""
        try:
            tree = parsed(call.written, "eval")
            self.calls.append(ReadCall(call, tree, calls_in(tree)))
        except PlacedError as fault:
            self.calls.append(ReadCall(call, fault, {}))
        waits = len(self.calls) > 1 and self.calls[-2].task is None
        if waits or call.conditional or not self.tools[call.tool].rules.early_start:
            return
        before = len(self.out), self.next_id
        try:
            self._lower(self.calls[-1])
        except (HeldError, PlacedError, RecursionError):
            # A name may be bound by a comprehension whose `for` is yet to come.
            del self.out[before[0] :]
            self.next_id = before[1]

    def lower_held(self) -> None:
        """Make tasks of the calls that waited for the end of their statement.

        Raises:
            PlacedError: a call does not compile.
        """
        for read in self.calls:
            if read.task is None:
                self._lower(read)

    def _lower(self, read: ReadCall) -> None:
        if isinstance(read.tree, PlacedError):
            raise read.tree
        call, written = read.call, read.call.written
        tool = self.tools[call.tool]
        try:
            args, ids = self._arguments(read.tree, tool, call)
        except NodeError as fault:
            raise PlacedError.of(fault.node, str(fault), written) from None
        try:
            tool.check_written({name: _as_meant(value) for name, value in args.items()})
        except PlanError as error:
            raise PlacedError.of(
                _at_fault(read.tree, tool, str(error)), str(error), written
            ) from None
        read.task = self.add(call.tool, args, ids, call.target, call.line, call.source)
        self._done[call.index] = reference(read.task)

    def _arguments(
        self, tree: ast.Call, tool: Tool, call: Call
    ) -> tuple[dict[str, Any], tuple[int, ...]]:
        parameters = list(tool.parameters)
        if len(tree.args) > len(parameters):
            raise NodeError(
                tree.args[len(parameters)],
                f"{tool.name} takes {len(parameters)} arguments, not {len(tree.args)};"
                f" write {tool.signature}",
            )
        names = {python_name(name): name for name in parameters}
        written = list(zip(parameters, tree.args, strict=False))
        for keyword in tree.keywords:
            if keyword.arg is None:
                raise NodeError(keyword, "write each argument as name=value, without **")
            name = names.get(keyword.arg, keyword.arg)
            if name in dict(written):
                raise NodeError(keyword, f"{name} is given twice; write {tool.signature}")
            written.append((name, keyword.value))
        args: dict[str, Any] = {}
        ids: list[int] = []
        for name, node in written:
            resolved = self.resolved(node)
            value, needed = self.value(resolved, call.line, call.source)
            optional = name in tool.parameters and name not in tool.required
            if value is None and optional and not takes_none(tool.parameters[name]):
                continue  # its default, as the stub shows it
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
        compiled(resolved, References())
        return resolved

    def value(self, node: ast.expr, line: int, source: str) -> tuple[Any, tuple[int, ...]]:
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
        needs: tuple[int, ...],
        name: str,
        line: int,
        source: str,
    ) -> int:
        """A new task; its id."""
        ordered = tuple(sorted(set(needs)))
        self.out.append(Task(self.next_id, tool, args, ordered, name, line, bounded(source)))
        self.next_id += 1
        return self.next_id - 1

    def take(self) -> list[Task]:
        """The new tasks."""
        out, self.out = self.out, []
        return out


def bounded(source: str) -> str:
    """A statement or a call as it is shown."""
    return source if len(source) <= MAX_SOURCE else source[: MAX_SOURCE - 1] + "…"


def _as_meant(value: Any) -> Any:
    """A literal argument without the doubling of its dollars, as the tool will get it."""
    if isinstance(value, str) and "$" in value:
        return value if _REFERENCE.fullmatch(value) else value.replace("$$", "$")
    if isinstance(value, list):
        return [_as_meant(item) for item in value]
    if isinstance(value, dict):
        return {_as_meant(name): _as_meant(item) for name, item in value.items()}
    return value


def _at_fault(tree: ast.Call, tool: Tool, message: str) -> ast.AST:
    """The argument that a message of the tool's schema is about, or the name that is called."""
    written: dict[str, ast.AST] = dict(zip(tool.parameters, tree.args, strict=False))
    written |= {keyword.arg: keyword for keyword in tree.keywords if keyword.arg}
    for name, node in written.items():
        if re.search(rf"\b{re.escape(name)}\b", message.split(";")[0]):
            return node
    return tree.func
