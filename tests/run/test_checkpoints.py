"""What LangGraph requires of a checkpointer, from a user's view: every kind of saver stores a turn.

The cases are those of LangGraph's own conformance suite for savers that depend on the graph: stored
data is returned equal, under the strict serializer; it is plain data; checkpoints can be listed,
filtered, resumed, edited, deleted and copied to another saver; threads and namespaces are kept
apart. The savers use the strict serializer here whatever the environment says.
"""

import asyncio
import json
import math
import sqlite3
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import BaseMessage, HumanMessage
from langgraph.checkpoint.base import BaseCheckpointSaver, CheckpointTuple
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.checkpoint.serde._msgpack import STRICT_MSGPACK_ENABLED
from langgraph.checkpoint.serde.event_hooks import SerdeEvent, register_serde_event_listener
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, Interrupt

from llm_compiler import Context, build_graph
from llm_compiler.run.async_checkpointer import with_async
from llm_compiler.state import State
from tests.support.protocol import follows_protocol
from tests.support.scripted import Ledger, ScriptedModel, wiping

pytestmark = [pytest.mark.server, pytest.mark.timeout(60)]

KINDS = ["memory", "sqlite", "sync sqlite", "postgres"]
ASK: Any = {"messages": [HumanMessage("What?")]}
APPROVE = Context(approve=("wipe",))
APPROVED: Any = Command(resume={"decisions": [{"type": "approve"}]})
FIRST = """# All that an outcome can be.
a = add(1, 2)
b = echo({"a": [1.5, True, None, "über 8 km 🏔"], "b": {"c": -1}})
wiped = wipe(f"all of {a}")
c = fail("no")
echo(c)
nope()
add(9223372036854775807, a)"""
SECOND = "echo(b.a[3])\necho(wiped)"
OBJECT: Any = {"a": [1.5, True, None, "über 8 km 🏔"], "b": {"c": -1}}
BEGUN = [(1, 2), OBJECT, "no", (2**63 - 1, 3), "wipe all of 3", OBJECT["a"][3], "all of 3"]
"""The calls of both rounds, in the order in which they begin."""
Saver = BaseCheckpointSaver[Any]


def strictly() -> JsonPlusSerializer:
    """A serializer that gives back plain data, messages and LangGraph's own types alone."""
    return JsonPlusSerializer(allowed_msgpack_modules=None)


@asynccontextmanager
async def opened(kind: str, folder: Path, postgres: str) -> AsyncIterator[Saver]:
    """A saver of a kind; of a database that is there, another connection to it."""
    file = str(folder / f"{kind}.db")
    match kind:
        case "memory":
            yield InMemorySaver(serde=strictly())
        case "sync sqlite":
            with closing(sqlite3.connect(file, check_same_thread=False)) as connection:
                yield SqliteSaver(connection, serde=strictly())
        case "sqlite":
            async with AsyncSqliteSaver.from_conn_string(file) as saver:
                saver.serde = strictly()
                yield saver
        case _:
            async with AsyncPostgresSaver.from_conn_string(postgres, serde=strictly()) as saver:
                yield saver


@pytest.fixture(params=KINDS)
async def saver(
    request: pytest.FixtureRequest, tmp_path: Path, postgres: str
) -> AsyncIterator[Saver]:
    async with opened(request.param, tmp_path, postgres) as saver:
        yield saver


@pytest.fixture(autouse=True)
def refused() -> Iterator[list[SerdeEvent]]:
    """What the strict serializer refused to give back: nothing, in any test."""
    found: list[SerdeEvent] = []
    forget = register_serde_event_listener(found.append)
    yield found
    forget()
    assert found == []


@pytest.fixture
def thread() -> Any:
    """A thread of its own, since the tests share one PostgreSQL."""
    return {"configurable": {"thread_id": str(uuid.uuid4())}}


class Wiping(Ledger):
    """With a tool that only begins when its claim is in the checkpointer."""

    @property
    def tools(self) -> list[Any]:
        return [*super().tools, wiping(lambda what: self.begun.append(f"wipe {what}"))]


