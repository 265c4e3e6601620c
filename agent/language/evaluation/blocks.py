"""Statements in `compute`: a loop without calls, and what changes a list or a dict.

    total = 0                           groups = $3
    for order in $3:                    groups.setdefault($4, []).append($5)
        total += order.price            groups

The value is that of an expression in the last line, else a dict of the names that have a value.
Each name begins without one. Results of tasks are copied before they are changed.
"""

import ast
from collections.abc import Callable, Sequence
from typing import Any, Literal

from llm_compiler.language.evaluation.budget import ITEM, Missing
from llm_compiler.language.evaluation.calls import key_of
from llm_compiler.language.evaluation.changes import CHANGING, change, is_list, put, remove
from llm_compiler.language.evaluation.comprehensions import binder, names_in
from llm_compiler.language.evaluation.expressions import Frame, NodeError, Run, Scope
from llm_compiler.language.evaluation.operators import number_in
from llm_compiler.language.evaluation.parts import items, part
from llm_compiler.language.evaluation.sets import operation

Jump = Literal["break", "continue"] | None
Do = Callable[[Frame], Jump]


def block(body: Sequence[ast.stmt], scope: Scope) -> Run:
    """The closure of a block of statements.

    Raises:
        NodeError: it is not in the language.
    """
    names = bound(body)
    [*first, last] = body
    scope = scope.with_names({*names})
    value = None
    if isinstance(last, ast.Expr) and not _is_change(last.value):
        value, body = scope.compile(last.value), first
    run = _statements(body, scope)
    missing = {name: Missing(f'"{name}" was not assigned') for name in names}
    changes = any(map(_changes, (node for it in body for node in ast.walk(it))))

    def value_of(frame: Frame) -> Any:
        results = frame.names
        if changes:
            results = {name: _copied(it) for name, it in results.items()}
        inside = Frame({**results, **missing}, frame.budget)
        run(inside)
        if value is not None:
            return value(inside)
        held = ((name, inside.names[name]) for name in names)
        return {name: it for name, it in held if type(it) is not Missing}

    return value_of


def bound(body: Sequence[ast.stmt]) -> list[str]:
    """The names that a block binds, without those of comprehensions."""
    names: dict[str, None] = {}
    for node in body:
        match node:
            case ast.Assign(targets=targets):
                names |= {name: None for it in targets if _is_bound(it) for name in _names(it)}
            case ast.AugAssign(target=ast.Name(id=name)):
                names[name] = None
            case ast.If(body=yes, orelse=no):
                names |= dict.fromkeys([*bound(yes), *bound(no)])
            case ast.For(target=target, body=inner):
                names |= dict.fromkeys([*_names(target), *bound(inner)])
    return [*names]


def _names(target: ast.expr) -> list[str]:
    return sorted(names_in(target))


def _is_bound(target: ast.expr) -> bool:
    return not isinstance(target, ast.Subscript | ast.Attribute)


def _copied(value: Any) -> Any:
    """A copy of JSON data, as deep as they are."""
    if isinstance(value, list):
        return [_copied(it) if isinstance(it, list | dict) else it for it in value]
    if isinstance(value, dict):
        return {name: _copied(it) for name, it in value.items()}
    return value


# ── statements ────────────────────────────────────────────────────────────────────────────────


def _statements(body: Sequence[ast.stmt], scope: Scope) -> Do:
    parts = [_statement(node, scope) for node in body]

    def run(frame: Frame) -> Jump:
        for part_of in parts:
            if (jump := part_of(frame)) is not None:
                return jump
        return None

    return run


def _statement(node: ast.stmt, scope: Scope) -> Do:
    match node:
        case ast.For():
            return _for(node, scope)
        case ast.If():
            test = scope.compile(node.test)
            yes, no = _statements(node.body, scope), _statements(node.orelse, scope)
            return lambda frame: yes(frame) if test(frame) else no(frame)
        case ast.Break():
            return lambda frame: "break"
        case ast.Continue():
            return lambda frame: "continue"
        case ast.Pass() | ast.Expr(value=ast.Constant()):
            return lambda frame: None
        case ast.Assign(targets=targets, value=value):
            return _assign(targets, value, scope)
        case ast.AugAssign(target=ast.Name(id=name), op=op, value=more):
            return _grow(name, op, more, scope, in_place=_changes(node))
        case ast.AugAssign(target=ast.Subscript() | ast.Attribute() as target):
            return _grow_part(target, node.op, node.value, scope)
        case ast.Delete(targets=targets):
            return _delete([_part(it, scope) for it in targets])
        case ast.Expr(value=value) if _is_change(value):
            return _doing(_value(value, scope))
    name = type(node).__name__.lower()
    raise NodeError(node, f"{name} cannot stand in a loop without calls; write it outside")


def _doing(run: Run) -> Do:
    def do(frame: Frame) -> None:
        run(frame)

    return do


def _for(node: ast.For, scope: Scope) -> Do:
    if node.orelse:
        raise NodeError(node.orelse[0], "write what follows else below the loop, at its level")
    source, bind = scope.compile(node.iter), binder(node.target)
    body = _statements(node.body, scope)
    cost = 2 + sum(map(_cost, node.body))

    def run(frame: Frame) -> None:
        budget, names = frame.budget, frame.names
        for item in list(items(source(frame), budget)):
            budget.step(cost)
            bind(names, item, budget)
            if body(frame) == "break":
                break

    return run


