"""`compute`: the built-in task that evaluates an expression over results.

Its expression is Python with references: `$3 - $4`, `f"{$1.name}: {$2:.1f}"`; `$$` is a dollar.
It may be a block of statements, too (blocks.py).
The values of references are data, never text put into the expression.
"""

import ast
import re
from collections.abc import Callable, Iterator
from typing import Any

from llm_compiler.language.evaluation.budget import LOOP_TIMES, Budget, ComputeError
from llm_compiler.language.evaluation.expressions import Frame, NodeError, Run
from llm_compiler.language.evaluation.nodes import compiled, compiled_block
from llm_compiler.language.evaluation.text_format import formatted
from llm_compiler.language.tasks.task_ids import PATTERN, TaskId
from llm_compiler.silent_parser import syntax_tree

MAX_LENGTH = 100_000
"""Characters of an expression."""
_DOLLAR = re.compile(rf"\$(?:(\$)|(\d{{1,9}})|\{{(\d{{1,9}})\}}|\(({PATTERN})\))")
_BLOCK = re.compile(r"(?:for\b|[^\W\d]\w* = )[^\n]*\n")
"""What a block begins with, and no expression does."""
_LOOP = re.compile(r"^for .*\n ", re.MULTILINE)
_NO_LETTER = re.compile(r"\W")


def references(expression: str) -> Iterator[TaskId]:
    """The ids that an expression refers to."""
    for found in _DOLLAR.finditer(expression):
        if not found[1]:
            yield found[4] or int(found[2] or found[3])


def evaluate(expression: str, result_of: Callable[[TaskId], Any]) -> Any:
    """The value of an expression: JSON data, but for keys of dicts that are numbers.

    Takes at most 50 ms and some megabytes, besides time and memory linear in the results; a loop
    ten times as much. A caller that must keep its event loop free evaluates loops and long lists
    (100,000 items) in a thread.

    Args:
        expression: With its references.
        result_of: Gives what they refer to, or a `Missing`.

    Raises:
        ComputeError: it has no value. The message gives the reason in one line. A `MissingError`
            if it reads what is missing.
    """
    run, ids = prepared(expression)
    values = {_variable(id): result_of(id) for id in ids}
    budget = Budget(values.values(), times=LOOP_TIMES if has_loop(expression) else 1)
    try:
        value = run(Frame(values, budget))
        budget.weigh(value)
        return value
    except RecursionError:
        raise ComputeError("the expression is nested too deeply; split it up") from None


def prepared(expression: str) -> tuple[Run, tuple[TaskId, ...]]:
    """An expression ready to run, and the ids that it refers to.

    Raises:
        ComputeError: it does not compile.
    """
    if len(expression) > MAX_LENGTH:
        raise ComputeError(f"the expression has more than {MAX_LENGTH} characters; split it up")
    text = _DOLLAR.sub(lambda it: "$" if it[1] else _variable(it[2] or it[3] or it[4]), expression)
    try:
        ids = tuple(dict.fromkeys(references(expression)))
        tree, names = _tree(text.strip()), {*map(_variable, ids)}
        run = compiled(tree, names) if isinstance(tree, ast.expr) else compiled_block(tree, names)
        return run, ids
    except NodeError as error:
        raise ComputeError(str(error)) from None
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise ComputeError("it is not one expression; write one such as $1 - $2") from None


def _tree(text: str) -> ast.expr | ast.Module:
    if _BLOCK.match(text):
        block: ast.Module = syntax_tree(text, "exec")
        return block
    expression: ast.Expression = syntax_tree(text, "eval")
    return expression.body


def has_loop(expression: str) -> bool:
    """Whether it is a block of statements with a loop."""
    return _LOOP.search(expression) is not None


def _variable(id: TaskId) -> str:
    """The name that stands for a result while an expression is evaluated."""
    return f"__{id}" if isinstance(id, int) else f"__{_NO_LETTER.sub('_', id)}"


def hole(value: Any, conversion: str, spec: str) -> str:
    """A result as text in a finished answer.

    Raises:
        ComputeError: the format does not fit it.
    """
    return formatted(value, conversion, spec, Budget([value]))
