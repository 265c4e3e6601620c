"""Replaces the names of an expression by what they stand for: constants and references to tasks.

A name assigned twice is two values: each use gets what its name stands for where it is written.
"""

import ast
import re
from collections.abc import Container, Mapping
from keyword import iskeyword
from typing import Any, Literal

from llm_compiler.language.evaluation.expressions import NodeError
from llm_compiler.language.evaluation.functions import FUNCTIONS, MATH
from llm_compiler.language.evaluation.parts import shown
from llm_compiler.language.evaluation.references import alone
from llm_compiler.language.lowering.unparse import unparsed
from llm_compiler.language.reading.diagnostics import nearest
from llm_compiler.language.reading.written import PLACEHOLDER
from llm_compiler.language.tasks.task import WORDS
from llm_compiler.language.tasks.task_ids import PATTERN, TaskId
from llm_compiler.language.toolbox.signatures import python_name
from llm_compiler.language.toolbox.toolbox import Toolbox
from llm_compiler.silent_parser import syntax_tree

REFERENCE = "\U00020001"
"""Begins the name that stands for a task's result in a tree."""
NO_FUNCTION = "no function"
"""How a call of an unknown function is refused. A tool may come to be there later."""
_LOAD = ast.Load()
_JSON_NAMES = {"true": True, "false": False, "null": None}
_PATH_KEY = frozenset("[]\"'\\")


def reference(id: TaskId) -> ast.expr:
    """The node that stands for the result of task `id`."""
    written = id if isinstance(id, int) else f"({id})"
    return ast.Name(f"{REFERENCE}{written}", _LOAD)


def referred(node: ast.AST) -> TaskId | None:
    """The task that a node stands for, if it does."""
    if isinstance(node, ast.Name) and node.id.startswith(REFERENCE):
        written = node.id[1:]
        return int(written) if written.isdecimal() else written[1:-1]
    return None


def of_row(value: ast.expr) -> ast.expr:
    """A part of a row that was made of as many values as there are names."""
    value.of_row = True  # type: ignore[attr-defined]
    return value


def is_of_row(value: ast.expr) -> bool:
    """Whether a value is a part that is there whenever what it is of is there."""
    return getattr(value, "of_row", False)


def doubtful(value: ast.expr, defined: ast.expr) -> ast.expr:
    """A value that a name has only if a condition holds; else it has none."""
    value.defined = defined  # type: ignore[attr-defined]
    return value


def defined(value: ast.expr) -> ast.expr | None:
    """The condition under which a name has its value, if it may have none."""
    condition: ast.expr | None = getattr(value, "defined", None)
    return condition


def ids_in(tree: ast.AST) -> tuple[TaskId, ...]:
    """The tasks that a tree refers to."""
    ids: dict[TaskId, None] = {}
    nodes = [tree]
    for node in nodes:
        if type(node) is ast.Name:
            if (id := referred(node)) is not None:
                ids[id] = None
        elif type(node) is ast.List:
            nodes += node.elts
        elif type(node) is not ast.Constant:
            nodes += ast.iter_child_nodes(node)
    return tuple(ids)


def placeholder(node: ast.AST) -> int | None:
    """The index of the call that a node stands for, if it does."""
    if isinstance(node, ast.Name) and node.id.startswith(PLACEHOLDER):
        index = node.id[1:]
        return int(index) if index.isdecimal() else None  # `f(1)x` is one word, and no Python
    return None


class References(Container[str]):
    """The names that may stand in a resolved expression."""

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.startswith(REFERENCE)


class Functions:
    """The functions and tools that a program may call."""

    def __init__(self, tools: Toolbox) -> None:
        self._tools = tools
        self._names = [*map(python_name, tools), *FUNCTIONS, *WORDS]

    def value(self, node: ast.Name, bound: Mapping[str, ast.expr]) -> ast.expr:
        """What a name stands for.

        Raises:
            NodeError: it is unknown.
        """
        try:
            return bound[node.id]
        except KeyError:
            return self._known(node, bound)

    def _known(self, node: ast.Name, bound: Mapping[str, ast.expr]) -> ast.expr:
        name = node.id
        if name in _JSON_NAMES:
            return ast.copy_location(ast.Constant(_JSON_NAMES[name]), node)
        if name in self._names or name in MATH:
            raise NodeError(node, f'"{name}" is a function; call it: {name}(…)')
        remedy = nearest(name, bound, shown) if bound else "assign it first"
        raise NodeError(node, f"no name {shown(name)}; {remedy}")

    def check(self, func: ast.expr) -> None:
        """Check what is called.

        Raises:
            NodeError: it is no function of the plan language.
        """
        if isinstance(func, ast.Attribute):
            return
        if not isinstance(func, ast.Name):
            raise NodeError(func, "only a function can be called, by its name")
        if func.id in self._tools.python_names:
            raise NodeError(
                func, f"this call of {func.id} cannot be read; write it on its own line"
            )
        if func.id in WORDS:
            raise NodeError(func, f"{func.id}(…) has no value; write it on a line of its own")
        if not is_function(func):
            remedy = f"{self._tools.why_absent(func.id)}{nearest(func.id, self._names, shown)}"
            raise NodeError(func, f"{NO_FUNCTION} {shown(func.id)}; {remedy}")


