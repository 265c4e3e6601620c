"""Each limit holds, before anything is launched and after a resume, and what it stopped says so."""

import asyncio
import time
from typing import Any

import pytest
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command, interrupt

from llm_compiler import Context, build_graph
from llm_compiler.errors import ModelError
from llm_compiler.language.tasks.task import Outcome, Task
from llm_compiler.models import given
from llm_compiler.models.profiles import ModelProfile
from llm_compiler.scheduling.facts import DeadlinePassed, Planned, Prior, Returned
from llm_compiler.scheduling.orders import Launch
from llm_compiler.scheduling.schedule import Schedule
from tests.support.clock import FakeClock
from tests.support.scripted import Ledger, ScriptedModel, until
from tests.support.turn import FakeTools

pytestmark = pytest.mark.timeout(30)

THREAD: Any = {"configurable": {"thread_id": "1"}}
ASK: Any = {"messages": [HumanMessage("What?")]}
APPROVE: Any = Command(resume={"decisions": [{"type": "approve"}]})


def graph(ledger: Ledger, *plans: Any, answers: Any = ("Done.",), saver: Any = None) -> Any:
    return build_graph(
        ledger.tools,
        planner=ScriptedModel(*plans),
        joiner=ScriptedModel(*answers),
        checkpointer=saver or InMemorySaver(),
    )


def used_up(graph: Any, seconds: float) -> None:
    """As if the turn had run that long."""
    state = graph.get_state(THREAD)
    [node] = state.next
    before = {"scheduler": "planner", "joiner": "scheduler", "planner": "joiner"}[node]
    graph.update_state(THREAD, {"seconds": seconds}, as_node=before)


async def test_deadline_counts_on_after_a_resume(ledger: Ledger) -> None:
    ledger.gate("never")
    compiled = graph(ledger, "echo('never')")
    context = Context(deadline=100)
    await compiled.ainvoke(ASK, THREAD, context=context, interrupt_before=["scheduler"])
    used_up(compiled, 99.9)
    state = await compiled.ainvoke(None, THREAD, context=context)
    assert state["outcomes"]["1"]["error"] == "the turn's deadline of 100 s passed"
    assert ledger.cancelled == ["never"]
    assert 100 <= state["seconds"] < 110


async def test_deadline_that_has_passed_launches_nothing(ledger: Ledger) -> None:
    compiled = graph(ledger, "echo('x')")
    context = Context(deadline=100)
    await compiled.ainvoke(ASK, THREAD, context=context, interrupt_before=["scheduler"])
    used_up(compiled, 100.5)
    state = await compiled.ainvoke(None, THREAD, context=context)
    assert state["outcomes"]["1"]["status"] == "skipped"
    assert state["outcomes"]["1"]["error"] == "the turn's deadline of 100 s passed"
    assert ledger.begun == []
    assert state["messages"][-1].text.startswith("I found no answer: echo")
    assert "the turn's deadline of 100 s passed" in state["messages"][-1].text


async def test_deadline_ends_the_rounds(ledger: Ledger) -> None:
    plans = ["echo('x')", "echo('y')"]
    compiled = graph(ledger, *plans, answers=["REPLAN: more"] * 2)
    context = Context(deadline=100)
    await compiled.ainvoke(ASK, THREAD, context=context, interrupt_before=["joiner"])
    used_up(compiled, 100.5)
    state = await compiled.ainvoke(None, THREAD, context=context)
    assert state["round"] == 1
    why = "no further plan: the deadline of 100 s has passed"
    assert state["messages"][-1].text == f"Not found: more ({why})"


async def test_calls_of_a_plan_that_broke_off_outlive_the_deadline(ledger: Ledger) -> None:
    """It passes before the next plan; the state has what ran, and the joiner sees it."""
    ledger.gate("slow")
    plan = "echo('ran')\necho('slow')\nfour = add(2, 2)\necho(four)\n"
    ran = asyncio.Event()
    broken: Any = [plan, ran, ModelError("", transient=True, wait=0)]
    joiner = ScriptedModel("Done.")
    compiled = build_graph(
        ledger.tools,
        planner=ScriptedModel(broken, ["add(1, 1)\necho('hal", asyncio.Event()]),
        joiner=joiner,
        checkpointer=InMemorySaver(),
    )
    events = []
    context = Context(deadline=0.5)
    async for kind, part in compiled.astream(
        ASK, THREAD, context=context, stream_mode=["custom", "values"]
    ):
        if kind == "custom":
            events.append((part["event"], part.get("id"), part["status"]))
            if events[-1] == ("task.finished", 4, "ok"):
                ran.set()
        else:
            state = part
    assert {task["id"]: task["tool"] for task in state["plan"]} == {
        1: "add", 2: "echo", 3: "add", 4: "echo", 5: "echo", 6: "echo",
    }  # fmt: skip
    ended = {id: (o["status"], o["value"] or o["error"]) for id, o in state["outcomes"].items()}
    cut = "the plan was cut off inside this statement; it was not run"
    assert ended == {
        "1": ("ok", 2),
        "2": ("failed", f"line 2: {cut}\n    echo('hal\n    ^"),
        "3": ("ok", 4),
        "4": ("ok", 4),
        "5": ("ok", "ran"),
        "6": ("failed", "the turn's deadline of 0.5 s passed"),
    }
    assert 'echo(value="ran")' in joiner.prompts[0]
    assert ledger.begun == ["ran", "slow", (2, 2), 4, (1, 1)]
    anew = events[events.index(("plan.task", 1, "planned"), 3) :]
    for id in range(1, 7):
        assert next(kind for kind, of, _ in anew if of == id) == "plan.task"
        assert sum(kind == "task.finished" and of == id for kind, of, _ in anew) == 1


