"""RestBench: the endpoints that answer a request. It has no arguments: the plans here are ours.

A request that needs more than one call after another has a plan in `restbench_plans.md`; the others
get one from the gold endpoints, with the arguments that are required. A plan names all the gold
endpoints and no others; what each call must get is told by running it line by line.
"""

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.bench.gold.case import Case, Code, call
from tests.bench.gold.line_by_line import calls_of
from tests.bench.gold.openapi import Endpoint, endpoints
from tests.bench.gold.reading import json_file
from tests.bench.gold.worlds import MadeUp, sample

_PLANS = Path(__file__).with_name("restbench_plans.md")


def cases(data: Path) -> Iterator[Case]:
    """Of the repository's folder, with `datasets` and `specs`."""
    plans = written_plans()
    for name in ("spotify", "tmdb"):
        document = json_file(data / "specs" / f"{name}_oas.json")
        found = {it.name: it for it in endpoints(document)}
        for number, task in enumerate(json_file(data / "datasets" / f"{name}.json")):
            yield case(f"{name}-{number}", task, found, plans.get(task["query"].strip()))


def written_plans() -> dict[str, str]:
    """The plans in `restbench_plans.md`, by the request."""
    found = re.findall(
        r"^## ([^\n]*)\n+```python\n(.*?)```", _PLANS.read_text("utf-8"), re.M | re.S
    )
    return dict(found)


def case(
    name: str, task: Mapping[str, Any], known: Mapping[str, Endpoint], plan: str | None
) -> Case:
    """One request with its gold endpoints, and the plan written for it if there is one."""
    solution = [re.sub(r"\s+", " ", it.strip()) for it in task["solution"]]
    if missing := [it for it in solution if it not in known]:
        return Case(name, unreadable=f"no endpoint {missing[0]}")
    used = {it: known[it] for it in solution}
    tools = tuple(it.tool for it in used.values())
    returns = {it.tool.name: it.returns for it in used.values()}
    if plan is None:
        plan = _chain(task["query"], [known[it] for it in solution])
    named = {it.id for it in ast.walk(ast.parse(plan)) if isinstance(it, ast.Name)}
    if unused := [it.name for it in used.values() if it.tool.name not in named]:
        return Case(name, unreadable=f"the plan does not call {', '.join(unused)}")
    calls = calls_of(plan, tools, MadeUp(tools, returns, plan))
    return Case(name, tools, tuple(calls), plan, MadeUp(tools, returns, plan))


def _chain(query: str, steps: list[Endpoint]) -> str:
    """A plan of one call after another: an id is the first one of the call before."""
    lines: list[str] = []
    results: list[Any] = []
    for number, it in enumerate(steps):
        schema = it.tool.schema
        args = {
            name: _argument(name, schema["properties"][name], query, results)
            for name in schema["required"]
        }
        lines.append(f"r{number} = {call(it.tool.name, args)}")
        results.append(sample(it.returns, it.name))
    return "\n".join([*lines, 'answer("Done.")'])


def _argument(name: str, schema: Mapping[str, Any], query: str, results: list[Any]) -> Any:
    if schema.get("type") == "array":
        return [_argument(name, schema.get("items", {}), query, results)]
    if schema.get("type") == "object":
        parts = schema.get("properties", {})
        return {it: _argument(it, part, query, results) for it, part in parts.items()}
    if name in ("id", "ids", "uri", "uris") or name.endswith("_id"):
        for number in reversed(range(len(results))):
            path = _first(results[number], "uri" if name.startswith("uri") else "id")
            if path is not None:
                return Code(f"r{number}{path}")
    if schema.get("enum"):
        return schema["enum"][0]
    if schema.get("type") == "integer":
        return next(map(int, re.findall(r"\d+", query)), 1)
    return query


def _first(value: Any, wanted: str) -> str | None:
    """The way to the first id that is nearest to the top."""
    level = [("", value)]
    while level:
        below = []
        for path, part in level:
            if isinstance(part, Mapping):
                if wanted in part:
                    return f'{path}["{wanted}"]'
                below += [(f'{path}["{name}"]', it) for name, it in part.items()]
            elif isinstance(part, list):
                below += [(f"{path}[0]", part[0])] if part else []
        level = below
    return None
