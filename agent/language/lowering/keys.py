"""Resolves `sorted`, `min` and `max` by what a call says of each item.

max(hotels, key=lambda hotel: rating(hotel.id))

2  each  items $1, body:  2[]  rating($(2[].0).id)
3  compute  max(zip($1, $2), key=lambda row: row[1])[0]
"""

import ast

from llm_compiler.language.evaluation.expressions import NodeError
from llm_compiler.language.lowering.resolving import Resolver
from llm_compiler.language.lowering.trees import has_calls, mark_calls


def keyed(node: ast.Call, name: str, resolver: Resolver) -> ast.expr | None:
    """The function's value as a resolved expression, if its key makes calls."""
    key = next((it.value for it in node.keywords if it.arg == "key"), None)
    if name not in ("sorted", "min", "max") or not isinstance(node.func, ast.Name):
        return None
    if not isinstance(key, ast.Lambda) or not has_calls(key):
        return None
    arguments = key.args
    if len(arguments.args) != 1 or ast.unparse(arguments) != arguments.args[0].arg:
        raise NodeError(key, "a key's lambda takes one argument: lambda x: …")
    others = [it for it in node.keywords if it.arg != "key"]
    if len(node.args) != 1 or any(it.arg != "reverse" for it in others):
        raise NodeError(node, f"{name} with calls in its key takes one list; write it without more")
    items = resolver.resolved(node.args[0])
    items = items if resolver.is_copied(items) else resolver.compute(items)
    target = ast.Name(arguments.args[0].arg, ast.Store())
    keys: ast.expr = ast.ListComp(key.body, [ast.comprehension(target, items, [], 0)])
    mark_calls(keys)
    rows = ast.Call(ast.Name("zip", ast.Load()), [items, resolver.resolve(keys)], [])
    order = ast.keyword("key", ast.parse("lambda row: row[1]", mode="eval").body)
    reverse = [ast.keyword(it.arg, resolver.resolve(it.value)) for it in others]
    chosen = ast.copy_location(ast.Call(node.func, [rows], [order, *reverse]), node)
    if name != "sorted":
        return ast.copy_location(ast.Subscript(chosen, ast.Constant(0), ast.Load()), node)
    loop = ast.comprehension(ast.Name("row", ast.Store()), chosen, [], 0)
    first = ast.Subscript(ast.Name("row", ast.Load()), ast.Constant(0), ast.Load())
    return ast.copy_location(ast.ListComp(first, [loop]), node)
