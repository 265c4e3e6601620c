"""The reference interpreter of plans: slow, and right at a glance.

It runs a program's statements one after another with Python itself, over fake tools. A statement
that raises, or that uses what has failed, has failed: so have the names that it assigns, and no
write runs from then on. Reads go on.
"""

import ast
import json
import math
from collections.abc import Callable
from typing import Any

FAILED = object()


class Record(dict[str, Any]):
    """A dict whose parts can also be read as attributes."""

    def __getattr__(self, name: str) -> Any:
        return self[name]


class StoppedError(Exception):
    """A write behind a failure."""


class Reference:
    """One run. `values` are the names in the end, `said` the lines of the answer or FAILED."""

    def __init__(self, reads: dict[str, Callable[..., Any]], writes: dict[str, Any]) -> None:
        self.values: dict[str, Any] = {}
        self.said: list[Any] = []
        self.effects: list[str] = []
        self._stopped = False
        self._tools = {name: self._read(tool) for name, tool in reads.items()}
        self._tools |= {name: self._write(name, tool) for name, tool in writes.items()}

    def run(self, program: str) -> "Reference":
        for statement in ast.parse(program).body:
            if self._run(statement):
                break
        return self

    def _run(self, statement: ast.stmt) -> bool:
        """Run one statement; whether it was the last."""
        match statement:
            case ast.Assign(targets=[ast.Tuple(elts=targets)], value=ast.Tuple(elts=values)) if len(
                targets
            ) == len(values):
                # As many assignments, all of whose values come first.
                results = [self._value(value) for value in values]
                for target, result in zip(targets, results, strict=True):
                    assert isinstance(target, ast.Name)
                    self.values[target.id] = result
                return False
            case ast.Expr(
                value=ast.Call(func=ast.Name(id="answer" | "print" as said), args=[text])
            ):
                self.said.append(self._value(text))
                return said == "answer"
            case ast.Expr(value=ast.Constant()):
                return False  # a docstring
            case ast.AugAssign(target=ast.Name(id=name)) if isinstance(self.values[name], list):
                # Values are never changed in place: `x += y` is `x = x + y`.
                self.values[name] = list(self.values[name])
        if self._poisoned(statement):
            self._fail(statement)
            return False
        names = self._globals()
        try:
            exec(compile(ast.Module([statement], []), "program", "exec"), names)
        except Exception:
            self._fail(statement)
            return False
        self.values |= {name: names[name] for name in _assigned(statement) if name in names}
        return False

    def _value(self, node: ast.expr) -> Any:
        if self._poisoned(node):
            self._stopped = True
            return FAILED
        try:
            return eval(compile(ast.Expression(node), "program", "eval"), self._globals())
        except Exception:
            self._stopped = True
            return FAILED

    def _globals(self) -> dict[str, Any]:
        return {"math": math, "largest": _largest, "mean": _mean, **self.values, **self._tools}

    def _poisoned(self, tree: ast.AST) -> bool:
        if isinstance(tree, ast.If):
            # The programs of the tests assign a name before they use it in a branch.
            own = _assigned(tree)
            tests = [it.test for it in ast.walk(tree) if isinstance(it, ast.If)]
            failed = {name for name, value in self.values.items() if value is FAILED}
            used = {it.id for it in ast.walk(tree) if isinstance(it, ast.Name)} - set(own)
            return not failed.isdisjoint(used) or any(map(self._poisoned, tests))
        return any(
            isinstance(node, ast.Name) and self.values.get(node.id) is FAILED
            for node in ast.walk(tree)
            if not (isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store))
            or isinstance(tree, ast.AugAssign)
        )

    def _fail(self, statement: ast.stmt) -> None:
        self._stopped = True
        self.values |= dict.fromkeys(_assigned(statement), FAILED)

    def _read(self, tool: Callable[..., Any]) -> Callable[..., Any]:
        def call(x: Any) -> Any:
            return _as_python(tool(_as_json(x)))

        return call

    def _write(self, name: str, tool: Callable[..., Any]) -> Callable[..., Any]:
        def call(x: Any) -> Any:
            if self._stopped:
                raise StoppedError
            self.effects.append(f"{name}{json.dumps([_as_json(x)])}")
            return _as_python(tool(_as_json(x)))

        return call


def _assigned(statement: ast.stmt) -> list[str]:
    """The names that a statement assigns, without those of its comprehensions."""
    inner = {
        node
        for loop in ast.walk(statement)
        if isinstance(loop, ast.comprehension)
        for node in ast.walk(loop.target)
    }
    return [
        node.id
        for node in ast.walk(statement)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node not in inner
    ]


def _largest(values: dict[str, Any]) -> str:
    return max(values, key=lambda name: values[name])


def _mean(values: list[Any]) -> Any:
    return sum(values) / len(values)


def _as_json(value: Any) -> Any:
    return json.loads(json.dumps(value))


def _as_python(value: Any) -> Any:
    if isinstance(value, list):
        return [_as_python(item) for item in value]
    if isinstance(value, dict):
        return Record({name: _as_python(item) for name, item in value.items()})
    return value
