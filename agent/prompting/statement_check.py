"""Whether a statement still says what its tasks do: a person may have edited them.

The calls of a statement are its tasks in order of their closing brackets, so the two can be laid
side by side. A doubt counts as an edit: the tasks are then shown as they are.
"""

import ast
import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from llm_compiler.language.evaluation.each import bodies
from llm_compiler.language.evaluation.references import PATTERN
from llm_compiler.language.lowering.names import block_of, referred, tree_of
from llm_compiler.language.tasks.task import EACH, TaskData, is_call, is_pure
from llm_compiler.language.tasks.task_ids import TaskId
from llm_compiler.language.toolbox.signatures import python_name
from llm_compiler.silent_parser import syntax_tree

_UNREADABLE = (
    *(SyntaxError, ValueError, RecursionError, MemoryError),
    *(AttributeError, KeyError, TypeError),  # of a loop's body that a person has edited
)


class StatementCheck:
    """Compares statements with their tasks. `names` are the variables of all tasks, by id."""

    def __init__(self, names: Mapping[TaskId, str]) -> None:
        self._names = names
        self._known = frozenset(names.values())

    def still_says(self, source: str, group: Sequence[TaskData]) -> bool:
        """Whether `source` is what the tasks in `group` do."""
        try:
            if any(task["tool"] == EACH for task in group):
                return _calls_the_same(source, group)
            return _Statement(source, group, self._names, self._known).holds()
        except _UNREADABLE:
            return False


def _calls_the_same(source: str, group: Sequence[TaskData]) -> bool:
    """Whether a statement with a loop names the tools that its tasks call, each as often."""
    made = Counter(task["tool"] for task in group if is_call(task["tool"]))
    for task in group:
        if task["tool"] == EACH:
            made.update(it["tool"] for it in bodies(task["args"]) if is_call(it["tool"]))
    named = Counter(
        node.func.id
        for node in ast.walk(syntax_tree(textwrap.dedent(source), "exec"))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    )
    return all(named[tool] == count for tool, count in made.items())


class _Statement:
    def __init__(
        self,
        source: str,
        group: Sequence[TaskData],
        names: Mapping[TaskId, str],
        known: frozenset[str],
    ) -> None:
        self._names = names
        self._known = known
        self._pure = [task for task in group if is_pure(task["tool"])]
        self._made = [task for task in group if not is_pure(task["tool"])]
        tools = {task["tool"] for task in self._made}
        self._nodes = _nodes(syntax_tree(source, "exec"))
        calls = [
            node
            for node in self._nodes
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in tools
        ]
        self._calls = sorted(calls, key=lambda it: (it.end_lineno or 0, it.end_col_offset or 0))
        self._ids = {
            id(call): task["id"] for call, task in zip(self._calls, self._made, strict=False)
        }
        self._computed = {task["id"] for task in self._pure}

    def holds(self) -> bool:
        called = [call.func.id for call in self._calls if isinstance(call.func, ast.Name)]
        if called != [task["tool"] for task in self._made]:
            return False
        pairs = zip(self._calls, self._made, strict=True)
        return all(self._same_call(call, task["args"]) for call, task in pairs) and all(
            self._is_written(str(task["args"].get("expression", ""))) for task in self._pure
        )

    def _same_call(self, call: ast.Call, args: Mapping[str, Any]) -> bool:
        named = {python_name(name): value for name, value in args.items()}
        keywords = {it.arg or "": it.value for it in call.keywords}
        positional = [value for name, value in named.items() if name not in keywords]
        if len(positional) != len(call.args) or not keywords.keys() <= named.keys():
            return False
        values = [*positional, *(named[name] for name in keywords)]
        written = [*call.args, *keywords.values()]
        return all(self._same_value(*pair) for pair in zip(written, values, strict=True))

    def _is_written(self, expression: str) -> bool:
        """Whether an expression of `compute` stands somewhere in the statement."""
        if "\n" in expression:
            *_, block = (it for it in block_of(expression) if not _is_name(it))
            nodes = (node for node in self._nodes if isinstance(node, ast.stmt))
            return any(self._same(node, block) for node in nodes)
        made = tree_of(expression)
        return any(self._same(node, made) for node in map(_expression, self._nodes) if node)

    def _same_value(self, node: ast.expr, value: Any) -> bool:
        match node, value:
            case _, str() if (found := PATTERN.fullmatch(value)) and not found["dollar"]:
                return self._same(node, tree_of(value))
            case ast.Name(id=name), _:
                return name not in self._known  # else it is a constant, of which no task tells
            case ast.Constant(value=constant), str():
                return isinstance(constant, str) and constant == value.replace("$$", "$")
            case ((ast.List(elts=items) | ast.Tuple(elts=items)), list()):
                return len(items) == len(value) and all(map(self._same_value, items, value))
            case ast.Dict(keys=keys, values=items), dict():
                written = [key.value for key in keys if isinstance(key, ast.Constant)]
                same = written == [name.replace("$$", "$") for name in value]
                return same and all(map(self._same_value, items, value.values()))
            case ast.expr(), int() | float() | None:
                return type(it := ast.literal_eval(node)) is type(value) and it == value
        return False

    def _same(self, node: Any, made: Any) -> bool:
        """Whether a part of the statement is a part of what was made of it."""
        if isinstance(made, list):
            pairs = zip(node, made, strict=False)
            return len(node) == len(made) and all(self._same(*pair) for pair in pairs)
        if not isinstance(made, ast.AST):
            return type(node) is type(made) and bool(node == made)
        if isinstance(node, ast.Await):
            node = node.value
        if (task := referred(made)) is not None:
            if id(node) in self._ids:
                return self._ids[id(node)] == task
            if isinstance(node, ast.Name):
                return self._names.get(task, "") in ("", node.id)
            return task in self._computed
        if isinstance(node, ast.Name):
            same = isinstance(made, ast.Name) and made.id == node.id
            # What a name is behind a loop is a part of what the loop comes to.
            same = same or (isinstance(made, ast.Attribute) and made.attr == node.id)
            return same or node.id not in self._known
        node, made = _part(node), _part(made)
        return type(node) is type(made) and all(
            self._same(getattr(node, name, None), getattr(made, name, None))
            for name in made._fields
            if name not in ("ctx", "kind")
        )


def _nodes(tree: ast.AST) -> list[ast.AST]:
    """A tree's nodes, without those that only say how a name is used."""
    nodes = [tree]
    for node in nodes:
        if not isinstance(node, ast.Name | ast.Constant):
            nodes += ast.iter_child_nodes(node)
    return nodes


def _expression(node: ast.AST) -> ast.expr | None:
    """What a node computes, if it does."""
    match node:
        case ast.AugAssign(target=ast.Name() as target, op=op, value=value):
            return ast.BinOp(target, op, value)
        case ast.expr():
            return node
    return None


def _is_name(node: ast.stmt) -> bool:
    """Whether a statement only says what the value of its block is."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Name)


def _part(node: ast.AST) -> ast.AST:
    """`x.name` as `x["name"]`, which is the same."""
    if isinstance(node, ast.Attribute):
        return ast.Subscript(node.value, ast.Constant(node.attr), node.ctx)
    return node