async def test_deadline_starts_afresh_with_the_next_turn(ledger: Ledger) -> None:
    compiled = graph(ledger, *["echo('x')"] * 2, answers=["A.", "B."])
    context = Context(deadline=100)
    await compiled.ainvoke(ASK, THREAD, context=context, interrupt_before=["joiner"])
    used_up(compiled, 100.5)
    await compiled.ainvoke(None, THREAD, context=context)
    state = await compiled.ainvoke(ASK, THREAD, context=context)
    assert state["outcomes"]["1"]["status"] == "ok"
    assert state["seconds"] < 50


async def test_deadline_does_not_count_while_a_person_decides(ledger: Ledger) -> None:
    """What ran before the question counts, what passed until the decision does not."""
    clock = FakeClock()

    async def work(seconds: int) -> int:
        """Work that long."""
        clock.time += seconds
        return seconds

    compiled = build_graph(
        [*ledger.tools, work],
        planner=ScriptedModel("a = work(40)\nb = add(a, 1)\nc = work(b)\nadd(c, 1)"),
        joiner=ScriptedModel("Done."),
        checkpointer=InMemorySaver(),
    )
    compiled.clock = clock
    context = Context(deadline=100, approve=("add",))
    await compiled.ainvoke(ASK, THREAD, context=context)
    clock.time += 5000
    await compiled.ainvoke(APPROVE, THREAD, context=context)
    clock.time += 5000
    state = await compiled.ainvoke(APPROVE, THREAD, context=context)
    assert {outcome["status"] for outcome in state["outcomes"].values()} == {"ok"}
    assert state["seconds"] == 81


async def test_deadline_counts_what_ran_before_a_tool_interrupted(ledger: Ledger) -> None:
    clock = FakeClock()

    async def sure() -> str:
        """Make sure, twice."""
        clock.time += 30
        return f"{interrupt('sure?')} {interrupt('quite?')}"

    compiled = build_graph(
        [sure],
        planner=ScriptedModel("sure()"),
        joiner=ScriptedModel("Done."),
        checkpointer=InMemorySaver(),
    )
    compiled.clock = clock
    inputs: Any = (ASK, Command(resume="yes"), Command(resume="quite"))
    for input in inputs:
        clock.time += 5000
        state = await compiled.ainvoke(input, THREAD)
    assert state["outcomes"]["1"]["value"] == "yes quite"
    assert state["seconds"] == 90


async def test_deadline_counts_on_after_a_run_was_killed(ledger: Ledger) -> None:
    """As of the last checkpoint, which here is the planner's."""
    gate = ledger.gate("slow")
    planner = ["echo('slow')", lambda: time.sleep(0.2)]
    saver = InMemorySaver()
    compiled = graph(ledger, planner, saver=saver)
    running = asyncio.ensure_future(compiled.ainvoke(ASK, THREAD))
    await until(lambda: compiled.get_state(THREAD).next == ("scheduler",))
    running.cancel()
    await asyncio.wait([running])
    gate.set()
    state = await compiled.ainvoke(None, THREAD)
    assert state["seconds"] >= 0.2


def test_a_journaled_outcome_outlives_a_deadline_that_passed() -> None:
    """A destructive call that ran is not called skipped."""
    schedule = Schedule(FakeTools(), max_parallel=1)
    for id in (1, 2, 3):
        ran = Outcome(id, "read", "ok", {"x": id + 10}, "v", attempts=1)
        priors = (Prior.of(ran),) if id < 3 else ()
        schedule.handle(Planned(Task(id, "read", {"x": id + 10}), priors))
    schedule.handle(DeadlinePassed(5))
    statuses = {id: outcome.status for id, outcome in schedule.outcomes.items()}
    assert statuses == {1: "ok", 2: "ok", 3: "failed"}


