"""Comprehensions over long lists of numbers, as one vector expression through numexpr.

    [price * 1.2 for price in prices]      sum(p * n for p, n in zip(prices, counts))

Only + - * / and signs over loop variables, constants and single numbers, where floats give what
Python gives: whole numbers whose products stay exact below 2**53, finite results, no zero to
divide by. In every other case the answer is None, and the comprehension runs item by item.
"""

import ast
from collections.abc import Callable
from typing import Any

from llm_compiler.language.evaluation.expressions import Frame, Run, Scope
from llm_compiler.language.evaluation.functions import FUNCTIONS

FEWEST = 1000
"""Items below which a vector does not pay."""
_EXACT = 2**53
_SIGNS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}

Vectorized = Callable[[Frame, Run], tuple[list[Any] | None, Any]]


def vectorized(node: ast.ListComp | ast.GeneratorExp, scope: Scope) -> Vectorized | None:
    """What computes a comprehension as a vector, if its form allows it.

    It gets the frame and what gives the list that is gone through; that list comes back too, since
    what is not computed so runs item by item.
    """
    [loop, *more] = node.generators
    target = loop.target
    if more or loop.ifs:
        return None
    if isinstance(target, ast.Name):
        targets, sources = [target.id], None
    elif isinstance(target, ast.Tuple) and all(isinstance(it, ast.Name) for it in target.elts):
        targets = [it.id for it in target.elts if isinstance(it, ast.Name)]
        call = loop.iter
        if not isinstance(call, ast.Call) or call.keywords or len(call.args) != len(targets):
            return None
        if not isinstance(call.func, ast.Name) or call.func.id != "zip":
            return None
        sources = [scope.compile(column) for column in call.args]
    else:
        return None
    if not _is_arithmetic(node.elt) or targets[0] not in {
        it.id for it in ast.walk(node.elt) if isinstance(it, ast.Name)
    }:
        return None

    def run(frame: Frame, first: Run) -> tuple[list[Any] | None, Any]:
        columns = [source(frame) for source in sources] if sources else [first(frame)]
        made = _computed(node.elt, dict(zip(targets, columns, strict=True)), frame)
        if made is not None or not sources:
            return made, columns[0]
        return None, FUNCTIONS["zip"].code(frame.budget, *columns)

    return run


def _is_arithmetic(node: ast.expr) -> bool:
    match node:
        case ast.Constant(value=int() | float() as value):
            return not isinstance(value, bool)
        case ast.Name():
            return True
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return _is_arithmetic(operand)
        case ast.BinOp(left=left, op=op, right=right):
            return type(op) in _SIGNS and _is_arithmetic(left) and _is_arithmetic(right)
    return False


class _InexactError(Exception):
    pass


def _computed(tree: ast.expr, columns: dict[str, Any], frame: Frame) -> list[Any] | None:
    lengths = {len(column) if isinstance(column, list) else 0 for column in columns.values()}
    if len(lengths) != 1 or min(lengths) < FEWEST:
        return None
    frame.budget.step(min(lengths))
    # Imported at need: numpy takes a fifth of a second (see `llm_compiler.tools.arithmetic`).
    import numexpr
    import numpy

    operands: dict[str, Any] = {}
    whole: dict[str, int | None] = {}

    def operand(key: str, values: Any) -> str:
        kinds = set(map(type, values)) if isinstance(values, list) else {type(values)}
        if kinds not in ({int}, {float}):
            raise _InexactError
        if key not in operands:
            operands[key] = numpy.array(values, dtype=float)
            whole[key] = int(numpy.abs(operands[key]).max()) + 1 if kinds == {int} else None
        return key

    def text(node: ast.expr) -> tuple[str, int | None]:
        """The text of ours for numexpr, and the bound of a whole number."""
        match node:
            case ast.Constant(value=value):
                key = operand(f"c{len(operands)}", value)
                return key, whole[key]
            case ast.Name(id=name):
                place = list(columns).index(name) if name in columns else -1
                values = columns[name] if name in columns else frame.names[name]
                key = operand(f"v{place}" if place >= 0 else f"o{len(operands)}", values)
                return key, whole[key]
            case ast.UnaryOp(operand=inner):
                written, bound = text(inner)
                return f"(-{written})", bound
            case ast.BinOp(left=left, op=op, right=right):
                (one, bound), (other, more) = text(left), text(right)
                if isinstance(op, ast.Div):
                    if not operands.get(other, numpy.zeros(1)).all():
                        raise _InexactError
                    return f"({one} / {other})", None
                result = None
                if bound is not None and more is not None:
                    result = bound * more if isinstance(op, ast.Mult) else bound + more
                    if result >= _EXACT:
                        raise _InexactError
                return f"({one} {_SIGNS[type(op)]} {other})", result
        raise _InexactError

    try:
        written, bound = text(tree)
        if any(values is not None and values >= _EXACT for values in whole.values()):
            return None
        made = numexpr.evaluate(written, local_dict=operands, global_dict={}, optimization="none")
    except (_InexactError, OverflowError):
        return None
    if not numpy.isfinite(made).all():
        return None
    result: list[Any] = (made.astype(numpy.int64) if bound is not None else made).tolist()
    return result
