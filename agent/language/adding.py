"""Lowers what changes a list or a dict: a name gets a new one, as if it had been changed.

    xs.append(x)      xs = [*xs, x]
    d[key] = value    d = {**d, key: value}

That is the same as long as nothing else refers to it: a name owns its list or dict if it was made
where it was assigned, and stands nowhere since where another name could come to refer to it.
"""

import ast
import re
from collections import Counter
from collections.abc import Iterable, Iterator

from llm_compiler.language.comprehensions import names_in
from llm_compiler.language.expressions import NodeError
from llm_compiler.language.names import placeholder
from llm_compiler.language.resolving import Resolver
from llm_compiler.language.trees import mark_calls
from llm_compiler.language.written import PLACEHOLDER

_ADDING = {"append": "list", "add": "list", "extend": "list", "update": "dict"}
"""The methods that add something, and to what."""
_COPIES = frozenset(("list", "dict", "sorted", "split", "splitlines", "items", "keys", "values"))
_More = list[ast.expr] | tuple[ast.expr | None, ast.expr]
"""Items of a list, or a key with a value: without a key it is a dict."""
_PASSES_ON = frozenset(("max", "min", "dict", "get"))
"""Functions and methods whose value may be one of their arguments."""


def adding(node: ast.stmt) -> tuple[str, str] | None:
    """The name of what a statement adds to, and whether that is a list or a dict.

    It is neither if the statement reads a part of it, too.

    Raises:
        NodeError: it adds to a part of something.
    """
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
        case ast.AugAssign(target=ast.Subscript(value=ast.Name(id=name), slice=key)):
            return None if isinstance(key, ast.Slice) else (name, "read")
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Subscript() as part, attr=it))):
            if it in ("append", "extend"):
                said = re.sub(rf"{PLACEHOLDER}\d+", "…", ast.unparse(part))
                added = "[item]" if it == "append" else "items"
                raise NodeError(node, f"write {said} = {said} + {added}")
    return None


def lower_adding(node: ast.stmt, name: str, resolver: Resolver) -> None:
    """Bind the name of a list or a dict anew, with what a statement adds to it."""
    more: _More
    match node:
        case ast.Expr(value=ast.Call(func=ast.Attribute(attr=method), args=[added])):
            _disown([added], resolver)
            value = resolver.resolved(added)
            starred = ast.Starred(value, ast.Load())
            if method == "update":
                more = (None, value)
            else:
                more = [starred if method == "extend" else value]
        case ast.Assign(targets=[ast.Subscript(slice=key)], value=written):
            _disown([written], resolver)
            value = resolver.resolved(written)
            more = (resolver.resolved(key), value)
        case ast.AugAssign(target=ast.Subscript() as part, op=op, value=added):
            key = resolver.resolved(part.slice)
            part.slice, part.ctx = key, ast.Load()
            more = (key, resolver.resolved(ast.copy_location(ast.BinOp(part, op, added), node)))
        case ast.AugAssign(value=ast.List(elts=elements)):
            _disown(elements, resolver)
            shown = ast.List([*elements], ast.Load())
            mark_calls(shown)
            resolved = resolver.resolved(shown)
            assert isinstance(resolved, ast.List)
            more = resolved.elts
    before = resolver.functions.value(ast.Name(name, ast.Load()), resolver.frame.names)
    resolver.bind(name, _added(before, more))
    resolver.frame.owned[name] = True


def _added(before: ast.expr, more: _More) -> ast.expr:
    if isinstance(more, list):
        items = before.elts if isinstance(before, ast.List) else [ast.Starred(before, ast.Load())]
        return ast.List([*items, *more], ast.Load())
    there = (before.keys, before.values) if isinstance(before, ast.Dict) else ([None], [before])
    return ast.Dict([*there[0], more[0]], [*there[1], more[1]])


# ── who owns a list or a dict ─────────────────────────────────────────────────────────────────


def assigned(targets: list[ast.expr], value: ast.expr, resolver: Resolver) -> dict[str, bool]:
    """The names that are assigned a value, as written, and whether each owns it."""
    _disown([value], resolver)
    match targets, value:
        case [ast.Name(id=name)], _:
            return {name: _is_new(value)}
        case [ast.Tuple(elts=names)], ast.Tuple(elts=values) if len(names) == len(values):
            pairs = zip(names, values, strict=True)
            return {it.id: _is_new(value) for it, value in pairs if isinstance(it, ast.Name)}
    return dict.fromkeys((it for target in targets for it in names_in(target)), False)


def _disown(values: Iterable[ast.expr], resolver: Resolver) -> None:
    """Something else may come to refer to what names in these values refer to."""
    for value in values:
        for name in _passed_on(value):
            resolver.frame.owned[name] = False


def disowned(body: Iterable[ast.AST]) -> Iterator[str]:
    """The names in the statements of a block to whose lists and dicts others may come to refer."""
    for part in body:
        for node in ast.walk(part):
            match node:
                case ast.Assign(value=value) | ast.AnnAssign(value=ast.expr() as value):
                    yield from _passed_on(value)
                case ast.AugAssign(value=ast.List(elts=values)):
                    for value in values:
                        yield from _passed_on(value)
                case ast.Expr(value=ast.Call(func=ast.Attribute(), args=values)):
                    for value in values:
                        yield from _passed_on(value)


def _is_new(value: ast.expr) -> bool:
    """Whether nothing else can refer to a value."""
    match value:
        case ast.List() | ast.Dict() | ast.ListComp() | ast.DictComp() | ast.BinOp():
            return True
        case ast.Await(value=inner):
            return _is_new(inner)
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)):
            return name in _COPIES
    return placeholder(value) is not None


def _passed_on(value: ast.expr) -> Iterator[str]:
    """The names whose lists or dicts are the value or stand in it."""
    match value:
        case ast.Name(id=name):
            yield name
        case ast.List(elts=parts) | ast.Tuple(elts=parts) | ast.Set(elts=parts):
            for part in parts:
                yield from _passed_on(part)
        case ast.Dict(values=parts) | ast.BoolOp(values=parts):
            for part in parts:
                yield from _passed_on(part)
        case ast.IfExp(body=yes, orelse=no):
            yield from _passed_on(yes)
            yield from _passed_on(no)
        case ast.ListComp(elt=part) | ast.GeneratorExp(elt=part) | ast.DictComp(value=part):
            yield from _passed_on(part)
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)) if name in _PASSES_ON:
            for part in (*value.args, *(it.value for it in value.keywords)):
                yield from _passed_on(part)


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
        if not more and kind != "read" and used[name] == adds[name] and owned.get(name)
    }
