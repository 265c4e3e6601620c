"""Of those who write to one thread, the one that entered last goes on."""

import asyncio
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver

from llm_compiler import build_graph
from llm_compiler.errors import ThreadTakenError
from llm_compiler.run.thread_fence import ThreadFence
from tests.support.scripted import Ledger, ScriptedModel, until

THREAD: Any = {"configurable": {"thread_id": "1"}}
ASK: Any = {"messages": [("user", "What?")]}


def fence(saver: Any, thread: str = "1", namespace: str = "") -> ThreadFence:
    return ThreadFence(saver, thread, namespace)


async def test_whoever_entered_before_is_kept_out() -> None:
    saver = InMemorySaver()
    first, second = fence(saver), fence(saver)
    await first.enter()
    await first.check()
    await second.enter()
    await second.check()
    with pytest.raises(ThreadTakenError, match="the thread '1' has gone on without this run"):
        await first.check()
    first.enter_blocking()
    await first.check()


async def test_other_threads_and_namespaces_have_fences_of_their_own() -> None:
    saver = InMemorySaver()
    ours = fence(saver)
    await ours.enter()
    await fence(saver, thread="2").enter()
    await fence(saver, namespace="node:1").enter()
    await ours.check()


async def test_a_thread_that_is_deleted_is_nobodys() -> None:
    saver = InMemorySaver()
    ours = fence(saver)
    await ours.enter()
    saver.delete_thread("1")
    await ours.check()


async def test_who_writes_nothing_learns_of_it_too() -> None:
    saver = InMemorySaver()
    ours = fence(saver)
    await ours.enter()
    told: list[ThreadTakenError] = []
    async with ours.watched(told.append, seconds=0.001):
        await fence(saver).enter()
        await until(lambda: told != [])
    assert len(told) == 1


async def test_a_watch_outlives_an_error_of_the_checkpointer_but_not_its_run(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Broken(InMemorySaver):
        errors = 0

        async def aget_tuple(self, config: Any) -> Any:
            if self.errors < 3:
                self.errors += 1
                raise ConnectionError("the connection is closed")
            return await super().aget_tuple(config)

    saver = Broken()
    before = asyncio.all_tasks()
    told: list[ThreadTakenError] = []
    ours = fence(saver)
    await ours.enter()
    async with ours.watched(told.append, seconds=0.001):
        await fence(saver).enter()
        await until(lambda: told != [])
    assert asyncio.all_tasks() == before
    [*lines] = (record.getMessage() for record in caplog.records)
    assert (
        lines == ["the checkpointer cannot be read: ConnectionError: the connection is closed"] * 3
    )


async def test_a_change_of_the_state_ends_the_run_that_had_read_the_one_before() -> None:
    ledger, saver = Ledger(), InMemorySaver()
    gate = ledger.gate("slow")
    planner = ScriptedModel("echo('slow')")
    graph = build_graph(
        ledger.tools, planner=planner, joiner=ScriptedModel("Done."), checkpointer=saver
    )
    running = asyncio.ensure_future(graph.ainvoke(ASK, THREAD))
    await until(lambda: ledger.begun == ["slow"])
    await graph.aupdate_state(THREAD, {"messages": [("ai", "Never mind.")]}, as_node="joiner")
    gate.set()
    with pytest.raises(ThreadTakenError):
        await running
    state = await graph.aget_state(THREAD)
    assert state.values["messages"][-1].text == "Never mind."


async def test_a_tool_that_changes_the_state_of_its_own_thread_ends_no_run() -> None:
    saver = InMemorySaver()

    async def note() -> str:
        """Note."""
        await graph.aupdate_state(THREAD, {"messages": [("ai", "Noted.")]}, as_node="joiner")
        return "noted"

    graph: Any = build_graph(
        [note],
        planner=ScriptedModel("note()"),
        joiner=ScriptedModel("Done."),
        checkpointer=saver,
    )
    state = await graph.ainvoke(ASK, THREAD)
    assert state["messages"][-1].text == "Done."
