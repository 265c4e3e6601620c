"""Resolves comprehensions with calls in them: what the calls do not decide is gone through first.

    [search(x.name) for x in xs if x.late]     3  compute  [x for x in $2 if x.late]
                                               4  each  items $3, body:  4[]  search($(4[].0).name)

So there is one iteration for each item that passes. Of several `for`, those that need no call are
gone through together, and the others are loops inside the loop.
"""

import ast
from collections.abc import Mapping, Sequence
from contextlib import ExitStack

from llm_compiler.language.evaluation.comprehensions import binder
from llm_compiler.language.evaluation.expressions import NodeError
from llm_compiler.language.lowering.bodies import body, joined, row, unpacked, unpacks
from llm_compiler.language.lowering.keys import keyed
from llm_compiler.language.lowering.names import reference
from llm_compiler.language.lowering.resolving import Resolver, Row
from llm_compiler.language.lowering.trees import has_calls, mark_calls
from llm_compiler.language.tasks.task import When

_LAZY = (
    "this may not be gone through to its end, and it makes changes; write a list, in brackets: […]"
)
_TAKE_ALL = frozenset(("list", "dict", "sorted", "sum", "min", "max", "mean", "len", "join"))
"""The functions and methods that go through all that they are given."""
Comprehension = ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp


def _comprehension(node: Comprehension, resolver: Resolver) -> ast.expr:
    first, *others = node.generators
    elements = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
    if not any(map(has_calls, (*first.ifs, *others, *elements))):
        return resolver.plain(node)
    if isinstance(node, ast.GeneratorExp) and resolver.has_writes(node):
        raise NodeError(node, _LAZY)
    if isinstance(node, ast.DictComp):
        pair = ast.List(elements, ast.Load())
        mark_calls(pair)
        pairs = _listed(node.generators, pair, resolver)
        key, value = (ast.Name(it, ast.Load()) for it in ("key", "value"))
        target = ast.Tuple([ast.Name(it.id, ast.Store()) for it in (key, value)], ast.Store())
        return ast.DictComp(key, value, [ast.comprehension(target, pairs, [], 0)])
    values = _listed(node.generators, elements[0], resolver)
    if isinstance(node, ast.SetComp):
        return ast.Set([ast.Starred(values, ast.Load())])
    return values


def _listed(
    generators: Sequence[ast.comprehension], element: ast.expr, resolver: Resolver
) -> ast.expr:
    """A resolved expression for the list of the values of `element`."""
    writes = any(map(resolver.has_writes, (element, *generators)))
    before, conditions, inside = _split(generators, writes=writes)
    rest: list[ast.expr | ast.comprehension] = [*conditions, *inside, element]
    names = _used(before, rest, resolver)
    [*_, last] = before
    if len(before) == 1 and not last.ifs and isinstance(last.target, ast.Name):
        items, rows = resolver.resolved(last.iter), None
    elif writes and not unpacks(last.target, last.iter):
        items, rows = resolver.resolved(last.iter), last
    else:
        items, rows = resolver.resolved(ast.ListComp(row(names), before)), None
    with body(items, rest, "", resolver) as loop, ExitStack() as holding:
        item = loop.item
        if rows is not None:
            one = ast.comprehension(rows.target, ast.List([item], ast.Load()), [], 0)
            item = ast.Subscript(ast.ListComp(row(names), [one]), ast.Constant(0), ast.Load())
            item = resolver.compute(resolver.checked(item))
        resolver.frame.names.update(unpacked(names, item))
        for condition in conditions:
            id, line = resolver.condition(resolver.resolved(condition)), resolver.line_of(condition)
            holding.enter_context(resolver.under(When(id, True, line)))
            loop.args["keep"] = id
        made = _listed(inside, element, resolver) if inside else resolver.resolved(element)
        loop.args["value"], ids = resolver.value(made)
        loop.ids += ids
    return joined(reference(loop.id)) if inside else reference(loop.id)


def _split(
    generators: Sequence[ast.comprehension], *, writes: bool
) -> tuple[list[ast.comprehension], list[ast.expr], list[ast.comprehension]]:
    """What is gone through before any call, which conditions follow, and which loops.

    What may fail for one item does not keep what is written for those before it from happening.
    """
    before: list[ast.comprehension] = []
    for place, loop in enumerate(generators):
        if place and (writes or has_calls(loop.iter)):
            return before, [], [*generators[place:]]
        if loop.is_async:
            raise NodeError(loop.iter, "write for without async; calls run at once anyway")
        binder(loop.target)
        count = next((n for n, it in enumerate(loop.ifs) if writes or has_calls(it)), len(loop.ifs))
        before.append(ast.comprehension(loop.target, loop.iter, loop.ifs[:count], 0))
        if count < len(loop.ifs):
            return before, loop.ifs[count:], [*generators[place + 1 :]]
    return before, [], []


def _used(
    loops: Sequence[ast.comprehension], rest: Sequence[ast.AST], resolver: Resolver
) -> list[str]:
    """The names of targets that are used later, or one of them."""
    names = [node.id for loop in loops for node in ast.walk(loop.target)
             if isinstance(node, ast.Name)]  # fmt: skip
    used = {node.id for node in resolver.nodes(rest) if isinstance(node, ast.Name)}
    return [name for name in dict.fromkeys(names) if name in used] or names[-1:]


def _call(node: ast.Call, resolver: Resolver) -> ast.expr:
    resolver.functions.check(node.func)
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    if name in _TAKE_ALL:
        for place, it in enumerate(node.args):
            if isinstance(it, ast.GeneratorExp):
                node.args[place] = ast.copy_location(ast.ListComp(it.elt, it.generators), it)
                mark_calls(node.args[place])
    return keyed(node, name, resolver) or resolver.plain(node)


def _lambda(node: ast.Lambda, resolver: Resolver) -> ast.expr:
    raise NodeError(node, "this lambda calls a tool; call it in a comprehension before")


ROWS: Mapping[type[ast.AST], Row] = {
    ast.ListComp: _comprehension,
    ast.SetComp: _comprehension,
    ast.GeneratorExp: _comprehension,
    ast.DictComp: _comprehension,
    ast.Call: _call,
    ast.Lambda: _lambda,
}
