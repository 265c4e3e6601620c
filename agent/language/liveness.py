"""Whether a block reads a name before it assigns it."""

import ast
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Literal

from llm_compiler.language.targets import bound_in

Nodes = Callable[[Iterable[ast.AST]], Iterator[ast.AST]]
"""All nodes of some parts of a statement, with those of the calls in them."""


def reads_first(name: str, body: Sequence[ast.stmt], nodes: Nodes) -> bool:
    """Whether a block may read a name that it has not assigned yet."""
    return _first_use(name, body, nodes) == "read"


def _first_use(
    name: str, body: Sequence[ast.stmt], nodes: Nodes
) -> Literal["read", "assigned", "none"]:
    for statement in body:
        match statement:
            case ast.If(test=test, body=yes, orelse=no):
                if _is_read(name, [test], nodes):
                    return "read"
                uses = {_first_use(name, branch, nodes) for branch in (yes, no)}
                if "read" in uses:
                    return "read"
                if uses == {"assigned"}:
                    return "assigned"
            case ast.For(iter=items, body=inner):
                if _is_read(name, [items], nodes):
                    return "read"
                assigned = name in bound_in([statement.target])
                if not assigned and _first_use(name, inner, nodes) == "read":
                    return "read"
            case _:
                if _is_read(name, [statement], nodes):
                    return "read"
                if name in bound_in([statement]):
                    return "assigned"
    return "none"


def _is_read(name: str, parts: Iterable[ast.AST], nodes: Nodes) -> bool:
    for node in nodes(parts):
        match node:
            case ast.AugAssign(target=ast.Name(id=read)) | ast.Name(id=read, ctx=ast.Load()):
                if read == name:
                    return True
    return False
