"""Importing does nothing: no network, no thread, no file, and it takes no time."""

import json
import subprocess
import sys

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
from llm_compiler import Context, build_graph, graph
build_graph()
threads = [thread.name for thread in threading.enumerate()]
print(json.dumps({"seconds": seconds, "done": done, "threads": threads}))
"""


@pytest.mark.alone
@pytest.mark.slow
def test_importing_does_nothing() -> None:
    output = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    ).stdout
    found = json.loads(output)
    assert found["seconds"] < 1.0
    assert found["done"] == []
    assert found["threads"] == ["MainThread"]
