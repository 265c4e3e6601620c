"""Sets of the plan language: lists without duplicates, in one order, so that equal sets are equal.

JSON has no sets. Python leaves their order open; here it is by value, numbers before texts.
"""

import ast
import operator
from bisect import insort
from collections.abc import Callable
from typing import Any

from llm_compiler.language.evaluation.budget import ITEM, Budget, ComputeError
from llm_compiler.language.evaluation.operators import BINARY, checked, contains, equal, subtract
from llm_compiler.language.evaluation.parts import kind

_LEVELS = 3
"""Of lists in a set that are put in order; what is deeper stays in the order in which it came."""


def distinct(values: list[Any], budget: Budget) -> list[Any]:
    """The items of a set."""
    if all(isinstance(value, str | int | float | None) for value in values):
        found = list(dict.fromkeys(values))
    else:
        found = []
        for value in values:
            budget.step(len(found))
            if not any(equal(value, other, budget) for other in found):
                found.append(value)
    budget.step(len(found) * len(found).bit_length() // 8)
    return sorted(found, key=_order)


def include(xs: list[Any], item: Any, budget: Budget) -> None:
    """Add an item to a set, in its place."""
    if not contains(xs, item, budget):
        budget.make(ITEM)
        budget.step(len(xs) // 100)
        insort(xs, item, key=_order)


def is_set(node: ast.expr) -> bool:
    """Whether an expression is a set as written; a name or a reference may be one, too."""
    match node:
        case ast.Set() | ast.SetComp() | ast.Call(func=ast.Name(id="set")):
            return True
        case ast.BinOp(left=left, op=ast.BitOr() | ast.BitAnd() | ast.BitXor(), right=right):
            return is_set(left) or is_set(right)
        case ast.BinOp(left=left, op=ast.Sub()):
            return is_set(left)
    return False


def union(a: Any, b: Any, budget: Budget) -> Any:
    """`a | b`: of sets, dicts, or the bits of whole numbers."""
    if isinstance(a, dict) and isinstance(b, dict):
        budget.make(ITEM * (len(a) + len(b)))
        return a | b
    if isinstance(a, list) and isinstance(b, list):
        budget.make(ITEM * (len(a) + len(b)))
        return distinct(a + b, budget)
    return _bits("|", operator.or_, a, b)


def intersection(a: Any, b: Any, budget: Budget) -> Any:
    """`a & b`: of sets, or the bits of whole numbers."""
    if isinstance(a, list) and isinstance(b, list):
        return distinct([item for item in a if contains(b, item, budget)], budget)
    return _bits("&", operator.and_, a, b)


def in_one(a: Any, b: Any, budget: Budget) -> Any:
    """`a ^ b`: what is in one of two sets, or the bits of whole numbers."""
    if isinstance(a, list) and isinstance(b, list):
        return distinct(difference(a, b, budget) + difference(b, a, budget), budget)
    return _bits("^", operator.xor, a, b)


def difference(a: Any, b: Any, budget: Budget) -> Any:
    """`a - b` of sets, numbers or dates. Lists have no `-` in Python: they are sets here."""
    if isinstance(a, list) and isinstance(b, list):
        return distinct([item for item in a if not contains(b, item, budget)], budget)
    return subtract(a, b, budget)


def subset(a: Any, b: Any, budget: Budget) -> bool:
    """`a <= b` of sets."""
    if not isinstance(a, list) or not isinstance(b, list):
        raise ComputeError(f"{kind(a)} and {kind(b)} have no order; compare sets with sets")
    return all(contains(b, item, budget) for item in a)


def operation(node: ast.BinOp) -> Callable[[Any, Any, Budget], Any] | None:
    """What computes a node; None if the language has no such operator."""
    return _OPERATIONS.get(type(node.op)) or BINARY.get(type(node.op))


_OPERATIONS: dict[type[ast.operator], Callable[[Any, Any, Budget], Any]] = {
    ast.Sub: difference,
    ast.BitOr: union,
    ast.BitAnd: intersection,
    ast.BitXor: in_one,
}
COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any, Budget], bool]] = {
    ast.LtE: subset,
    ast.GtE: lambda a, b, budget: subset(b, a, budget),
    ast.Lt: lambda a, b, budget: subset(a, b, budget) and not subset(b, a, budget),
    ast.Gt: lambda a, b, budget: subset(b, a, budget) and not subset(a, b, budget),
}
"""The comparisons of sets that differ from those of lists."""


def _bits(sign: str, code: Callable[[int, int], int], a: Any, b: Any) -> Any:
    if not isinstance(a, int) or not isinstance(b, int):
        raise ComputeError(
            f"{sign} is for two sets or two whole numbers, not {kind(a)} and {kind(b)}"
        )
    return checked(code(a, b))


def _order(value: Any, levels: int = _LEVELS) -> tuple[Any, ...]:
    match value:
        case None:
            return (0,)
        case int() | float():
            return (1, value)
        case str():
            return (2, value)
        case list() if levels:
            return (3, [_order(item, levels - 1) for item in value])
    return (4,)
