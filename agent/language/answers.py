"""Lowers `answer(…)` and `print(…)`: texts, and holes with tasks behind them."""

import ast
import re
from collections.abc import Sequence
from typing import Any

from llm_compiler.language.expressions import NodeError
from llm_compiler.language.lowered import Answer, Hole
from llm_compiler.language.names import expression, tree_of
from llm_compiler.language.place import Place
from llm_compiler.language.task_ids import TaskId

_REFERENCE = re.compile(r"\$\d")


def called(call: ast.Call, place: Place, *, given: bool) -> Answer:
    """What `answer(…)` or (not `given`) `print(…)` says."""
    values = [*call.args, *(keyword.value for keyword in call.keywords if given)]
    if unpacked := next((it for it in call.keywords if it.arg is None), None):
        raise NodeError(unpacked, "write the value itself, without **")
    if call.keywords and not given:
        raise NodeError(call.keywords[0], "print takes values only; write print(a, b)")
    if given and len(values) != 1:
        raise NodeError(call, 'answer takes one value; write answer(f"… {value} …")')
    return said(values, place, given=given)


def said(values: Sequence[ast.expr], place: Place, *, given: bool) -> Answer:
    """What values say: texts, and holes with tasks behind them."""
    parts: list[str | Hole] = []
    needs: list[TaskId] = []
    in_words = False
    for index, node in enumerate(values):
        in_words = in_words or has_words(node)
        resolved = place.lowering.resolved(node)
        if index:
            parts.append(" ")
        for part in resolved.values if isinstance(resolved, ast.JoinedStr) else [resolved]:
            said_part, ids = _part(part, place)
            parts.append(said_part)
            needs += ids
    needed = tuple(dict.fromkeys(needs))
    return Answer(tuple(parts), in_words, needed, given, place.line, place.source)


def answer_expression(answer: Answer) -> str:
    """What a program says, as an expression: a value, or a text with its values filled in."""
    match answer.parts:
        case [str() as text]:
            return expression(ast.Constant(text))
        case [Hole(value=value, conversion="", spec="")]:
            return expression(_node(value))
    return expression(ast.JoinedStr([*map(_said, answer.parts)]))


def _said(part: str | Hole) -> ast.expr:
    if isinstance(part, str):
        return ast.Constant(part)
    spec = ast.JoinedStr([ast.Constant(part.spec)]) if part.spec else None
    conversion = ord(part.conversion) if part.conversion else -1
    return ast.FormattedValue(_node(part.value), conversion, spec)


def _node(value: Any) -> ast.expr:
    """The tree of a literal or a reference, as a task's arguments hold it."""
    match value:
        case str() if _REFERENCE.match(value):
            return tree_of(value)
        case str():
            return ast.Constant(value.replace("$$", "$"))
        case list():
            return ast.List([*map(_node, value)], ast.Load())
        case dict():
            return ast.Dict([*map(_node, value)], [*map(_node, value.values())])
    return ast.Constant(value)


def in_words(expression: str) -> bool:
    """Whether the expression of an answer says something around its values."""
    try:
        return has_words(tree_of(expression))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False


def _part(node: ast.expr, place: Place) -> tuple[str | Hole, tuple[TaskId, ...]]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value, ()
    conversion = spec = ""
    if isinstance(node, ast.FormattedValue):
        static = node.format_spec is None or isinstance(node.format_spec, ast.JoinedStr)
        texts = node.format_spec.values if isinstance(node.format_spec, ast.JoinedStr) else []
        if static and all(isinstance(text, ast.Constant) for text in texts):
            spec = "".join(str(text.value) for text in texts if isinstance(text, ast.Constant))
            conversion = chr(node.conversion) if node.conversion > 0 else ""
            node = node.value
        else:
            node = ast.JoinedStr([node])
    value, ids = place.lowering.value(node, place.line, place.source)
    return Hole(value, conversion, spec), ids


def has_words(node: ast.expr) -> bool:
    """Whether an answer says something around its values."""
    match node:
        case ast.Constant(value=str() as text):
            return any(letter.isalpha() for letter in text)
        case ast.JoinedStr(values=parts):
            return any(isinstance(part, ast.Constant) and has_words(part) for part in parts)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return has_words(left) or has_words(right)
        case ast.IfExp(body=yes, orelse=no):
            return has_words(yes) and has_words(no)
        case ast.Subscript(value=ast.ListComp(elt=text)):
            return has_words(text)  # an f-string as unparse.py writes it
    return False