def graph(saver: Saver | None, ledger: Ledger, *plans: str, answers: tuple[str, ...] = ()) -> Any:
    return build_graph(
        ledger.tools,
        planner=ScriptedModel(*plans),
        joiner=ScriptedModel(*answers or ("Done.",)),
        checkpointer=saver,
    )


async def whole_turn(saver: Saver, ledger: Ledger, thread: Any) -> tuple[Any, Any]:
    """A turn of two rounds with each kind of outcome and an approval: its graph and its state."""
    compiled = graph(saver, ledger, FIRST, SECOND, answers=("REPLAN: more", "Done."))
    stopped = await compiled.ainvoke(ASK, thread, context=APPROVE)
    assert len(stopped["__interrupt__"]) == 1
    return compiled, await compiled.ainvoke(APPROVED, thread, context=APPROVE)


async def listed(saver: Saver, config: Any, **options: Any) -> list[CheckpointTuple]:
    """The thread's checkpoints, without those of its journal."""
    configurable = {"checkpoint_ns": "", **config["configurable"]}
    return await everything(saver, {**config, "configurable": configurable}, **options)


async def everything(saver: Saver, config: Any, **options: Any) -> list[CheckpointTuple]:
    async with aclosing(with_async(saver).alist(config, **options)) as found:  # type: ignore[type-var]
        return [it async for it in found]


def odd(value: Any, path: str = "") -> list[str]:
    """Where in a value something is no plain JSON data; messages and interrupts count as theirs."""
    match value:
        case BaseMessage():
            return odd(value.model_dump(), f"{path}<{value.type}>")
        case Interrupt():
            return odd(value.value, f"{path}<interrupt>")
        case dict():
            keys = [f"{path} key {key!r}" for key in value if type(key) is not str]
            return keys + [it for key in value for it in odd(value[key], f"{path}.{key}")]
        case list():
            return [it for i, item in enumerate(value) for it in odd(item, f"{path}[{i}]")]
        case float() if not math.isfinite(value):
            return [f"{path}: {value}"]
        case _ if value is None or type(value) in (bool, int, float, str):
            return []
    return [f"{path}: {type(value).__name__}"]


# ── what is put comes back ────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", KINDS)
async def test_the_state_of_a_turn_comes_back_equal(
    kind: str, tmp_path: Path, postgres: str, thread: Any
) -> None:
    ledger = Wiping()
    async with opened(kind, tmp_path, postgres) as saver:
        compiled, state = await whole_turn(saver, ledger, thread)
        assert (await compiled.aget_state(thread)).values == state
        if kind != "memory":
            async with opened(kind, tmp_path, postgres) as other:
                reader = graph(other, ledger)
                assert (await reader.aget_state(thread)).values == state
    assert state["messages"][-1].text == "Done."
    statuses = {o["status"] for o in state["outcomes"].values()}
    assert statuses == {"ok", "failed", "skipped"}
    assert follows_protocol(state["messages"])


def test_the_tests_run_under_the_strict_serializer() -> None:
    assert STRICT_MSGPACK_ENABLED


async def test_every_checkpoint_and_write_is_plain_data(saver: Saver, thread: Any) -> None:
    await whole_turn(saver, Wiping(), thread)
    found = await everything(saver, thread)
    assert len(found) >= 8
    kinds = {channel for it in found for _, channel, _ in it.pending_writes or ()}
    assert {"__interrupt__", "__resume__", "llm_compiler"} <= kinds  # the journal is looked at too
    for it in found:
        values = it.checkpoint["channel_values"]
        assert odd(values) == []
        assert odd([[channel, value] for _, channel, value in it.pending_writes or ()]) == []
        assert {"plan", "outcomes"} <= values.keys() or it.metadata["step"] < 1


async def test_metadata_is_plain_data_and_holds_nothing_of_a_run(saver: Saver, thread: Any) -> None:
    config = {**thread, "metadata": {"customer": "k2"}}
    await graph(saver, Ledger(), "add(1, 2)").ainvoke(ASK, config)
    for it in await listed(saver, thread):
        assert odd(it.metadata) == []
        assert it.metadata["customer"] == "k2"  # type: ignore[typeddict-item]
        assert not [name for name in it.metadata if name.startswith("__")]
        json.dumps(it.config)


