"""Lowers `answer(…)` and `print(…)`: texts, and holes with tasks behind them."""

import ast
import re
from collections.abc import Sequence
from typing import Any

from llm_compiler.language.evaluation.expressions import NodeError
from llm_compiler.language.lowering.lowered import Answer, Either, Hole, Lines, Part
from llm_compiler.language.lowering.names import expression, reference, tree_of
from llm_compiler.language.lowering.resolving import Resolver
from llm_compiler.language.tasks.task import When
from llm_compiler.language.tasks.task_ids import TaskId

_REFERENCE = re.compile(r"\$[\d(]")


def called(call: ast.Call, resolver: Resolver, *, given: bool) -> Answer:
    """What `answer(…)` or (not `given`) `print(…)` says."""
    values = [*call.args, *(keyword.value for keyword in call.keywords if given)]
    if unpacked := next((it for it in call.keywords if it.arg is None), None):
        raise NodeError(unpacked, "write the value itself, without **")
    if call.keywords and not given:
        raise NodeError(call.keywords[0], "print takes values only; write print(a, b)")
    if given and len(values) != 1:
        raise NodeError(call, 'answer takes one value; write answer(f"… {value} …")')
    return said(values, resolver, given=given)


def said(values: Sequence[ast.expr], resolver: Resolver, *, given: bool) -> Answer:
    """What values say: texts, and holes with tasks behind them."""
    if len(values) == 1 and isinstance(values[0], ast.IfExp):
        return _chosen(values[0], resolver, given=given)
    parts: list[Part] = []
    needs: list[TaskId] = []
    in_words = False
    for index, node in enumerate(values):
        in_words = in_words or has_words(node)
        resolved = resolver.resolved(node)
        if index:
            parts.append(" ")
        for part in resolved.values if isinstance(resolved, ast.JoinedStr) else [resolved]:
            said_part, ids = _part(part, resolver)
            parts.append(said_part)
            needs += ids
    needed = tuple(dict.fromkeys(needs))
    return Answer(tuple(parts), in_words, needed, given, resolver.line, resolver.source)


def _chosen(node: ast.IfExp, resolver: Resolver, *, given: bool) -> Answer:
    id, line = resolver.condition(resolver.resolved(node.test)), resolver.line_of(node.test)
    sides = []
    for holds, value in ((True, node.body), (False, node.orelse)):
        with resolver.under(When(id, holds, line)):
            sides.append(said([value], resolver, given=given))
    return sides[0].unless(When(id, True, line), sides[1])


def answer(node: ast.AST, said: Answer, resolver: Resolver) -> None:
    """The program ends here, if it comes here.

    Raises:
        NodeError: it is in a loop.
    """
    if resolver.frame.tasks.loop is not None:
        raise NodeError(node, "a loop cannot answer; keep the value in a name, and answer below")
    resolver.frame.last = resolver.frame.said.then(said)


def answer_expression(answer: Answer) -> str:
    """What a program says, as an expression: a value, or a text with its values filled in."""
    return expression(_tree(answer.parts))


def lines_of(answer: Answer) -> ast.expr:
    """The lines that an answer says, as a list of texts."""
    lines: list[list[Part]] = [[]] if answer.parts else []
    for part in answer.parts:
        if part == "\n":
            lines.append([])
        else:
            lines[-1].append(part)
    return ast.List([*map(_line, lines)], ast.Load())


def _line(parts: list[Part]) -> ast.expr:
    match parts:
        case [Lines(value=value)]:
            return ast.Starred(_node(value), ast.Load())
        case [str() as text]:
            return ast.Constant(text)
    return ast.JoinedStr([*map(_said, parts)])


def _tree(parts: tuple[Part, ...]) -> ast.expr:
    match parts:
        case []:
            return ast.Constant("")
        case [str() as text]:
            return ast.Constant(text)
        case [Hole(value=value, conversion="", spec="")]:
            return _node(value)
        case [Either(when=when, yes=yes, no=no)]:
            sides = (yes, no) if when.holds else (no, yes)
            return ast.IfExp(reference(when.id), *map(_tree, sides))
    if any(isinstance(part, Lines) for part in parts):
        join = ast.Attribute(ast.Constant("\n"), "join", ast.Load())
        return ast.Call(join, [lines_of(Answer(parts))], [])
    return ast.JoinedStr([*map(_said, parts)])


def _said(part: Part) -> ast.expr:
    if isinstance(part, str):
        return ast.Constant(part)
    if not isinstance(part, Hole):
        return ast.FormattedValue(_tree((part,)), -1)
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


def _part(node: ast.expr, resolver: Resolver) -> tuple[str | Hole, tuple[TaskId, ...]]:
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
    value, ids = resolver.value(node)
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
        case ast.Call(func=ast.Attribute(attr="join"), args=[ast.List(elts=lines)]):
            return any(isinstance(line, ast.Starred) or has_words(line) for line in lines)
    return False
