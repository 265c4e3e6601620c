"""Seal-Tools: calls whose arguments may name a response of an earlier call (`API_call_1`)."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.bench.gold.case import Case, Code, GoldCall, GoldTool, call
from tests.bench.gold.reading import json_lines
from tests.bench.gold.schemas import object_of, schema_of
from tests.bench.gold.worlds import Recorded, sample

_FILES = ("dev.jsonl", "test_in_domain.jsonl", "test_out_domain.jsonl", "train.jsonl")


def cases(data: Path) -> Iterator[Case]:
    """Of the folder `Seal-Tools_Dataset`."""
    tools = {tool["api_name"]: tool for tool in json_lines(data / "tool.jsonl")}
    for file in _FILES:
        if (data / file).exists():
            for task in json_lines(data / file):
                yield case(task, tools)


def case(task: Mapping[str, Any], tools: Mapping[str, Any]) -> Case:
    """One task, with the tools by name."""
    missing = [it["api"] for it in task["calling"] if it["api"] not in tools]
    if missing:
        return Case(task["id"], unreadable=f"no tool {missing[0]}")
    world = Recorded()
    values: dict[str, tuple[Code, Any]] = {}
    """Each named response: how the plan says it, and its value."""
    calls, lines = [], []
    for number, it in enumerate(task["calling"]):
        plan = {name: _filled(value, values, 0) for name, value in it["parameters"].items()}
        gold = {name: _filled(value, values, 1) for name, value in it["parameters"].items()}
        returns = tools[it["api"]]["responses"]
        result = {
            name: sample(schema_of(kind), f"{name} {number}") for name, kind in returns.items()
        }
        lines.append(f"r{number} = {call(it['api'], plan)}")
        calls.append(GoldCall(it["api"], gold))
        world.returns(calls[-1], result)
        for response, field in zip(it["responses"], returns, strict=False):
            values[response] = Code(f"r{number}[{field!r}]"), result[field]
    names = dict.fromkeys(it["api"] for it in task["calling"])
    return Case(
        task["id"],
        tuple(_tool(tools[name]) for name in names),
        tuple(calls),
        "\n".join([*lines, 'answer("Done.")']),
        world,
    )


def _filled(value: Any, values: Mapping[str, tuple[Code, Any]], side: int) -> Any:
    if isinstance(value, str):
        named = re.fullmatch(r"(API_call_\d+)(?: response)?", value)
        if named and named[1] in values:
            return values[named[1]][side]
        return value
    if isinstance(value, Mapping):
        return {key: _filled(part, values, side) for key, part in value.items()}
    return [_filled(part, values, side) for part in value] if isinstance(value, list) else value


def _tool(given: Mapping[str, Any]) -> GoldTool:
    schema = object_of(given["parameters"], given["required"])
    return GoldTool(given["api_name"], schema, given["api_description"])
