"""The figures hold, with tolerance for a busy machine; `python -m tests.bench.…` measures them."""

import statistics

import pytest

from tests.bench import overhead, streaming

pytestmark = [pytest.mark.slow, pytest.mark.alone]


async def test_a_turn_of_idle_tools_costs_little_more_than_the_bare_calls() -> None:
    """Reading a program and running it; in a DAG, the references of each call too."""
    tasks, plans = 500, {overhead.independent: 1.45, overhead.random_dag: 2.2}
    for plan, limit in plans.items():
        await overhead.turn(plan(tasks), tasks)
        ratios = []
        for _ in range(3):
            bare = await overhead.bare(tasks)
            ratios.append(await overhead.turn(plan(tasks), tasks) / bare)
        assert min(ratios) < limit


async def test_calls_start_when_their_bracket_arrives(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.setenv(name, "")  # put back afterwards
    assert statistics.median(await streaming.delays(1)) < 50


@pytest.mark.parametrize(("tool", "count"), [("wait", 8), ("block", 8), ("block", 32)])
async def test_a_fan_out_ends_at_its_limit(
    monkeypatch: pytest.MonkeyPatch, tool: str, count: int
) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.setenv(name, "")  # put back afterwards
    assert await streaming.against_limit(tool, count) < 1.15


async def test_an_uneven_dag_takes_its_critical_path() -> None:
    assert min([await streaming.makespan() for _ in range(2)]) < 1.15