def test_what_is_no_plain_data_is_found(refused: list[SerdeEvent]) -> None:
    value = {"a": [1, (2,)], 3: {4}, "m": HumanMessage("x", extra=object()), "n": math.nan}
    assert odd(value) == [" key 3", ".a[1]: tuple", ".3: set", ".m<human>.extra: object", ".n: nan"]
    serializer = strictly()
    assert serializer.loads_typed(serializer.dumps_typed(APPROVE)) != APPROVE
    assert [event["name"] for event in refused] == ["Context"]
    refused.clear()


# ── it can be listed, gone back to and edited ─────────────────────────────────────────────────


async def test_checkpoints_are_listed_newest_first_and_filtered(saver: Saver, thread: Any) -> None:
    ledger = Ledger()
    plan = "add(1, 2)"
    compiled = graph(saver, ledger, plan, plan, answers=("Three.", "Three again."))
    first = {**thread, "metadata": {"question": "first"}}
    await compiled.ainvoke(ASK, first)
    await compiled.ainvoke(ASK, {**thread, "metadata": {"question": "second"}})

    async def steps(config: Any = thread, **options: Any) -> list[int]:
        return [it.metadata["step"] for it in await listed(saver, config, **options)]

    every = await steps()
    assert every == sorted(every, reverse=True)
    assert len(every) == 10
    assert await steps(filter={"source": "input"}) == [4, -1]
    assert await steps(filter={"step": 2}) == [2]
    assert await steps(filter={"question": "first"}) == every[5:]
    assert await steps(filter={"question": "first", "source": "input"}) == [-1]
    assert await steps(filter={"question": "third"}) == []
    assert await steps(limit=3) == every[:3]
    fourth = (await listed(saver, thread))[3].config
    assert await steps(before=fourth) == every[4:]
    assert await steps(before=fourth, limit=2) == every[4:6]
    assert await steps({"configurable": {"thread_id": f"no {uuid.uuid4()}"}}) == []


async def test_checkpoints_form_one_line(saver: Saver, thread: Any) -> None:
    await whole_turn(saver, Wiping(), thread)
    found = await listed(saver, thread)
    ids = [it.config["configurable"]["checkpoint_id"] for it in found]
    parents = [
        it.parent_config and it.parent_config["configurable"]["checkpoint_id"] for it in found
    ]
    assert parents == [*ids[1:], None]
    for it in found:
        assert await with_async(saver).aget_tuple(it.config) == it
    newest = await with_async(saver).aget_tuple(thread)
    assert newest == found[0]


@pytest.mark.parametrize("how", ["sync", "async"])
async def test_state_is_read_gone_through_and_edited(
    saver: Saver, thread: Any, ledger: Ledger, how: str
) -> None:
    compiled = graph(saver, ledger, "a = add(1, 2)\nadd(a, 10)")

    async def call(name: str, *args: Any, **options: Any) -> Any:
        if how == "sync":  # not in the loop of an async saver, which refuses that
            return await asyncio.to_thread(getattr(compiled, name), *args, **options)
        return await getattr(compiled, f"a{name}")(*args, **options)

    await compiled.ainvoke(ASK, thread, interrupt_before=["scheduler"])
    snapshot = await call("get_state", thread)
    assert snapshot.next == ("scheduler",)
    plan = snapshot.values["plan"]
    plan[0]["args"] = {"a": 100, "b": 2}
    await call("update_state", thread, {"plan": plan}, as_node="planner")
    state = await compiled.ainvoke(None, thread)
    assert ledger.begun == [(100, 2), (102, 10)]
    if how == "sync":
        history = await asyncio.to_thread(lambda: [*compiled.get_state_history(thread)])
    else:
        history = [it async for it in compiled.aget_state_history(thread)]
    assert history[0].values == state
    assert [it.metadata["source"] for it in history] == [
        *["loop", "loop", "update"],
        *["loop", "loop", "input"],
    ]
    for it in history:
        assert (await call("get_state", it.config)).values == it.values


