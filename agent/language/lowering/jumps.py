"""Takes `continue` and `break` out of the body of a loop.

    if a:              if a:
        continue           pass
    b()                else:
                           b()

With `break`, a hidden variable says in each iteration whether the loop has ended before it.
"""

import ast

from llm_compiler.language.evaluation.expressions import NodeError

STOPPED = "__stopped"
"""The hidden variable."""
ITEM = "__item"
"""The hidden variable that holds the item of an iteration that may be behind a `break`."""
JUMPING = (STOPPED, ITEM)


def has_jump(node: ast.stmt, kind: type[ast.stmt] | None = None) -> bool:
    """Whether a statement of a loop's body jumps (in a certain way), without the loops in it."""
    if isinstance(node, ast.If):
        return any(has_jump(it, kind) for it in (*node.body, *node.orelse))
    return isinstance(node, kind or (ast.Continue, ast.Break))


def straightened(body: list[ast.stmt]) -> list[ast.stmt]:
    """A body without jumps: what they pass over stands in the other branch.

    Raises:
        NodeError: a branch jumps in some of its cases and goes on in others.
    """
    out: list[ast.stmt] = []
    for place, node in enumerate(body):
        if isinstance(node, ast.Continue):
            break
        if isinstance(node, ast.Break):
            out.append(ast.Assign([ast.Name(STOPPED, ast.Store())], ast.Constant(True)))
            break
        if isinstance(node, ast.If) and has_jump(node):
            out.append(_straight(node, body[place + 1 :]))
            break
        out.append(node)
    return out


def _straight(node: ast.If, rest: list[ast.stmt]) -> ast.stmt:
    yes, no = node.body, node.orelse
    if _always_jumps(yes):
        no = [*no, *rest]
    elif _always_jumps(no):
        yes = [*yes, *rest]
    elif rest:
        raise NodeError(node, "write what follows in this loop under else")
    straight = ast.If(node.test, straightened(yes) or [ast.Pass()], straightened(no))
    return ast.copy_location(straight, node)


def _always_jumps(body: list[ast.stmt]) -> bool:
    if not body:
        return False
    *_, last = body
    if isinstance(last, ast.If):
        return _always_jumps(last.body) and _always_jumps(last.orelse)
    return isinstance(last, ast.Continue | ast.Break)
