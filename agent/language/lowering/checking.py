"""Checks that resolved expressions and blocks are in the language, before they are tasks."""

import ast

from llm_compiler.language.evaluation.nodes import compiled, compiled_block
from llm_compiler.language.lowering.names import References, referred


def checked(node: ast.expr) -> ast.expr:
    """A resolved expression.

    Raises:
        NodeError: it is not in the language.
    """
    if not _is_flat(node):
        compiled(node, References())
    return node


def checked_block(body: list[ast.stmt]) -> ast.Module:
    """Resolved statements, as one block.

    Raises:
        NodeError: they are not in the language.
    """
    block = ast.fix_missing_locations(ast.Module(body, []))
    compiled_block(block, References())
    return block


def _is_flat(node: ast.expr) -> bool:
    """Whether it is what most arguments are, and needs no check: a constant, a result, or a list
    of such."""
    if isinstance(node, ast.List):
        return all(map(_is_leaf, node.elts))
    return _is_leaf(node)


def _is_leaf(node: ast.expr) -> bool:
    if isinstance(node, ast.Constant):
        return type(node.value) in (str, int, float, bool)
    return referred(node) is not None
