"""What Prometheus counts and times."""

import sys
import time
from typing import Any

import pytest
from prometheus_client import REGISTRY

from llm_compiler import build_graph
from llm_compiler.observability import metrics
from tests.support.scripted import Ledger, ScriptedModel


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"llm_compiler_{name}", labels) or 0.0


async def test_a_turn_is_counted_and_timed(ledger: Ledger) -> None:
    def counts() -> list[float]:
        return [
            value("turn_seconds_count", end="answered"),
            value("rounds_total", verdict="answer"),
            value("model_seconds_count", role="planner", status="ok"),
            value("tokens_total", role="joiner", direction="output"),
            value("call_seconds_count", tool="echo", status="ok"),
            value("call_seconds_count", tool="fail", status="failed"),
        ]

    before = counts()
    planner = ScriptedModel("echo('x')\nfail('no')")
    graph = build_graph(ledger.tools, planner=planner, joiner=ScriptedModel("Done."))
    ask: Any = {"messages": [("user", "What?")]}
    await graph.ainvoke(ask)
    assert [after - was for after, was in zip(counts(), before, strict=True)] == [1, 1, 1, 5, 1, 1]


def test_without_its_client_nothing_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    # None in sys.modules is how Python itself marks a module that cannot be imported.
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    assert metrics._registered() == {}
    monkeypatch.setattr(metrics, "_METRICS", {})
    metrics.count("rounds", "answer")
    metrics.time_since("turn", time.perf_counter(), "answered")
