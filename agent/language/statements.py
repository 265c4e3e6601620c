"""Lowers statements: `STATEMENTS` says which there are, and how."""

import ast
from collections.abc import Callable

from llm_compiler.language.answers import called, said
from llm_compiler.language.branches import lower_if
from llm_compiler.language.comprehensions import binder, names_in
from llm_compiler.language.expressions import NodeError
from llm_compiler.language.lowered import Answer
from llm_compiler.language.names import template
from llm_compiler.language.place import Place, is_copied
from llm_compiler.language.task import ANSWER, WORDS

_MODULES = ("math", "asyncio")


def _assign(node: ast.Assign, place: Place) -> None:
    _assigned(node.targets, place.lowering.resolved(node.value), place)


def _assigned(targets: list[ast.expr], value: ast.expr, place: Place) -> None:
    names = [target.id for target in targets if isinstance(target, ast.Name)]
    if names:
        for name in names:
            place.bind(name, value)
            value = place.bound[name]
    elif len(targets) > 1 and not is_copied(value):
        value = place.compute(value)
    for target in targets:
        if not isinstance(target, ast.Name):
            _unpack(target, value, place)


def _unpack(target: ast.expr, value: ast.expr, place: Place) -> None:
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
            _assigned([part], item, place)
        return
    names = sorted(names_in(target))
    # Python's own unpacking, as an expression: its errors are the same, too.
    loop = ast.comprehension(target, ast.List([value], ast.Load()), [], 0)
    row = ast.List([ast.Name(name, ast.Load()) for name in names], ast.Load())
    rows = ast.ListComp(row, [loop])
    unpacked = ast.Subscript(rows, ast.Constant(0), ast.Load())
    row_of_values = place.compute(unpacked)
    for index, name in enumerate(names):
        place.bound[name] = ast.Subscript(row_of_values, ast.Constant(index), ast.Load())


def _annotated(node: ast.AnnAssign, place: Place) -> None:
    if node.value is not None:
        _assigned([node.target], place.lowering.resolved(node.value), place)


def _augmented(node: ast.AugAssign, place: Place) -> None:
    if not isinstance(node.target, ast.Name):
        raise NodeError(node.target, "only a name can be added to; write x = x + …")
    before = ast.copy_location(ast.Name(node.target.id, ast.Load()), node.target)
    value = ast.copy_location(ast.BinOp(before, node.op, node.value), node)
    _assigned([node.target], place.lowering.resolved(value), place)


def _expression(node: ast.Expr, place: Place) -> None:
    value = node.value
    while isinstance(value, ast.Await):
        value = value.value
    if isinstance(value, ast.Constant):
        return  # a thought
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Name):
        name = value.func.id
        if name in WORDS:
            place.answer = called(value, place, given=name == ANSWER)
            return
    resolved = place.lowering.resolved(value)
    if template(resolved) is ... and not isinstance(resolved, ast.Tuple):
        place.compute(resolved)


def _return(node: ast.Return, place: Place) -> None:
    if node.value is None:
        place.answer = Answer(given=True)
        return
    place.answer = said([node.value], place, given=True)


def _pass(node: ast.Pass, place: Place) -> None:
    pass


def _import(node: ast.Import | ast.ImportFrom, place: Place) -> None:
    if isinstance(node, ast.ImportFrom):
        modules = [node.module or ""]
    else:
        modules = [name.name for name in node.names]
    for module in modules:
        if module not in _MODULES:
            raise NodeError(
                node, f"{module} cannot be imported; only math can. Call the tools by name"
            )


def _for(node: ast.For, place: Place) -> None:
    raise NodeError(node, "loops are not supported yet; write a comprehension: [… for x in items]")


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
    ast.For: _for,
}
REMEDIES: dict[type[ast.stmt], str] = {
    ast.While: "go through data that is there: for x in items",
    ast.FunctionDef: "write its lines where they are needed",
    ast.AsyncFunctionDef: "write its lines where they are needed",
    ast.ClassDef: "use a dict",
    ast.Try: "leave it out; what fails is reported, and the rest continues",
    ast.With: "leave it out",
    ast.Delete: "leave it out",
    ast.Assert: "leave it out, or use if",
    ast.Raise: "leave it out, or answer what is wrong",
    ast.Global: "leave it out",
    ast.Nonlocal: "leave it out",
    ast.Match: "use if and elif",
}


def lower(node: ast.stmt, place: Place) -> None:
    """Lower one statement. Its tasks are in the lowering's `out`, its answer in `place`.

    Raises:
        NodeError: it is not in the language.
    """
    code = STATEMENTS.get(type(node))
    if code is None:
        name = type(node).__name__.removesuffix("Def").removeprefix("Async").lower()
        raise NodeError(
            node, f"{name} is not in the plan language; {REMEDIES.get(type(node), 'leave it out')}"
        )
    code(node, place)
