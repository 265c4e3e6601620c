"""Who owns a list or a dict: a name does if nothing else can refer to it.

A name that is changed gets a new list or dict. That is the same as changing it, as long as nothing
else refers to what is changed. How many levels of it a name owns is known from where they were
made, and from where the name stands since:

    groups = {}                 all levels
    groups[city] = []           still all
    groups[city] = orders       one: the lists in it are those of `orders`, which owns none now
"""

import ast
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass

from llm_compiler.language.evaluation.changes import CHANGING, WITH_VALUE, is_list
from llm_compiler.language.evaluation.comprehensions import names_in
from llm_compiler.language.evaluation.functions import FUNCTIONS, MATH
from llm_compiler.language.evaluation.methods import TEXT
from llm_compiler.language.lowering.frames import Frame
from llm_compiler.language.lowering.names import placeholder
from llm_compiler.language.lowering.resolving import Resolver

ALL = 1000
"""Levels of what is wholly new."""
_MAX_LEVELS = 20
"""Of lists in which something is changed."""
_COPIES = frozenset(
    ("list", "dict", "set", "sorted", "reversed", "zip", "enumerate", "items", "keys", "values")
)
"""Functions and methods whose value is new, with the parts of their arguments in it."""
_ROWS = frozenset(("zip", "enumerate", "items"))
"""Those of them that make rows of the parts."""
_PASSES_ON = frozenset(("max", "min", "next", "get", "setdefault", "pop"))
"""Functions and methods whose value may be one of their arguments, or a part of one."""
_AT_KEY = frozenset(("setdefault", "insert", "pop", "get"))
"""Methods whose first argument says where."""
_SPREAD = frozenset(("extend", "update"))
"""Methods that put the parts of their arguments in."""


@dataclass(frozen=True, slots=True)
class Change:
    """A statement that changes what a name holds, or a part of it."""

    name: str
    levels: int
    """How many levels of it must be owned: 1 if it changes the list or dict itself."""
    added: tuple[tuple[int, ast.expr], ...] = ()
    """The values that it puts in, each with the levels around it."""
    to: str = ""
    """The name that is assigned the value of the method."""

    @property
    def leaves(self) -> int:
        """The levels that the name owns at most from then on."""
        return min((around + levels_of(value) for around, value in self.added), default=ALL)


def change(node: ast.stmt) -> Change | None:
    """What a statement changes, if it does."""
    match node:
        case ast.Expr(value=ast.Call() as call):
            return _by_method(call, "")
        case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call() as call):
            found = _by_method(call, name)
            method = call.func.attr if isinstance(call.func, ast.Attribute) else ""
            return found if method in WITH_VALUE else None
        case ast.Assign(targets=[ast.Subscript() | ast.Attribute() as part], value=value):
            return _of(part.value, [value], "")
        case ast.AugAssign(target=ast.Subscript() | ast.Attribute() as part, value=value):
            return _of(part.value, [value], "")
        case ast.AugAssign(target=ast.Name() as name, op=ast.Add(), value=value) if is_list(value):
            return _of(name, [ast.Starred(value, ast.Load())], "")
        case ast.Delete(targets=[ast.Subscript() | ast.Attribute() as part]):
            return _of(part.value, [], "")
    return None


def _by_method(call: ast.Call, to: str) -> Change | None:
    func = call.func
    if not isinstance(func, ast.Attribute) or func.attr not in CHANGING:
        return None
    args = call.args[1:] if func.attr in _AT_KEY else call.args
    values = [*args, *(it.value for it in call.keywords if it.arg != "key")]
    if func.attr in _SPREAD:
        values = [ast.Starred(it, ast.Load()) for it in values]
    return _of(func.value, values, to)


def _of(place: ast.expr, values: Iterable[ast.expr], to: str) -> Change | None:
    below, added = 0, [(0, it) for it in values]
    while not isinstance(place, ast.Name):
        below += 1
        match place:
            case ast.Subscript(value=holder) | ast.Attribute(value=holder):
                place = holder
            case ast.Call(func=ast.Attribute(value=holder, attr="setdefault"), args=[_, *default]):
                added += [(-below, it) for it in default]
                place = holder
            case _:
                return None
    around = ((1 + below + levels, value) for levels, value in added)
    return Change(place.id, 1 + below, tuple(around), to)


