"""Events of a turn over several runs: told once, or marked as replayed for clients that join."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.types import Command

from llm_compiler import Context, build_graph
from tests.support.scripted import Ledger, ScriptedModel, until

ASK: Any = {"messages": [HumanMessage("What?")]}
THREAD: Any = {"configurable": {"thread_id": "1"}}
APPROVE = Context(approve=("add",))
YES: dict[str, Any] = {"type": "approve"}
MANY = 30
PLAN = f"""a = echo(1)
sums = [add(x, a) for x in range({MANY})]
total = sum(sums)
b = a + 1
late = [echo(s) for s in sums if s > 100]"""


@pytest.fixture(params=["memory", "sqlite"])
async def saver(request: Any, tmp_path: Path) -> AsyncIterator[Any]:
    if request.param == "memory":
        yield InMemorySaver()
    else:
        async with AsyncSqliteSaver.from_conn_string(str(tmp_path / "threads.db")) as stored:
            yield stored


def deploy(ledger: Ledger, saver: Any, *plans: str, answers: tuple[str, ...] = ("Done.",)) -> Any:
    """A graph in another process."""
    models = {"planner": ScriptedModel(*plans), "joiner": ScriptedModel(*answers)}
    return build_graph(ledger.tools, checkpointer=saver, **models)  # type: ignore[arg-type]


async def events_of(graph: Any, input: Any, config: Any = THREAD, **options: Any) -> list[Any]:
    options = {"context": APPROVE, **options}
    return [it async for it in graph.astream(input, config, stream_mode="custom", **options)]


async def follow(graph: Any, input: Any, seen: list[Any]) -> None:
    async for event in graph.astream(input, THREAD, stream_mode="custom", context=APPROVE):
        seen.append(event)  # noqa: PERF401 - the test reads them meanwhile


def resume(*decisions: Any) -> Command[Any]:
    return Command(resume={"decisions": list(decisions)})


def told(events: list[Any], event: str, *, replayed: bool = False) -> list[Any]:
    """The ids that an event was told of, for the first time or again."""
    found = (it for it in events if it["event"] == event)
    return [it["id"] for it in found if it.get("replayed", False) == replayed]


def standing(events: list[Any]) -> dict[Any, str]:
    """How each task stands to a client that takes whatever it is told."""
    return {it["id"]: it["status"] for it in events if "id" in it}


async def test_each_of_many_calls_gets_its_own_decision(ledger: Ledger, saver: Any) -> None:
    """Thirty instances in one request; the decisions are mixed, and two runs see all of it."""
    first = await events_of(deploy(ledger, saver, PLAN), ASK)
    waiting = [it for it in first if it["event"] == "task.waiting"]
    assert [it["args"] for it in waiting] == [{"a": x, "b": 1} for x in range(MANY)]
    assert ledger.begun == [1]

    kinds = ["approve", "edit", "reject"] * (MANY // 3)
    Random(5).shuffle(kinds)
    decisions: list[Any] = []
    for number, kind in enumerate(kinds):
        edited = {"name": "add", "args": {"a": 1000, "b": number}}
        more: Any = {"edit": {"edited_action": edited}, "reject": {"message": f"not {number}"}}
        decisions.append({"type": kind, **more.get(kind, {})})
    # A call that runs meanwhile is slow.
    gate = asyncio.Event()
    ledger.add = slow_first(ledger.add, gate)  # type: ignore[method-assign]
    graph = deploy(ledger, saver)
    second: list[Any] = []
    running = asyncio.create_task(follow(graph, resume(*decisions), second))
    slow = f"3[{kinds.index('approve')}]"
    others = {f"3[{number}]" for number in range(MANY)} - {slow}
    await until(lambda: others <= {*told(second, "task.finished")} or running.done())
    assert not running.done(), running.exception()
    at = standing(second)
    assert at[slow] == "running"
    assert sum(status == "rejected" for status in at.values()) == kinds.count("reject")
    gate.set()
    await running

    outcomes = (await graph.aget_state(THREAD)).values["outcomes"]
    for number, kind in enumerate(kinds):
        outcome = outcomes[f"3[{number}]"]
        if kind == "approve":
            assert (outcome["status"], outcome["value"]) == ("ok", number + 1)
        elif kind == "edit":
            assert (outcome["status"], outcome["value"]) == ("ok", 1000 + number)
        else:
            assert (outcome["status"], outcome["error"]) == ("rejected", f"not {number}")
    statuses = {"approve": "approved", "reject": "rejected", "edit": "edited"}
    decided = {it["id"]: it for it in second if it["event"] == "task.decided"}
    for number, kind in enumerate(kinds):
        assert decided[f"3[{number}]"]["status"] == statuses[kind]
    both = first + second
    assert Counter(told(both, "task.finished")) == Counter(outcomes_ids(outcomes))
    assert Counter(told(both, "plan.task")) == Counter(outcomes_ids(outcomes))
    ran = [f"3[{number}]" for number, kind in enumerate(kinds) if kind != "reject"]
    assert sorted(told(second, "task.started")) == sorted(ran)
    # A client that joins now knows the whole plan, and how everything stands.
    assert standing(second) == standing(both)


def slow_first(add: Any, gate: asyncio.Event) -> Any:
    begun = 0

    async def slow(a: int, b: int) -> int:
        """Add two numbers."""
        nonlocal begun
        begun += a < 1000
        if begun == 1 and a < 1000:
            await gate.wait()
        return int(await add(a, b))

    slow.__name__ = "add"
    return slow


def outcomes_ids(outcomes: Any) -> list[Any]:
    return [it["id"] for it in outcomes.values()]


async def test_nothing_is_told_twice_over_rounds_and_decisions(ledger: Ledger, saver: Any) -> None:
    plans = "a = echo(1)\nb = add(a, 1)\nc = a + b", "d = add(b, 5)\ne = d + c"
    first = deploy(ledger, saver, *plans, answers=("REPLAN: more", "Done."))
    runs = [await events_of(first, ASK), await events_of(first, resume(YES))]
    last = deploy(ledger, saver)
    runs.append(await events_of(last, resume(YES), interrupt_before=["joiner"]))
    runs.append(await events_of(last, None))
    whole = [event for run in runs for event in run]
    ids = [1, 2, 3, 4, 5]
    assert sorted(told(whole, "task.finished")) == ids
    assert sorted(told(whole, "plan.task")) == ids
    assert told(whole, "task.waiting") == told(whole, "task.decided") == [2, 4]
    for event in ("turn.start", "plan.end", "round.end"):
        rounds = [it["round"] for it in whole if it["event"] == event and "replayed" not in it]
        assert rounds == ([1] if event == "turn.start" else [1, 2])
    # Each run that goes on can be drawn by itself; seconds never go back.
    for run in runs[1:]:
        assert (run[0]["event"], run[0]["question"]) == ("turn.start", "What?")
    assert dict.fromkeys(ids, "ok") == standing(runs[-1])
    seconds = [event["seconds"] for event in whole]
    assert seconds == sorted(seconds)


async def test_a_decision_is_told_once_though_the_run_is_killed_after_it(
    ledger: Ledger, saver: Any
) -> None:
    ledger.gate("slow")
    runs = [
        await events_of(
            deploy(ledger, saver, 'a = add(1, 1)\nif a > 1:\n    b = echo("slow")'), ASK
        )
    ]
    assert told(runs[0], "task.waiting") == [1]
    killed: list[Any] = []
    running = asyncio.create_task(follow(deploy(ledger, saver), resume(YES), killed))
    await until(lambda: told(killed, "task.started") == [1, 3] or running.done())
    running.cancel()
    await asyncio.wait([running])
    ledger.gate("slow").set()
    runs += [killed, await events_of(deploy(ledger, saver), None)]
    whole = [event for run in runs for event in run]
    outcomes = (await deploy(ledger, saver).aget_state(THREAD)).values["outcomes"]
    assert told(whole, "task.decided") == [1]
    assert Counter(told(whole, "task.finished")) == Counter(outcomes_ids(outcomes))
    assert standing(runs[-1]) == standing(whole)
    assert told(runs[-1], "task.decided", replayed=True) == [1]


async def test_a_fork_tells_how_the_turn_stands(ledger: Ledger, saver: Any) -> None:
    graph = deploy(ledger, saver, "a = echo(1)\nb = a + 1", answers=("Done.", "Done again."))
    once = await events_of(graph, ASK)
    [fork] = [it async for it in graph.aget_state_history(THREAD) if it.next == ("joiner",)]
    again = await events_of(graph, None, fork.config)
    assert told(again, "task.finished") == told(again, "plan.task") == []
    assert standing(again) == standing(once) == {1: "ok", 2: "ok"}
    assert (again[-1]["event"], again[-1].get("replayed")) == ("round.end", None)
