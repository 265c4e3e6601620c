"""BFCL: single turns with the answers that are possible, and turns of calls as Python source."""

import ast
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from tests.bench.gold.case import Case, GoldCall, GoldTool, flat
from tests.bench.gold.reading import json_lines
from tests.bench.gold.schemas import object_of

_SINGLE = (
    "simple_python simple_java simple_javascript multiple parallel parallel_multiple"
    " live_simple live_multiple live_parallel live_parallel_multiple"
).split()
_APIS = {
    "GorillaFileSystem": "gorilla_file_system",
    "MathAPI": "math_api",
    "MessageAPI": "message_api",
    "TwitterAPI": "posting_api",
    "TicketAPI": "ticket_api",
    "TradingBot": "trading_bot",
    "TravelAPI": "travel_booking",
    "VehicleControlAPI": "vehicle_control",
}


def cases(data: Path) -> Iterator[Case]:
    """Of the folder `bfcl_eval/data`: the categories with one turn."""
    for category in _SINGLE:
        for task, gold in _pairs(data, category):
            yield case(task, gold)


def turns(data: Path) -> Iterator[Case]:
    """Each turn of `multi_turn_base`, over all tools of its task."""
    apis = {
        name: [_tool(it, name) for it in json_lines(data / "multi_turn_func_doc" / f"{file}.json")]
        for name, file in _APIS.items()
    }
    for task, gold in _pairs(data, "multi_turn_base"):
        tools = [tool for api in task["involved_classes"] for tool in apis[api]]
        for number, calls in enumerate(gold):
            yield turn(f"{task['id']}-{number}", calls, tools)


def case(task: Mapping[str, Any], gold: Iterable[Mapping[str, Any]]) -> Case:
    """A task with one turn; of each argument the first possible answer that its schema allows."""
    tools = {it["name"]: _tool(it) for it in task["function"]}
    calls = [
        GoldCall(name, _chosen_args(args, tools[name].schema))
        for step in gold
        for name, args in step.items()
    ]
    return flat(task["id"], tools.values(), calls)


def turn(name: str, sources: Sequence[str], tools: Iterable[GoldTool]) -> Case:
    """One turn: its calls are Python source, which is the plan."""
    named = {tool.name: tool for tool in tools}
    calls = []
    for source in sources:
        node = ast.parse(source.strip(), mode="eval").body
        assert isinstance(node, ast.Call)
        tool = ast.unparse(node.func)
        if tool not in named:
            return Case(name, unreadable=f"no tool {tool}")
        order = list(named[tool].schema["properties"])
        given = dict(zip(order, node.args, strict=False))
        given |= {str(it.arg): it.value for it in node.keywords}
        calls.append(GoldCall(tool, {it: ast.literal_eval(part) for it, part in given.items()}))
    if not calls:
        return Case(name, unreadable="no call")
    program = "\n".join([*sources, 'answer("Done.")'])
    return Case(name, tuple(named.values()), tuple(calls), program)


def _pairs(data: Path, category: str) -> Iterator[tuple[Any, Any]]:
    file = f"BFCL_v4_{category}.json"
    if not (data / file).exists():
        return
    gold = {it["id"]: it["ground_truth"] for it in json_lines(data / "possible_answer" / file)}
    for task in json_lines(data / file):
        if task["id"] in gold:
            yield task, gold[task["id"]]


def _tool(given: Mapping[str, Any], domain: str = "") -> GoldTool:
    it = given["parameters"]
    schema = object_of(it.get("properties") or {}, it.get("required"))
    return GoldTool(given["name"], schema, given.get("description", ""), bool(domain), domain)


def _chosen_args(possible: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments that must be given; "" stands for one that may be left out."""
    properties = schema.get("properties", {})
    chosen = {}
    for name, values in possible.items():
        value = _chosen(values, properties.get(name, {}))
        if value != "" or name in schema.get("required", ()):
            chosen[name] = value
    return chosen


def _chosen(values: Any, schema: Mapping[str, Any]) -> Any:
    """The first of the possible values that the schema allows, else the first that is not ""."""
    if not isinstance(values, list):
        return values
    inside = [_inside(it, schema) for it in values if it != ""]
    allowed = Draft202012Validator(schema)
    fitting = next((it for it in inside if allowed.is_valid(it)), ...)
    if fitting is not ...:
        return fitting
    return "" if "" in values or not inside else inside[0]


def _inside(value: Any, schema: Mapping[str, Any]) -> Any:
    """A possible value with the possible ones in it chosen."""
    if isinstance(value, Mapping):
        return _chosen_args(value, schema)
    if isinstance(value, list):
        return [_inside(part, schema.get("items", {})) for part in value]
    return value
