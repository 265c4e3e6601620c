"""The oracle: runs a program as Python does, one line after another, and notes its calls."""

import ast
import contextlib
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from llm_compiler.language.toolbox.signatures import python_name
from tests.bench.gold.case import GoldCall, GoldTool, World

_BUILTINS = {
    it.__name__: it
    for it in (
        abs, all, any, bool, dict, enumerate, float, int, len, list, max, min, next, range,
        reversed, round, set, sorted, str, sum, tuple, zip,
    )
}  # fmt: skip


class Record(dict[str, Any]):
    """A dict whose parts can also be read as attributes."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


class AnsweredError(Exception):
    """The program has answered; what follows is not read."""


def calls_of(
    program: str,
    tools: Iterable[GoldTool],
    world: World,
    names: Mapping[str, Any] | None = None,
    *,
    may_fail: bool = False,
) -> list[GoldCall]:
    """The calls that a program makes, in order, until it fails if it `may_fail`.

    `names` are those that it uses besides tools.

    Raises:
        ValueError: it uses a name with two underscores, or imports something.
    """
    tree = ast.parse(program)
    for node in ast.walk(tree):
        named = getattr(node, "attr", getattr(node, "id", ""))
        if named.startswith("_") or isinstance(node, ast.Import | ast.ImportFrom):
            raise ValueError(f"line {node.lineno}: {ast.unparse(node)} is not run")  # type: ignore[attr-defined]
    calls: list[GoldCall] = []
    scope: dict[str, Any] = {"__builtins__": _BUILTINS, "math": math, "answer": _answer}
    scope |= {"date": lambda text: text[:10], "largest": _largest, "print": lambda *_: None}
    scope |= names or {}
    scope |= {python_name(tool.name): noted(tool, world, calls) for tool in tools}
    with contextlib.suppress(AnsweredError, *([Exception] if may_fail else [])):
        exec(compile(tree, "program", "exec"), scope)
    return calls


def noted(tool: GoldTool, world: World, calls: list[GoldCall]) -> Callable[..., Any]:
    """A tool as a function that notes its calls."""
    order = list(tool.schema.get("properties", {}))
    written = {python_name(name): name for name in order}

    def call(*values: Any, **named: Any) -> Any:
        args = dict(zip(order, values, strict=False))
        args |= {written[name]: value for name, value in named.items()}
        calls.append(GoldCall(tool.name, args))
        return _readable(world(tool.name, args))

    return call


def _readable(value: Any) -> Any:
    if isinstance(value, Mapping):
        return Record({name: _readable(part) for name, part in value.items()})
    return [_readable(part) for part in value] if isinstance(value, list) else value


def _answer(value: Any = None) -> None:
    raise AnsweredError


def _largest(values: Mapping[str, Any]) -> str:
    return max(values, key=lambda name: values[name])
