"""What leaves a server about its runs: LangSmith's traces, and the counters at `/metrics`."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from langgraph_sdk.client import LangGraphClient

from tests.bench.model_server import ModelServer
from tests.server import process
from tests.server.gates import Gates
from tests.server.talk import PROBES, answer, asking, probing, scripted
from tests.server.trace_server import Run, TraceServer

pytestmark = pytest.mark.server

PASSWORD = "correct-horse-battery"
KEY = "sk-proj-abcdefghijklmnopqrstuvwxyz0123456789"


@pytest.fixture(scope="module")
def traces() -> Iterator[TraceServer]:
    with TraceServer() as traces:
        yield traces


@pytest.fixture(scope="module")
def models() -> Iterator[ModelServer]:
    with scripted(f"It is {PASSWORD}.") as models:
        yield models


@pytest.fixture(scope="module")
def server(models: ModelServer, gates: Gates, traces: TraceServer) -> Iterator[process.Server]:
    environment = {
        "LANGSMITH_TRACING": "true",
        "LANGSMITH_ENDPOINT": traces.url,
        "LANGSMITH_API_KEY": "lsv2_pt_of_nobody",
        "DATABASE_PASSWORD": PASSWORD,
        "OPENAI_BASE_URL": models.base_url.replace("//", f"//user:{PASSWORD}@"),
    }
    with probing(models, gates, environment=environment) as running:
        yield running


async def trace_of(client: LangGraphClient, traces: TraceServer, plan: str) -> list[Run]:
    run_ids: list[str] = []
    values: Any = await client.runs.wait(
        None,
        PROBES,
        input=asking(plan),
        on_run_created=lambda created: run_ids.append(created["run_id"]),
    )
    assert answer(values) == f"It is {PASSWORD}."
    return traces.trace_of(*run_ids)


def tree(runs: list[Run]) -> dict[str, list[str]]:
    """The names of the runs under each run that has some."""
    names = {run["id"]: run["name"] for run in runs}
    found: dict[str, list[str]] = {}
    for run in runs:
        if (parent := run.get("parent_run_id")) is not None:
            found.setdefault(names[parent], []).append(run["name"])
    return found


async def test_a_trace_shows_the_turn_in_order(
    client: LangGraphClient, traces: TraceServer
) -> None:
    plan = 'a = knock("a")\nknock(a)'
    nested = tree(await trace_of(client, traces, plan))
    (root,) = set(nested) - {name for names in nested.values() for name in names}
    assert root == "LLM Compiler"
    assert nested[root] == ["planner", "scheduler", "joiner"]
    assert nested["planner"][0] == "plan"
    calls = [*nested["planner"][1:], *nested.get("scheduler", ())]
    assert calls == ["1 knock", "2 knock"]
    assert nested["joiner"][0] == "join"


async def test_secrets_are_not_sent_with_a_trace(
    client: LangGraphClient, traces: TraceServer
) -> None:
    runs = await trace_of(client, traces, f'knock("{KEY} and {PASSWORD}")')
    (call,) = (run for run in runs if run["name"] == "1 knock")
    assert "[SECRET_DETECTED] and ***" in str(call["inputs"])
    assert KEY not in traces.sent
    assert PASSWORD not in traces.sent


async def test_metrics_count_what_ran(
    client: LangGraphClient, server: process.Server, models: ModelServer
) -> None:
    def counted(line: str) -> float:
        text = httpx.get(f"{server.url}/metrics", trust_env=False).text
        found = [row for row in text.splitlines() if row.startswith(line)]
        return float(found[0].rpartition(" ")[2]) if found else 0.0

    lines = [
        'llm_compiler_turn_seconds_count{end="answered"}',
        'llm_compiler_rounds_total{verdict="answer"}',
        'llm_compiler_call_seconds_count{status="ok",tool="knock"}',
        'llm_compiler_model_seconds_count{role="planner",status="ok"}',
        'llm_compiler_model_seconds_count{role="joiner",status="ok"}',
    ]
    before = [counted(line) for line in lines]
    tokens = 'llm_compiler_tokens_total{direction="output",role="planner"}'
    spent = counted(tokens)
    await client.runs.wait(None, PROBES, input=asking('knock("x")\nknock("y")'))
    after = [counted(line) for line in lines]
    assert [b - a for a, b in zip(before, after, strict=True)] == [1, 1, 2, 1, 1]
    assert counted(tokens) > spent
