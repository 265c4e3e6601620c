"""Comprehensions: list, set, dict and generator, all of them at once."""

import ast
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from llm_compiler.language.evaluation.budget import ITEM, Budget, ComputeError
from llm_compiler.language.evaluation.expressions import Frame, NodeError, Nodes, Run, Scope
from llm_compiler.language.evaluation.functions import as_key
from llm_compiler.language.evaluation.parts import items, kind
from llm_compiler.language.evaluation.sets import distinct
from llm_compiler.language.evaluation.vectors import vectorized

Bind = Callable[[dict[str, Any], Any, Budget], None]


@dataclass(frozen=True, slots=True)
class _Loop:
    source: Run
    bind: Bind
    conditions: list[Run]
    cost: int


def _loops(
    node: ast.AST, generators: list[ast.comprehension], scope: Scope
) -> tuple[list[_Loop], Scope]:
    loops = []
    for generator in generators:
        if generator.is_async:
            raise NodeError(node, "write for without async; calls run at once anyway")
        source = scope.compile(generator.iter)
        scope = scope.with_names(names_in(generator.target))
        conditions = [scope.compile(condition) for condition in generator.ifs]
        cost = 2 + sum(1 for part in generator.ifs for _ in ast.walk(part))
        loops.append(_Loop(source, binder(generator.target), conditions, cost))
    return loops, scope


def names_in(target: ast.expr) -> set[str]:
    """The names that a target of a loop or an assignment binds."""
    return {node.id for node in ast.walk(target) if isinstance(node, ast.Name)}


def binder(target: ast.expr) -> Bind:
    """What binds the names of a target to a value; Python's unpacking.

    Raises:
        NodeError: the target is neither a name nor several.
    """
    if isinstance(target, ast.Name):
        name = target.id
        if "__" in name:
            raise NodeError(target, "names with two underscores are not in the plan language")
        return lambda names, value, budget: names.__setitem__(name, value)
    if not isinstance(target, ast.Tuple | ast.List):
        raise NodeError(target, "only names can be assigned to; write a new dict or list")
    parts = target.elts
    starred = [place for place, item in enumerate(parts) if isinstance(item, ast.Starred)]
    binds = [binder(item.value if isinstance(item, ast.Starred) else item) for item in parts]

    def bind(names: dict[str, Any], value: Any, budget: Budget) -> None:
        values = items(value, budget)
        if starred and len(values) >= len(parts) - 1:
            before, after = starred[0], len(parts) - 1 - starred[0]
            end = len(values) - after
            budget.make(ITEM * len(values))
            values = [*values[:before], values[before:end], *values[end:]]
        if len(values) != len(parts):
            raise ComputeError(f"{kind(value)} cannot be unpacked into {len(parts)} names")
        for bind_one, item in zip(binds, values, strict=True):
            bind_one(names, item, budget)

    return bind


def _rounds(
    loops: list[_Loop], cost: int, each: Callable[[Frame], None], frame: Frame, first: Any
) -> None:
    """Run `each` for every round of nested `loops`; `first` is what the outermost goes through."""
    budget, names = frame.budget, frame.names

    def go(depth: int) -> None:
        if depth == len(loops):
            each(frame)
            return
        loop = loops[depth]
        innermost = depth + 1 == len(loops)
        paid = loop.cost + (cost if innermost else 0)
        for item in items(loop.source(frame) if depth else first, budget):
            budget.step(paid)
            loop.bind(names, item, budget)
            if all(condition(frame) for condition in loop.conditions):
                if innermost:
                    each(frame)
                else:
                    go(depth + 1)

    go(0)


def _list(node: ast.ListComp | ast.SetComp | ast.GeneratorExp, scope: Scope) -> Run:
    loops, inner = _loops(node, node.generators, scope)
    element = inner.compile(node.elt)
    cost = sum(1 for _ in ast.walk(node.elt))
    fast = vectorized(node, scope) if not isinstance(node, ast.SetComp) else None
    first = loops[0].source

    def run(frame: Frame) -> list[Any]:
        done, source = fast(frame, first) if fast is not None else (None, first(frame))
        if done is not None:
            return done
        made: list[Any] = []
        _rounds(
            loops,
            cost,
            lambda inside: made.append(element(inside)),
            Frame(dict(frame.names), frame.budget),
            source,
        )
        return distinct(made, frame.budget) if isinstance(node, ast.SetComp) else made

    return run


def _dict(node: ast.DictComp, scope: Scope) -> Run:
    loops, inner = _loops(node, node.generators, scope)
    key, value = inner.compile(node.key), inner.compile(node.value)
    cost = sum(1 for part in (node.key, node.value) for _ in ast.walk(part))
    first = loops[0].source

    def run(frame: Frame) -> dict[Any, Any]:
        made: dict[Any, Any] = {}
        _rounds(
            loops,
            cost,
            lambda inside: made.__setitem__(as_key(key(inside)), value(inside)),
            Frame(dict(frame.names), frame.budget),
            first(frame),
        )
        return made

    return run


ROWS: Nodes = {
    ast.ListComp: _list,
    ast.SetComp: _list,
    ast.GeneratorExp: _list,
    ast.DictComp: _dict,
}
