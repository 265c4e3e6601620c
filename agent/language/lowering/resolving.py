"""Replaces the names of an expression by what they stand for: constants and references to tasks.

A name assigned twice is two values: each use gets what its name stands for where it is written.
The tool calls in an expression become tasks on the way, in the order in which Python would make
them. What decides about calls, or repeats them, has rows of its own (conditions.py, gathering.py).
"""

import ast
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from llm_compiler.language.evaluation.comprehensions import names_in
from llm_compiler.language.evaluation.expressions import NodeError, is_math
from llm_compiler.language.lowering.checking import checked
from llm_compiler.language.lowering.jumps import JUMPING
from llm_compiler.language.lowering.names import (
    Functions,
    ids_in,
    is_function,
    is_gather,
    is_of_row,
    placeholder,
    referred,
    template,
)
from llm_compiler.language.lowering.task_builder import TaskBuilder
from llm_compiler.language.lowering.trees import has_calls
from llm_compiler.language.reading.written import PLACEHOLDER
from llm_compiler.language.toolbox.toolbox import Toolbox

MAX_LITERAL = 1000
"""Characters of a list or dict that is copied to where its name is used."""
HIDDEN = "__"
"""Stands in names of ours, and in no name of a program."""

Row = Callable[[Any, "Resolver"], ast.expr]
Statements = Callable[[ast.stmt, "Resolver"], None]