def test_an_edited_task_does_not_run_again_after_the_deadline() -> None:
    schedule = Schedule(FakeTools(), max_parallel=1)
    schedule.handle(DeadlinePassed(5))
    before = Prior.of(Outcome(1, "read", "ok", {"x": 12}, "v"))
    edited = Planned(Task(1, "read", {"x": 11}), (before,))
    assert not any(isinstance(order, Launch) for order in schedule.handle(edited))
    assert schedule.outcomes[1].error == "the turn's deadline of 5 s passed"
    assert schedule.handle(Returned(0)) == []


@pytest.mark.parametrize("resumed", [False, True])
async def test_max_tasks(ledger: Ledger, resumed: bool) -> None:
    compiled = graph(ledger, "echo(1)\necho(2)\necho(3)")
    two = Context(max_tasks=2)
    if resumed:
        await compiled.ainvoke(ASK, THREAD, context=two, interrupt_before=["scheduler"])
    state = await compiled.ainvoke(None if resumed else ASK, THREAD, context=two)
    assert ledger.begun == [1, 2]
    assert state["outcomes"]["3"]["status"] == "failed"
    assert "more than 2 calls (max_tasks)" in state["outcomes"]["3"]["error"]


@pytest.mark.parametrize(
    ("grammar", "reply"), [("llama.cpp", "Two."), (None, "It is two.")], ids=["grammar", "none"]
)
async def test_a_small_model_that_repeats_a_line_is_left_off(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, grammar: Any, reply: str
) -> None:
    monkeypatch.setattr(given, "DEFAULT_PROFILE", ModelProfile(grammar=grammar))
    plan = "x = echo('two')\n" * 9 + 'answer(f"It is {x}.")'
    compiled = graph(ledger, plan, answers=["Two."])
    state = await compiled.ainvoke(ASK, THREAD, context=Context(max_rounds=1))
    assert state["messages"][-1].text == reply


async def test_a_plan_of_one_line_for_ever_is_read_up_to_max_tasks(ledger: Ledger) -> None:
    joiner = ScriptedModel("Done.")
    compiled = build_graph(ledger.tools, planner=ScriptedModel("echo(1)\n" * 10_000), joiner=joiner)
    state = await compiled.ainvoke(ASK, context=Context(max_tasks=5))
    assert ledger.begun == [1]
    assert [o["reused"] for o in state["outcomes"].values()] == [False, *[True] * 4, False]
    error = "line 6: the plan has more than 5 calls (max_tasks); plan fewer"
    assert state["outcomes"]["6"]["error"].startswith(error)
    assert len(joiner.prompts[0]) < 5000


@pytest.mark.parametrize("resumed", [False, True])
async def test_max_parallel(resumed: bool) -> None:
    running, most = 0, 0

    @tool
    async def count(n: int) -> int:
        """Count."""
        nonlocal running, most
        running += 1
        most = max(most, running)
        for _ in range(20):
            await asyncio.sleep(0)
        running -= 1
        return n

    plan = "\n".join(f"count({i})" for i in range(1, 10))
    compiled = build_graph(
        [count],
        planner=ScriptedModel(plan),
        joiner=ScriptedModel("Done."),
        checkpointer=InMemorySaver(),
    )
    context = Context(max_parallel=3)
    if resumed:
        await compiled.ainvoke(ASK, THREAD, context=context, interrupt_before=["scheduler"])
    await compiled.ainvoke(None if resumed else ASK, THREAD, context=context)
    assert most == 3


@pytest.mark.parametrize("resumed", [False, True])
async def test_max_result_chars(ledger: Ledger, resumed: bool) -> None:
    joiner = ScriptedModel("Done.")

    async def much() -> str:
        """Much."""
        return "x" * 500

    compiled = build_graph(
        [much, *ledger.tools],
        planner=ScriptedModel("a = much()\necho(a)"),
        joiner=joiner,
        checkpointer=InMemorySaver(),
    )
    context = Context(max_result_chars=50)
    if resumed:
        await compiled.ainvoke(ASK, THREAD, context=context, interrupt_before=["joiner"])
    state = await compiled.ainvoke(None if resumed else ASK, THREAD, context=context)
    assert state["outcomes"]["2"]["value"] == "x" * 500  # references get all of it
    shown = [m.text for m in state["messages"] if isinstance(m, ToolMessage)]
    assert shown == ["x" * 50 + "… (max_result_chars)"] * 2
    assert "x" * 51 not in joiner.prompts[0]


@pytest.mark.parametrize("resumed", [False, True])
async def test_max_rounds(ledger: Ledger, resumed: bool) -> None:
    plans = [f"echo({i})" for i in (1, 2, 3)]
    compiled = graph(ledger, *plans, answers=["REPLAN: more"] * 3)
    context = Context(max_rounds=2)
    if resumed:
        await compiled.ainvoke(ASK, THREAD, context=context, interrupt_after=["joiner"])
    state = await compiled.ainvoke(None if resumed else ASK, THREAD, context=context)
    assert (state["round"], ledger.begun) == (2, [1, 2])
    assert state["messages"][-1].text == "Not found: more (no further plan: max_rounds is 2)"
