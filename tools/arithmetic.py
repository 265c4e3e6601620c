"""`math`: arithmetic without a model, and without ever evaluating the model's text.

    text ─ast.parse─► tree ─allowlist, one node at a time─► number

Whole numbers, remainders and roundings are computed in Python, since numexpr wraps around at 64
bits. Everything else goes to numexpr one operation at a time, as one of our texts in `_OPERATIONS`
with the operands as data: numexpr passes its text to `eval`, its sanitizer can be bypassed
(2.14.2), and it loses an overflow inside a longer expression (`1/(1/0)` is 0 there).
"""

import ast
import math as floats
import sys
import threading
from collections.abc import Callable
from typing import Annotated

from langchain_core.tools import tool
from pydantic import WithJsonSchema

from .expression import FUNCTIONS, parsed, quoted, refused

Number = int | float

MAX_EXPONENT = 10_000

_WHOLE = range(-(2**63), 2**63)
_EXACT_FLOAT = 2**53

# The only texts that numexpr ever sees.
_OPERATIONS: dict[type[ast.AST] | str, str] = {
    ast.Add: "a + b",
    ast.Sub: "a - b",
    ast.Mult: "a * b",
    ast.Div: "a / b",
    ast.Pow: "a ** b",
    **{name: f"{name}(a)" for name in ("sqrt", "log", "log10", "exp", "sin", "cos", "tan")},
}
_OPERATORS = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow)
_ROUNDING: dict[str, Callable[[Number], Number]] = {
    "abs": abs,
    "floor": floats.floor,
    "ceil": floats.ceil,
}
_EXTREMES: dict[str, Callable[..., Number]] = {"min": min, "max": max}
_CONSTANTS = {"pi": floats.pi, "e": floats.e}
_COMPARISONS: dict[type[ast.cmpop], Callable[[Number, Number], bool]] = {
    ast.Lt: lambda a, b: a < b,
    ast.LtE: lambda a, b: a <= b,
    ast.Gt: lambda a, b: a > b,
    ast.GtE: lambda a, b: a >= b,
    ast.Eq: lambda a, b: a == b,
    ast.NotEq: lambda a, b: a != b,
}
_NUMERIC = r"""
sum ::= term (" " operator " " term){0,12}
operator ::= "+" | "-" | "*" | "/" | "//" | "%" | "**"
term ::= "-"? (number | reference | "pi" | "e" | "(" inner ")" | call)
call ::= one "(" inner ")" | "round(" inner (", " [0-9])? ")" | many "(" inner (", " inner){1,9} ")"
inner ::= part (" " operator " " part){0,12}
part ::= "-"? (number | reference | "pi" | "e" | "(" flat ")" | last)
last ::= one "(" flat ")" | "round(" flat (", " [0-9])? ")" | many "(" flat (", " flat){1,9} ")"
flat ::= leaf (" " operator " " leaf){0,12}
leaf ::= "-"? (number | reference | "pi" | "e")
one ::= "sqrt" | "log" | "log10" | "exp" | "sin" | "cos" | "tan" | "abs" | "floor" | "ceil"
many ::= "min" | "max"
number ::= ("0" | [1-9] [0-9]{0,14}) ("." [0-9]{1,15})? ("e" "-"? [1-9] [0-9]?)?
"""
_COMPARISON = 'comparison ::= sum (" " ([<>] | [<>=!] "=") " " sum)?'
_KINDS = [{"type": "string"}, {"type": "number"}]
# `gbnf` is the grammar of the text, for servers that decode under one; its `reference` is a rule of
# the plan language. Three levels of brackets and thirteen terms are enough for a plan, and they
# stop a model that repeats itself.
_SCHEMA = {"anyOf": _KINDS, "gbnf": _COMPARISON + _NUMERIC}
Expression = Annotated[str | int | float, WithJsonSchema(_SCHEMA)]


@tool("math")
def math(expression: Expression) -> int | float | bool:
    """Arithmetic on results: + - * / abs max min. 20% more is * 1.2, 15% less is * 0.85.

    Also // % ** comparisons sqrt log log10 exp sin cos tan floor ceil round pi e.
    """
    return evaluate(expression)


math.metadata = {"readOnlyHint": True}


def warm_up() -> threading.Thread | None:
    """Import numexpr in a new thread, which is returned; None if it has been imported before.

    The import (with numpy) takes a fifth of a second, which the first expression would wait for.
    """
    if "numexpr" in sys.modules:
        return None
    thread = threading.Thread(target=evaluate, args=("1.5 + 1",), name="math warm-up", daemon=True)
    thread.start()
    return thread


def evaluate(expression: str | int | float) -> int | float | bool:
    """Compute `expression` by Python's rules of arithmetic.

    Precedence, `//`, `%`, `round` (halves go to the even neighbour; a second argument is allowed),
    chained comparisons and `_` in numbers are as in Python. The functions and their domains are
    those of numexpr and C (`log` is the natural logarithm, angles are in radians). Whole numbers
    are exact up to 64 bits, as in JSON readers and numexpr's `long`; beyond that they are floats. A
    float that is whole and exact is returned as an int.

    A number is returned as it is. Raises ToolException for anything that is not on the allowlist,
    an overflow, a division by zero, and a result that is not a number. Takes at most 50 ms, once
    numexpr is imported (`warm_up`).
    """
    if not isinstance(expression, str):
        return _settled(_checked(expression, str(expression)))
    text = " ".join(expression.split())
    shown = quoted(text)
    tree = parsed(text, shown)
    try:
        if isinstance(tree, ast.Compare):
            return _compared(tree, shown)
        return _settled(_value(tree, shown))
    except OverflowError:
        raise refused(shown, "a value is too large; use smaller numbers") from None


