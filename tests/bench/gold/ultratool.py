"""UltraTool: the calls of a task (`reference`), each with its arguments."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.bench.gold.case import Case, GoldCall, GoldTool, flat
from tests.bench.gold.reading import json_lines
from tests.bench.gold.schemas import object_of


def cases(data: Path) -> Iterator[Case]:
    """Of the file `tool_usage.json` of one language's test set."""
    for number, task in enumerate(json_lines(data / "tool_usage.json")):
        yield case(f"ultratool-{number}", task)


def case(name: str, task: Mapping[str, Any]) -> Case:
    """One task."""
    wrong = [it for it in task["reference"] if not isinstance(it["param"], Mapping)]
    if wrong or not task["reference"]:
        return Case(name, unreadable=f"arguments are {wrong[0]['param']!r}" if wrong else "no call")
    calls = [GoldCall(it["tool"], it["param"]) for it in task["reference"]]
    tools = {it["name"]: _tool(it) for it in task["toolset"]}
    return flat(name, tools.values(), calls)


def _tool(given: Mapping[str, Any]) -> GoldTool:
    arguments = given.get("arguments") or {}
    schema = object_of(arguments.get("properties") or {}, arguments.get("required"))
    return GoldTool(given["name"], schema, given.get("description", ""))
