"""Lowers what changes a list or a dict: a name gets a new one, as if it had been changed.

    groups.setdefault(city, []).append(name)      5  compute  groups = $2
                                                              groups.setdefault($3, []).append($4)
                                                              groups

The statement stands as it is in a block that is computed over a copy (blocks.py).
"""

import ast
from copy import deepcopy
from typing import TypeGuard

from llm_compiler.language.evaluation.expressions import NodeError
from llm_compiler.language.lowering.bodies import part_of
from llm_compiler.language.lowering.checking import checked_block
from llm_compiler.language.lowering.frames import Frame
from llm_compiler.language.lowering.owning import Change, change, owns, share
from llm_compiler.language.lowering.resolving import Resolver
from llm_compiler.language.lowering.trees import has_calls, mark_calls


def lower_change(node: ast.stmt, found: Change, resolver: Resolver) -> None:
    """Bind the name of a list or a dict anew, with what a statement makes of it.

    Raises:
        NodeError: another name may refer to what it changes.
    """
    if _splits(node, found, resolver):
        return
    name, frame = found.name, resolver.frame
    read = ast.copy_location(ast.Name(name, ast.Load()), node)
    before = resolver.functions.value(read, frame.names)
    if not owns(frame, name, found.levels) or found.leaves < found.levels:
        raise NodeError(node, _remedy(found, frame.places.get(name)))
    new = {} if not found.to else {found.to: 0}
    if found.to:
        note_place(found.to, _default(node), frame)
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


def note_place(name: str, value: ast.expr | None, frame: Frame) -> None:
    """A name is assigned a value, which may be another name, or a part of what one holds."""
    frame.places.pop(name, None)
    if isinstance(value, ast.Name | ast.Subscript | ast.Attribute) and not has_calls(value):
        frame.places[name] = ast.unparse(value)


def _splits(node: ast.stmt, found: Change, resolver: Resolver) -> bool:
    """Lower `d.setdefault(key, []).append(f(d))` as two statements: `f` sees the default."""
    match node:
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=place) as func, args=values)):
            first = [it for it in ast.walk(place) if _is_default(it)]
        case _:
            return False
    calls = filter(has_calls, values)
    read = {it.id for it in resolver.nodes(calls) if isinstance(it, ast.Name)}
    if not first or found.name not in read:
        return False
    for it in first:
        it.args[0] = resolver.settled(resolver.resolved(it.args[0]))
    made = ast.copy_location(ast.Expr(deepcopy(place)), node)
    before = change(made)
    assert before is not None
    lower_change(made, before, resolver)
    func.value = _without_defaults(place)
    again = change(node)
    assert again is not None
    resolver.again = True
    lower_change(node, again, resolver)
    return True


def _is_default(node: ast.AST) -> TypeGuard[ast.Call]:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "setdefault"
        and bool(node.args)
    )


def _without_defaults(place: ast.expr) -> ast.expr:
    """A part of a dict, whose defaults have been set."""
    if _is_default(place):
        assert isinstance(place.func, ast.Attribute)
        holder = _without_defaults(place.func.value)
        return ast.copy_location(ast.Subscript(holder, place.args[0], ast.Load()), place)
    if isinstance(place, ast.Subscript | ast.Attribute):
        place.value = _without_defaults(place.value)
    return place


def _default(node: ast.stmt) -> ast.expr | None:
    """The part that a name is assigned by `name = d.setdefault(key, [])`."""
    if isinstance(node, ast.Assign) and _is_default(node.value):
        return _without_defaults(deepcopy(node.value))
    return None


def _remedy(found: Change, place: str | None) -> str:
    it = found.name
    if place is not None and found.levels == 1:
        return (
            f'"{it}" is {place}, which would change, too; leave {it} out and write {place} for it,'
            f" or copy it: {it} = [*{place}] (of a dict {it} = {{**{place}}})"
        )
    if found.levels == 1:
        remedy = f"change it by that, or write {it} = [*{it}] before (of a dict {it} = {{**{it}}})"
        return f'another name may hold what "{it}" holds, too; {remedy}'
    remedy = f'write a new dict: {it} = {{**{it}, "key": value}}'
    return f'another name may hold what is in "{it}", too; {remedy}'
