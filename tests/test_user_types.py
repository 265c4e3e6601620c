"""Type checkers have no complaint about a user's script, read against the installed package."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.packages import ROOT, clean

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

CALLS = '''
import asyncio
from typing import Any

from langchain_core.messages import AnyMessage, HumanMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.pregel import Pregel
from langgraph.types import Command

from llm_compiler import Context, build_graph, graph


def population(city: str) -> int:
    """People who live in a city."""
    return len(city)


async def area(city: str) -> float:
    """Square kilometres of a city."""
    return 1.0


@tool
def mayor(city: str) -> str:
    """Mayor of a city."""
    return city


own = build_graph([population, area, mayor], planner="local", checkpointer=InMemorySaver())
build_graph([population]).invoke({"messages": [("user", "How many?")]})
graph.invoke({"messages": [{"role": "user", "content": "How many?"}]})
graph.invoke({"messages": [HumanMessage("How many?")]})
graph.invoke({"messages": ["How many?"]})
graph.invoke({"messages": "How many?"})
said: list[AnyMessage] = [HumanMessage("How many?")]
asked = [HumanMessage("How many?")]
state = own.invoke({"messages": said}, {"configurable": {"thread_id": "1"}})
own.invoke({"messages": [*state["messages"], ("user", "And how large?")]})
own.invoke({"messages": asked}, context=Context(max_rounds=2))
own.invoke(Command(resume={"decisions": [{"type": "approve"}]}), {"configurable": {}})
agents: list[Pregel[Any, None, Any, Any]] = [own]  # what create_supervisor takes
print(state["messages"][-1].text)
print(state["outcomes"]["1"]["value"])
for event in graph.stream({"messages": [("user", "How many?")]}, stream_mode="custom"):
    print(event["type"])
for mode, chunk in graph.stream(
    {"messages": [("user", "How many?")]}, stream_mode=["custom", "messages"]
):
    print(mode, chunk)


async def main() -> None:
    answered = await own.ainvoke({"messages": [("user", "How many?")]}, context=Context())
    print(answered["messages"][-1].text)
    async for event in own.astream({"messages": [("user", "How many?")]}, stream_mode="custom"):
        print(event)


asyncio.run(main())
'''
SETTINGS = """
from pathlib import Path

from llm_compiler import Context

Context()
Context(max_rounds=2)
Context(model="openai:gpt-4.1-mini", planner_model=None, joiner_model="local")
Context(max_tasks=10, max_parallel=2, tool_timeout=5, tool_retries=0, deadline=30)
Context(approve=["mail"], allow=("mail", "search"), more_examples=[], examples="never")
Context(documents="notes")
folder: Path | None = Context(documents=Path("notes")).folder(on_server=False)
rounds: int = Context().max_rounds
"""
WRONG = """
from llm_compiler import Context, build_graph

Context(max_round=2)
Context(max_rounds="two")
build_graph(5)
build_graph().invoke({"message": []})
build_graph().invoke({"messages": [5]})
"""
WRONG_LINES = [4, 5, 6, 7, 8]


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one script each, and the Python examples of the README."""
    folder = tmp_path_factory.mktemp("scripts")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    examples = re.findall(r"^```python\n(.*?)^```", readme, re.MULTILINE | re.DOTALL)
    assert examples
    texts = {f"readme_{number}": text for number, text in enumerate(examples)}
    for name, text in {**texts, "calls": CALLS, "settings": SETTINGS, "wrong": WRONG}.items():
        (folder / f"{name}.py").write_text(text)
    return folder


def complaints(command: list[str], folder: Path) -> dict[str, str]:
    """What a type checker says, by script and line ("calls.py:7")."""
    ran = subprocess.run(command, cwd=folder, env=clean(), capture_output=True, text=True)
    assert ran.returncode in (0, 1), ran.stdout + ran.stderr
    found = re.findall(r"(\w+\.py):(\d+)(?::\d+)*(?: -)?:? error: (.*)", ran.stdout)
    return {f"{name}:{line}": said for name, line, said in found}


def test_mypy_strict_complains_of_mistakes_alone(scripts: Path, installed: Path) -> None:
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file="]
    command += [f"--python-executable={installed}", f"--cache-dir={scripts / 'cache'}", "."]
    found = complaints(command, scripts)
    assert list(found) == [f"wrong.py:{line}" for line in WRONG_LINES], found


def test_pyright_complains_of_mistakes_alone(scripts: Path, installed: Path) -> None:
    pytest.importorskip("pyright")
    command = [sys.executable, "-m", "pyright", f"--pythonpath={installed}", "."]
    found = complaints(command, scripts)
    assert list(found) == [f"wrong.py:{line}" for line in WRONG_LINES], found