@pytest.mark.parametrize("durability", ["sync", "async", "exit"])
async def test_every_durability_ends_with_the_same_state(
    saver: Saver, thread: Any, ledger: Ledger, durability: Any
) -> None:
    plan = "a = add(1, 2)\nfail('no')\nc = echo(a)"
    compiled = graph(saver, ledger, plan, "echo(c)", answers=("REPLAN: x", "Done."))
    context = Context(approve=("echo",), tool_retries=0)
    stopped = await compiled.ainvoke(ASK, thread, context=context, durability=durability)
    assert [r.value["action_requests"][0]["args"] for r in stopped["__interrupt__"]] == [
        {"value": 3}
    ]
    for _ in range(2):  # one batch a round
        state = await compiled.ainvoke(APPROVED, thread, context=context, durability=durability)
    assert (await compiled.aget_state(thread)).values == state
    found = {id: (o["status"], o["value"]) for id, o in state["outcomes"].items()}
    ended = {"1": ("ok", 3), "2": ("failed", None), "3": ("ok", 3), "4": ("ok", 3)}
    assert (found, state["round"], state["feedback"]) == (ended, 2, None)
    assert state["usage"]["planner"]["calls"] == 2
    assert [m.text for m in state["messages"]][-1] == "Done."
    assert follows_protocol(state["messages"])
    assert ledger.begun.count((1, 2)) == ledger.begun.count("no") == 1


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "memory"])
async def test_decisions_come_after_a_restart(
    kind: str, tmp_path: Path, postgres: str, thread: Any, ledger: Ledger
) -> None:
    """Each run here has a graph and a connection of its own, and models that say nothing twice."""
    context = Context(approve=("add",))

    async def run(given: Any, *plans: str, answers: tuple[str, ...] = ()) -> Any:
        async with opened(kind, tmp_path, postgres) as saver:
            compiled = build_graph(
                ledger.tools,
                planner=ScriptedModel(*plans),
                joiner=ScriptedModel(*answers),
                checkpointer=saver,
            )
            return await compiled.ainvoke(given, thread, context=context)

    def decide(*decisions: Any) -> Any:
        return Command(resume={"decisions": list(decisions)})

    first = "a = echo(5)\nb = add(a, 1)\nc = echo(b)\nadd(7, 7)"
    asked = await run(ASK, first)
    [request] = asked["__interrupt__"]
    assert [it["args"] for it in request.value["action_requests"]] == [
        {"a": 5, "b": 1},
        {"a": 7, "b": 7},
    ]
    edit = {"type": "edit", "edited_action": {"name": "add", "args": {"a": 40, "b": 2}}}
    second = "e = add(c, 8)\necho(e)"
    asked = await run(
        decide(edit, {"type": "reject", "message": "not that"}),
        second,
        answers=("REPLAN: eight more",),
    )
    [request] = asked["__interrupt__"]
    assert request.value["action_requests"][0]["args"] == {"a": 42, "b": 8}
    state = await run(decide({"type": "approve"}), answers=("Fifty.",))
    found = {id: (o["status"], o["value"]) for id, o in state["outcomes"].items()}
    assert found == {
        "1": ("ok", 5),
        "2": ("ok", 42),
        "3": ("ok", 42),
        "4": ("rejected", None),
        "5": ("ok", 50),
        "6": ("ok", 50),
    }
    assert ledger.begun == [5, (40, 2), 42, (42, 8), 50]
    assert state["messages"][-1].text == "Fifty."
    assert follows_protocol(state["messages"])


# ── it is deleted, kept apart and copied ──────────────────────────────────────────────────────


