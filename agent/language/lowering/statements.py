"""Lowers statements: `STATEMENTS` says which there are, and how."""

import ast
from collections.abc import Callable

from llm_compiler.language.evaluation.comprehensions import binder, names_in
from llm_compiler.language.evaluation.expressions import NodeError
from llm_compiler.language.lowering.adding import added_to, lower_adding
from llm_compiler.language.lowering.answers import answer, called, said
from llm_compiler.language.lowering.bodies import row
from llm_compiler.language.lowering.branches import lower_if
from llm_compiler.language.lowering.changing import lower_change, note_place
from llm_compiler.language.lowering.loops import lower_for
from llm_compiler.language.lowering.names import template
from llm_compiler.language.lowering.owning import assigns, change, share
from llm_compiler.language.lowering.resolving import Resolver
from llm_compiler.language.tasks.task import ANSWER, WORDS

_MODULES = ("math", "asyncio")


def _assign(node: ast.Assign, resolver: Resolver) -> None:
    if _changed(node, resolver):
        return
    new = assigns(node)
    share(node, resolver)
    for target in node.targets:
        if isinstance(target, ast.Name):
            note_place(target.id, node.value, resolver.frame)
    _bind(node.targets, resolver.resolved(node.value), resolver)
    resolver.frame.owned.update(new)


def _changed(node: ast.stmt, resolver: Resolver) -> bool:
    """Lower a statement if it changes a list or a dict."""
    if (name := added_to(node, resolver.frame)) is not None:
        lower_adding(node, name, resolver)
        return True
    found = change(node)
    if found is not None:
        lower_change(node, found, resolver)
    return found is not None


def _bind(targets: list[ast.expr], value: ast.expr, resolver: Resolver) -> None:
    names = [target.id for target in targets if isinstance(target, ast.Name)]
    if names:
        for name in names:
            resolver.bind(name, value)
            value = resolver.frame.names[name]
    elif len(targets) > 1 and not resolver.is_copied(value):
        value = resolver.compute(value)
    for target in targets:
        if not isinstance(target, ast.Name):
            _unpack(target, value, resolver)


def _unpack(target: ast.expr, value: ast.expr, resolver: Resolver) -> None:
    if isinstance(target, ast.Subscript | ast.Attribute):
        raise NodeError(
            target, 'a part cannot be changed; write a new dict: x = {**x, "key": value}'
        )
    binder(target)
    assert isinstance(target, ast.Tuple | ast.List)
    shown = value.elts if isinstance(value, ast.Tuple | ast.List) else []
    plain = not any(isinstance(it, ast.Starred) for it in (*target.elts, *shown))
    if plain and shown and len(shown) == len(target.elts):
        for part, item in zip(target.elts, shown, strict=True):
            _bind([part], item, resolver)
        return
    names = sorted(names_in(target))
    # Python's own unpacking, as an expression: its errors are the same, too.
    loop = ast.comprehension(target, ast.List([value], ast.Load()), [], 0)
    rows = ast.ListComp(row(names), [loop])
    unpacked = ast.Subscript(rows, ast.Constant(0), ast.Load())
    row_of_values = resolver.compute(unpacked)
    for index, name in enumerate(names):
        resolver.frame.names[name] = ast.Subscript(row_of_values, ast.Constant(index), ast.Load())


def _annotated(node: ast.AnnAssign, resolver: Resolver) -> None:
    if node.value is not None:
        _assign(ast.Assign([node.target], node.value), resolver)


def _augmented(node: ast.AugAssign, resolver: Resolver) -> None:
    if _changed(node, resolver):
        return
    if not isinstance(node.target, ast.Name):
        raise NodeError(node.target, "only a name can be added to; write x = x + …")
    before = ast.copy_location(ast.Name(node.target.id, ast.Load()), node.target)
    value = ast.copy_location(ast.BinOp(before, node.op, node.value), node)
    share(node, resolver)
    _bind([node.target], resolver.resolved(value), resolver)


def _expression(node: ast.Expr, resolver: Resolver) -> None:
    value = node.value
    while isinstance(value, ast.Await):
        value = value.value
    if isinstance(value, ast.Constant):
        return  # a thought
    if _changed(node, resolver):
        return
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Name):
        name = value.func.id
        if name == ANSWER:
            answer(value, called(value, resolver, given=True), resolver)
            return
        if name in WORDS:
            frame = resolver.frame
            frame.said = frame.said.then(called(value, resolver, given=False))
            return
    resolved = resolver.resolved(value)
    if template(resolved) is ... and not isinstance(resolved, ast.Tuple):
        resolver.compute(resolved)


def _return(node: ast.Return, resolver: Resolver) -> None:
    values = [] if node.value is None else [node.value]
    answer(node, said(values, resolver, given=True), resolver)


def _pass(node: ast.Pass, resolver: Resolver) -> None:
    pass


def _import(node: ast.Import | ast.ImportFrom, resolver: Resolver) -> None:
    if isinstance(node, ast.ImportFrom):
        modules = [node.module or ""]
    else:
        modules = [name.name for name in node.names]
    for module in modules:
        if module not in _MODULES:
            raise NodeError(
                node, f"{module} cannot be imported; only math can. Call the tools by name"
            )


def _delete(node: ast.Delete, resolver: Resolver) -> None:
    for target in node.targets:
        if not _changed(ast.copy_location(ast.Delete([target]), node), resolver):
            raise NodeError(target, "only a part of a list or dict can be deleted; leave it out")


def _jump(node: ast.stmt, resolver: Resolver) -> None:
    raise NodeError(node, "this is outside of a loop; leave it out")


STATEMENTS: dict[type[ast.stmt], Callable[..., None]] = {
    ast.Assign: _assign,
    ast.AnnAssign: _annotated,
    ast.AugAssign: _augmented,
    ast.Expr: _expression,
    ast.Return: _return,
    ast.Pass: _pass,
    ast.Import: _import,
    ast.ImportFrom: _import,
    ast.If: lower_if,
    ast.For: lower_for,
    ast.Delete: _delete,
    ast.Continue: _jump,
    ast.Break: _jump,
}
REMEDIES: dict[type[ast.stmt], str] = {
    ast.While: "go through data that is there: for x in items",
    ast.FunctionDef: "write its lines where they are needed",
    ast.AsyncFunctionDef: "write its lines where they are needed",
    ast.ClassDef: "use a dict",
    ast.Try: "leave it out; what fails is reported, and the rest continues",
    ast.With: "leave it out",
    ast.Assert: "leave it out, or use if",
    ast.Raise: "leave it out, or answer what is wrong",
    ast.Global: "leave it out",
    ast.Nonlocal: "leave it out",
    ast.Match: "use if and elif",
}


def lower(node: ast.stmt, resolver: Resolver) -> None:
    """Lower one statement, in the frame of `resolver`.

    Raises:
        NodeError: it is not in the language.
        PlacedError: a call in it does not compile.
    """
    code = STATEMENTS.get(type(node))
    if code is None:
        name = type(node).__name__.removesuffix("Def").removeprefix("Async").lower()
        raise NodeError(
            node, f"{name} is not in the plan language; {REMEDIES.get(type(node), 'leave it out')}"
        )
    code(node, resolver)
