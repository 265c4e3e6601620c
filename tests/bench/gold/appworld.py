"""AppWorld: solutions as Python programs. None of them is in this repository, nor anything of them.

Its licence wants its data, and what is derived from them, published only encrypted. The package of
that name on PyPI writes its API docs (`api_docs/standard/*.json`) and downloads its tasks
(`tasks/*/ground_truth/`).

What each call must get is told by running the solution line by line, over a made-up world; the plan
is the same program in the plan language (`appworld_plans`).
"""

import ast
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.bench.gold import appworld_clock
from tests.bench.gold.appworld_plans import plan_of
from tests.bench.gold.case import Case, GoldTool
from tests.bench.gold.line_by_line import calls_of
from tests.bench.gold.reading import json_file
from tests.bench.gold.schemas import object_of
from tests.bench.gold.worlds import MadeUp

_PAGES = 2
"""Pages that have something on them; the solutions read ten."""

_APPS = ("amazon", "file_system", "gmail", "phone", "simple_note", "spotify", "venmo")
_TEXTS = {
    "message": "Give me some recommendations for a movie from Ada Moon.",
    "content": "Titles\n\nThe Kid\n - director: Ada Moon\n\nThe Dog\n - director: Ada Moon",
}
_LIST = "Dinner\n- Ada => $12\n- Bob => $7"
"""Texts that solutions take apart."""


def cases(data: Path) -> Iterator[Case]:
    """Of the folder `data`, with `api_docs` and `tasks`."""
    docs: dict[str, Any] = {}
    for file in sorted((data / "api_docs" / "standard").glob("*.json")):
        docs |= {f"{file.stem}__{name}": doc for name, doc in json_file(file).items()}
    for folder in sorted((data / "tasks").iterdir()):
        file = folder / "ground_truth" / "compiled_solution.py"
        if file.exists():
            yield case(folder.name, file.read_text("utf-8"), docs)


def case(name: str, solution: str, docs: Mapping[str, Any]) -> Case:
    """One solution, with the docs of the APIs by `app__api`."""
    program = program_of(solution)
    called = [it.id for it in ast.walk(ast.parse(program)) if isinstance(it, ast.Name)]
    used = {it: docs[it] for it in called if it in docs}
    tools = tuple(_tool(it, doc) for it, doc in used.items())
    # In a made-up world `next` may find nothing: then the plan has to stop where the program does.
    world = _Pages(tools, used, program)
    calls = calls_of(program, tools, world, appworld_clock.NAMES, may_fail=True)
    # A set has no order in Python; `next` reads no page behind the one that it finds something on.
    unordered = any(isinstance(it, ast.SetComp) for it in ast.walk(ast.parse(program)))
    return Case(
        name,
        tools,
        tuple(calls),
        f'{plan_of(program)}\nanswer("Done.")',
        _Pages(tools, used, program),
        any_order=unordered or "set(" in program,
        more_reads="next(" in program,
    )


def program_of(solution: str) -> str:
    """The body of `solution`, with each API as a function: `spotify__show_song(…)`."""
    tree = ast.parse(solution)
    body = next(it.body for it in tree.body if isinstance(it, ast.FunctionDef))
    named = _Functions().visit(ast.Module(body, []))
    return ast.unparse(ast.fix_missing_locations(named))


class _Functions(ast.NodeTransformer):
    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        match node:
            case ast.Attribute(ast.Attribute(ast.Name("apis"), app), api):
                return ast.Name(f"{app}__{api}", ast.Load())
        return self.generic_visit(node)


def _tool(name: str, doc: Mapping[str, Any]) -> GoldTool:
    parameters = {}
    for it in doc["parameters"]:
        kinds = [kind.strip() for kind in it["type"].split("|")]
        parameters[it["name"]] = {**it, "type": kinds[0] if len(kinds) == 1 else "any"}
        if it.get("default") is None:
            parameters[it["name"]].pop("default", None)
    app = name.partition("__")[0]
    return GoldTool(name, object_of(parameters), doc["description"], doc["method"] != "GET", app)


class _Pages(MadeUp):
    """A world whose lists have an end, and where some calls fail whose success is tested for."""

    def __init__(self, tools: Iterable[GoldTool], docs: Mapping[str, Any], program: str) -> None:
        shapes = {name: doc["response_schemas"] for name, doc in docs.items()}
        returns = {name: _schema(it["success"]) for name, it in shapes.items()}
        texts = {**_TEXTS, "content": _LIST} if "=>" in program else _TEXTS
        super().__init__(tools, returns, program, texts if "split(" in program else None)
        self._failures = {name: _schema(shapes[name]["failure"]) for name in _tested(program)}

    def __call__(self, tool: str, args: Mapping[str, Any]) -> Any:
        if tool == "supervisor__show_account_passwords":
            return [{"account_name": app, "password": f"the {app} password"} for app in _APPS]
        if args.get("page_index", 0) >= _PAGES:
            return []
        if tool in self._failures and sum(map(ord, str(args))) % 2:
            return self.made(self._failures[tool], tool, args)
        return super().__call__(tool, args)


def _tested(program: str) -> set[str]:
    """The tools whose result is asked for a key, as in `if "message" in profile`."""
    tree = ast.parse(program)
    tested, calls = set(), {}
    for node in ast.walk(tree):
        match node:
            case ast.Compare(ast.Constant(), [ast.In()], [ast.Name(name)]):
                tested.add(name)
            case ast.Assign([ast.Name(name)], ast.Call(ast.Name(tool))):
                calls[name] = tool
    return {tool for name, tool in calls.items() if name in tested and "__" in tool}


def _schema(example: Any) -> dict[str, Any]:
    """The schema of an example."""
    match example:
        case bool():
            return {"type": "boolean"}
        case int():
            return {"type": "integer"}
        case float():
            return {"type": "number"}
        case list():
            return {"type": "array", "items": _schema(example[0]) if example else {}}
        case dict():
            parts = {name: _schema(part) for name, part in example.items()}
            return {"type": "object", "properties": parts}
    is_time = isinstance(example, str) and example.endswith("T00:00:00")
    return {"type": "string", **({"format": "date-time"} if is_time else {})}
