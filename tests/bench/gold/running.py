"""Runs a case through `build_graph`, and judges what its tools received."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from jsonschema import Draft202012Validator, ValidationError
from langchain_core.tools import BaseTool, StructuredTool

from llm_compiler import Context, build_graph
from llm_compiler.errors import LLMCompilerError
from tests.bench.gold.case import Case, GoldCall, GoldTool
from tests.support.scripted import ScriptedModel

Kind = Literal["right", "converted", "contradicts", "unreadable", "loops", "wrong"]
KINDS: Mapping[Kind, str] = {
    "right": "expressible, and each call got exactly the gold arguments",
    "converted": "the gold arguments contradict their schema; converted without loss",
    "contradicts": "the gold arguments contradict their schema; refused",
    "unreadable": "the gold solution is no sequence of calls",
    "loops": "needs calls in loops or conditions, which are refused",
    "wrong": "WRONG",
}
_CONTEXT = Context(max_rounds=1, max_tasks=10_000, answer="plan")


@dataclass(frozen=True)
class Verdict:
    """How a case went, and why it is not right."""

    case: Case
    kind: Kind
    why: str = ""


async def judge(case: Case) -> Verdict:
    """Run a case and compare the calls with its gold calls."""
    if case.unreadable:
        return Verdict(case, "unreadable", case.unreadable)
    received, errors = await run(case)
    if _same(case, received):
        return Verdict(case, "right")
    if found := contradictions(case):
        loosely = _same(_loose(case), [_loosely(it) for it in received])
        lossless = all(it.lossless for it in found) and not loosely
        kind: Kind = "wrong" if lossless else "converted" if loosely else "contradicts"
        return Verdict(case, kind, min(found, key=lambda it: it.lossless).why)
    why = "; ".join(errors) or _difference(case, received)
    refused = re.search(r"around calls are not supported", why)
    return Verdict(case, "loops" if refused else "wrong", why)


async def run(case: Case) -> tuple[list[GoldCall], list[str]]:
    """The calls that the tools received, in order, and the errors of all that failed."""
    received: list[GoldCall] = []
    try:
        graph = build_graph(
            [_tool(tool, case, received) for tool in case.tools],
            planner=ScriptedModel(case.program),
            joiner=ScriptedModel("Done."),
        )
    except LLMCompilerError as error:
        return [], [f"no graph: {error}"]
    try:
        state = await graph.ainvoke({"messages": [("user", "Do it.")]}, context=_CONTEXT)
    except Exception as error:  # a turn that raises is a finding, not the end
        return received, [f"the turn failed: {error!r}"]
    outcomes = state["outcomes"].values()
    return received, [it["error"] for it in outcomes if it["status"] == "failed"]


@dataclass(frozen=True)
class Contradiction:
    """What the schema of a tool refuses in a gold call."""

    why: str
    lossless: bool = False
    """Whether another type says the same, so that the call should be made: "7" for 7."""


def contradictions(case: Case) -> list[Contradiction]:
    """All that the schemas refuse."""
    tools = {tool.name: tool for tool in case.tools}
    found = []
    for it in case.calls:
        if it.tool not in tools:
            found.append(Contradiction(f"no tool {it.tool}"))
            continue
        schema = tools[it.tool].schema
        unknown = sorted(set(it.args) - set(schema.get("properties", {})))
        found += [Contradiction(f"{it.tool} has no argument {name!r}") for name in unknown]
        for error in Draft202012Validator(schema).iter_errors(dict(it.args)):
            why = f"{it.tool}: {error.json_path}: {error.message}"
            found.append(Contradiction(why, _is_lossless(error)))
    return found


def _is_lossless(error: ValidationError) -> bool:
    value, wanted = error.instance, error.validator_value
    if error.validator != "type" or isinstance(value, list | dict | None):
        return False
    if isinstance(value, str):
        if wanted == "boolean":
            return value.lower() in ("true", "false")
        return wanted in ("integer", "number") and re.fullmatch(r"-?\d+(\.0+)?", value) is not None
    return wanted == "string" and not isinstance(value, bool)


def _tool(tool: GoldTool, case: Case, received: list[GoldCall]) -> BaseTool:
    async def called(**args: Any) -> Any:
        received.append(GoldCall(tool.name, args))
        return case.world(tool.name, args)

    metadata: dict[str, Any] = {"readOnlyHint": not tool.writes}
    if tool.domain:
        metadata["domain"] = tool.domain
    return StructuredTool(
        name=tool.name,
        description=tool.description or tool.name,
        args_schema=dict(tool.schema),
        coroutine=called,
        metadata=metadata,
    )


def _same(case: Case, received: Iterable[GoldCall]) -> bool:
    """Whether the calls are the gold calls: writes in their order, equal reads once or more."""
    tools = {tool.name: tool for tool in case.tools}

    def keys(calls: Iterable[GoldCall], *, writes: bool) -> list[str]:
        return [
            f"{it.tool} {_json({**tools[it.tool].defaults, **it.args})}"
            for it in calls
            if it.tool in tools and tools[it.tool].writes is writes
        ]

    calls = list(received)
    gold, got = Counter(keys(case.calls, writes=False)), Counter(keys(calls, writes=False))
    reads = gold.keys() == got.keys() and got <= gold
    if case.more_reads:
        reads = gold.keys() <= got.keys()
    gold_writes, writes = keys(case.calls, writes=True), keys(calls, writes=True)
    if case.any_order:
        gold_writes, writes = sorted(gold_writes), sorted(writes)
    return reads and gold_writes == writes


def _json(value: Any) -> str:
    """JSON in which equal numbers are equal: 5 and 5.0."""

    def even(part: Any) -> Any:
        if isinstance(part, float) and part.is_integer():
            return int(part)
        if isinstance(part, Mapping):
            return {str(key): even(it) for key, it in part.items()}
        return [even(it) for it in part] if isinstance(part, list | tuple) else part

    return json.dumps(even(value), sort_keys=True)


def _loose(case: Case) -> Case:
    return replace(case, calls=tuple(map(_loosely, case.calls)))


def _loosely(it: GoldCall) -> GoldCall:
    """A call whose scalars are texts: 5, 5.0 and "5" are equal, and so are True and "true"."""

    def text(part: Any) -> Any:
        if isinstance(part, Mapping):
            return {key: text(value) for key, value in part.items()}
        if isinstance(part, list | tuple):
            return list(map(text, part))
        if isinstance(part, bool) or part in ("True", "False"):
            return str(part).lower()
        try:
            return str(float(part))
        except (TypeError, ValueError):
            return str(part)

    return GoldCall(it.tool, text(it.args))


def _difference(case: Case, received: list[GoldCall]) -> str:
    return f"gold {_shown(case.calls)}, but received {_shown(received)}"


def _shown(calls: Iterable[GoldCall]) -> str:
    return ", ".join(f"{it.tool}({_json(it.args)})" for it in calls)[:400]