def levels_of(value: ast.expr) -> int:
    """How many levels of a value nothing else can refer to."""
    match value:
        case ast.Constant() | ast.JoinedStr() | ast.Compare() | ast.UnaryOp():
            return ALL
        case ast.List(elts=parts) | ast.Tuple(elts=parts) | ast.Set(elts=parts):
            return 1 + min(map(levels_of, parts), default=ALL)
        case ast.Dict(keys=keys, values=parts):
            spread = 0 if None in keys else ALL
            return 1 + min([spread, *map(levels_of, parts)])
        case ast.ListComp(elt=part) | ast.SetComp(elt=part) | ast.GeneratorExp(elt=part):
            return 1 + levels_of(part)
        case ast.DictComp(value=part):
            return 1 + levels_of(part)
        case ast.Starred(value=part):
            return max(0, levels_of(part) - 1)
        case ast.BinOp() | ast.Subscript(slice=ast.Slice()):
            return 1
        case ast.IfExp(body=yes, orelse=no):
            return min(levels_of(yes), levels_of(no))
        case ast.BoolOp(values=parts):
            return min(map(levels_of, parts))
        case ast.Await(value=inner):
            return levels_of(inner)
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name), args=arguments):
            if name in _COPIES:
                return 1 if arguments or isinstance(value.func, ast.Attribute) else ALL
            plain = name in FUNCTIONS or name in MATH or name in TEXT
            return ALL if plain and name not in _PASSES_ON else 0
    return ALL if placeholder(value) is not None else 0


# ── what a statement makes of it ──────────────────────────────────────────────────────────────


def shares(node: ast.stmt) -> Iterator[tuple[str, int]]:
    """Names with the levels that they own at most behind a statement, without those in it."""
    found = change(node)
    if found is not None:
        for _, value in found.added:
            yield from parts_of(value)
        return
    match node:
        case ast.Assign(value=value) | ast.AnnAssign(value=ast.expr() as value):
            yield from parts_of(value)
        case ast.AugAssign(value=value):
            yield from parts_of(value, 1)


def leaves(node: ast.stmt) -> Iterator[tuple[str, int]]:
    """The name that a statement changes, with the levels that it owns at most then."""
    if (found := change(node)) is not None:
        yield found.name, found.leaves
    elif isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
        yield node.target.id, 1


def assigns(node: ast.stmt) -> dict[str, int]:
    """The names that a statement assigns, with the levels that they own then."""
    match node:
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            return {name: levels_of(value)}
        case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
            return {name: levels_of(value)}
        case ast.Assign(targets=[ast.Tuple(elts=names)], value=ast.Tuple(elts=values)) if len(
            names
        ) == len(values):
            pairs = zip(names, values, strict=True)
            return {it.id: levels_of(value) for it, value in pairs if isinstance(it, ast.Name)}
        case ast.Assign(targets=targets):
            bound = [it for it in targets if not isinstance(it, ast.Subscript | ast.Attribute)]
            return dict.fromkeys((name for it in bound for name in names_in(it)), 0)
        case ast.For(target=target):
            return dict.fromkeys(names_in(target), 0)
    return {}


