"""Reads complete pieces of a program with Python's `ast`, and finds the calls in them."""

import ast
import re
import sys
from collections.abc import Sequence
from keyword import iskeyword
from typing import Any, Literal

from llm_compiler.language.lowering.names import placeholder
from llm_compiler.language.reading.diagnostics import PlacedError, parser_fault
from llm_compiler.language.reading.written import NESTED, PLACEHOLDER, Written
from llm_compiler.silent_parser import syntax_tree

MAX_TREE = 400
"""Levels of a tree that is looked at further."""


_MAX_BRACKETS = 5_000
"""Of a statement: Python's parser takes long for many, and holds the event loop meanwhile."""


_LONE_CALL = re.compile(rf"(?:([^\W\d]\w*) = )?{PLACEHOLDER}(\d+)\n?")


def lone_call(written: Written) -> tuple[int, str] | None:
    """The index of the call that a statement is, and the name that it is assigned to or "".

    Most statements are one, and need no parser: `x = search("K2")`.
    """
    found = _LONE_CALL.fullmatch(written.text)
    if found is None or (found[1] and iskeyword(found[1])):
        return None
    return int(found[2]), found[1] or ""


def parsed(written: Written, mode: Literal["eval", "exec"]) -> Any:
    """The tree of a call, or of a statement's module, with its calls marked.

    Raises:
        PlacedError: Python's parser refuses it.
    """
    text = written.text
    if sum(map(text.count, "([{")) > _MAX_BRACKETS:
        raise PlacedError(written.pieces[0][1], 1, "this has too many brackets; split it up")
    try:
        tree: Any = syntax_tree(text, mode)
        tree = _Nested(written.nested).visit(tree) if written.nested else tree
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise parser_fault(error, written) from None
    # A level takes a character at least, so that most texts are too short for many.
    if (written.nested or len(text) > MAX_TREE // 2) and _too_deep(tree):
        raise parser_fault(RecursionError(), written)
    if sys.version_info < (3, 12) and ("'" in text or '"' in text):
        for string in [node for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)]:
            for node in ast.walk(string):
                # Their own places are wrong there.
                ast.copy_location(node, string)
    if written.may_hold_calls:
        mark_calls(tree)
    return tree.body


class _Nested(ast.NodeTransformer):
    """Puts strings that stand in holes of f-strings where names stand for them."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts = texts

    def visit_Name(self, node: ast.Name) -> ast.AST:
        if not node.id.startswith(NESTED):
            return node
        text = syntax_tree(self._texts[int(node.id[1:])], "eval").body
        for part in ast.walk(text):
            ast.copy_location(part, node)
        made: ast.AST = self.visit(text)
        return made


def _too_deep(tree: ast.AST) -> bool:
    depth, level = 0, [tree]
    while level and depth <= MAX_TREE:
        depth += 1
        level = [child for node in level for child in ast.iter_child_nodes(node)]
    return bool(level)


def mark_calls(tree: ast.AST) -> None:
    """Mark the nodes of a tree that have calls of tools in them, for `has_calls`."""
    nodes = [(tree, tree)]
    for node, _ in nodes:
        nodes += [(child, node) for child in ast.iter_child_nodes(node)]
    for node, around in reversed(nodes):  # what is inside comes before what is around it
        if has_calls(node) or placeholder(node) is not None:
            node.has_calls = around.has_calls = True  # type: ignore[attr-defined]


def has_calls(node: ast.AST) -> bool:
    """Whether there are calls of tools in a node of a marked tree."""
    return getattr(node, "has_calls", False)


def has_names(call: ast.Call) -> bool:
    """Whether a call has names in its arguments, besides those of functions."""
    if all(isinstance(it, ast.Constant) for it in call.args) and not call.keywords:
        return False
    functions = set()
    for node in ast.walk(call):  # a call before its function
        if isinstance(node, ast.Call):
            functions.add(id(node.func))
        elif isinstance(node, ast.Name) and placeholder(node) is None and id(node) not in functions:
            return True
    return False