@pytest.mark.parametrize("left", ["answered", "waiting"])
async def test_a_deleted_thread_leaves_nothing(saver: Saver, thread: Any, left: str) -> None:
    ledger = Wiping()
    plans = [FIRST, *([SECOND] if left == "answered" else []), "echo('new')"]
    answers = ("REPLAN: more", "Done.", "New.") if left == "answered" else ("New.",)
    compiled = graph(saver, ledger, *plans, answers=answers)
    other = {"configurable": {"thread_id": str(uuid.uuid4())}}
    await graph(saver, ledger, "add(5, 5)").ainvoke(ASK, other)
    await compiled.ainvoke(ASK, thread, context=APPROVE)
    if left == "answered":
        await compiled.ainvoke(APPROVED, thread, context=APPROVE)
    await with_async(saver).adelete_thread(thread["configurable"]["thread_id"])
    assert await with_async(saver).aget_tuple(thread) is None
    assert await listed(saver, thread) == []
    assert (await compiled.aget_state(thread)).values == {}
    state = await compiled.ainvoke({"messages": [HumanMessage("And now?")]}, thread)
    assert [m.text for m in state["messages"]] == ["And now?", "", "new", "New."]
    assert ([*state["outcomes"]], state["round"]) == (["1"], 1)
    assert state["usage"]["planner"]["calls"] == 1
    kept = (await compiled.aget_state(other)).values
    assert kept["outcomes"]["1"]["value"] == 10
    await with_async(saver).adelete_thread(str(uuid.uuid4()))  # of no thread: nothing happens


async def test_threads_are_kept_apart(saver: Saver) -> None:
    async def conversation(name: str) -> None:
        thread: Any = {"configurable": {"thread_id": f"{name} {uuid.uuid4()}"}}
        plans = [f"echo('{name} {turn}')" for turn in range(3)]
        compiled = graph(saver, Ledger(), *plans, answers=(f"{name}.",) * 3)
        for _ in plans:
            await compiled.ainvoke({"messages": [HumanMessage(f"{name}?")]}, thread)
        state = (await compiled.aget_state(thread)).values
        said = [(f"{name}?", f"{name} {turn}", f"{name}.") for turn in range(3)]
        assert [m.text for m in state["messages"] if m.text] == [it for t in said for it in t]
        assert state["outcomes"]["1"]["value"] == f"{name} 2"

    await asyncio.gather(*(conversation(f"n{n}") for n in range(6)))


async def copied(source: Saver, target: Saver, thread: Any) -> None:
    """Put a thread's checkpoints and their writes, of all namespaces, into another saver."""
    target = with_async(target)
    for it in reversed(await everything(source, thread)):
        configurable = it.config["configurable"]
        parent = it.parent_config or {
            "configurable": {**configurable, "checkpoint_id": None},
        }
        versions = it.checkpoint["channel_versions"]
        config = await target.aput(parent, it.checkpoint, it.metadata, versions)  # type: ignore[arg-type]
        by_task: dict[str, list[tuple[str, Any]]] = {}
        for task, channel, value in it.pending_writes or ():
            by_task.setdefault(task, []).append((channel, value))
        for task, writes in by_task.items():
            await target.aput_writes(config, writes, task)


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("sqlite", "postgres"),
        ("postgres", "memory"),
        ("memory", "sync sqlite"),
        ("sync sqlite", "sqlite"),
    ],
)
async def test_a_waiting_turn_goes_on_in_another_saver(
    source: str, target: str, tmp_path: Path, postgres: str, thread: Any
) -> None:
    ledger = Wiping()
    async with AsyncExitStack() as stack:
        here = await stack.enter_async_context(opened(source, tmp_path, postgres))
        there = await stack.enter_async_context(opened(target, tmp_path, postgres))
        await graph(here, ledger, FIRST).ainvoke(ASK, thread, context=APPROVE)
        await copied(here, there, thread)
        assert [it.metadata for it in await listed(there, thread)] == [
            it.metadata for it in await listed(here, thread)
        ]
        compiled = graph(there, ledger, SECOND, answers=("REPLAN: more", "Done."))
        state = await compiled.ainvoke(APPROVED, thread, context=APPROVE)
        assert (await compiled.aget_state(thread)).values == state
        before = (await graph(here, ledger).aget_state(thread)).values
    assert ledger.begun == BEGUN
    assert state["messages"][-1].text == "Done."
    assert follows_protocol(state["messages"])
    assert [m.text for m in before["messages"]] == ["What?"]  # where it came from stands still


