"""What the README shows is true."""

import json
import re
import textwrap
from pathlib import Path
from typing import Any

import pytest
from langchain_core.tools import tool

from llm_compiler import Context
from llm_compiler.language.lowering.lowered import Refused
from llm_compiler.language.program import Program
from llm_compiler.language.tasks.task import Task
from llm_compiler.language.toolbox.toolbox import Toolbox
from llm_compiler.tools import SHIPPED
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
    plan = 'answer(population("Paris") - population("Lyon"))'
    script = by_role({"Write a plan": plan, "Answer": "1,528,000 more."})
    with ModelServer(script, first_token=0, rate=None) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        monkeypatch.setenv("OPENAI_API_KEY", "x")
        exec(compile(example, "README.md", "exec"), found := {"__name__": "readme"})
    state: Any = found["state"]
    values = [outcome["value"] for outcome in state["outcomes"].values()]
    assert values == [2_048_000, 520_000, 1_528_000, 1_528_000]
    assert capsys.readouterr().out == "1,528,000 more.\n"


def test_the_plan_of_the_language_page_compiles() -> None:
    def save_note(text: str) -> str:
        """Save a note."""
        return text

    [plan] = blocks("py")
    program = Program(Toolbox.of([*SHIPPED, tool(save_note)]))
    program.feed(plan)
    assert program.ended
    assert [it.tool for it in program.tasks if isinstance(it, Task)] == [
        "search", "number", "search", "number", "compute", "save_note", "compute",
    ]  # fmt: skip
    assert program.answer.in_words


def test_the_diagnostic_of_the_language_page_is_what_is_said() -> None:
    program = Program(Toolbox.of(SHIPPED))
    program.feed('\n\nx = serch("K2")\n')
    [refused] = program.close()
    assert isinstance(refused, Refused)
    assert textwrap.indent(str(refused.diagnostic), "  ") in README


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
