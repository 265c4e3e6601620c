"""Importing does nothing: no network, no thread, no file, and nothing that few runs need."""

import json
import subprocess
import sys
from typing import Any

import pytest

PROGRAM = """
import json, sys, threading, time
done = []
def audit(event, args):
    if event in ("socket.connect", "socket.sendto", "socket.getaddrinfo", "os.mkdir"):
        done.append(event)
    if event == "open" and isinstance(args[1], str) and set(args[1]) & set("wax+"):
        done.append(f"write {args[0]}")
sys.dont_write_bytecode = True
sys.addaudithook(audit)
began = time.perf_counter()
import llm_compiler
seconds = time.perf_counter() - began
first = [*sys.modules]
from llm_compiler import Context, build_graph, graph
build_graph()
threads = [thread.name for thread in threading.enumerate()]
print(json.dumps(
    {"seconds": seconds, "done": done, "threads": threads, "first": first, "last": [*sys.modules]}
))
"""
ONLY_WHERE_USED = frozenset(
    "aiosqlite filelock jsonschema langchain_openai markdown_it mcp numexpr numpy openai"
    " platformdirs starlette tavily typer xllamacpp yaml".split()
)


@pytest.fixture(scope="module")
def found() -> Any:
    return json.loads(
        subprocess.run(
            [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
        ).stdout
    )


@pytest.mark.alone
@pytest.mark.slow
def test_importing_does_nothing(found: Any) -> None:
    assert found["seconds"] < 1.0
    assert not {"asyncio", "langgraph", "langchain_core", "pydantic"} & {*found["first"]}
    assert found["done"] == []
    assert found["threads"] == ["MainThread"]


@pytest.mark.alone
@pytest.mark.slow
def test_building_a_graph_imports_only_what_every_run_needs(found: Any) -> None:
    assert "langgraph" in found["last"]
    assert not ONLY_WHERE_USED & {*found["last"]}
