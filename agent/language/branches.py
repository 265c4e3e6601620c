"""Lowers conditions without calls: each name becomes what it is in the branch that is taken.

    if a > b:         the_larger = a if $1 else b
        larger = a
    else:
        larger = b

One expression, of which only the branch taken is evaluated, as in Python.
"""

import ast

from llm_compiler.language.answers import said
from llm_compiler.language.expressions import NodeError
from llm_compiler.language.names import template
from llm_compiler.language.place import Place

MAX_BRANCH = 2000
"""Nodes of what a name may come to in the branches of a condition."""

Values = dict[str, ast.expr]


def lower_if(node: ast.If, place: Place) -> None:
    """Each name becomes what it is in the branch that is taken, as one expression."""
    values, answer = _branches(node, place, {})
    if answer is not None:
        place.answer = said([answer], place, given=True)
        return
    for name, value in values.items():
        place.bind(name, place.lowering.resolved(value))


def _branches(node: ast.If, place: Place, before: Values) -> tuple[Values, ast.expr | None]:
    test = _resolved(node.test, place, before)
    if template(test) is ...:
        test = place.compute(test)
    yes, answer = _block(node.body, place, before)
    no, other = _block(node.orelse, place, before)
    if (answer is None) != (other is None):
        raise NodeError(node, "only one branch answers; write answer(a if … else b)")
    if answer is not None and other is not None:
        return {}, ast.copy_location(ast.IfExp(test, answer, other), node)
    values: Values = {}
    for name in dict.fromkeys([*yes, *no]):
        sides = []
        for branch in (yes, no):
            value = branch.get(name, before.get(name, place.lowering.names.bound.get(name)))
            if value is None:
                raise NodeError(
                    node, f'"{name}" is assigned in one branch only; assign it before, too'
                )
            sides.append(value)
        values[name] = ast.copy_location(ast.IfExp(test, *sides), node)
        if sum(1 for _ in ast.walk(values[name])) > MAX_BRANCH:
            raise NodeError(node, "the branches compute too much; split them up")
    return values, None


def _block(body: list[ast.stmt], place: Place, before: Values) -> tuple[Values, ast.expr | None]:
    """What the names are behind a block, and what it answers."""
    here: Values = dict(before)
    changed: Values = {}
    for statement in body:
        match statement:
            case ast.Pass() | ast.Expr(value=ast.Constant()):
                continue
            case ast.If():
                values, answer = _branches(statement, place, here)
                if answer is not None:
                    return {}, answer
            case ast.Expr(value=ast.Call(func=ast.Name(id="answer"), args=[value], keywords=[])):
                return {}, _resolved(value, place, here)
            case ast.Return(value=ast.expr() as value):
                return {}, _resolved(value, place, here)
            case _:
                # All values come before all names: `a, b = b, a`.
                pairs = [(name, _resolved(it, place, here)) for name, it in _assigned(statement)]
                values = dict(pairs)
        here |= values
        changed |= values
        if any(sum(1 for _ in ast.walk(value)) > MAX_BRANCH for value in values.values()):
            raise NodeError(statement, "the branches compute too much; split them up")
    return changed, None


def _assigned(statement: ast.stmt) -> list[tuple[str, ast.expr]]:
    """The names that an assignment binds, each with its value."""
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            return [(name, value)]
        case ast.AugAssign(target=ast.Name(id=name), op=op, value=value):
            after = ast.BinOp(ast.Name(name, ast.Load()), op, value)
            return [(name, ast.copy_location(after, statement))]
        case ast.Assign(targets=[ast.Tuple(elts=names)], value=ast.Tuple(elts=values)):
            pairs = [(it.id, value) for it, value in zip(names, values, strict=False)
                     if isinstance(it, ast.Name)]  # fmt: skip
            if len(pairs) == len(names) == len(values):
                return pairs
    raise NodeError(statement, "in a condition only x = … and answer(…) are supported yet")


def _resolved(node: ast.expr, place: Place, values: Values) -> ast.expr:
    """`node` with its names replaced, those first that were assigned in a branch."""
    names = place.lowering.names
    outside = names.bound
    names.bound = {**outside, **values} if values else outside
    try:
        return place.lowering.resolved(node)
    finally:
        names.bound = outside
