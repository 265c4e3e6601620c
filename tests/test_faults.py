"""Plans, results and failures that break other implementations end with the right outcomes."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from functools import partial
from typing import Any

import pytest
from langchain_core.messages import HumanMessage, ToolMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command, interrupt
from pydantic import BaseModel

from llm_compiler import Context, build_graph
from llm_compiler.errors import ModelError
from tests.support.scripted import Ledger, Piece, ScriptedModel, until

ASK: Any = {"messages": [HumanMessage("What?")]}
THREAD: Any = {"configurable": {"thread_id": "1"}}


async def turn(plan: str | list[Piece], tools: Any, **context: Any) -> Any:
    """A turn with one plan; its outcomes as {id: (status, value or error)}."""
    again = ["answer('Nothing could be run.')"] * 3
    planner = ScriptedModel(plan, *again)
    graph = build_graph(tools, planner=planner, joiner=ScriptedModel("Answer."))
    state = await graph.ainvoke(ASK, context=Context(tool_retries=0, **context))
    assert state["messages"][-1].text in ("Answer.", "Nothing could be run.")
    results = [m for m in state["messages"] if isinstance(m, ToolMessage)]
    calls = [call for m in state["messages"] for call in getattr(m, "tool_calls", ())]
    assert [result.tool_call_id for result in results] == [call["id"] for call in calls]
    return {
        int(id): (o["status"], o["value"] if o["status"] == "ok" else o["error"])
        for id, o in state["outcomes"].items()
        if o["tool"] != "answer"
    }


# ── the field's list ──────────────────────────────────────────────────────────────────────────

CUT = "the plan was cut off inside this statement; it was not run"
FIELD = [
    ("a tool that raises", "x = fail('boom')\necho(x)", {
        1: ("failed", "ValueError: boom"), 2: ("skipped", "needs 1, which failed"),
    }),
    ("a name that was not assigned", "echo(x)", {
        1: ("failed", 'line 1: no name "x"; assign it first\n    echo(x)\n         ^'),
    }),
    ("an unknown tool", "ecco(1)\necho(2)", {
        1: ("failed",
            'line 1: no function "ecco"; did you mean "echo"?\n    ecco(1)\n    ^^^^'),
        2: ("ok", 2),
    }),
    ("a name that is used before it is assigned", "x = echo(y)\ny = echo(x)\necho(3)", {
        1: ("failed", 'line 1: no name "y"; assign it first\n    x = echo(y)\n             ^'),
        2: ("skipped", "needs 1, which failed"),
        3: ("ok", 3),
    }),
    ("a name that is assigned twice", "x = echo(2)\nx = add(x, 5)\necho(x)", {
        1: ("ok", 2), 2: ("ok", 7), 3: ("ok", 7),
    }),
    ("a newline in an argument", 'echo("""a\nb""")', {1: ("ok", "a\nb")}),
    ("triple quotes", "echo('''a \"b\" c''')", {1: ("ok", 'a "b" c')}),
    ("a list as the only argument", "echo([1, 2])", {1: ("ok", [1, 2])}),
    ("keyword arguments", "add(b=1, a=5)", {1: ("ok", 6)}),
    ("dollars", 'x = echo("x")\necho(f"{x} costs $12")\necho("${1} and $1")', {
        1: ("ok", "x"), 2: ("ok", "x costs $12"), 3: ("ok", "x costs $12"),
        4: ("ok", "${1} and $1"),
    }),
    ("an object as a result", 'x = echo({"k": [1]})\necho(x)\necho(x["k"][0])\necho(x.k[0])', {
        1: ("ok", {"k": [1]}), 2: ("ok", {"k": [1]}), 3: ("ok", 1), 4: ("ok", 1),
    }),
    ("two results in one string", 'x = echo(1)\ny = echo(2)\necho(f"{x} and {y}")', {
        1: ("ok", 1), 2: ("ok", 2), 3: ("ok", "1 and 2"), 4: ("ok", "1 and 2"),
    }),
    ("a plan cut in mid-call", "echo(1)\necho('half", {
        1: ("ok", 1), 2: ("failed", f"line 2: {CUT}\n    echo('half\n    ^"),
    }),
    ("an indented plan, several calls in a line", "  echo(1)\n  echo(2); echo(3)", {
        1: ("ok", 1), 2: ("ok", 2), 3: ("ok", 3),
    }),
    ("a result that looks like a reference", "x = echo('$1')\necho(x)\necho(f'is {x}')", {
        1: ("ok", "$1"), 2: ("ok", "$1"), 3: ("ok", "is $1"), 4: ("ok", "is $1"),
    }),
    ("a sum of money", "echo('under $5 million')", {1: ("ok", "under $5 million")}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("plan", "outcomes"), [case[1:] for case in FIELD], ids=[c[0] for c in FIELD]
)
async def test_plans_that_break_other_implementations_run(plan: str, outcomes: Any) -> None:
    assert await turn(plan, Ledger().tools) == outcomes


async def test_a_tool_that_never_returns() -> None:
    ledger = Ledger()
    ledger.gate("never")
    outcomes = await turn("echo('never')\necho(2)", ledger.tools, tool_timeout=0.1)
    assert outcomes == {
        1: ("failed", "TimeoutError: no result within 0.1 s (tool_timeout)"), 2: ("ok", 2),
    }  # fmt: skip


@pytest.mark.parametrize("answer", ["A (bracket) in it.", "Two\nlines.", "REPLANNING is fine."])
async def test_an_answer_is_not_cut(answer: str) -> None:
    planner = ScriptedModel("echo(1)")
    graph = build_graph(Ledger().tools, planner=planner, joiner=ScriptedModel(answer))
    assert (await graph.ainvoke(ASK))["messages"][-1].text == answer


# ── what they forget: results ─────────────────────────────────────────────────────────────────


class Point(BaseModel):
    x: int = 1


class Opaque:
    def __init__(self) -> None:
        self.lock = threading.Lock()


def items() -> Iterator[int]:
    yield 1


async def async_items() -> AsyncIterator[int]:
    yield 1


RESULTS = [
    ("no JSON", Opaque(), "failed", "it returned a value of type Opaque, which JSON"),
    ("lone surrogates", "a\ud800b", "ok", "a\ufffdb"),
    ("NaN", float("nan"), "ok", "NaN"),
    ("infinity", [float("-inf")], "ok", ["-Infinity"]),
    ("bytes", b"ab", "ok", "YWI="),
    ("a generator", items(), "ok", [1]),
    ("an async generator", async_items(), "ok", [1]),
    ("a Pydantic object", Point(), "ok", {"x": 1}),
    ("a ToolMessage", ToolMessage("said", tool_call_id="1"), "ok", "said"),
    ("a failed ToolMessage", ToolMessage("no", tool_call_id="1", status="error"), "failed", "no"),
    ("a Command", Command(goto="joiner"), "failed", "it returned a Command"),
    ("a tuple", (1, (2,)), "ok", [1, [2]]),
    ("a huge whole number", 10**30, "ok", 1e30),
    ("a set", {1}, "ok", [1]),
    ("int keys", {1: 2}, "ok", {"1": 2}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("value", "status", "shown"), [r[1:] for r in RESULTS], ids=[r[0] for r in RESULTS]
)
async def test_any_result_becomes_data_or_a_clear_failure(
    value: Any, status: str, shown: Any
) -> None:
    async def give() -> Any:
        """Give it."""
        return value

    planner = ScriptedModel("give()")
    graph = build_graph(
        [give], planner=planner, joiner=ScriptedModel("Answer."), checkpointer=InMemorySaver()
    )
    await graph.ainvoke(ASK, THREAD)
    outcome = graph.get_state(THREAD).values["outcomes"]["1"]
    assert outcome["status"] == status
    if status == "ok":
        assert outcome["value"] == shown
    else:
        assert outcome["error"].startswith(shown)


async def test_fifty_megabytes_of_text_are_shown_truncated_and_referenced_in_full() -> None:
    async def much() -> str:
        """Much."""
        return "x" * 50_000_000

    async def size(text: str) -> int:
        """Its size."""
        return len(text)

    joiner = ScriptedModel("Answer.")
    planner = ScriptedModel("a = much()\nsize(a)")
    graph = build_graph([much, size], planner=planner, joiner=joiner)
    state = await graph.ainvoke(ASK)
    assert state["outcomes"]["2"]["value"] == 50_000_000
    assert len(joiner.prompts[0]) < 10_000
    assert all(len(message.text) <= 4030 for message in state["messages"])


async def test_a_result_that_is_nested_too_deeply_is_a_failure() -> None:
    async def nest(levels: int) -> list[Any]:
        """Lists in each other."""
        value: list[Any] = []
        for _ in range(levels - 1):
            value = [value]
        return value

    plan = "a = nest(260)\necho(a)\nc = nest(100)\necho(c)\necho([c])"
    outcomes = await turn(plan, [nest, Ledger().echo])
    assert outcomes[1] == (
        "failed", "it returned data nested more than 100 levels deep; return flatter data",
    )  # fmt: skip
    assert outcomes[2][0] == "skipped"
    assert outcomes[4] == ("ok", outcomes[3][1])
    why = "the arguments are nested more than 100 levels deep; plan flatter ones"
    assert outcomes[5] == ("failed", why)


async def test_a_plan_cannot_nest_data_too_deeply() -> None:
    plan = "x = echo([])\n" + "x = echo([x])\n" * 299
    outcomes = await turn([plan], Ledger().tools, max_tasks=300)
    statuses = [status for status, _ in outcomes.values()]
    assert statuses == ["ok"] * 100 + ["failed"] + ["skipped"] * 199


@pytest.mark.parametrize("doubled", ["x + x", 'f"{x}{x}"', "[x, x]"])
async def test_a_plan_cannot_double_a_result_without_bound(doubled: str) -> None:
    plan = "x = big()\n" + f"x = echo({doubled})\n" * 28

    async def big() -> str:
        """Much already."""
        return "x" * 10_000_000

    outcomes = await turn([plan], [big, Ledger().echo])
    failed = [id for id, (status, _) in outcomes.items() if status == "failed"]
    assert failed == [4 if doubled == "[x, x]" else 7]
    assert {status for id, (status, _) in outcomes.items() if id > failed[0]} == {"skipped"}
    why = "the arguments have more than 60000000 characters with the results filled in"
    assert outcomes[failed[0]][1].startswith(why)


# ── what they forget: tools ───────────────────────────────────────────────────────────────────


async def test_a_tool_that_interrupts_asks_its_person() -> None:
    async def confirm(what: str) -> str:
        """Confirm it."""
        return str(interrupt({"sure": what}))

    planner = ScriptedModel("confirm('x')")
    graph = build_graph(
        [confirm], planner=planner, joiner=ScriptedModel("Answer."), checkpointer=InMemorySaver()
    )
    state = await graph.ainvoke(ASK, THREAD)
    [request] = state["__interrupt__"]
    assert request.value == {"sure": "x"}
    state = await graph.ainvoke(Command(resume="yes"), THREAD)
    assert state["outcomes"]["1"]["value"] == "yes"


@pytest.mark.slow
async def test_a_tool_that_ignores_cancellation_does_not_hold_up_the_turn() -> None:
    done = asyncio.Event()

    async def stubborn() -> str:
        """Stay."""
        while not done.is_set():
            with suppress(asyncio.CancelledError):
                await done.wait()
        return "late"

    planner = ScriptedModel("stubborn()")
    graph = build_graph([stubborn], planner=planner, joiner=ScriptedModel("Answer."))
    state = await graph.ainvoke(ASK, context=Context(deadline=0.1))
    assert state["outcomes"]["1"]["status"] == "failed"
    done.set()
    await until(lambda: len(asyncio.all_tasks()) == 1)


@pytest.mark.slow
async def test_a_tool_that_ignores_cancellation_is_abandoned_after_its_timeout() -> None:
    done = asyncio.Event()
    begun: list[int] = []

    async def stubborn() -> str:
        """Keep running, and turn the cancellation into a transient error."""
        begun.append(1)
        while not done.is_set():
            with suppress(asyncio.CancelledError):
                await done.wait()
        raise ConnectionError

    planner = ScriptedModel("a = stubborn()\necho(a)\necho(3)")
    tools: list[Any] = [stubborn, Ledger().echo]
    graph = build_graph(tools, planner=planner, joiner=ScriptedModel("Answer."))
    async with asyncio.timeout(5):
        state = await graph.ainvoke(ASK, context=Context(tool_timeout=0.1, max_parallel=1))
    assert state["outcomes"]["1"]["error"].startswith("TimeoutError: no result within 0.1 s")
    assert [outcome["status"] for outcome in state["outcomes"].values()] == [
        "failed", "skipped", "ok",
    ]  # fmt: skip
    done.set()
    await until(lambda: len(asyncio.all_tasks()) == 1)
    assert begun == [1]  # an abandoned call is not retried


async def test_a_tool_that_interrupts_without_a_checkpointer_fails() -> None:
    async def confirm(what: str) -> str:
        """Confirm it."""
        return str(interrupt({"sure": what}))

    why = "asking a person requires a checkpointer; compile the graph with one"
    assert await turn("a = confirm('x')\nconfirm(a)", [confirm]) == {
        1: ("failed", why), 2: ("skipped", "needs 1, which failed"),
    }  # fmt: skip


async def test_a_sync_tool_that_blocks_for_ever_times_out() -> None:
    release = threading.Event()

    def block() -> str:
        """Block."""
        release.wait()
        return "late"

    outcomes = await turn("block()", [block], tool_timeout=0.1)
    assert outcomes[1][0] == "failed"
    release.set()


# ── what they forget: models ──────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("text", ["", "I would rather not.", "```\n```"])
async def test_a_planner_without_a_plan(text: str) -> None:
    planner = ScriptedModel(text, text, text)
    graph = build_graph(Ledger().tools, planner=planner, joiner=ScriptedModel("Answer."))
    assert (await graph.ainvoke(ASK))["messages"][-1].text == "Answer."


async def test_an_empty_plan_is_requested_again() -> None:
    outcomes = await turn("# nothing to do", Ledger().tools)
    assert outcomes == {}


async def test_an_endless_plan_is_read_up_to_max_tasks() -> None:
    taken: list[int] = []

    def endless() -> list[Piece]:
        pieces: list[Piece] = []
        for i in range(1, 2000):
            pieces += [f"echo({i})\n", partial(taken.append, i)]
        return pieces

    outcomes = await turn(endless(), Ledger().tools, max_tasks=5)
    assert [status for status, _ in outcomes.values()] == ["ok"] * 5 + ["failed"]
    assert len(taken) < 20


@pytest.mark.slow
async def test_ten_thousand_tasks() -> None:
    plan = "".join(f"echo({i})\n" for i in range(10_000))
    outcomes = await turn([plan], Ledger().tools, max_tasks=10_000)
    assert {status for status, _ in outcomes.values()} == {"ok"}
    assert len(outcomes) == 10_000


async def test_a_joiner_that_always_replans_stops_at_max_rounds() -> None:
    planner = ScriptedModel(*(f"echo({i})" for i in range(1, 5)))
    joiner = ScriptedModel(*["REPLAN: more"] * 4)
    graph = build_graph(Ledger().tools, planner=planner, joiner=joiner)
    state = await graph.ainvoke(ASK, context=Context(max_rounds=4))
    assert state["round"] == 4
    assert state["messages"][-1].text == "Not found: more (no further plan: max_rounds is 4)"


@pytest.mark.slow
async def test_a_model_that_breaks_off_for_good_names_its_role() -> None:
    broken: list[Piece] = [ConnectionError("reset by sk-very-secret")]
    planner = ScriptedModel(broken, broken, broken)
    graph = build_graph(Ledger().tools, planner=planner, joiner=ScriptedModel())
    with pytest.raises(ModelError) as error:
        await graph.ainvoke(ASK)
    assert "the planner's model" in str(error.value)
    assert "secret" not in str(error.value)


# ── nothing is left behind ────────────────────────────────────────────────────────────────────


async def test_a_run_abandoned_between_two_nodes_leaves_nothing() -> None:
    ledger = Ledger()
    ledger.gate("never")
    planner = ScriptedModel("echo('never')")
    graph = build_graph(ledger.tools, planner=planner, joiner=ScriptedModel())
    stream = graph.astream(ASK, stream_mode="updates")
    async for _ in stream:
        break
    await stream.aclose()
    assert ledger.cancelled == ["never"]
    assert asyncio.all_tasks() == {asyncio.current_task()}


def executor_threads() -> set[threading.Thread]:
    """Those of the loop's own pool, which are LangGraph's."""
    return {thread for thread in threading.enumerate() if thread.name.startswith("asyncio_")}


@pytest.mark.slow
async def test_two_hundred_runs_cancelled_at_random_moments_leave_nothing() -> None:
    before = set(threading.enumerate()) - executor_threads()
    import random

    chance = random.Random(7)
    plan = "echo('never')\nb = echo(2)\nc = add(b, 1)\nd = block(c)\necho(d)"

    def block(value: int) -> int:
        """Block a little."""
        threading.Event().wait(0.002)
        return value

    async def one() -> None:
        ledger = Ledger()
        ledger.gate("never")
        graph = build_graph(
            [*ledger.tools, block],
            planner=ScriptedModel(plan),
            joiner=ScriptedModel("Answer."),
            checkpointer=InMemorySaver(),
        )
        running = asyncio.ensure_future(graph.ainvoke(ASK, THREAD))
        asyncio.get_running_loop().call_later(chance.random() * 0.1, running.cancel)
        with pytest.raises(asyncio.CancelledError):
            await running
        assert len(ledger.cancelled) == ledger.begun.count("never")

    for _ in range(20):
        await asyncio.gather(*(one() for _ in range(10)))
    assert asyncio.all_tasks() == {asyncio.current_task()}
    await until(lambda: set(threading.enumerate()) - before == executor_threads())