def is_function(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and (node.id in FUNCTIONS or node.id in MATH)


def is_gather(func: ast.Attribute) -> bool:
    holder = func.value
    return func.attr == "gather" and isinstance(holder, ast.Name) and holder.id == "asyncio"


def written_reference(id: TaskId) -> str:
    """The reference to a result, as the arguments of a task hold it."""
    return f"${id}" if isinstance(id, int) else f"$({id})"


# ── what a resolved expression is, as the arguments of a task hold it ─────────────────────────


def template(node: ast.expr) -> Any:
    """A resolved expression as JSON data with references; `...` if it must be computed."""
    if (id := referred(node)) is not None:
        return written_reference(id)
    match node:
        case ast.Constant(value=value):
            return _constant(value)
        case ast.JoinedStr(values=parts) if all(isinstance(it, ast.Constant) for it in parts):
            return "".join(template(it) for it in parts)
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)):
            positive = template(node.operand)
            return ... if positive is ... or isinstance(value, bool) else -value
        case ast.List(elts=elements) | ast.Tuple(elts=elements):
            values = [template(it) for it in elements]
            return ... if ... in values else values
        case ast.Dict(keys=keys, values=items):
            names = [key.value if isinstance(key, ast.Constant) else ... for key in keys]
            values = [template(it) for it in items]
            if ... in values or not all(isinstance(name, str) for name in names):
                return ...
            written = (str(name).replace("$", "$$") for name in names)
            return dict(zip(written, values, strict=True))
        case ast.Subscript(value=holder, slice=ast.Constant(value=str() | int() as key)):
            return _path(holder, key)
        case ast.Subscript(
            value=holder,
            slice=ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() as key)),
        ):
            return _path(holder, -key)
        case ast.Attribute(value=holder, attr=name):
            return _path(holder, name)
    return ...


def _constant(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("$", "$$")
    is_whole = isinstance(value, int) and -(2**63) <= value < 2**64
    is_finite = isinstance(value, float) and value - value == 0
    return value if value is None or is_whole or is_finite else ...


def _path(holder: ast.expr, key: str | int) -> Any:
    path = template(holder)
    if not isinstance(path, str) or not path.startswith("$") or path.startswith("$$"):
        return ...
    if isinstance(key, bool) or "__" in str(key):
        return ...
    if isinstance(key, int):
        return f"{path}[{key}]"
    if not key.isprintable():
        return ...
    if key.isidentifier() and key.isascii() and not iskeyword(key):
        return f"{path}.{key}"
    return ... if not _PATH_KEY.isdisjoint(key) or "$" in key else f'{path}["{key}"]'


def expression(node: ast.expr | ast.Module) -> str:
    """A resolved expression as `compute` takes it: `$3 - $4`."""
    if (id := referred(node)) is not None:
        return written_reference(id)
    count = sum(1 for it in ast.walk(node) if referred(it) is not None)
    try:
        text = unparsed(node)
    except ValueError:
        text = ""
    if not text or text.count(REFERENCE) != count:
        raise NodeError(node, "this string has a character that a plan cannot have; leave it out")
    return text.replace("$", "$$").replace(REFERENCE, "$")


def tree_of(text: str) -> ast.expr:
    """An expression, as `expression` wrote it or a person, as a tree.

    Raises:
        SyntaxError, ValueError, RecursionError, MemoryError: it is none.
    """
    if (id := alone(text)) is not None:  # as most are
        return reference(id)
    node: ast.expr = _with_references(text, "eval").body
    return node


def block_of(text: str) -> list[ast.stmt]:
    """As `tree_of`, for a block of statements."""
    body: list[ast.stmt] = _with_references(text, "exec").body
    return body


def _with_references(text: str, mode: Literal["eval", "exec"]) -> Any:
    ids: list[TaskId] = []

    def named(found: re.Match[str]) -> str:
        if found[1]:
            return "$"
        ids.append(found[3] or int(found[2]))
        return f"{PLACEHOLDER}{len(ids) - 1}"

    written = re.sub(rf"\$(?:(\$)|(\d+)|\(({PATTERN})\))", named, text)
    tree = syntax_tree(written, mode)
    for part in ast.walk(tree):
        if isinstance(part, ast.Name) and (index := placeholder(part)) is not None:
            part.id = reference(ids[index]).id  # type: ignore[attr-defined]
    return tree
