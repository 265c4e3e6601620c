"""The names that a refused statement would have bound or changed: what they hold has failed."""

import ast
import re
from collections.abc import Iterable, Iterator

from llm_compiler.language.evaluation.changes import CHANGING
from llm_compiler.language.lowering.owning import changes_in
from llm_compiler.language.lowering.trees import parsed
from llm_compiler.language.reading.diagnostics import PlacedError
from llm_compiler.language.reading.written import Statement

_TARGETS = re.compile(
    r"[ \t]*((?:[^\W\d]\w*\s*,\s*)*[^\W\d]\w*)\s*(?::[^=\n]*)?(?:[-+%]|//?|\*\*?)?=(?!=)"
)


def targets(statement: Statement) -> set[str]:
    """The names that a statement assigns, or whose values it changes.

    One that is no Python assigns what stands before a `=` where a line of it begins; only in a
    block do other lines than the first count.
    """
    try:
        body = parsed(statement.written, "exec")
    except PlacedError:
        first, *others = statement.written.text.split("\n")
        lines = [first, *others] if first.rstrip().endswith(":") else [first]
        found = [it for line in lines if (it := _TARGETS.match(line))]
        return {name.strip() for it in found for name in it[1].split(",")}
    return set(bound_in(body))


def bound_in(body: Iterable[ast.AST]) -> Iterator[str]:
    """The names that are assigned, or whose values are changed."""
    waiting: list[ast.AST] = [*body]
    loops = [it for it in waiting if isinstance(it, ast.For | ast.If)]
    yield from (name for name, _ in changes_in(loops))
    while waiting:
        match node := waiting.pop():
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef() | ast.Lambda():
                continue  # names of its own
            case ast.comprehension(iter=source, ifs=conditions):
                waiting += [source, *conditions]
                continue
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
                yield name
            case ast.Subscript(ctx=ast.Store() | ast.Del()):
                yield from _holder(node)
            case ast.Attribute(ctx=ast.Store() | ast.Del()):
                yield from _holder(node)
            case ast.Call(func=ast.Attribute(attr=method) as func) if method in CHANGING:
                yield from _holder(func)
        waiting += ast.iter_child_nodes(node)


def _holder(part: ast.AST) -> Iterator[str]:
    """The name of what a part is a part of."""
    while isinstance(part, ast.Subscript | ast.Attribute):
        part = part.value
    if isinstance(part, ast.Name):
        yield part.id