def _cost(node: ast.AST) -> int:
    """The nodes of a statement, without those that a loop in it pays for."""
    if isinstance(node, ast.For):
        return _cost(node.iter)
    return 1 + sum(map(_cost, ast.iter_child_nodes(node)))


def _assign(targets: list[ast.expr], value: ast.expr, scope: Scope) -> Do:
    match targets, value:
        case [ast.Name(id=name)], ast.Name(id=other):
            # Another name of it, also if it has no value: whoever reads it finds out.
            scope.compile(value), binder(targets[0])
            return _doing(lambda frame: frame.names.__setitem__(name, frame.names[other]))
        case [ast.Name(id=name)], ast.BinOp(left=ast.Name(id=left), op=ast.Add()) if left == name:
            return _grow(name, value.op, value.right, scope)
    run, setters = _value(value, scope), [_setter(it, scope) for it in targets]

    def do(frame: Frame) -> None:
        made = run(frame)
        for setter in setters:
            setter(frame, made)

    return do


def _delete(parts: list[Callable[[Frame], tuple[Any, Any]]]) -> Do:
    def do(frame: Frame) -> None:
        for place in parts:
            remove(frame.budget, *place(frame))

    return do


def _setter(target: ast.expr, scope: Scope) -> Callable[[Frame, Any], None]:
    if _is_bound(target):
        bind = binder(target)
        return lambda frame, value: bind(frame.names, value, frame.budget)
    place = _part(target, scope)
    return lambda frame, value: put(frame.budget, *place(frame), value)


def _grow(
    name: str, op: ast.operator, more: ast.expr, scope: Scope, *, in_place: bool = False
) -> Do:
    """`name += more`: only what is added is paid for, and what is there a little."""
    before = ast.Name(name, ast.Load())
    binder(before)
    read, right = scope.compile(before), scope.compile(more)
    operate = operation(ast.BinOp(before, op, more))
    plain = scope.compile(ast.BinOp(before, op, more))
    assert operate is not None

    def do(frame: Frame) -> None:
        value, budget = read(frame), frame.budget
        if not isinstance(op, ast.Add) or not isinstance(value, list | str):
            frame.names[name] = plain(frame)
            return
        added = right(frame)
        texts = isinstance(value, str) and isinstance(added, str) and number_in(value) is None
        if not texts and not (isinstance(value, list) and isinstance(added, list)):
            frame.names[name] = operate(value, added, budget)
            return
        budget.make((1 if texts else ITEM) * len(added))
        budget.step(len(value) // 100)
        if in_place:
            value += added
        else:
            frame.names[name] = value + added

    return do


def _grow_part(
    target: ast.Subscript | ast.Attribute, op: ast.operator, more: ast.expr, scope: Scope
) -> Do:
    place, right = _part(target, scope), scope.compile(more)
    operate = operation(ast.BinOp(target, op, more))
    if operate is None:
        raise NodeError(target, "this operator is not in the plan language; use + - * / // % **")

    def do(frame: Frame) -> None:
        holder, key = place(frame)
        before = part(holder, key, frame.budget)
        put(frame.budget, holder, key, operate(before, right(frame), frame.budget))

    return do


# ── what is changed ───────────────────────────────────────────────────────────────────────────


def _is_change(node: ast.expr) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in CHANGING
    )


def _changes(node: ast.AST) -> bool:
    """Whether a node changes a list or a dict, by itself."""
    if isinstance(node, ast.Subscript | ast.Attribute):
        return not isinstance(node.ctx, ast.Load)
    if isinstance(node, ast.AugAssign):
        return isinstance(node.op, ast.Add) and is_list(node.value)
    return isinstance(node, ast.expr) and _is_change(node)


def _value(node: ast.expr, scope: Scope) -> Run:
    """An expression, or a method that changes something."""
    if not (
        isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and _is_change(node)
    ):
        return scope.compile(node)
    name, holder = node.func.attr, _value(node.func.value, scope)
    args = [scope.compile(it) for it in node.args]
    named = {
        it.arg: key_of(it.value, scope) if it.arg == "key" else scope.compile(it.value)
        for it in node.keywords
        if it.arg is not None
    }

    def run(frame: Frame) -> Any:
        value = holder(frame)
        given = [it(frame) for it in args], {key: it(frame) for key, it in named.items()}
        return change(frame.budget, value, name, *given)

    return run


def _part(node: ast.expr, scope: Scope) -> Callable[[Frame], tuple[Any, Any]]:
    """A part that is assigned or deleted: what it is a part of, and its key."""
    if isinstance(node, ast.Attribute):
        if "__" in node.attr:
            raise NodeError(node, "names with two underscores are not in the plan language")
        name, holder = node.attr, _value(node.value, scope)
        return lambda frame: (holder(frame), name)
    if not isinstance(node, ast.Subscript) or isinstance(node.slice, ast.Slice):
        raise NodeError(node, "only a name or one part can be changed; write a new list")
    of, key = _value(node.value, scope), scope.compile(node.slice)
    return lambda frame: (of(frame), key(frame))
