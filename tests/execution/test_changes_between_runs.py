"""What was promised when a task was planned holds when the world has changed before it runs.

Tools come and go, their hints and arguments change, settings are forgotten. A new graph on the same
checkpointer stands for another process.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from langchain_core.tools import BaseTool, tool
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.types import Command

from llm_compiler import Context, build_graph
from llm_compiler.errors import SetupError
from tests.support.protocol import follows_protocol
from tests.support.scripted import ScriptedModel, until

THREAD: Any = {"configurable": {"thread_id": "1"}}
ASK: Any = {"messages": [("user", "What?")]}
READ = {"readOnlyHint": True}
OPEN = {"readOnlyHint": True, "openWorldHint": True}
WRITE = {"readOnlyHint": False, "destructiveHint": False}
DESTROY = {"readOnlyHint": False, "destructiveHint": True}
HINTS = {"look": READ, "browse": OPEN, "send_mail": WRITE, "pay": DESTROY, "wipe": DESTROY}


class World:
    """What a process is deployed with; the calls of all processes are in one ledger."""

    def __init__(self, saver: Any, *plans: str) -> None:
        self.saver = saver
        self.planner = ScriptedModel(*plans)
        self.joiner = ScriptedModel(*["REPLAN: more"] * (len(plans) - 1), "Done.")
        self.began: list[tuple[str, str]] = []
        self.gate: asyncio.Event | None = None
        self.error: Exception | None = None

    def deploy(self, *without: str, more: str = "", **hints: Any) -> Any:
        """A graph in another process: without some tools, with an argument more, other hints."""
        all_hints = {**HINTS, **hints}
        tools = [self._tool(n, of, n == more) for n, of in all_hints.items() if n not in without]
        return build_graph(tools, planner=self.planner, joiner=self.joiner, checkpointer=self.saver)

    async def cut_off(self, graph: Any, input: Any) -> None:
        """Run a graph until a call has begun, and stop it there."""
        self.gate = asyncio.Event()
        run = asyncio.create_task(graph.ainvoke(input, THREAD))
        await until(lambda: bool(self.began))
        run.cancel()
        await asyncio.wait([run])
        self.gate = None

    def _tool(self, name: str, hints: dict[str, Any], more: bool) -> BaseTool:
        async def act(what: str) -> str:
            """Act."""
            self.began.append((name, what))
            if self.error is not None:
                raise self.error
            if self.gate is not None:
                await self.gate.wait()
            return what

        async def act_on(what: str, reason: str) -> str:
            """Act for a reason."""
            return await act(what)

        made = tool(name)(act_on if more else act)
        made.metadata = dict(hints)
        return made


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[Callable[..., World]]:
    async with AsyncSqliteSaver.from_conn_string(str(tmp_path / "threads.db")) as saver:
        yield lambda *plans: World(saver, *plans)


Make = Callable[..., World]


def decide(*kinds: str) -> Any:
    return Command(resume={"decisions": [{"type": kind} for kind in kinds]})


def asked(state: Any) -> list[tuple[str, Any]]:
    """The calls that a person is asked about."""
    [request] = state["__interrupt__"]
    return [(it["name"], it["args"]["what"]) for it in request.value["action_requests"]]


def ended(state: Any) -> dict[str, tuple[str, Any]]:
    return {id: (it["status"], it["value"]) for id, it in state["outcomes"].items()}


CHANGES: list[Any] = [
    pytest.param(lambda w: w.deploy("wipe"), Context(), id="its tool dropped"),
    pytest.param(lambda w: w.deploy("wipe", remove=DESTROY), Context(), id="its tool renamed"),
    pytest.param(lambda w: w.deploy(wipe=READ), Context(), id="read-only by now"),
    pytest.param(lambda w: w.deploy(wipe={}), Context(), id="no hints by now"),
    pytest.param(lambda w: w.deploy(more="wipe"), Context(), id="an argument more"),
    pytest.param(lambda w: w.deploy(), Context(allow=("look", "pay")), id="allow narrowed"),
    pytest.param(lambda w: w.deploy(), Context(max_tasks=1), id="max_tasks lowered"),
    pytest.param(lambda w: w.deploy(), Context(approve=("wipe",)), id="approve widened"),
]


# ── what has ended ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("change", "context"), CHANGES)
async def test_a_destructive_call_that_has_ended_does_not_run_again(
    world: Make, change: Callable[[World], Any], context: Context
) -> None:
    it = world("wipe('a')\npay('b')")
    state = await it.deploy().ainvoke(ASK, THREAD, context=Context(approve=("pay",)))
    assert asked(state) == [("pay", "b")]
    state = await change(it).ainvoke(decide("approve"), THREAD, context=context)
    assert it.began == [("wipe", "a"), ("pay", "b")]
    assert ended(state) == {"1": ("ok", "a"), "2": ("ok", "b")}
    assert follows_protocol(state["messages"])


@pytest.mark.parametrize(("change", "context"), CHANGES)
async def test_a_round_that_has_ended_stands_in_the_next(
    world: Make, change: Callable[[World], Any], context: Context
) -> None:
    it = world("wipe('a')", "look('b')")
    before = await it.deploy().ainvoke(ASK, THREAD, interrupt_before=["joiner"])
    state = await change(it).ainvoke(None, THREAD, context=context)
    assert it.began == [("wipe", "a"), ("look", "b")]
    assert state["outcomes"]["1"] == before["outcomes"]["1"]
    assert follows_protocol(state["messages"])
    calls = [call["id"] for m in state["messages"][1:-1] for call in getattr(m, "tool_calls", ())]
    assert [call.rpartition("_")[2] for call in calls] == ["1", "2"]  # each once


@pytest.mark.parametrize(
    ("change", "context", "error"),
    [
        (lambda w: w.deploy("wipe"), Context(), "no tool 'wipe'"),
        (lambda w: w.deploy(more="wipe"), Context(), "wipe needs the argument 'reason'"),
        (lambda w: w.deploy(), Context(allow=("look",)), "no tool 'wipe'"),
        (lambda w: w.deploy(), Context(max_tasks=1), "the plan has more than 1 calls"),
    ],
    ids=["dropped", "an argument more", "not allowed", "max_tasks"],
)
@pytest.mark.parametrize("plan", ["look('a')\nb = wipe('b')", "a = look('a')\nb = wipe(a)"])
async def test_what_failed_without_its_tool_does_not_run_when_it_is_back(
    world: Make, plan: str, change: Callable[[World], Any], context: Context, error: str
) -> None:
    it = world(f"{plan}\nlook(b)", "look('c')")
    await it.deploy().ainvoke(ASK, THREAD, interrupt_before=["scheduler"])
    other = change(it)
    before = await other.ainvoke(None, THREAD, context=context, interrupt_before=["joiner"])
    assert before["outcomes"]["2"]["error"].startswith(error)
    state = await it.deploy().ainvoke(None, THREAD)
    assert it.began == [("look", "a"), ("look", "c")]
    assert {id: state["outcomes"][id] for id in "123"} == before["outcomes"]
    assert follows_protocol(state["messages"])


async def test_a_statement_that_compiles_by_now_runs_once_and_stands(world: Make) -> None:
    """Its tool was not there when it was planned, and is gone again once it has run."""
    it = world("x = 'a'\ny = wipe(x)\npay(y)\n", "look(y)\n")
    await it.deploy("wipe").ainvoke(ASK, THREAD, interrupt_before=["scheduler"])
    state = await it.deploy().ainvoke(None, THREAD, context=Context(approve=("pay",)))
    assert asked(state) == [("pay", "a")]
    state = await it.deploy("wipe").ainvoke(decide("approve"), THREAD)
    assert it.began == [("wipe", "a"), ("pay", "a"), ("look", "a")]
    assert ended(state) == {"1": ("ok", "a"), "2": ("ok", "a"), "3": ("ok", "a")}
    assert follows_protocol(state["messages"])


async def test_a_statement_stays_refused_for_what_no_tool_mends(world: Make) -> None:
    it = world("look('a')\nlook(y)\n    look('b')\ny = 'c'\nanswer(f'{wipe(y)}')\n")
    await it.deploy("wipe").ainvoke(ASK, THREAD, interrupt_before=["scheduler"])
    state = await it.deploy().ainvoke(None, THREAD)
    assert it.began == [("look", "a")]
    errors = [outcome["error"] for outcome in state["outcomes"].values()]
    assert [error.split(";")[0] for error in errors if error] == [
        'line 2: no name "y"',
        "line 3: this line is indented and belongs to no block",
        'line 5: no function "wipe"',
    ]


@pytest.mark.parametrize("hints", [DESTROY, READ, {}], ids=["as before", "read-only", "no hints"])
async def test_a_destructive_call_that_was_cut_off_may_have_run(
    world: Make, hints: dict[str, Any]
) -> None:
    it = world("wipe('a')")
    await it.cut_off(it.deploy(), ASK)
    state = await it.deploy(wipe=hints).ainvoke(None, THREAD)
    assert it.began == [("wipe", "a")]
    assert state["outcomes"]["1"]["error"].startswith("may have run")


@pytest.mark.parametrize("hints", [READ, {}], ids=["read-only", "no hints"])
async def test_a_call_that_was_destructive_when_planned_is_claimed_and_tried_once(
    world: Make, hints: dict[str, Any]
) -> None:
    it = world("wipe('a')")
    await it.deploy().ainvoke(ASK, THREAD, interrupt_before=["scheduler"])
    await it.cut_off(it.deploy(wipe=hints), None)
    state = await it.deploy(wipe=hints).ainvoke(None, THREAD)
    assert it.began == [("wipe", "a")]
    assert state["outcomes"]["1"]["error"].startswith("may have run")


async def test_a_call_that_was_destructive_when_planned_has_no_second_try(world: Make) -> None:
    it = world("wipe('a')")
    await it.deploy().ainvoke(ASK, THREAD, interrupt_before=["scheduler"])
    it.error = ConnectionError("try again")
    state = await it.deploy(wipe=READ).ainvoke(None, THREAD)
    assert it.began == [("wipe", "a")]
    assert state["outcomes"]["1"]["status"] == "failed"


# ── what a person was asked ───────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("change", "context"),
    [
        pytest.param(lambda w: w.deploy(), Context(), id="approve forgotten"),
        pytest.param(lambda w: w.deploy(), Context(approve=("wipe",)), id="another approve"),
        pytest.param(lambda w: w.deploy(pay=READ), Context(), id="read-only by now"),
        pytest.param(lambda w: w.deploy(), Context(trusted_writes=("pay",)), id="trusted"),
        pytest.param(lambda w: w.deploy(), Context(approve=("pay",)), id="as before"),
    ],
)
@pytest.mark.parametrize(
    ("plan", "planned", "asks"),
    [
        ("a = look('a')\npay(a)", Context(approve=("pay",)), Context(approve=("pay",))),
        ("a = browse('a')\npay(a)", Context(), Context()),
        ("a = look('a')\npay(a)", Context(), Context(approve=("pay",))),
    ],
    ids=["in approve", "untrusted", "in approve after it was planned"],
)
@pytest.mark.parametrize("decision", ["approve", "reject"])
async def test_a_decision_holds_whatever_the_settings_are_by_then(
    world: Make,
    plan: str,
    planned: Context,
    asks: Context,
    change: Callable[[World], Any],
    context: Context,
    decision: str,
) -> None:
    it = world(plan)
    await it.deploy().ainvoke(ASK, THREAD, context=planned, interrupt_before=["scheduler"])
    state = await it.deploy().ainvoke(None, THREAD, context=asks)
    assert asked(state) == [("pay", "a")]
    state = await change(it).ainvoke(decide(decision), THREAD, context=context)
    assert it.began[1:] == ([("pay", "a")] if decision == "approve" else [])
    assert state["outcomes"]["2"]["status"] == ("ok" if decision == "approve" else "rejected")


async def test_what_was_asked_about_asks_again_where_nobody_decided(world: Make) -> None:
    """Resumed without a decision, and without the setting by which it was asked about."""
    it = world("pay('a')")
    await it.deploy().ainvoke(ASK, THREAD, interrupt_before=["scheduler"])
    await it.deploy().ainvoke(None, THREAD, context=Context(approve=("pay",)))
    state = await it.deploy().ainvoke(None, THREAD)
    assert asked(state) == [("pay", "a")]
    assert it.began == []


async def test_what_was_asked_about_is_asked_about_in_a_fork(world: Make) -> None:
    it = world("pay('a')")
    await it.deploy().ainvoke(ASK, THREAD, interrupt_before=["scheduler"])
    planned = await it.deploy().aget_state(THREAD)
    await it.deploy().ainvoke(None, THREAD, context=Context(approve=("pay",)))
    plan = [{**task} for task in planned.values["plan"]]
    fork = await it.deploy().aupdate_state(planned.config, {"plan": plan}, as_node="planner")
    state = await it.deploy().ainvoke(None, fork)
    assert asked(state) == [("pay", "a")]
    assert it.began == []


async def test_an_approval_of_one_call_runs_no_other(world: Make) -> None:
    it = world("a = pay('a')\nwipe('b' if a else '')")
    state = await it.deploy().ainvoke(ASK, THREAD, context=Context(approve=("pay",)))
    assert asked(state) == [("pay", "a")]
    other = Context(approve=("wipe",))
    state = await it.deploy().ainvoke(decide("approve"), THREAD, context=other)
    assert it.began == [("pay", "a")]
    assert asked(state) == [("wipe", "b")]
    state = await it.deploy().ainvoke(decide("reject"), THREAD)
    assert it.began == [("pay", "a")]
    assert ended(state) == {"1": ("ok", "a"), "2": ("ok", "b"), "3": ("rejected", None)}


@pytest.mark.parametrize("what", ["more", "$1"])
async def test_an_approval_binds_to_the_arguments_that_were_shown(world: Make, what: str) -> None:
    it = world("look('x')\npay('less')")
    context = Context(approve=("pay",))
    state = await it.deploy().ainvoke(ASK, THREAD, context=context)
    assert asked(state) == [("pay", "less")]
    plan = (await it.deploy().aget_state(THREAD)).values["plan"]
    plan[1]["args"] = {"what": what}
    await it.deploy().aupdate_state(THREAD, {"plan": plan}, as_node="planner")
    state = await it.deploy().ainvoke(decide("approve"), THREAD, context=context)
    assert it.began == [("look", "x")]
    shown = "x" if what == "$1" else what
    assert asked(state) == [("pay", shown)]
    await it.deploy().ainvoke(decide("approve"), THREAD, context=context)
    assert it.began == [("look", "x"), ("pay", shown)]


async def test_an_answer_that_comes_before_its_question_decides_on_nothing(world: Make) -> None:
    it = world("pay('a')")
    context = Context(approve=("pay",))
    await it.deploy().ainvoke(ASK, THREAD, context=context, interrupt_before=["scheduler"])
    state = await it.deploy().ainvoke(decide("approve"), THREAD, context=context)
    [request] = state["__interrupt__"]
    assert request.value["error"] == "an answer came before this was asked; decide on it now"
    assert it.began == []
    state = await it.deploy().ainvoke(decide("approve"), THREAD)
    assert ended(state) == {"1": ("ok", "a")}
    assert it.began == [("pay", "a")]


# ── untrusted results ─────────────────────────────────────────────────────────────────────────


async def test_a_write_that_is_not_destructive_asks_where_an_untrusted_result_reaches_it(
    world: Make,
) -> None:
    it = world("a = browse('x')\nsend_mail('y')\nsend_mail(a)")
    state = await it.deploy().ainvoke(ASK, THREAD)
    assert asked(state) == [("send_mail", "x")]
    assert it.began == [("browse", "x"), ("send_mail", "y")]


async def test_trusted_writes_are_reached_without_a_person_and_no_others(world: Make) -> None:
    it = world("a = browse('x')\nsend_mail(a)\npay(a)")
    context = Context(trusted_writes=("send_mail",))
    state = await it.deploy().ainvoke(ASK, THREAD, context=context)
    assert asked(state) == [("pay", "x")]
    assert it.began == [("browse", "x"), ("send_mail", "x")]


@pytest.mark.parametrize("setting", ["approve", "trusted_writes"])
async def test_a_name_that_no_tool_has_is_an_error_before_anything_runs(
    world: Make, setting: str
) -> None:
    it = world("pay('x')")
    names: Any = {setting: ("payy",)}
    with pytest.raises(SetupError, match=f"{setting}: no tool 'payy'"):
        await it.deploy().ainvoke(ASK, THREAD, context=Context(**names))
    assert it.began == []


UNTRUSTED: list[Any] = [
    pytest.param(lambda w: w.deploy(), Context(), id="as before"),
    pytest.param(lambda w: w.deploy("browse"), Context(), id="its reader absent"),
    pytest.param(lambda w: w.deploy(browse=READ), Context(), id="its reader trusted"),
    pytest.param(lambda w: w.deploy(pay=READ), Context(), id="read-only by now"),
    pytest.param(lambda w: w.deploy(), Context(trusted_writes=("pay",)), id="a trusted write"),
    pytest.param(lambda w: w.deploy(), Context(allow=("pay",)), id="allow narrowed"),
]


@pytest.mark.parametrize(("change", "context"), UNTRUSTED)
@pytest.mark.parametrize("how", ["goes on", "is forked", "has lost the reader's task"])
async def test_what_was_planned_after_reading_an_untrusted_page_asks(
    world: Make, change: Callable[[World], Any], context: Context, how: str
) -> None:
    it = world("browse('x')", "pay('all')")
    first = it.deploy()
    await first.ainvoke(ASK, THREAD, interrupt_before=["joiner"])
    await first.ainvoke(None, THREAD, interrupt_before=["scheduler"])
    planned = await first.aget_state(THREAD)
    config = THREAD
    if how != "goes on":
        plan, outcomes = planned.values["plan"], planned.values["outcomes"]
        if how == "has lost the reader's task":
            plan, outcomes = plan[1:], {}
        changed = {"plan": plan, "outcomes": outcomes}
        config = await first.aupdate_state(planned.config, changed, as_node="planner")
    state = await change(it).ainvoke(None, config, context=context)
    assert asked(state) == [("pay", "all")]
    assert it.began == [("browse", "x")]


@pytest.mark.parametrize(("change", "context"), UNTRUSTED[1:3])
@pytest.mark.parametrize("deleted", [False, True], ids=["", "its task deleted"])
async def test_a_planner_that_reads_an_untrusted_page_is_known(
    world: Make, change: Callable[[World], Any], context: Context, deleted: bool
) -> None:
    """The reader changes between the reading and the next plan."""
    it = world("browse('x')\nlook('y')", "pay('all')")
    first = it.deploy()
    await first.ainvoke(ASK, THREAD, interrupt_before=["joiner"])
    if deleted:
        values = (await first.aget_state(THREAD)).values
        left = {"plan": values["plan"][1:], "outcomes": {"2": values["outcomes"]["2"]}}
        await first.aupdate_state(THREAD, left, as_node="scheduler")
    state = await change(it).ainvoke(None, THREAD, context=context)
    assert asked(state) == [("pay", "all")]
    assert it.began == [("browse", "x"), ("look", "y")]


async def test_what_was_read_stays_untrusted_though_its_reader_is_trusted_by_then(
    world: Make,
) -> None:
    """In the middle of its round, before its messages are written."""
    it = world("browse('x')\npay('y')", "wipe('all')")
    await it.deploy().ainvoke(ASK, THREAD, context=Context(approve=("pay",)))
    state = await it.deploy(browse=READ).ainvoke(decide("approve"), THREAD)
    assert it.began == [("browse", "x"), ("pay", "y")]
    assert asked(state) == [("wipe", "all")]


async def test_a_statement_that_compiles_by_now_asks_as_its_planner_had_read(world: Make) -> None:
    it = world("browse('x')\n", "pay('all')\n")
    await it.deploy().ainvoke(ASK, THREAD, interrupt_before=["joiner"])
    await it.deploy("pay").ainvoke(None, THREAD, interrupt_before=["scheduler"])
    state = await it.deploy("browse").ainvoke(None, THREAD)
    assert asked(state) == [("pay", "all")]
    assert it.began == [("browse", "x")]