def _value(node: ast.expr, shown: str) -> Number:
    """Compute one node. Any kind of node not listed here is refused."""
    match node:
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
            return _checked(value, shown)
        case ast.Name(id=name) if name in _CONSTANTS:
            return _CONSTANTS[name]
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return _checked(-_value(operand, shown), shown)
        case ast.UnaryOp(op=ast.UAdd(), operand=operand):
            return _value(operand, shown)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            return _binary(type(op), _value(left, shown), _value(right, shown), shown)
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]):
            return _called(name, [_value(arg, shown) for arg in args], shown)
        case ast.Compare():
            raise refused(shown, "a comparison must stand alone; compute its sides first")
        case ast.Name(id=name):
            raise refused(shown, f"the name {quoted(name)} is unknown; the constants are pi and e")
        case ast.Tuple():
            raise refused(shown, "it has a comma outside a function; write 8848 for 8,848")
        case _:
            raise refused(shown, f"{type(node).__name__} is not arithmetic; use + - * / // % **")


def _binary(op: type[ast.operator], a: Number, b: Number, shown: str) -> Number:
    if op in (ast.Div, ast.FloorDiv, ast.Mod) and b == 0:
        raise refused(shown, "division by zero; check the value that is divided by")
    if op is ast.Pow:
        if abs(b) > MAX_EXPONENT:
            raise refused(shown, f"the exponent {b:g} is too large; the bound is {MAX_EXPONENT}")
        if a == 0 and b < 0:
            raise refused(shown, "division by zero; check the value that is divided by")
    # numexpr's `//` sometimes rounds the quotient up, and then contradicts `%`.
    if op is ast.FloorDiv:
        return _checked(a // b, shown)
    if op is ast.Mod:
        return _checked(a % b, shown)
    if isinstance(a, int) and isinstance(b, int):
        exact = _exact(op, a, b)
        if exact is not None:
            return _checked(exact, shown)
    return _computed(op, shown, a, b)


def _exact(op: type[ast.operator], a: int, b: int) -> int | None:
    """Compute two whole numbers of at most 64 bits exactly, or None where that needs floats."""
    match op:
        case ast.Add:
            return a + b
        case ast.Sub:
            return a - b
        case ast.Mult:
            return a * b
        case ast.Div if a % b == 0:
            return a // b
        # With a higher exponent, any base but 0, 1 and -1 exceeds 64 bits.
        case ast.Pow if 0 <= b <= 64 or (b > 64 and abs(a) <= 1):
            return int(a**b)
    return None


def _called(name: str, args: list[Number], shown: str) -> Number:
    if name in _EXTREMES:
        if len(args) < 2:
            raise refused(shown, f"{name} needs two or more numbers, not {len(args)}")
        return _EXTREMES[name](args)
    if name == "round" and len(args) == 2:
        if not isinstance(args[1], int) or abs(args[1]) > 300:
            raise refused(shown, f"round to {args[1]:g} digits; give a whole number up to 300")
        return _checked(round(args[0], args[1]), shown)
    if name not in _OPERATIONS and name not in _ROUNDING and name != "round":
        raise refused(shown, f"the function {quoted(name)} is unknown; there are {FUNCTIONS}")
    if len(args) != 1:
        raise refused(shown, f"{name} takes one number, not {len(args)}")
    if name == "round":
        return _checked(round(args[0]), shown)
    if name in _ROUNDING:
        return _checked(_ROUNDING[name](args[0]), shown)
    return _computed(name, shown, args[0])


def _computed(operation: type[ast.AST] | str, shown: str, a: Number, b: Number = 0) -> float:
    """Let numexpr do one operation on floats, whose powers take constant time."""
    # Imported when needed (see `warm_up`).
    import numexpr

    operands = {"a": float(a), "b": float(b)}
    # Its optimizer would turn a / b into a * (1 / b), which rounds differently.
    result = numexpr.evaluate(
        _OPERATIONS[operation], local_dict=operands, global_dict={}, optimization="none"
    )
    value = float(result)
    _checked(value, shown)
    return value


def _checked(value: Number, shown: str) -> Number:
    """Return a finite number: a whole one within 64 bits as an int, else a float."""
    if isinstance(value, int):
        return int(value) if value in _WHOLE else float(value)
    if floats.isnan(value):
        raise refused(shown, "the result is not a number; check what sqrt, log or ** is given")
    if floats.isinf(value):
        raise refused(shown, "a value is too large or not finite; use smaller numbers")
    return value


def _settled(value: Number) -> Number:
    whole = isinstance(value, float) and value.is_integer() and abs(value) <= _EXACT_FLOAT
    return int(value) if whole else value


def _compared(tree: ast.Compare, shown: str) -> bool:
    sides = [_value(side, shown) for side in (tree.left, *tree.comparators)]
    verdicts = []
    for op, left, right in zip(tree.ops, sides[:-1], sides[1:], strict=True):
        if type(op) not in _COMPARISONS:
            raise refused(
                shown, f"{type(op).__name__} does not compare numbers; use < <= > >= == !="
            )
        verdicts.append(_COMPARISONS[type(op)](left, right))
    return all(verdicts)
