"""Resolves conditions inside expressions, where they decide about calls.

    x = pay(1) if a else pay(2)      3  pay(1)   when $2
    y = a and pay(3)                 4  pay(2)   when not $2
                                     5  compute  $3 if $2 else $4

What is called in a part that may not be evaluated gets a condition; one expression picks the value.
"""

import ast
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from llm_compiler.language.lowering.names import reference
from llm_compiler.language.lowering.resolving import Resolver, Row
from llm_compiler.language.lowering.trees import has_calls
from llm_compiler.language.tasks.task import When


def _if_exp(node: ast.IfExp, resolver: Resolver) -> ast.expr:
    test = resolver.resolve(node.test)
    if has_calls(node.body) or has_calls(node.orelse):
        id, line = resolver.condition(test), resolver.line_of(node.test)
        test = reference(id)
        with resolver.under(When(id, True, line)):
            node.body = resolver.resolve(node.body)
        with resolver.under(When(id, False, line)):
            node.orelse = resolver.resolve(node.orelse)
    else:
        node.body, node.orelse = resolver.resolve(node.body), resolver.resolve(node.orelse)
    node.test = test
    return node


def _bool_op(node: ast.BoolOp, resolver: Resolver) -> ast.expr:
    first, *others = node.values
    parts = [resolver.resolve(first)]
    for other in others:
        if has_calls(other):
            with _behind(parts, node.op, first, resolver):
                parts.append(resolver.resolve(other))
        else:
            parts.append(resolver.resolve(other))
    return ast.copy_location(ast.BoolOp(node.op, parts), node)


def _compare(node: ast.Compare, resolver: Resolver) -> ast.expr:
    """A chain with calls behind its first two sides: `a < b and b < f()`."""
    first, *others = node.comparators
    if not any(map(has_calls, others)):
        return resolver.plain(node)
    left, right = resolver.resolve(node.left), _once(resolver.resolve(first), resolver)
    parts: list[ast.expr] = [ast.copy_location(ast.Compare(left, [node.ops[0]], [right]), node)]
    for op, side in zip(node.ops[1:], others, strict=True):
        with _behind(parts, ast.And(), node.left, resolver):
            left, right = right, _once(resolver.resolve(side), resolver)
        parts.append(ast.copy_location(ast.Compare(left, [op], [right]), node))
    return ast.copy_location(ast.BoolOp(ast.And(), parts), node)


@contextmanager
def _behind(
    parts: list[ast.expr], operator: ast.boolop, first: ast.expr, resolver: Resolver
) -> Iterator[None]:
    """What is read is evaluated only if the `parts` before do not decide; they become one part."""
    before = parts[0] if len(parts) == 1 else ast.BoolOp(operator, [*parts])
    id = resolver.condition(ast.copy_location(before, first))
    parts[:] = [reference(id)]
    with resolver.under(When(id, isinstance(operator, ast.And), resolver.line_of(first))):
        yield


def _once(side: ast.expr, resolver: Resolver) -> ast.expr:
    """A side of two comparisons, computed once."""
    return side if resolver.is_copied(side) else resolver.compute(resolver.checked(side))


ROWS: Mapping[type[ast.AST], Row] = {
    ast.IfExp: _if_exp,
    ast.BoolOp: _bool_op,
    ast.Compare: _compare,
}
