"""A program in the plan language that does what a program in Python does.

What the language has is left alone. Rewritten is what it does not have: `continue`, `break`,
`while` (as a loop with a bound), most methods that change a value, `Counter`, and a clock.
"""

import ast

from tests.bench.gold.appworld_clock import Texts

_BOUND = 30
"""Iterations that stand for `while True`."""
_GOING = "going"


def plan_of(program: str) -> str:
    """The plan."""
    tree = Texts().visit(ast.parse(program))
    tree = _Rewriter().visit(tree)
    tree.body = _block(tree.body)
    return ast.unparse(ast.fix_missing_locations(tree))


class _Rewriter(ast.NodeTransformer):
    """Rewrites expressions, and single statements."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        match node:
            case ast.Call(ast.Name("defaultdict"), _):
                return ast.Dict([], [])
            case ast.Call(ast.Name("Counter"), [items]):
                name = ast.unparse(items)
                return _expression(f"{{it: {name}.count(it) for it in {name}}}")
            case ast.Call(ast.Attribute(it, "most_common"), []):
                pairs = f"{ast.unparse(it)}.items()"
                return _expression(f"sorted({pairs}, key=lambda it: it[1], reverse=True)")
        return node

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        self.generic_visit(node)
        match node.value:
            case ast.Call(ast.Attribute(ast.Name(name), "pop"), [ast.Constant(0)]):
                return _statement(f"{name} = {name}[1:]")
            case ast.Call(ast.Attribute(ast.Subscript(ast.Name(name), key), "append"), [item]):
                place = ast.unparse(key)
                return _statement(
                    f"{name}[{place}] = {name}.get({place}, []) + [{ast.unparse(item)}]"
                )
        return node

    def visit_Delete(self, node: ast.Delete) -> ast.AST:
        match node.targets:
            case [ast.Subscript(ast.Name(name), key)]:
                rest = f"for it, value in {name}.items() if it != {ast.unparse(key)}"
                return _statement(f"{name} = {{it: value {rest}}}")
        return node


def _block(body: list[ast.stmt]) -> list[ast.stmt]:
    """Statements without `continue`, `break` and `while`."""
    made: list[ast.stmt] = []
    for at, statement in enumerate(body):
        match statement:
            case ast.While(ast.Constant(True), inner):
                bounded = ast.parse(f"for turn in range({_BOUND}): pass").body[0]
                assert isinstance(bounded, ast.For)
                bounded.body = inner
                made += _block([bounded])
            case ast.For(body=inner):
                breaks = any(isinstance(it, ast.Break) for it in ast.walk(statement))
                statement.body = _block(inner)
                if breaks:
                    guard = ast.If(ast.Name(_GOING, ast.Load()), statement.body, [])
                    statement.body = [guard]
                    made.append(_statement(f"{_GOING} = True"))
                made.append(statement)
            case ast.If(test, [*before, ast.Continue() | ast.Break() as leave], []):
                if isinstance(leave, ast.Break):
                    before.append(_statement(f"{_GOING} = False"))
                rest = _block(body[at + 1 :])
                made.append(ast.If(test, before or [ast.Pass()], rest))
                return made
            case ast.If(test, yes, no):
                made.append(ast.If(test, _block(yes), _block(no)))
            case _:
                made.append(statement)
    return made


def _expression(source: str) -> ast.expr:
    return ast.parse(source, mode="eval").body


def _statement(source: str) -> ast.stmt:
    return ast.parse(source).body[0]
