"""Lowers what changes a list or a dict: a name gets a new one, as if it had been changed.

    groups.setdefault(city, []).append(name)      5  compute  groups = $2
                                                              groups.setdefault($3, []).append($4)
                                                              groups

The statement stands as it is in a block that is computed over a copy (blocks.py).
"""

import ast
from copy import deepcopy

from llm_compiler.language.bodies import part_of
from llm_compiler.language.checking import checked_block
from llm_compiler.language.expressions import NodeError
from llm_compiler.language.owning import Change, owns, share
from llm_compiler.language.resolving import Resolver
from llm_compiler.language.trees import has_calls, mark_calls


def lower_change(node: ast.stmt, found: Change, resolver: Resolver) -> None:
    """Bind the name of a list or a dict anew, with what a statement makes of it.

    Raises:
        NodeError: another name may refer to what it changes.
    """
    name, frame = found.name, resolver.frame
    read = ast.copy_location(ast.Name(name, ast.Load()), node)
    before = resolver.functions.value(read, frame.names)
    if not owns(frame, name, found.levels) or found.leaves < found.levels:
        raise NodeError(node, _remedy(found))
    new = {} if not found.to else {found.to: 0}
    share(node, resolver)
    if isinstance(node, ast.AugAssign) and resolver.last_write([None, node.value]):
        # It is read before the call, which must not happen if that fails.
        part = deepcopy(node.target)
        part.ctx = ast.Load()
        resolver.compute(resolver.resolved(part))
    held = ast.Assign([ast.Name(name, ast.Store())], before)
    changed = resolved_statement(node, resolver, frozenset((name,)))
    bound = dict.fromkeys([name, *new])
    last = [] if len(bound) > 1 or found.to else [ast.Expr(ast.Name(name, ast.Load()))]
    value = resolver.compute(checked_block([held, changed, *last]), "" if found.to else name)
    for it in bound:
        frame.names[it] = part_of(value, it) if found.to else value
    frame.owned.update(new)


def resolved_statement(
    node: ast.stmt, resolver: Resolver, inner: frozenset[str] = frozenset()
) -> ast.stmt:
    """A statement that changes something, with all names resolved but that of what it changes, and
    `inner` ones."""
    match node:
        case ast.Expr(value=call):
            node.value = _place(call, resolver, inner)
        case ast.Assign(targets=[ast.Name()], value=call):
            node.value = _place(call, resolver, inner)
        case ast.Assign(targets=[part], value=value):
            node.value = _read(value, resolver, inner)
            _place(part, resolver, inner)
        case ast.AugAssign(target=part, value=value):
            _place(part, resolver, inner)
            node.value = _read(value, resolver, inner)
        case ast.Delete(targets=parts):
            for part in parts:
                _place(part, resolver, inner)
    return node


def _place(node: ast.expr, resolver: Resolver, inner: frozenset[str]) -> ast.expr:
    match node:
        case ast.Subscript():
            node.value = _place(node.value, resolver, inner)
            node.slice = _read(node.slice, resolver, inner)
        case ast.Attribute():
            node.value = _place(node.value, resolver, inner)
        case ast.Call(func=ast.Attribute() as func):
            func.value = _place(func.value, resolver, inner)
            node.args = [_read(it, resolver, inner) for it in node.args]
            for keyword in node.keywords:
                if not (keyword.arg == "key" and isinstance(keyword.value, ast.Name)):
                    keyword.value = _read(keyword.value, resolver, inner)
    return node


def _read(node: ast.expr, resolver: Resolver, inner: frozenset[str]) -> ast.expr:
    """A part that is read: by calls before the statement, else in the block."""
    return resolver.resolve(listed(node), frozenset() if has_calls(node) else inner)


def listed(node: ast.expr) -> ast.expr:
    """An argument of a method that goes through all that it is given."""
    if not isinstance(node, ast.GeneratorExp):
        return node
    made = ast.copy_location(ast.ListComp(node.elt, node.generators), node)
    if has_calls(node):
        mark_calls(made)
    return made


def _remedy(found: Change) -> str:
    it = found.name
    if found.levels == 1:
        remedy = f"change it by that, or write {it} = [*{it}] before (of a dict {it} = {{**{it}}})"
        return f'another name may hold what "{it}" holds, too; {remedy}'
    remedy = f'write a new dict: {it} = {{**{it}, "key": value}}'
    return f'another name may hold what is in "{it}", too; {remedy}'