# ── as a part of another graph ────────────────────────────────────────────────────────────────


def parent(saver: Saver, ledger: Ledger, *plans: str) -> Any:
    builder = StateGraph(State, Context)
    builder.add_node("compiler", graph(None, ledger, *plans))
    builder.add_edge(START, "compiler")
    builder.add_edge("compiler", END)
    return builder.compile(with_async(saver))


async def test_a_parent_asks_and_resumes_for_its_subgraph(saver: Saver, thread: Any) -> None:
    ledger = Wiping()
    above = parent(saver, ledger, "a = add(1, 2)\nwipe(f'all of {a}')")
    stopped = await above.ainvoke(ASK, thread, context=APPROVE)
    [request] = stopped["__interrupt__"]
    assert request.value["action_requests"][0]["args"] == {"what": "all of 3"}
    snapshot = await above.aget_state(thread, subgraphs=True)
    [inner] = [task.state for task in snapshot.tasks]
    assert inner.next == ("scheduler",)
    assert [task["id"] for task in inner.values["plan"]] == [1, 2, 3]
    namespace = inner.config["configurable"]["checkpoint_ns"]
    assert namespace.startswith("compiler:")
    found = await everything(saver, thread)
    namespaces = {it.config["configurable"]["checkpoint_ns"] for it in found}
    assert namespaces == {"", namespace, f"{namespace}|llm_compiler"}
    assert [it for one in found for it in odd(one.checkpoint["channel_values"])] == []
    state = await above.ainvoke(APPROVED, thread, context=APPROVE)
    assert state["messages"][-1].text == "Done."
    assert follows_protocol(state["messages"])
    assert ledger.begun == [(1, 2), "wipe all of 3"]
    await with_async(saver).adelete_thread(thread["configurable"]["thread_id"])
    assert await everything(saver, thread) == []


async def test_the_plan_of_a_subgraph_is_edited_through_its_parent(
    saver: Saver, thread: Any
) -> None:
    ledger = Wiping()
    above = parent(saver, ledger, "add(1, 2)\nwipe('a')")
    await above.ainvoke(ASK, thread, context=APPROVE)
    [task] = (await above.aget_state(thread, subgraphs=True)).tasks
    plan = task.state.values["plan"]
    plan[1]["args"] = {"what": "b"}
    await above.aupdate_state(task.state.config, {"plan": plan}, as_node="planner")
    stopped = await above.ainvoke(None, thread, context=APPROVE)
    [request] = stopped["__interrupt__"]
    assert request.value["action_requests"][0]["args"] == {"what": "b"}
    state = await above.ainvoke(APPROVED, thread, context=APPROVE)
    assert state["messages"][-1].text == "Done."
    assert ledger.begun == [(1, 2), "wipe b"]


@pytest.mark.parametrize("approve", [(), ("add",)], ids=["", "approved"])
@pytest.mark.parametrize("max_concurrency", [1, 2])
async def test_no_max_concurrency_of_a_parent_deadlocks(
    max_concurrency: int, approve: tuple[str, ...], thread: Any, ledger: Ledger
) -> None:
    above = parent(InMemorySaver(), ledger, "c = add(1, 2)\na = echo(c)\necho(a)")
    config = {**thread, "max_concurrency": max_concurrency}
    modes: Any = ["custom", "values", "updates", "messages", "tasks", "debug", "checkpoints"]
    context = Context(approve=approve)
    for given in [ASK, *[APPROVED] * len(approve)]:
        streamed = above.astream(given, config, context=context, stream_mode=modes, subgraphs=True)
        assert {mode async for _, mode, _ in streamed} >= {"custom", "values", "tasks"}
    assert (await above.aget_state(thread)).values["messages"][-1].text == "Done."
    assert ledger.begun == [(1, 2), 3]  # equal calls run once
