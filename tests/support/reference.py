"""The reference interpreter of plans: slow, and right at a glance.

It runs a program's statements one after another with Python itself, over fake tools. A statement
that raises, or that touches what has failed, has failed: so have the names that it assigns, and no
write runs from then on. Reads go on. A loop fails as a whole.
"""

import ast
import json
import math
from collections.abc import Callable
from typing import Any

from llm_compiler.language.evaluation.changes import CHANGING, is_list
from tests.support.fake_tools import packed

FAILED = object()


class Record(dict[str, Any]):
    """A dict whose parts can also be read as attributes."""

    def __getattr__(self, name: str) -> Any:
        return self[name]


class StoppedError(Exception):
    """A write behind a failure."""


class JumpError(Exception):
    """`continue` or `break`."""

    def __init__(self, statement: ast.stmt) -> None:
        super().__init__()
        self.breaks = isinstance(statement, ast.Break)


class Reference:
    """One run. `values` are the names in the end, `said` the lines of the answer or FAILED."""

    def __init__(self, reads: dict[str, Callable[..., Any]], writes: dict[str, Any]) -> None:
        self.values: dict[str, Any] = {}
        self.said: list[Any] = []
        self.effects: list[str] = []
        self.returned = False
        """It answered in a branch, or would have: the names are not those of the program's end."""
        self.loose = False
        """A loop that did not fail carried on what had failed before; it may count as failed."""
        self._failures = 0
        self._unknown = False
        """Whether the program goes on from here depends on what has failed."""
        self._tools = {name: self._read(tool) for name, tool in reads.items()}
        self._tools |= {name: self._write(name, tool) for name, tool in writes.items()}

    def run(self, program: str) -> "Reference":
        self._block(ast.parse(program).body)
        return self

    def _block(self, body: list[ast.stmt]) -> bool:
        """Run statements; whether the program has ended."""
        return any(map(self._run, body))

    def _run(self, statement: ast.stmt) -> bool:
        """Run one statement; whether it was the last."""
        if self._unknown:
            self._fail(statement)
            return False
        match statement:
            case ast.If(test=test, body=yes, orelse=no):
                taken = self._value(test)
                if taken is FAILED:
                    self._fail(statement)
                    self._unknown = self.returned = _says(statement, "answer")
                    return False
                ended = self._block(yes if taken else no)
                self.returned |= ended
                return ended
            case ast.For():
                self._for(statement)
                return False
            case ast.Continue() | ast.Break():
                raise JumpError(statement)
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Name() as value):
                self.values[name] = self._value(value)
                return False
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
            case (
                ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id=name)), args=[added]))
                | ast.Assign(targets=[ast.Subscript(value=ast.Name(id=name))], value=added)
                | ast.AugAssign(target=ast.Name(id=name), value=ast.List() as added)
            ) if self.values.get(name) is FAILED:
                self._value(added)
                return False  # it stays what it is
            case ast.AugAssign(target=ast.Name(id=name), value=value) if isinstance(
                self.values.get(name), list
            ) and not is_list(value):
                # Of lists that are not written there, `x += y` is `x = x + y`.
                self.values[name] = list(self.values[name])
        names = self._globals()
        try:
            exec(compile(ast.Module([statement], []), "program", "exec"), names)
        except Exception:
            self._fail(statement)
            return False
        self.values |= {name: names[name] for name in _assigned(statement) if name in names}
        return False

    def _for(self, loop: ast.For) -> None:
        items = self._value(loop.iter)
        failures, said, self.said = self._failures, self.said, []
        names = ast.copy_location(ast.Name("_item", ast.Load()), loop.target)
        target = ast.copy_location(ast.Assign([loop.target], names), loop.target)
        began = False
        for item in () if items is FAILED else list(items):
            began, self.values["_item"] = True, item
            try:
                for statement in (target, *loop.body):
                    self._run(statement)
                    if self._failures > failures:
                        break
            except JumpError as jump:
                if jump.breaks:
                    break
            if self._failures > failures:
                break
        self.values.pop("_item", None)
        if began:
            self.loose |= any(self.values.get(name) is FAILED for name in _assigned(loop))
        lines, self.said = self.said, said
        if items is FAILED or self._failures > failures:
            self._fail(loop)
        else:
            self.said += lines

    def _value(self, node: ast.expr) -> Any:
        if isinstance(node, ast.Name) and self.values.get(node.id) is FAILED:
            return FAILED  # another name of it
        try:
            return eval(compile(ast.Expression(node), "program", "eval"), self._globals())
        except Exception:
            self._failures += 1
            return FAILED

    def _globals(self) -> dict[str, Any]:
        there = {name: value for name, value in self.values.items() if value is not FAILED}
        return {"math": math, "largest": _largest, "mean": _mean, **there, **self._tools}

    def _fail(self, statement: ast.stmt) -> None:
        self._failures += 1
        self.values |= dict.fromkeys(_assigned(statement), FAILED)
        if _says(statement, "print") or _says(statement, "answer"):
            self.said.append(FAILED)

    def _read(self, tool: Callable[..., Any]) -> Callable[..., Any]:
        def call(x: Any) -> Any:
            value = tool(_as_json(x))
            return _as_python(json.loads(value) if tool is packed else value)

        return call

    def _write(self, name: str, tool: Callable[..., Any]) -> Callable[..., Any]:
        def call(x: Any) -> Any:
            if self._failures:
                raise StoppedError
            self.effects.append(f"{name}{json.dumps([_as_json(x)])}")
            return _as_python(tool(_as_json(x)))

        return call


def _says(statement: ast.stmt, word: str) -> bool:
    return any(isinstance(node, ast.Name) and node.id == word for node in ast.walk(statement))


def _assigned(statement: ast.stmt) -> list[str]:
    """The names that a statement assigns or adds to, without those of its comprehensions."""
    inner = {
        node
        for loop in ast.walk(statement)
        if isinstance(loop, ast.comprehension)
        for node in ast.walk(loop.target)
    }
    names: list[str] = []
    changed = {it.value.id for it in ast.walk(statement) if isinstance(it, ast.Subscript)
               and isinstance(it.ctx, ast.Store) and isinstance(it.value, ast.Name)}  # fmt: skip
    for node in ast.walk(statement):
        match node:
            case ast.Name(id=name, ctx=ast.Store()) if node not in inner:
                names.append(name)
            case ast.Subscript(ctx=ast.Store() | ast.Del()):
                names += _holder(node.value)
            case ast.Call(func=ast.Attribute(value=holder, attr=method)) if method in CHANGING:
                names += _holder(holder)
            case ast.For(target=ast.Name(id=name), iter=ast.Name(id=items)) if name in changed:
                names.append(items)
    return names


def _holder(part: ast.expr) -> list[str]:
    """The name of what a part is a part of."""
    while isinstance(part, ast.Subscript):
        part = part.value
    return [part.id] if isinstance(part, ast.Name) else []


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
