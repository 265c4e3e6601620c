"""Compiles an expression of the plan language to closures: `NODES` says what is allowed.

    ast.expr ─NODES, one node at a time─► Run(frame) ─► JSON data

Nothing is ever given to Python's own `eval`: a node that has no row in the table, a function or a
method that has none in its own, is refused before anything runs. The closures of a comprehension
pay for each round by the number of nodes in it, so that a budget bounds every expression.

`pydantic-monty` was weighed for this (66 µs a call and a pool of processes, 1.5.0): its semantics
are Python's, where `"1,234" + 5` is a type error and `"12" < "9"` is true, and its data cross to a
process. Here a call takes some microseconds, texts that are numbers count, and what is missing is
said in the plan's own terms.
"""

import ast
from collections.abc import Container

from llm_compiler.language.evaluation import calls, comprehensions, expressions
from llm_compiler.language.evaluation.blocks import block
from llm_compiler.language.evaluation.expressions import NodeError, Nodes, Run, Scope
from llm_compiler.tools.expression import levels

MAX_LEVELS = 120
"""Levels of an expression's tree: a sum of n terms has n, and Python's stack ends at 1000."""
NODES: Nodes = {**expressions.ROWS, **calls.ROWS, **comprehensions.ROWS}
"""Every node that an expression may hold."""


def compiled(tree: ast.expr, names: Container[str]) -> Run:
    """The closure of an expression that may read `names`.

    Raises:
        NodeError: it is not in the language.
    """
    _check_levels(tree)
    return Scope(NODES, names).compile(tree)


def compiled_block(tree: ast.Module, names: Container[str]) -> Run:
    """As `compiled`, for statements."""
    _check_levels(tree)
    return block(tree.body, Scope(NODES, names))


def _check_levels(tree: ast.AST) -> None:
    if levels(tree) > MAX_LEVELS:
        raise NodeError(tree, f"this is more than {MAX_LEVELS} levels deep; split it up")
