"""What the tools return: made up from what the benchmark says of their results."""

import ast
import json
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tests.bench.gold.case import GoldCall, GoldTool

Hints = Mapping[str, list[Any]]
"""Values by the name of a field, which some items of a list get in their turn."""
_ITEMS = 4
"""How many items a list has that is made up."""


class Recorded:
    """A world that gives each gold call its own result."""

    def __init__(self) -> None:
        self._results: dict[str, Any] = {}

    def returns(self, call: GoldCall, result: Any) -> None:
        """Say what a call returns; an equal call returns the same."""
        self._results.setdefault(_key(call.tool, call.args), result)

    def result(self, call: GoldCall) -> Any:
        """What a call returns, or None."""
        return self._results.get(_key(call.tool, call.args))

    def __call__(self, tool: str, args: Mapping[str, Any]) -> Any:
        return self._results.get(_key(tool, args), "done")


class MadeUp:
    """A world that answers any call by the schema of the tool's results.

    Equal calls get equal results as long as nothing is written in their domain. Lists have items
    that a program looks for, and others: what it compares a field with, in
    `item["name"] == "My Rock"`, is the value of that field in one item.
    """

    def __init__(
        self,
        tools: Iterable[GoldTool],
        returns: Mapping[str, Mapping[str, Any]],
        program: str = "",
        texts: Mapping[str, str] | None = None,
    ) -> None:
        """`texts` are those of all fields of a name."""
        self._tools = {tool.name: tool for tool in tools}
        self._returns = returns
        fixed = {name: [text] * _ITEMS for name, text in (texts or {}).items()}
        self._hints = {**_hints(program), **fixed}
        self._writes: Counter[str] = Counter()

    def __call__(self, tool: str, args: Mapping[str, Any]) -> Any:
        return self.made(self._returns.get(tool, {}), tool, args)

    def made(self, schema: Mapping[str, Any], tool: str, args: Mapping[str, Any]) -> Any:
        """The result of a call, by a schema."""
        it = self._tools[tool]
        result = sample(schema, f"{self._writes[it.domain]} {_key(tool, args)}", self._hints)
        self._writes[it.domain] += it.writes
        return result


def sample(schema: Mapping[str, Any], seed: str, hints: Hints | None = None) -> Any:
    """A value that a schema allows, different for each seed where it can be."""
    return _sample(schema, seed, hints or {}, "", _number_of(seed) % 2)


def _sample(schema: Mapping[str, Any], seed: str, hints: Hints, name: str, at: int) -> Any:
    number = _number_of(seed)
    wanted = hints.get(name, [])
    if at < len(wanted) and schema.get("type") not in ("array", "object"):
        return wanted[at]
    if schema.get("enum"):
        return schema["enum"][number % len(schema["enum"])]
    match schema.get("type"):
        case "integer" | "number":
            return _number(name, number)
        case "boolean":
            return number % 2 == 0
        case "array":
            items = schema.get("items", {})
            return [_sample(items, f"{seed}/{at}", hints, name, at) for at in range(_ITEMS)]
        case "object":
            parts = schema.get("properties", {})
            return {
                part: _sample(it, f"{seed}/{part}", hints, part, at) for part, it in parts.items()
            }
    return _text(schema, name, at, number)


def _number_of(seed: str) -> int:
    return zlib.crc32(seed.encode()) % 1000


def _number(name: str, number: int) -> int:
    """A number as a field of this name has it."""
    if name.endswith(("id", "ids")):
        return number % 30  # few, so that one list has ids of another
    if name.endswith("month"):
        return 1 + number % 12
    return 2020 + number % 8 if name.endswith("year") else number


def _text(schema: Mapping[str, Any], name: str, at: int, number: int) -> str:
    """A text as a field of this name has it. Few are different where one list refers to another."""
    day = f"{2018 + number % 6}-{1 + number % 12:02}-{1 + number % 28:02}"
    if name in ("approved_at", "denied_at") and number % 3:
        return ""
    if schema.get("format") == "date-time":
        return "2023-05-18T10:00:00" if at == 0 else f"{day}T{number % 24:02}:00:00"
    if name.endswith(("date", "_at")):
        return day
    if name == "time":
        return f"{number % 24:02}:{number % 60:02}"
    if name.endswith("email"):
        return f"user{number % 3}@example.com"
    if name == "first_name":
        return ("Ada", "Bob", "Cleo", "Dan")[number % 4]
    return f"{name or 'text'} {number}"


def _hints(program: str) -> Hints:
    """What a program compares fields with."""
    found: dict[str, list[Any]] = {}
    tree = ast.parse(program)
    values = {
        node.targets[0].id: node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare) and len(node.comparators) == 1:
            sides = [_plain(it, values) for it in (node.left, node.comparators[0])]
            for name, value in (*_compared(*sides), *_compared(*reversed(sides))):
                if isinstance(node.ops[0], ast.Gt) and isinstance(value, int):
                    value += 1
                if value not in found.setdefault(name, []):
                    found[name].append(value)
    return found


def _plain(node: ast.expr, values: Mapping[str, ast.expr]) -> ast.expr:
    """What `.lower()` is called on, and what a name stands for."""
    while isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        node = node.func.value
    return values.get(node.id, node) if isinstance(node, ast.Name) else node


def _compared(field: ast.expr, constant: ast.expr) -> Iterator[tuple[str, Any]]:
    if isinstance(constant, ast.Constant) and not isinstance(constant.value, bool):
        if isinstance(field, ast.Attribute):
            yield field.attr, constant.value
        elif isinstance(field, ast.Subscript) and isinstance(field.slice, ast.Constant):
            yield str(field.slice.value), constant.value


def _key(tool: str, args: Mapping[str, Any]) -> str:
    """Equal also if a call got defaults, or a number for a text."""
    given = {name: str(value) for name, value in args.items() if value not in (None, "")}
    return f"{tool} {json.dumps(given, sort_keys=True)}"
