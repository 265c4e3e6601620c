"""The converters of public benchmarks, on small samples in their formats."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.bench.gold import restbench
from tests.bench.gold.__main__ import BENCHMARKS, main
from tests.bench.gold.appworld import program_of
from tests.bench.gold.appworld_plans import plan_of
from tests.bench.gold.case import Case, GoldCall, GoldTool, flat
from tests.bench.gold.line_by_line import calls_of
from tests.bench.gold.running import judge

SAMPLES = Path(__file__).with_name("gold") / "samples"
FOLDERS = {"bfcl-multi-turn": "bfcl", "tau-bench": "retail"}


@pytest.mark.parametrize("benchmark", BENCHMARKS)
async def test_the_gold_sequences_of_a_sample_are_said_and_right(benchmark: str) -> None:
    convert, _ = BENCHMARKS[benchmark]
    verdicts = [await judge(it) for it in convert(SAMPLES / FOLDERS.get(benchmark, benchmark))]
    assert verdicts
    assert [it.why for it in verdicts if it.kind not in ("right", "loops")] == []


def tool(name: str, writes: bool = False, **properties: Mapping[str, Any]) -> GoldTool:
    return GoldTool(name, {"properties": properties, "required": [*properties]}, writes=writes)


NUMBER = {"type": "integer"}


async def test_a_call_with_other_arguments_is_wrong() -> None:
    case = flat("case", [tool("f", x=NUMBER)], [GoldCall("f", {"x": 1})])
    assert (await judge(case)).kind == "right"
    other = Case("other", case.tools, (GoldCall("f", {"x": 2}),), case.program)
    verdict = await judge(other)
    assert (verdict.kind, verdict.why) == ("wrong", 'gold f({"x": 2}), but received f({"x": 1})')


async def test_writes_in_another_order_are_wrong_unless_it_is_left_open() -> None:
    tools = (tool("f", writes=True, x=NUMBER),)
    calls = [GoldCall("f", {"x": 1}), GoldCall("f", {"x": 2})]
    program = flat("case", tools, calls).program
    turned = tuple(reversed(calls))
    assert (await judge(Case("turned", tools, turned, program))).kind == "wrong"
    assert (await judge(Case("open", tools, turned, program, any_order=True))).kind == "right"


async def test_gold_arguments_that_their_schema_refuses_are_told_apart() -> None:
    case = flat("case", [tool("f", x=NUMBER)], [GoldCall("f", {"x": "one"})])
    verdict = await judge(case)
    assert (verdict.kind, verdict.why) == (
        "contradicts",
        "f: $.x: 'one' is not of type 'integer'",
    )


async def test_an_unreadable_solution_says_why() -> None:
    assert (await judge(Case("case", unreadable="no call"))).why == "no call"


def test_the_oracle_runs_a_program_as_python_does() -> None:
    program = "for x in f(x=1):\n    if x > 1:\n        g(x)\nanswer('Done.')\ng(9)"
    tools = [tool("f", x=NUMBER), tool("g", x=NUMBER)]
    calls = calls_of(program, tools, lambda name, args: [1, 2, 3])
    assert [(it.tool, it.args["x"]) for it in calls] == [("f", 1), ("g", 2), ("g", 3)]


@pytest.mark.parametrize("program", ["import os", "f.__class__", "x = _private"])
def test_the_oracle_runs_no_program_that_leaves_the_language(program: str) -> None:
    with pytest.raises(ValueError, match="is not run"):
        calls_of(program, [], lambda name, args: None)


def test_every_plan_of_restbench_is_a_program() -> None:
    plans = restbench.written_plans()
    assert len(plans) > 29
    for plan in plans.values():
        compile(plan, "plan", "exec")


def test_what_the_language_does_not_have_is_rewritten() -> None:
    solution = (
        "def solution(apis, requester):\n"
        "    today = DateTime.now().start_of('day')\n"
        "    first = next(it for it in apis.a.items() if it['day'] >= today)\n"
        "    for item in first:\n"
        "        if item:\n"
        "            continue\n"
        "        apis.a.drop(item=item)\n"
    )
    assert plan_of(program_of(solution)).split("\n") == [
        "today = '2023-05-18T00:00:00'",
        "first = next((it for it in a__items() if it['day'] >= today))",
        "for item in first:",
        "    if item:",
        "        pass",
        "    else:",
        "        a__drop(item=item)",
    ]


def test_the_command_says_where_the_data_are_from(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "argv", ["gold", "nestful", "--data", str(tmp_path)])
    with pytest.raises(SystemExit):
        main()
    assert "put IBM/NESTFUL: data/ there" in capsys.readouterr().err
