"""Whether a block reads a name before it assigns it."""

import ast
from collections.abc import Callable, Iterable, Sequence
from typing import Literal

from llm_compiler.language.lowering.names import placeholder
from llm_compiler.language.lowering.targets import bound_in

Tree = Callable[[int], ast.AST]
"""A call in the statement as it was written."""


def reads_first(name: str, body: Sequence[ast.stmt], tree: Tree) -> bool:
    """Whether a block may read a name that it has not assigned yet."""
    return _first_use(name, body, tree) == "read"


def _first_use(
    name: str, body: Sequence[ast.stmt], tree: Tree
) -> Literal["read", "assigned", "none"]:
    for statement in body:
        match statement:
            case ast.If(test=test, body=yes, orelse=no):
                if _is_read(name, [test], tree):
                    return "read"
                uses = {_first_use(name, branch, tree) for branch in (yes, no)}
                if "read" in uses:
                    return "read"
                if uses == {"assigned"}:
                    return "assigned"
            case ast.For(iter=items, body=inner):
                if _is_read(name, [items], tree):
                    return "read"
                assigned = name in bound_in([statement.target])
                if not assigned and _first_use(name, inner, tree) == "read":
                    return "read"
            case _:
                if _is_read(name, [statement], tree):
                    return "read"
                if name in bound_in([statement]):
                    return "assigned"
    return "none"


def _is_read(name: str, parts: Iterable[ast.AST], tree: Tree) -> bool:
    waiting = [*parts]
    while waiting:
        node = waiting.pop()
        if (index := placeholder(node)) is not None:
            waiting.append(tree(index))
        elif isinstance(node, ast.Name):
            if node.id == name and isinstance(node.ctx, ast.Load):
                return True
        elif isinstance(node, ast.AugAssign) and _is_name(node.target, name):
            return True
        else:
            waiting += _outside(name, node)
    return False


def _outside(name: str, node: ast.AST) -> Iterable[ast.AST]:
    """The parts of a node in which a name means what it means around it."""
    match node:
        case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
            if name in bound_in(loop.target for loop in node.generators):
                return [node.generators[0].iter]
        case ast.Lambda(args=arguments) if name in {it.arg for it in arguments.args}:
            return []
    return ast.iter_child_nodes(node)


def _is_name(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name
