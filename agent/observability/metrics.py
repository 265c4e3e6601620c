"""Prometheus counters and histograms of turns, rounds, model calls and tool calls.

They exist if `prometheus_client` is installed, as it is on LangGraph Server, which shows them under
`/metrics`. Labels contain no text of a question, an argument or a result.
"""

import time
from typing import Any, Protocol


class _Metric(Protocol):
    """What counters and histograms of `prometheus_client` have in common."""

    def labels(self, *values: str) -> Any: ...


_BUCKETS = (0.01, 0.03, 0.1, 0.3, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600)
"""Upper bounds of the histograms' buckets, in seconds."""


def _registered() -> dict[str, _Metric]:
    """The metrics by short name, registered with Prometheus; none without its client."""
    try:
        from prometheus_client import Counter, Histogram
    except ImportError:
        return {}

    def timed(name: str, what: str, *labels: str) -> Histogram:
        return Histogram(f"llm_compiler_{name}_seconds", what, labels, buckets=_BUCKETS)

    return {
        "turn": timed("turn", "Runs of a turn.", "end"),
        "rounds": Counter("llm_compiler_rounds", "Rounds by their verdict.", ["verdict"]),
        "model": timed("model", "Model calls.", "role", "status"),
        "tokens": Counter("llm_compiler_tokens", "Tokens of models.", ["role", "direction"]),
        "call": timed("call", "Tool calls.", "tool", "status"),
    }


_METRICS = _registered()


def count(metric: str, *labels: str, by: int = 1) -> None:
    """Add to a counter."""
    if (found := _METRICS.get(metric)) is not None:
        found.labels(*labels).inc(by)


def time_since(metric: str, began: float, *labels: str) -> None:
    """Add the seconds since `began`, a time of `time.perf_counter`, to a histogram."""
    if (found := _METRICS.get(metric)) is not None:
        found.labels(*labels).observe(time.perf_counter() - began)
