"""Lowers what adds to a list or a dict: a name gets a new one, as if it had been changed.

    xs.append(x)      xs = [*xs, x]
    d[key] = value    d = {**d, key: value}

As in changing.py, but no task is needed for what is short, and a loop can collect what it adds.
"""

import ast
from collections import Counter
from collections.abc import Iterable

from llm_compiler.language.lowering.changing import listed
from llm_compiler.language.lowering.frames import Frame
from llm_compiler.language.lowering.owning import owns, share
from llm_compiler.language.lowering.resolving import Resolver
from llm_compiler.language.lowering.trees import mark_calls

_ADDING = {"append": "list", "extend": "list"}
"""The methods that add something, and to what."""
_More = list[ast.expr] | tuple[ast.expr, ast.expr]
"""Items of a list, or a key with a value."""


def adding(node: ast.stmt) -> tuple[str, str] | None:
    """The name of what a statement adds to, and whether that is a list or a dict."""
    match node:
        case ast.Expr(
            value=ast.Call(
                func=ast.Attribute(value=ast.Name(id=name), attr=method), args=[_], keywords=[]
            )
        ) if method in _ADDING:
            return name, _ADDING[method]
        case ast.Assign(targets=[ast.Subscript(value=ast.Name(id=name), slice=key)]):
            return None if isinstance(key, ast.Slice) else (name, "dict")
        case ast.AugAssign(target=ast.Name(id=name), op=ast.Add(), value=ast.List()):
            return name, "list"
    return None


def added_to(node: ast.stmt, frame: Frame) -> str | None:
    """The name of what a statement adds to, if the value can be written down here."""
    found = adding(node)
    if found is None or not owns(frame, found[0], 1):
        return None
    name, kind = found
    return name if _is_one(name, kind, frame) or name in frame.collecting else None


def _is_one(name: str, kind: str, frame: Frame) -> bool:
    """Whether a name holds a list, or a dict, as far as can be told: parts of both are assigned."""
    return isinstance(frame.names.get(name), ast.Dict) == (kind == "dict")


def lower_adding(node: ast.stmt, name: str, resolver: Resolver) -> None:
    """Bind the name of a list or a dict anew, with what a statement adds to it."""
    more: _More
    before = resolver.functions.value(ast.Name(name, ast.Load()), resolver.frame.names)
    share(node, resolver)
    match node:
        case ast.Expr(value=ast.Call(func=ast.Attribute(attr=method), args=[added])):
            value = resolver.resolved(listed(added))
            more = [ast.Starred(value, ast.Load()) if method == "extend" else value]
        case ast.Assign(targets=[ast.Subscript(slice=key)], value=written):
            value = resolver.resolved(written)
            more = (resolver.resolved(key), value)
        case ast.AugAssign(value=ast.List(elts=elements)):
            shown = ast.List([*elements], ast.Load())
            mark_calls(shown)
            resolved = resolver.resolved(shown)
            assert isinstance(resolved, ast.List)
            more = resolved.elts
    resolver.bind(name, _added(before, more))


def _added(before: ast.expr, more: _More) -> ast.expr:
    if isinstance(more, list):
        items = before.elts if isinstance(before, ast.List) else [ast.Starred(before, ast.Load())]
        return ast.List([*items, *more], ast.Load())
    there = (before.keys, before.values) if isinstance(before, ast.Dict) else ([None], [before])
    return ast.Dict([*there[0], more[0]], [*there[1], more[1]])


def collected(body: Iterable[ast.stmt], resolver: Resolver) -> dict[str, str]:
    """The lists and dicts that a loop only adds to, and does not read; and which they are."""
    kinds: dict[str, set[str]] = {}
    adds: Counter[str] = Counter()
    for statement in body:
        for node in ast.walk(statement):
            if isinstance(node, ast.stmt) and (found := adding(node)) is not None:
                kinds.setdefault(found[0], set()).add(found[1])
                adds[found[0]] += 1
    if not adds:
        return {}
    used = Counter(node.id for node in resolver.nodes(body) if isinstance(node, ast.Name))
    owned = resolver.frame.owned
    return {
        name: kind
        for name, [kind, *more] in kinds.items()
        if not more
        and _is_one(name, kind, resolver.frame)
        and used[name] == adds[name]
        and owned.get(name)
    }
