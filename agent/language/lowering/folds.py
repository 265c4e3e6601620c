"""Lowers a loop that makes no call: it is computed at once, as the block that it is.

    for order in orders:                     3  compute  total = $2
        if order.late:                                   for order in $1:
            total += order.price                             if order.late:
                                                                 total += order.price

Its value is a dict of the names that it has assigned.
"""

import ast

from llm_compiler.language.evaluation.blocks import bound
from llm_compiler.language.lowering.bodies import behind, part_of
from llm_compiler.language.lowering.changing import resolved_statement
from llm_compiler.language.lowering.checking import checked_block
from llm_compiler.language.lowering.liveness import reads_first
from llm_compiler.language.lowering.names import referred
from llm_compiler.language.lowering.owning import (
    ALL,
    change,
    changes_in,
    owned_in,
    owns,
    share,
    statements_in,
)
from llm_compiler.language.lowering.resolving import Resolver
from llm_compiler.language.lowering.trees import has_calls


def is_fold(node: ast.For, resolver: Resolver) -> bool:
    """Whether a loop is one block: it only assigns names, and changes what names own."""
    if any(map(has_calls, node.body)) or not all(map(_is_plain, statements_in([node]))):
        return False
    frame, read = resolver.frame, _read(node, _names(node), resolver)
    if any(it not in frame.names for it in read):
        return False  # the body as a loop of its own says where
    # In the block itself, names of one list or dict are what they are in Python.
    assigned = {*bound([node])}
    return all(
        name not in read or owns(frame, name, levels, assigned)
        for name, levels in changes_in([node])
    )


def lower_fold(node: ast.For, resolver: Resolver) -> None:
    """Bind the names that a loop assigns to what they come to."""
    frame, names = resolver.frame, _names(node)
    read = _read(node, names, resolver)
    least = owned_in(statements_in([node]))
    for loop in _loops(node):
        share(loop, resolver)
    held: list[ast.stmt] = []
    for name in read:
        value = frame.names[name]
        if referred(value) is None and not _is_empty(value):
            value = resolver.compute(resolver.checked(value), name)
        held.append(ast.Assign([ast.Name(name, ast.Store())], value))
    inner = frozenset(names)
    for statement in statements_in([node]):
        _resolve(statement, inner, resolver)
    id = referred(resolver.compute(checked_block([*held, node])))
    for name in least.keys() - {*names}:
        frame.owned[name] = min(frame.owned.get(name, 0), least[name])
    assert id is not None
    for name in names:
        before = frame.owned.get(name, 0) if name in read else ALL
        frame.owned[name] = min(before, least.get(name, ALL))
        value = part_of(id, name)
        frame.names[name] = value if name in read else behind(name, value, id, name, frame)


def _loops(node: ast.For) -> list[ast.For]:
    return [it for it in statements_in([node]) if isinstance(it, ast.For)]


def _names(node: ast.For) -> list[str]:
    """The names that a loop assigns, or whose values it changes."""
    return [*dict.fromkeys([*bound([node]), *(name for name, _ in changes_in([node]))])]


def _read(node: ast.For, names: list[str], resolver: Resolver) -> list[str]:
    return [name for name in names if reads_first(name, [node], resolver.tree)]


def _is_plain(node: ast.stmt) -> bool:
    match node:
        case ast.For(orelse=[]) | ast.If() | ast.Pass() | ast.Break() | ast.Continue():
            return True
        case ast.AugAssign(target=ast.Name()) | ast.Expr(value=ast.Constant()):
            return True
        case ast.Assign(targets=targets) if change(node) is None:
            return all(isinstance(it, ast.Name | ast.Tuple | ast.List) for it in targets)
    return change(node) is not None


def _is_empty(value: ast.expr) -> bool:
    match value:
        case ast.Constant() | ast.List(elts=[]) | ast.Dict(keys=[]):
            return True
    return False


def _resolve(node: ast.stmt, inner: frozenset[str], resolver: Resolver) -> None:
    """Replace the names of outside in a statement, without those in its blocks."""
    match node:
        case ast.For():
            names = frozenset[str]() if has_calls(node.iter) else inner
            node.iter = resolver.resolve(node.iter, names)
        case ast.If():
            node.test = resolver.resolve(node.test, inner)
        case _ if change(node) is not None:
            resolved_statement(node, resolver, inner)
        case ast.Assign() | ast.AugAssign():
            node.value = resolver.resolve(node.value, inner)
