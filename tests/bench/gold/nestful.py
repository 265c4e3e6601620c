"""NESTFUL: calls with labels, whose arguments name parts of earlier results (`$var1.price$`)."""

import ast
import re
from collections.abc import Iterator, Mapping
from itertools import zip_longest
from pathlib import Path
from typing import Any

from tests.bench.gold.case import Case, Code, GoldCall, GoldTool, call
from tests.bench.gold.reading import json_file
from tests.bench.gold.schemas import object_of
from tests.bench.gold.worlds import Recorded, sample

_SETS = (
    "executable/executable",
    "non-executable/non-executable-glaive",
    "non-executable/non-executable-sgd",
)
_PARAMETERS = ("query_parameters", "path_parameters", "parameters", "arguments")
_REFERENCE = re.compile(r"\$(\w+)((?:\.[\w ]+|\[\d+\])*)\$")
_PART = re.compile(r"\.([\w ]+)|\[(\d+)\]")


def cases(data: Path) -> Iterator[Case]:
    """Of the folder `data`."""
    for name in _SETS:
        if not (data / f"{name}-data.json").exists():
            continue
        specs = {it["name"]: it for it in json_file(data / f"{name}-spec.json")}
        for number, task in enumerate(json_file(data / f"{name}-data.json")):
            yield case(f"{name.rpartition('/')[2]}-{number}", task["output"], specs)


def case(name: str, steps: list[dict[str, Any]], specs: Mapping[str, Any]) -> Case:
    """One task: its steps, the last of which is what is answered, and the tools by name."""
    called = [step for step in steps if step["name"] != "var_result"]
    if missing := [it["name"] for it in called if it["name"] not in specs]:
        return Case(name, unreadable=f"no tool {missing[0]}")
    used = list(_references([step["arguments"] for step in steps]))
    world = Recorded()
    values: dict[str, Any] = {}
    lines: list[str] = []
    calls: list[GoldCall] = []
    try:
        for step in called:
            label = step.get("label") or f"last{len(lines)}"
            lines.append(f"{label} = {call(step['name'], _plan(step['arguments']))}")
            calls.append(GoldCall(step["name"], _gold(step["arguments"], values)))
            paths = [path for source, path in used if source == label]
            world.returns(calls[-1], _result(specs[step["name"]], label, paths))
            values[label] = world.result(calls[-1])
        for step in steps:
            if step["name"] == "var_result":
                _gold(step["arguments"], values)
                lines.append(f"answer({_plan(step['arguments'])!r})")
    except LookupError as error:
        return Case(name, unreadable=f"no result {error}")
    names = dict.fromkeys(step["name"] for step in called)
    tools = tuple(_tool(specs[it]) for it in names)
    return Case(name, tools, tuple(calls), "\n".join(lines), world)


def _tool(spec: Mapping[str, Any]) -> GoldTool:
    given: dict[str, Any] = {}
    for words in _PARAMETERS:
        part = spec.get(words) or {}
        given |= part.get("properties", part)
    required = spec.get("parameters", {}).get("required")
    return GoldTool(spec["name"], object_of(given, required), spec.get("description", ""))


def _result(spec: Mapping[str, Any], label: str, paths: list[list[str | int]]) -> Any:
    """What a call returns: what its spec says, and whatever the gold calls read of it."""
    declared = object_of(_flattened(spec.get("output_parameters") or {}))
    result: Any = sample(declared, label)
    for path in paths:
        _make(result, path, label)
    return result


def _flattened(given: Mapping[str, Any]) -> Mapping[str, Any]:
    inside = given.get("properties", given)
    return inside if isinstance(inside, Mapping) else {}


def _make(result: Any, path: list[str | int], label: str) -> None:
    """Let a path lead somewhere; raises LookupError if what is declared has no such part."""
    for part, following in zip_longest(path, path[1:]):
        if isinstance(part, int) and isinstance(result, list):
            result += [{} for _ in range(part + 1 - len(result))]
        elif isinstance(part, str) and isinstance(result, dict):
            new: Any = [] if isinstance(following, int) else {}
            result.setdefault(part, f"the {part} of {label}" if following is None else new)
        else:
            raise LookupError(f"{label} has no {path}")
        result = result[part]


def _references(value: Any) -> Iterator[tuple[str, list[str | int]]]:
    if isinstance(value, str):
        for found in _REFERENCE.finditer(value):
            yield found[1], _path(found[2])
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _references(part)
    elif isinstance(value, list):
        for part in value:
            yield from _references(part)


def _path(text: str) -> list[str | int]:
    return [int(index) if index else name for name, index in _PART.findall(text)]


def _plan(value: Any) -> Any:
    """A value of the plan: a reference is an expression, one within a text an f-string."""
    if isinstance(value, Mapping):
        return {key: _plan(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_plan(part) for part in value]
    if not isinstance(value, str) or not _REFERENCE.search(value):
        return value
    if found := _REFERENCE.fullmatch(value):
        return Code(_expression(found))
    pieces: list[ast.expr] = []
    end = 0
    for found in _REFERENCE.finditer(value):
        pieces.append(ast.Constant(value[end : found.start()]))
        hole = ast.parse(_expression(found), mode="eval").body
        pieces.append(ast.FormattedValue(hole, -1))
        end = found.end()
    return Code(ast.unparse(ast.JoinedStr([*pieces, ast.Constant(value[end:])])))


def _expression(found: re.Match[str]) -> str:
    parts = (f"[{part}]" if isinstance(part, int) else f'["{part}"]' for part in _path(found[2]))
    return found[1] + "".join(parts)


def _gold(value: Any, values: Mapping[str, Any]) -> Any:
    """A value with its references filled in."""
    if isinstance(value, Mapping):
        return {key: _gold(part, values) for key, part in value.items()}
    if isinstance(value, list):
        return [_gold(part, values) for part in value]
    if not isinstance(value, str):
        return value
    if found := _REFERENCE.fullmatch(value):
        return _value(found, values)
    return _REFERENCE.sub(lambda it: str(_value(it, values)), value)


def _value(found: re.Match[str], values: Mapping[str, Any]) -> Any:
    if found[1] not in values:
        raise LookupError(found[1])
    value = values[found[1]]
    for part in _path(found[2]):
        value = value[part]
    return value
