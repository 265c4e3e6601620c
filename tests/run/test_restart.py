"""A run that was killed and is resumed asks no planner again and repeats no journaled call."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from langgraph.checkpoint.memory import InMemorySaver

from llm_compiler import build_graph
from tests.support.journals import journaled
from tests.support.scripted import Ledger, ScriptedModel, until

ASK: Any = {"messages": [HumanMessage("What?")]}
THREAD: Any = {"configurable": {"thread_id": "1"}}


@pytest.mark.parametrize("mode", ["updates", "custom"])
@pytest.mark.parametrize("max_concurrency", [None, 1])
async def test_a_cancelled_scheduler_goes_on_where_it_stood(
    mode: Any, max_concurrency: int | None
) -> None:
    ledger = Ledger()
    gate = ledger.gate("slow")
    planner = ScriptedModel("echo('slow')\nb = add(1, 2)\nc = add(b, 1)\necho(c)")
    saver = InMemorySaver()
    graph = build_graph(
        ledger.tools, planner=planner, joiner=ScriptedModel("Done."), checkpointer=saver
    )
    config: Any = {**THREAD, "max_concurrency": max_concurrency} if max_concurrency else THREAD
    nodes: list[str] = []

    async def first() -> None:
        async for kind, update in graph.astream(ASK, config, stream_mode=["updates", mode]):
            if kind == "updates":
                nodes.extend(update)

    running = asyncio.ensure_future(first())
    await until(lambda: "planner" in nodes and ledger.ended[-1:] == [4])
    await until(lambda: len(journaled(saver)) == 3)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert ledger.cancelled == ["slow"]
    gate.set()
    [*_, state] = [s async for s in graph.astream(None, config, stream_mode="values")]
    assert state["messages"][-1].text == "Done."
    assert len(planner.seen) == 1
    assert ledger.begun.count("slow") == 2
    assert ledger.begun.count((1, 2)) == 1
    assert ledger.begun.count(4) == 1


ALL_MODES = ["updates", "custom", "messages", "values", "tasks", "debug", "checkpoints"]


@pytest.mark.parametrize("modes", ["values", "custom", ["updates", "messages"], ALL_MODES])
@pytest.mark.parametrize("max_concurrency", [1, 2, 3])
async def test_no_max_concurrency_deadlocks(modes: Any, max_concurrency: int) -> None:
    ledger = Ledger()
    gate = ledger.gate("slow")
    plan = "echo('slow')\nb = add(1, 2)\nc = add(b, 1)\necho(c)"
    graph = build_graph(
        ledger.tools,
        planner=ScriptedModel(plan),
        joiner=ScriptedModel("Done."),
        checkpointer=InMemorySaver(),
    )
    config: Any = {**THREAD, "max_concurrency": max_concurrency}

    async def run() -> None:
        async for _ in graph.astream(ASK, config, stream_mode=modes):
            pass

    running = asyncio.ensure_future(run())
    await until(lambda: ledger.ended[-1:] == [4])
    gate.set()
    await running
    assert graph.get_state(THREAD).values["messages"][-1].text == "Done."


PROGRAM = """
import asyncio, json, os, sys
from langchain_core.tools import tool
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from llm_compiler import build_graph
from tests.support.scripted import ScriptedModel

folder, resume, die, wanted = sys.argv[1], sys.argv[2] == "resume", sys.argv[3], set(sys.argv[4])

def note(*what):
    with open(os.path.join(folder, "ledger"), "a") as ledger:
        ledger.write(json.dumps(what) + "\\n")
        ledger.flush()
        os.fsync(ledger.fileno())

async def journaled():
    every = [it async for it in saver.alist(config)]
    writes = [value for it in every for _, _, value in it.pending_writes or ()]
    return {str(w["outcome"]["id"]) for w in writes if isinstance(w, dict) and "outcome" in w}

async def step(name: str, after: str = "") -> str:
    "Take a step."
    note("begin", name)
    if name == die and not resume:
        while wanted - await journaled():
            await asyncio.sleep(0.005)
        print("dying", flush=True)
        await asyncio.Event().wait()
    note("end", name)
    return name

@tool
async def wipe(name: str) -> str:
    "Wipe."
    return await step(name)
wipe.metadata = {"destructiveHint": True}

PLAN = (
    "c = wipe('c')\\nstep('d', c)\\na = step('a')\\nstep('a b', a)\\nwipe('e')"
)

config = {"configurable": {"thread_id": "1"}}

async def main():
    global saver
    async with AsyncSqliteSaver.from_conn_string(os.path.join(folder, "db")) as saver:
        planner = ScriptedModel(*([] if resume else [PLAN]))
        graph = build_graph([step, wipe], planner=planner, joiner=ScriptedModel("Done."),
                            checkpointer=saver)
        async for update in graph.astream(
            None if resume else {"messages": [("user", "x")]}, config
        ):
            pass
        state = await graph.aget_state(config)
        outcomes = state.values["outcomes"].items()
        found = {id: [o["status"], o["error"]] for id, o in outcomes}
        print("state", json.dumps(found), flush=True)
        print("answer", state.values["messages"][-1].text, flush=True)

asyncio.run(main())
"""


def _run(folder: Path, how: str, die: str, journaled: str = "") -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(folder), how, die, journaled],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "LANGGRAPH_STRICT_MSGPACK": "true"},
    )


@pytest.mark.parametrize(
    ("die", "journaled"),
    [
        ("c", "34"),
        ("d", "134"),
        ("a b", "123"),
        ("e", "1234"),
    ],
)
@pytest.mark.slow
def test_killed_in_the_middle_of_a_call_and_resumed_in_another_process(
    tmp_path: Path, die: str, journaled: str
) -> None:
    process = _run(tmp_path, "begin", die, journaled)
    assert process.stdout is not None
    with process.stdout as output:
        assert output.readline() == "dying\n"
        process.send_signal(signal.SIGKILL)
        process.wait()
    resumed, _ = _run(tmp_path, "resume", die).communicate(timeout=60)
    ledger = [json.loads(line) for line in (tmp_path / "ledger").read_text().splitlines()]
    begun = [name for what, name in ledger if what == "begin"]
    assert "answer Done." in resumed
    outcomes = json.loads(resumed.split("state ", 1)[1].splitlines()[0])
    for name in ("c", "e"):
        assert begun.count(name) <= 1  # never a second time
    assert all(begun.count(name) <= 1 for name in {"a", "a b", "c", "d", "e"} - {die})
    if die in ("c", "e"):
        status, error = outcomes["1" if die == "c" else "5"]
        assert status == "failed"
        assert error.startswith("may have run: it began at ")
        found = [outcomes[id][0] for id in "2345"]
        assert found[:3] == (["skipped", "ok", "ok"] if die == "c" else ["ok"] * 3)
        assert found[3] == ("skipped" if die == "c" else "failed")
    else:
        assert {status for status, _ in outcomes.values()} == {"ok"}
        assert begun.count(die) == 2