class Resolver(TaskBuilder, ABC):
    """Makes tasks of expressions and statements, in the frame that is being read.

    Args:
        tools: Those that may be called.
        first_id: Of the tasks.
        rows: For nodes with calls in them: what resolves those that decide about calls.
        lower: Lowers a statement in a block.
    """

    def __init__(
        self, tools: Toolbox, first_id: int, rows: Mapping[type[ast.AST], Row], lower: Statements
    ) -> None:
        super().__init__(first_id)
        self.tools = tools
        self.functions = Functions(tools)
        self.statement_line = 0
        self.statement_source = ""
        self.again = False
        """Calls that were lowered early are lowered anew: what they read has changed."""
        self._rows = rows
        self._lower = lower

    @abstractmethod
    def called(self, index: int) -> ast.expr:
        """A reference to the task of a call in the statement."""

    @abstractmethod
    def line_of(self, node: ast.AST) -> int:
        """The line of the program that a node stands on."""

    @abstractmethod
    def tree(self, index: int) -> ast.AST:
        """A call in the statement as it was written."""

    @abstractmethod
    def nodes(self, parts: Iterable[ast.AST]) -> Iterator[ast.AST]:
        """All nodes of some parts of the statement, with those of the calls in them."""

    @abstractmethod
    def has_writes(self, part: ast.AST) -> bool:
        """Whether a part of the statement has calls in it that write."""

    # ── expressions ───────────────────────────────────────────────────────────────────────────

    def resolved(self, node: ast.expr) -> ast.expr:
        """`node` with its names replaced, checked to be in the language.

        Raises:
            NodeError: it is not.
            PlacedError: a call in it does not compile.
        """
        return self.checked(self.resolve(node))

    checked = staticmethod(checked)

    def resolve(self, node: ast.expr, inner: frozenset[str] = frozenset()) -> ast.expr:
        """`node` with its names replaced, in place where it can be; `inner` stay as they are.

        Raises:
            NodeError: a name or a function is unknown.
            PlacedError: a call in it does not compile.
        """
        if isinstance(node, ast.Constant):
            return node
        if isinstance(node, ast.Name):
            return self._name(node, inner)
        if (row := self._rows.get(type(node))) is not None and has_calls(node):
            return row(node, self)
        return self.plain(node, inner)

    def plain(self, node: ast.expr, inner: frozenset[str] = frozenset()) -> ast.expr:
        """As `resolve`, for a node that makes each call in it once."""
        match node:
            case ast.List(elts=elements) | ast.Tuple(elts=elements):
                self.in_order(elements, inner)
                return node
            case ast.Await(value=value):
                return self.resolve(value, inner)
            case ast.Attribute() if is_math(node, self.frame.names):
                return node
            case ast.Call():
                return self._call(node, inner)
            case ast.Dict(keys=keys, values=values):
                pairs = [it for pair in zip(keys, values, strict=True) for it in pair]
                self.in_order(pairs, inner)
                keys[:], values[:] = pairs[::2], pairs[1::2]  # type: ignore[assignment]
                return node
            case ast.Lambda(args=arguments):
                inner = inner | {it.arg for it in arguments.args}
            case ast.ListComp() | ast.SetComp() | ast.GeneratorExp() | ast.DictComp():
                for loop in node.generators:
                    loop.iter = self.resolve(loop.iter, inner)
                    inner = inner | names_in(loop.target)
                    loop.ifs = [self.resolve(part, inner) for part in loop.ifs]
        fields = {name: it if isinstance(it, list) else [it] for name, it in ast.iter_fields(node)}
        parts = [it for field in fields.values() for it in field]
        self.in_order(parts, inner)
        resolved = iter(parts)
        for name, field in fields.items():
            field[:] = [next(resolved) for _ in field]
            if not isinstance(getattr(node, name), list):
                setattr(node, name, field[0])
        return node

    def in_order(self, parts: list[Any], inner: frozenset[str] = frozenset()) -> None:
        """Resolve those parts that are expressions; what comes before a write is settled by then,
        as its failure keeps the write from happening."""
        last = 0 if inner else self.last_write(parts)
        for place, part in enumerate(parts):
            if isinstance(part, ast.expr):
                parts[place] = self.resolve(part, inner)
                if place < last:
                    parts[place] = self.settled(parts[place])

    def last_write(self, parts: list[Any]) -> int:
        """The place of the last of some parts that writes, 0 if only the first does."""
        place = len(parts) - 1
        while place > 0 and not (has_calls(parts[place]) and self.has_writes(parts[place])):
            place -= 1
        return place

    def settled(self, node: ast.expr) -> ast.expr:
        """A resolved part, computed before what follows unless it cannot fail."""
        if isinstance(node, ast.Starred | ast.FormattedValue):
            node.value = self.settled(node.value)
            return node
        sure = isinstance(node, ast.Lambda) or is_of_row(node) or self.is_copied(node)
        return node if sure else self.compute(self.checked(node))

    def _name(self, node: ast.Name, inner: frozenset[str]) -> ast.expr:
        if node.id >= PLACEHOLDER:  # it may be a name of ours
            if (index := placeholder(node)) is not None:
                return self.called(index)
            if referred(node) is not None:
                return node
        if node.id in inner:
            return node
        names = self.frame.names
        if inner and node.id not in names:
            return self.functions.value(node, {**names, **dict.fromkeys(inner, node)})
        return self.functions.value(node, names)

    def _call(self, node: ast.Call, inner: frozenset[str]) -> ast.expr:
        func = node.func
        if isinstance(func, ast.Attribute) and not is_math(func, self.frame.names):
            if is_gather(func) and not node.keywords:
                args = [self.resolve(it, inner) for it in node.args]
                return ast.copy_location(ast.Tuple(args, ast.Load()), node)
            func.value = self.resolve(func.value, inner)
        named = [it for it in node.keywords if not (it.arg == "key" and is_function(it.value))]
        parts = [*node.args, *(it.value for it in named)]
        self.in_order(parts, inner)
        node.args, values = parts[: len(node.args)], parts[len(node.args) :]
        for keyword, value in zip(named, values, strict=True):
            keyword.value = value
        self.functions.check(func)
        return node

    # ── names and blocks ──────────────────────────────────────────────────────────────────────

    def bind(self, name: str, value: ast.expr) -> None:
        """Let `name` stand for a resolved expression, computed by a task of its own if need be."""
        if HIDDEN in name and name not in JUMPING:
            raise NodeError(None, "names with two underscores are not in the plan language")
        if name == "print":
            raise NodeError(None, '"print" is a function; use another name')
        if name not in self.frame.collecting and not self.is_copied(value):
            value = self.compute(value, name)
        self.frame.names[name] = value
        if (id := referred(value)) is not None:
            self.named.setdefault(id, name)

    def is_copied(self, value: ast.expr) -> bool:
        """Whether a name's value cannot fail and is short enough to be copied to its uses."""
        if (id := referred(value)) is not None:
            return self.is_certain(id)
        plain = template(value)
        if plain is ... or any(True for _ in ids_in(value)):
            return False
        return not isinstance(plain, list | dict | str) or len(ast.unparse(value)) <= MAX_LITERAL

    def block(self, body: list[ast.stmt]) -> None:
        """Lower the statements of a block; what follows an answer is not read."""
        for node in body:
            if self.frame.last is not None:
                break
            part, outside = self.frame.part(), self.frame
            with self.within(part):
                self._lower(node, self)
            outside.take_in(part)
