"""The nodes of an expression but calls and comprehensions, as closures: `ROWS` has one for each."""

import ast
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from typing import Any

from llm_compiler.language.evaluation.budget import (
    ITEM,
    Budget,
    ComputeError,
    Missing,
    MissingError,
)
from llm_compiler.language.evaluation.functions import CONSTANTS, as_key
from llm_compiler.language.evaluation.operators import COMPARISONS, checked, number
from llm_compiler.language.evaluation.parts import cut, items, kind, part, shown
from llm_compiler.language.evaluation.sets import COMPARISONS as OF_SETS
from llm_compiler.language.evaluation.sets import distinct, is_set, operation
from llm_compiler.language.evaluation.text_format import formatted


class NodeError(Exception):
    """Something wrong at a node of a tree; the message says what to write instead."""

    def __init__(self, node: ast.AST | None, message: str) -> None:
        super().__init__(message)
        self.node = node


@dataclass(slots=True)
class Frame:
    """What an expression sees while it runs."""

    names: dict[str, Any]
    budget: Budget


Run = Callable[[Frame], Any]


@dataclass(frozen=True, slots=True)
class Scope(Container[str]):
    """The names that an expression may read."""

    nodes: "Nodes"
    names: Container[str]
    inner: frozenset[str] = frozenset()
    """Of the comprehensions and lambdas around it."""

    def __contains__(self, name: object) -> bool:
        return name in self.inner or name in self.names

    def with_names(self, names: set[str]) -> "Scope":
        return Scope(self.nodes, self.names, self.inner | names)

    def compile(self, node: ast.expr) -> Run:
        """The closure of `node`, by its row of the table of nodes."""
        row = self.nodes.get(type(node))
        if row is None:
            remedy = _REMEDIES.get(type(node), "write it with the plan's operators and functions")
            name = type(node).__name__
            raise NodeError(node, f"{name} is not in the plan language; {remedy}")
        return row(node, self)


Nodes = Mapping[type[ast.AST], Callable[[Any, Scope], Run]]


_REMEDIES: dict[type[ast.AST], str] = {
    ast.Lambda: "a lambda may only be the key of sorted, min or max",
    ast.NamedExpr: "assign on a line of its own",
    ast.Yield: "leave it out",
    ast.YieldFrom: "leave it out",
    ast.Starred: "write the items out",
}


def _constant(node: ast.Constant, scope: Scope) -> Run:
    value = node.value
    if not isinstance(value, str | int | float | None):
        raise NodeError(node, f"{ast.unparse(node)[:40]} is no JSON data")
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            value = checked(value)
        except ComputeError as error:
            raise NodeError(node, str(error)) from None
    return lambda frame: value


def _name(node: ast.Name, scope: Scope) -> Run:
    name = node.id
    if name not in scope:
        raise NodeError(node, f"no name {shown(name)}")

    def read(frame: Frame) -> Any:
        value = frame.names[name]
        if type(value) is Missing:
            raise MissingError(value)
        return value

    return read


def _list(node: ast.List | ast.Tuple | ast.Set, scope: Scope) -> Run:
    parts = [
        (scope.compile(item.value if isinstance(item, ast.Starred) else item),
         isinstance(item, ast.Starred))
        for item in node.elts
    ]  # fmt: skip
    as_set = isinstance(node, ast.Set)

    def run(frame: Frame) -> Any:
        made: list[Any] = []
        for part_of, starred in parts:
            value = part_of(frame)
            if starred:
                more = items(value, frame.budget)
                frame.budget.make(ITEM * len(more))
                made += more
            else:
                made.append(value)
        return distinct(made, frame.budget) if as_set else made

    return run


def _dict(node: ast.Dict, scope: Scope) -> Run:
    pairs = [
        (scope.compile(key) if key else None, scope.compile(value))
        for key, value in zip(node.keys, node.values, strict=True)
    ]

    def run(frame: Frame) -> Any:
        made: dict[Any, Any] = {}
        for key, value in pairs:
            if key:
                made[as_key(key(frame))] = value(frame)
                continue
            more = value(frame)
            if not isinstance(more, dict):
                raise ComputeError(f"** needs a dict, not {kind(more)}")
            frame.budget.make(ITEM * len(more))
            made |= more
        return made

    return run


