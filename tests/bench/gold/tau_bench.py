"""tau-bench: each task's actions. The files are Python; they are read, never run."""

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.bench.gold.case import Case, GoldCall, GoldTool, flat

_READS = ("get_", "find_", "list_", "search_", "calculate", "think")


def cases(data: Path) -> Iterator[Case]:
    """Of a domain's folder, `tau_bench/envs/retail` or `airline`: its tasks over its tools."""
    tools = dict(_tools(data / "tools"))
    for file in sorted(data.glob("tasks_*.py")):
        for number, actions in enumerate(_tasks(file)):
            yield case(f"{data.name}-{file.stem}-{number}", actions, tools)


def case(name: str, actions: list[Mapping[str, Any]], tools: Mapping[str, GoldTool]) -> Case:
    """One task, which may need no action at all."""
    calls = [GoldCall(it["name"], it["kwargs"]) for it in actions]
    return flat(name, tools.values(), calls)


def tool(given: Mapping[str, Any]) -> GoldTool:
    """A tool from its `get_info()`."""
    it = given["function"]
    writes = not it["name"].startswith(_READS)
    return GoldTool(it["name"], it["parameters"], it["description"], writes, "customers")


def _tools(folder: Path) -> Iterator[tuple[str, GoldTool]]:
    for file in sorted(folder.glob("*.py")):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.name == "get_info":
                returned = node.body[-1]
                assert isinstance(returned, ast.Return)
                made = tool(_data(returned.value))
                yield made.name, made


def _tasks(file: Path) -> Iterator[list[Mapping[str, Any]]]:
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "Task":
            task = {it.arg: it.value for it in node.keywords}
            actions = task["actions"]
            assert isinstance(actions, ast.List)
            yield [
                {str(it.arg): _data(it.value) for it in action.keywords}
                for action in actions.elts
                if isinstance(action, ast.Call)
            ]


def _data(node: ast.expr | None) -> Any:
    """A literal; texts may be joined by `+`."""
    assert node is not None
    match node:
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _data(left) + _data(right)
        case ast.Dict(keys=keys, values=values):
            return {_data(key): _data(value) for key, value in zip(keys, values, strict=True)}
        case ast.List(elts=parts):
            return [_data(part) for part in parts]
    return ast.literal_eval(node)
