"""Calls in an expression: functions, methods, and keys to order by."""

import ast
from typing import Any

from llm_compiler.language.evaluation.expressions import (
    Frame,
    NodeError,
    Nodes,
    Run,
    Scope,
    is_math,
)
from llm_compiler.language.evaluation.functions import FUNCTIONS, MATH, Function
from llm_compiler.language.evaluation.methods import CHANGING, METHODS, method
from llm_compiler.language.evaluation.parts import shown


def _call(node: ast.Call, scope: Scope) -> Run:
    if any(isinstance(argument, ast.Starred) for argument in node.args):
        raise NodeError(node, "write the arguments one by one, without *")
    if isinstance(node.func, ast.Attribute) and not is_math(node.func, scope):
        return _method(node, node.func, scope)
    name, function = called(node.func)
    args = [scope.compile(argument) for argument in node.args]
    named: dict[str, Run] = {}
    for keyword in node.keywords:
        known = keyword.arg is not None and not function.keywords.isdisjoint((keyword.arg, "*"))
        if not known or keyword.arg is None:
            there = ", ".join(sorted(function.keywords - {"*"})) or "none"
            raise NodeError(
                keyword, f"{name} has no argument {shown(keyword.arg)}; there are {there}"
            )
        is_key = keyword.arg == "key" and "key" in function.keywords
        named[keyword.arg] = (
            key_of(keyword.value, scope) if is_key else scope.compile(keyword.value)
        )
    if not function.fewest <= len(args) <= function.most:
        raise NodeError(node, f"{name} takes {_counted(function)}, not {len(args)}")
    code = function.code

    def run(frame: Frame) -> Any:
        frame.budget.step(2)
        values = [argument(frame) for argument in args]
        return code(frame.budget, *values, **{name: value(frame) for name, value in named.items()})

    return run


def _counted(function: Function) -> str:
    fewest, most = function.fewest, function.most
    return f"{fewest} to {most} arguments" if most > fewest else f"{most} arguments"


def called(func: ast.expr) -> tuple[str, Function]:
    """The function that a call means, with its name; a variable of its name does not hide it."""
    if isinstance(func, ast.Attribute) and func.attr in MATH:
        return f"math.{func.attr}", MATH[func.attr]
    if isinstance(func, ast.Name):
        for table in (FUNCTIONS, MATH):
            if func.id in table:
                return func.id, table[func.id]
    raise NodeError(func, f"no function {shown(ast.unparse(func))}")


def _method(node: ast.Call, func: ast.Attribute, scope: Scope) -> Run:
    name = func.attr
    if name not in METHODS:
        remedy = CHANGING.get(name, "there are " + ", ".join(sorted(METHODS)))
        raise NodeError(func, f"no method {shown(name)} in the plan language; {remedy}")
    if node.keywords and not (name == "get" and node.keywords[0].arg == "default"):
        raise NodeError(node, f"write the arguments of {name} without their names")
    holder = scope.compile(func.value)
    values = [*node.args, *(keyword.value for keyword in node.keywords)]
    args = [scope.compile(value) for value in values]

    def run(frame: Frame) -> Any:
        frame.budget.step(2)
        return method(frame.budget, holder(frame), name, [value(frame) for value in args])

    return run


def key_of(node: ast.expr, scope: Scope) -> Run:
    """What orders the items: a lambda, a function's name, or a dict's `get`."""
    if isinstance(node, ast.Constant) and node.value is None:
        return lambda frame: None
    if isinstance(node, ast.Lambda):
        arguments = node.args
        if len(arguments.args) != 1 or ast.unparse(arguments) != arguments.args[0].arg:
            raise NodeError(node, "a key's lambda takes one argument: lambda x: …")
        name = arguments.args[0].arg
        body = scope.with_names({name}).compile(node.body)
        cost = _nodes(node.body)

        def run(frame: Frame) -> Any:
            inner = Frame(dict(frame.names), frame.budget)

            def key(value: Any) -> Any:
                frame.budget.step(cost)
                inner.names[name] = value
                return body(inner)

            return key

        return run
    if isinstance(node, ast.Attribute) and node.attr == "get":
        holder = scope.compile(node.value)

        def getter(frame: Frame) -> Any:
            values = holder(frame)
            return lambda key: method(frame.budget, values, "get", [key])

        return getter
    _, function = called(node)
    return lambda frame: lambda value: function.code(frame.budget, value)


def _nodes(tree: ast.AST) -> int:
    return sum(1 for _ in ast.walk(tree))


ROWS: Nodes = {ast.Call: _call}
