"""What the README shows is true."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from llm_compiler import Context
from llm_compiler.language.parser import PlanParser
from tests.bench.model_server import ModelServer, by_role

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def test_the_two_commands_are_at_the_top() -> None:
    install, test = blocks("sh")[:2]
    assert install.startswith("pip install -e '.[local]' && llm-compiler ")
    assert test == "pip install -e '.[local,test]' && pytest\n"
    assert README.index(test) < 500


def test_ci_runs_the_readmes_test_command() -> None:
    script = (ROOT / ".ci" / "run").read_text()
    for command in blocks("sh")[1].strip().split(" && "):
        assert command.replace("pip install", "pip install -q") in script or command in script


def test_the_python_example_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    [example] = blocks("python")
    assert len([line for line in example.splitlines() if line]) <= 10
    plan = 'population("Paris")\npopulation("Lyon")'
    script = by_role({"Write a plan": plan, "Answer": "1,528,000 more."})
    with ModelServer(script, first_token=0, rate=None) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        monkeypatch.setenv("OPENAI_API_KEY", "x")
        exec(compile(example, "README.md", "exec"), found := {"__name__": "readme"})
    state: Any = found["state"]
    assert [outcome["value"] for outcome in state["outcomes"].values()] == [2_048_000, 520_000]
    assert capsys.readouterr().out == "1,528,000 more.\n"


def test_the_plan_of_the_language_page_parses() -> None:
    plan = next(block for block in blocks("text") if block.startswith("Thought:"))
    parser = PlanParser()
    calls = parser.feed(plan)
    assert parser.ended
    assert [call.id for call in calls] == [1, 2, 3, 4, 5, 6]


def test_every_setting_is_in_the_table() -> None:
    table = README.split("## Settings", 1)[1].split("## Limits", 1)[0]
    for name, field in Context.model_fields.items():
        assert f"`{name}`" in table
        if isinstance(field.default, int | float):
            assert f"{field.default}" in table


def test_langgraph_json_points_to_the_graph() -> None:
    described = json.loads((ROOT / "langgraph.json").read_text())
    [graph] = described["graphs"].values()
    assert graph["path"] == "llm_compiler.graph:graph"
    assert described["checkpointer"]["serde"]["pickle_fallback"] is False