def parts_of(value: ast.expr, below: int = 0) -> Iterator[tuple[str, int]]:
    """The names that hold what a value, or what is so many levels below in it, may be or hold.

    Each with the levels around that in what the name holds; too few rather than too many.
    """
    inside, copied = max(0, below - 1), max(1, below)
    parts: list[tuple[ast.expr, int]] = []
    match value:
        case ast.Name(id=name):
            yield name, below
        case ast.List(elts=elements) | ast.Tuple(elts=elements) | ast.Set(elts=elements):
            parts = [(it, inside) for it in elements]
        case ast.Dict(keys=keys, values=elements):
            pairs = zip(keys, elements, strict=True)
            parts = [(it, copied if key is None else inside) for key, it in pairs]
        case ast.BoolOp(values=elements):
            parts = [(it, below) for it in elements]
        case ast.IfExp(body=yes, orelse=no):
            parts = [(yes, below), (no, below)]
        case ast.Subscript(value=part, slice=ast.Slice()):
            parts = [(part, copied)]
        case ast.Subscript(value=part) | ast.Attribute(value=part) | ast.Starred(value=part):
            parts = [(part, below + 1)]
        case ast.BinOp(left=left, op=ast.Add() | ast.Mult() | ast.BitOr(), right=right):
            parts = [(left, copied), (right, copied)]
        case (
            ast.ListComp(elt=part, generators=loops)
            | ast.GeneratorExp(elt=part, generators=loops)
            | ast.DictComp(value=part, generators=loops)
        ):
            for name, levels in parts_of(part, inside):
                sources = [it.iter for it in loops if name in names_in(it.target)]
                parts += [(it, levels + 1) for it in sources]
                if not sources:
                    yield name, levels
        case ast.Call(func=func, args=arguments, keywords=keywords):
            at_key = isinstance(func, ast.Attribute) and func.attr in _AT_KEY
            given = [*arguments[at_key:], *(it.value for it in keywords if it.arg != "key")]
            holder = [func.value] if isinstance(func, ast.Attribute) else []
            match func:
                case ast.Name(id=name) | ast.Attribute(attr=name) if name in _ROWS:
                    parts = [(it, max(1, inside)) for it in (*holder, *given)]
                case ast.Name(id=name) | ast.Attribute(attr=name) if name in _COPIES:
                    parts = [(it, copied) for it in (*holder, *given)]
                case ast.Name(id=name) | ast.Attribute(attr=name) if name in _PASSES_ON:
                    item = below + (len(given) == 1)
                    parts = [(it, below + 1) for it in holder] + [(it, item) for it in given]
    for it, levels in parts:
        yield from parts_of(it, levels)


def share(node: ast.stmt, resolver: Resolver) -> None:
    """Note what a statement lets others refer to."""
    owned, lent = resolver.frame.owned, resolver.frame.lent
    if isinstance(node, ast.For):
        for name, levels in parts_of(node.iter, 1):
            lent[name] = {**lent.get(name, {}), **dict.fromkeys(names_in(node.target), levels)}
    for name, levels in (*shares(node), *leaves(node)):
        owned[name] = min(owned.get(name, 0), levels)


def owns(frame: Frame, name: str, levels: int, assigned: Container[str] = ()) -> bool:
    """Whether a name owns so many levels, once a statement has `assigned` others."""
    lent = frame.lent.get(name, {}).items()
    here = frame.owned.get(name, 0) >= levels
    return here and all(it in assigned for it, kept in lent if kept < levels)


def owned_in(statements: Iterable[ast.stmt]) -> dict[str, int]:
    """The levels that names own at most wherever these statements have come to."""
    least: dict[str, int] = {}
    for node in statements:
        for name, levels in (*shares(node), *leaves(node), *assigns(node).items()):
            least[name] = min(least.get(name, ALL), levels)
    return least


def statements_in(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a block, those of the blocks in it too."""
    for node in body:
        yield node
        if isinstance(node, ast.For | ast.If):
            yield from statements_in([*node.body, *node.orelse])


def changes_in(body: Iterable[ast.stmt]) -> Iterator[tuple[str, int]]:
    """The names whose values a block changes, with the levels that must be owned.

    What changes an item of a loop changes what the loop goes through, too; what changes a part by
    a name of its own changes what it is a part of.
    """
    statements = [*statements_in(body)]
    named = [it for node in statements for it in _parts_named(node)]
    waiting = [(it.name, it.levels) for it in filter(None, map(change, statements))]
    seen: set[tuple[str, int]] = set()
    while waiting:
        name, levels = found = waiting.pop()
        if found in seen or levels > _MAX_LEVELS:
            continue
        seen.add(found)
        yield name, levels
        for target, value, below in named:
            if levels_of(value) - below < levels and name in names_in(target):
                waiting += [(of, levels + around) for of, around in parts_of(value, below)]


def _parts_named(node: ast.stmt) -> Iterator[tuple[ast.expr, ast.expr, int]]:
    """What a statement gives names: a target, and the value that has it so many levels below."""
    match node:
        case ast.For(target=target, iter=value):
            yield target, value, 1
        case ast.Assign(targets=targets, value=value):
            for target in targets:
                if not isinstance(target, ast.Subscript | ast.Attribute):
                    yield target, value, int(not isinstance(target, ast.Name))