def _binary(node: ast.BinOp, scope: Scope) -> Run:
    operate = operation(node)
    if operate is None:
        raise NodeError(node, "this operator is not in the plan language; use + - * / // % **")
    left, right = scope.compile(node.left), scope.compile(node.right)
    return lambda frame: operate(left(frame), right(frame), frame.budget)


def _unary(node: ast.UnaryOp, scope: Scope) -> Run:
    operand = scope.compile(node.operand)
    match node.op:
        case ast.Not():
            return lambda frame: not operand(frame)
        case ast.USub():
            return lambda frame: checked(-number(operand(frame)))
        case ast.UAdd():
            return lambda frame: number(operand(frame))
    raise NodeError(node, "~ is not in the plan language; use not")


def _both(node: ast.BoolOp, scope: Scope) -> Run:
    parts = [scope.compile(value) for value in node.values]
    stops_at = isinstance(node.op, ast.Or)

    def run(frame: Frame) -> Any:
        value = None
        for part_of in parts:
            value = part_of(frame)
            if bool(value) is stops_at:
                break
        return value

    return run


def _compare(node: ast.Compare, scope: Scope) -> Run:
    first = scope.compile(node.left)
    sides = [node.left, *node.comparators]
    rest = []
    for place, (op, side) in enumerate(zip(node.ops, node.comparators, strict=True)):
        of_sets = any(map(is_set, sides[place : place + 2])) and type(op) in OF_SETS
        compare = (OF_SETS if of_sets else COMPARISONS)[type(op)]
        rest.append((compare, scope.compile(side)))

    def run(frame: Frame) -> bool:
        left = first(frame)
        for compare, side in rest:
            right = side(frame)
            if not compare(left, right, frame.budget):
                return False
            left = right
        return True

    return run


def _either(node: ast.IfExp, scope: Scope) -> Run:
    test, yes, no = (scope.compile(part) for part in (node.test, node.body, node.orelse))
    return lambda frame: yes(frame) if test(frame) else no(frame)


def _attribute(node: ast.Attribute, scope: Scope) -> Run:
    name = node.attr
    if is_math(node, scope):
        if name not in CONSTANTS:
            raise NodeError(node, f"no math.{name}; there are math.{', math.'.join(CONSTANTS)}")
        constant = CONSTANTS[name]
        return lambda frame: constant
    if "__" in name:
        raise NodeError(node, "names with two underscores are not in the plan language")
    holder = scope.compile(node.value)
    return lambda frame: part(holder(frame), name, frame.budget)


def is_math(node: ast.expr, scope: Container[str]) -> bool:
    """Whether `node` is an attribute of the module `math`."""
    return (
        isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "math"
        and "math" not in scope
    )


def _subscript(node: ast.Subscript, scope: Scope) -> Run:
    holder = scope.compile(node.value)
    if isinstance(node.slice, ast.Slice):
        bounds = [
            scope.compile(bound) if bound else lambda frame: None
            for bound in (node.slice.lower, node.slice.upper, node.slice.step)
        ]
        return lambda frame: cut(holder(frame), frame.budget, *(it(frame) for it in bounds))
    key = scope.compile(node.slice)
    return lambda frame: part(holder(frame), key(frame), frame.budget)


def _text(node: ast.JoinedStr, scope: Scope) -> Run:
    pieces = [scope.compile(value) for value in node.values]

    def run(frame: Frame) -> str:
        texts = [piece(frame) for piece in pieces]
        frame.budget.make(sum(map(len, texts)))
        return "".join(texts)

    return run


def _hole(node: ast.FormattedValue, scope: Scope) -> Run:
    value = scope.compile(node.value)
    spec = scope.compile(node.format_spec) if node.format_spec else lambda frame: ""
    conversion = chr(node.conversion) if node.conversion > 0 else ""
    return lambda frame: formatted(value(frame), conversion, spec(frame), frame.budget)


ROWS: Nodes = {
    ast.Constant: _constant,
    ast.Name: _name,
    ast.List: _list,
    ast.Tuple: _list,
    ast.Set: _list,
    ast.Dict: _dict,
    ast.BinOp: _binary,
    ast.UnaryOp: _unary,
    ast.BoolOp: _both,
    ast.Compare: _compare,
    ast.IfExp: _either,
    ast.Attribute: _attribute,
    ast.Subscript: _subscript,
    ast.JoinedStr: _text,
    ast.FormattedValue: _hole,
}
