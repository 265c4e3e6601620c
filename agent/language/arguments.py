"""Reads a call's arguments: Python call syntax, literals only, with bare references.

Python's own `ast` does the reading. What models write and Python refuses is mended first: raw
newlines in strings, unknown escapes such as `\\d`, bare references, NUL and lone surrogates.
"""

import ast
import math
import re
from typing import Any

from llm_compiler.errors import PlanError
from llm_compiler.language.references import PATTERN as REFERENCE
from llm_compiler.text import clean, shortened

_PIECE = re.compile(
    r"(?P<prefix>[A-Za-z]{0,2})(?P<string>"
    r'"""(?:[^\\"]|\\.|"(?!""))*+"""'
    r"|'''(?:[^\\']|\\.|'(?!''))*+'''"
    r'|"(?:[^\\"]|\\.)*+"'
    r"|'(?:[^\\']|\\.)*+')"
    rf"|(?P<reference>{REFERENCE.pattern})",
    re.DOTALL,
)
_MENDED = re.compile(
    r"\\(?:\n|[\\'\"abfnrtv]|x[0-9A-Fa-f]{2}|(?:[0-3][0-7]{2}|[0-7]{1,2}(?![0-7]))"
    r"|u[0-9A-Fa-f]{4}|U00(?:0[0-9A-Fa-f]|10)[0-9A-Fa-f]{4})"
    r"|(?P<slash>\\)|(?P<raw>[\n\r\0])",
)
_NAMES = {"true": True, "false": False, "null": None}


def read_arguments(source: str) -> tuple[list[Any], dict[str, Any]]:
    """The positional and the keyword arguments in `source`; references stay strings.

    Raises:
        PlanError: the source is not a list of literals.
    """
    try:
        return _values(ast.parse(f"_({_PIECE.sub(_mend, clean(source))}\n)", mode="eval").body)
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        why = error.msg if isinstance(error, SyntaxError) else "nested too deeply"
        raise PlanError(
            f'the arguments do not parse ({why}); write tool("text", 5, key="value"),'
            ' with \\" for a quote inside a string'
        ) from None


def _values(tree: ast.expr) -> tuple[list[Any], dict[str, Any]]:
    if not isinstance(tree, ast.Call) or not isinstance(tree.func, ast.Name):
        raise PlanError("the arguments do not parse; close each bracket once")
    keywords: dict[str, Any] = {}
    for keyword in tree.keywords:
        if keyword.arg is None:
            raise PlanError("** is not a literal; write each argument as key=value")
        if keyword.arg in keywords:
            raise PlanError(f"the argument {keyword.arg!r} is given twice; give it once")
        keywords[keyword.arg] = _literal(keyword.value)
    return [_literal(argument) for argument in tree.args], keywords


def _mend(piece: re.Match[str]) -> str:
    if piece["reference"]:
        return repr(piece["reference"])
    return piece.group() if piece["prefix"] else _MENDED.sub(_mend_character, piece["string"])


def _mend_character(found: re.Match[str]) -> str:
    if found["slash"]:
        return "\\\\"
    if found["raw"]:
        return {"\n": "\\n", "\r": "\\r", "\0": "\\0"}[found["raw"]]
    return found.group()


def _literal(node: ast.expr) -> Any:
    match node:
        case ast.Constant(value=str(text)):
            return clean(text)
        case ast.Constant(value=bool() | None as value):
            return value
        case ast.Constant(value=int() | float() as number) if _holds(number):
            return number
        case ast.Name(id=name) if name in _NAMES:
            return _NAMES[name]
        case ast.UnaryOp(op=ast.USub() | ast.UAdd() as sign, operand=operand):
            number = _literal(operand)
            if isinstance(number, int | float):
                number = -number if isinstance(sign, ast.USub) else number
                if _holds(number):
                    return number
        case ast.List(elts=items) | ast.Tuple(elts=items) | ast.Set(elts=items):
            return [_literal(item) for item in items]
        case ast.Dict(keys=keys, values=values):
            return {_key(key): _literal(value) for key, value in zip(keys, values, strict=True)}
    written = re.sub(r"'(\$[^']*)'", r"\1", ast.unparse(node))
    raise PlanError(f"{shortened(written, 60)} is not a literal; put it in quotes")


def _holds(number: float) -> bool:
    """Whether a checkpoint can store it: finite, and 64 bits if it is whole."""
    return math.isfinite(number) if isinstance(number, float) else -(2**63) <= number < 2**64


def _key(node: ast.expr | None) -> str:
    key = None if node is None else _literal(node)
    if not isinstance(key, str | int | float):
        raise PlanError("the key of an object must be a string; put it in quotes")
    return key if isinstance(key, str) else str(key)
