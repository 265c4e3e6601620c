"""What LangGraph's own stream modes show of a turn: the graph's nodes and the state's keys."""

from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from llm_compiler import Context, build_graph
from llm_compiler.state import State
from tests.support.scripted import Ledger, ScriptedModel, wiping

ASK: Any = {"messages": [HumanMessage("What?")]}
THREAD: Any = {"configurable": {"thread_id": "1"}}
NODES = {"planner", "scheduler", "joiner"}
INTERRUPT = "__interrupt__"
PLANS = (
    'a = echo(1)\nsums = [add(x, a) for x in [1, 2, 3]]\nfor s in sums:\n    wipe("x")\nb = a + 1',
    "d = add(a, 9)\nif d > 1:\n    echo(d)",
)


@pytest.mark.parametrize("subgraphs", [False, True])
async def test_streams_show_nodes_and_keys_of_the_state_alone(
    ledger: Ledger, subgraphs: bool
) -> None:
    """Over loops, claims, questions to a person and a replan."""
    graph = build_graph(
        [*ledger.tools, wiping(lambda what: None)],
        planner=ScriptedModel(*PLANS),
        joiner=ScriptedModel("REPLAN: more", "Done."),
        checkpointer=InMemorySaver(),
    )
    modes: Any = ["updates", "values", "tasks", "debug", "checkpoints"]
    input = ASK
    while True:
        stream = graph.astream(
            input,
            THREAD,
            stream_mode=modes,
            subgraphs=subgraphs,
            context=Context(approve=("add",)),
        )
        async for chunk in stream:
            space, mode, data = chunk if subgraphs else ((), *chunk)
            assert space == ()
            check(mode, data)
        if not (interrupts := (await graph.aget_state(THREAD)).interrupts):
            break
        count = len(interrupts[0].value["action_requests"])
        kinds = ["approve", "reject", "approve"][:count]
        input = Command(resume={"decisions": [{"type": kind} for kind in kinds]})
    assert (await graph.aget_state(THREAD)).values["round"] == 2


def check(mode: str, data: Any) -> None:
    keys = State.__annotations__.keys()
    if mode == "debug":
        kinds = {"task": "tasks", "task_result": "tasks", "checkpoint": "checkpoints"}
        mode, data = kinds[data["type"]], data["payload"]
    match mode:
        case "updates":
            assert data.keys() <= {*NODES, INTERRUPT}
            assert all(data[node].keys() <= keys for node in data.keys() & NODES)
        case "values":
            assert data.keys() <= {*keys, INTERRUPT}
        case "tasks":
            assert data["name"] in NODES
            assert (data["result"] if "result" in data else data["input"]).keys() <= keys
        case "checkpoints":
            assert data["values"].keys() <= keys
            assert data["metadata"].keys() == {"source", "step", "parents"}
            named = set(data["config"]["configurable"])
            assert named == {"thread_id", "checkpoint_ns", "checkpoint_id"}
