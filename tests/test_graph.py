"""The graph as its users see it: state, messages, events, early start, replans, direct answers."""

import asyncio
from collections import Counter
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

import llm_compiler
from llm_compiler import Context, build_graph
from llm_compiler.errors import SetupError
from tests.support.scripted import Ledger, ScriptedModel, until

THREAD: Any = {"configurable": {"thread_id": "1"}}


def ask(text: str = "What is it?") -> Any:
    return {"messages": [HumanMessage(text)]}


@pytest.fixture(params=["async", "sync"])
def run(request: pytest.FixtureRequest) -> Any:
    """One body for `ainvoke` and `invoke`."""

    async def run(graph: Any, input: Any, config: Any = None, **options: Any) -> Any:
        if request.param == "async":
            return await graph.ainvoke(input, config, **options)
        return await asyncio.to_thread(graph.invoke, input, config, **options)

    return run


def test_the_package_exports_three_names() -> None:
    assert llm_compiler.__all__ == ["Context", "build_graph", "graph"]


def test_the_default_graph_has_the_papers_shape() -> None:
    drawn = llm_compiler.graph.get_graph()
    edges = {(edge.source, edge.target, edge.conditional) for edge in drawn.edges}
    assert edges == {
        ("__start__", "planner", False),
        ("planner", "scheduler", False),
        ("scheduler", "joiner", False),
        ("joiner", "planner", True),
        ("joiner", "__end__", True),
    }
    assert llm_compiler.graph.checkpointer is None


def test_the_input_is_the_conversation_alone() -> None:
    assert list(llm_compiler.graph.get_input_jsonschema()["properties"]) == ["messages"]


async def test_a_plan_runs_and_its_results_are_joined(run: Any, ledger: Ledger) -> None:
    planner = ScriptedModel("# sums.\na = add(1, 2)\nadd(a, b=4)")
    joiner = ScriptedModel("It is 7.")
    graph = build_graph(ledger.tools, planner=planner, joiner=joiner)
    state = await run(graph, ask())
    keys = [task.pop("key") for task in state["plan"]]
    assert len({*keys}) == 2
    assert state["plan"] == [
        {
            "id": 1,
            "name": "a",
            "tool": "add",
            "args": {"a": 1, "b": 2},
            "needs": [],
            "line": 2,
            "source": "a = add(1, 2)",
            "round": 1,
            "taint": "",
        },
        {
            "id": 2,
            "name": "",
            "tool": "add",
            "args": {"a": "$1", "b": 4},
            "needs": [1],
            "line": 3,
            "source": "add(a, b=4)",
            "round": 1,
            "taint": "",
        },
    ]
    two = state["outcomes"]["2"]
    assert (two["status"], two["value"], two["args"]) == ("ok", 7, {"a": 3, "b": 4})
    assert two["attempts"] == 1
    assert not two["reused"]
    assert two["started_at"] <= two["ended_at"]
    assert (state["round"], state["feedback"]) == (1, None)
    assert state["usage"] == {
        "planner": {"calls": 1, "input": 10, "output": 5},
        "joiner": {"calls": 1, "input": 10, "output": 5},
    }
    assert ledger.ended == [(1, 2), (3, 4)]


async def test_the_messages_follow_the_chat_protocol(run: Any, ledger: Ledger) -> None:
    planner = ScriptedModel("add(1, 2)\nb = fail('no')\necho(b)")
    graph = build_graph(ledger.tools, planner=planner, joiner=ScriptedModel("Three."))
    human, plan, *results, answer = (await run(graph, ask()))["messages"]
    assert isinstance(human, HumanMessage)
    assert isinstance(plan, AIMessage)
    assert [(call["name"], call["args"]) for call in plan.tool_calls] == [
        ("add", {"a": 1, "b": 2}),
        ("fail", {"why": "no"}),
        ("echo", {"value": "$2"}),
    ]
    assert all(isinstance(result, ToolMessage) for result in results)
    assert [r.tool_call_id for r in results] == [call["id"] for call in plan.tool_calls]
    assert [(r.status, r.text) for r in results] == [
        ("success", "3"),
        ("error", "failed: ValueError: no"),
        ("error", "skipped: needs 2, which failed"),
    ]
    assert (answer.text, answer.tool_calls) == ("Three.", [])


async def test_a_call_starts_while_its_plan_is_still_written(ledger: Ledger) -> None:
    written = asyncio.Event()
    planner = ScriptedModel(["echo('early')\n", written, "add(1, 1)"])
    graph = build_graph(ledger.tools, planner=planner, joiner=ScriptedModel("Done."))
    running = asyncio.ensure_future(graph.ainvoke(ask()))
    await until(lambda: ledger.ended == ["early"])
    assert not written.is_set()
    written.set()
    assert (await running)["outcomes"]["2"]["value"] == 2


async def test_the_scheduler_takes_over_running_calls(ledger: Ledger) -> None:
    gate = ledger.gate("slow")
    planner = ScriptedModel("a = echo('slow')\necho(a)")
    graph = build_graph(ledger.tools, planner=planner, joiner=ScriptedModel("Done."))
    nodes = []
    async for update in graph.astream(ask(), stream_mode="updates"):
        nodes += list(update)
        if nodes == ["planner"]:
            assert ledger.begun == ["slow"]
            gate.set()
    assert nodes == ["planner", "scheduler", "joiner"]
    assert ledger.begun == ["slow"]  # the equal call of task 2 shares its result


async def test_equal_calls_run_once_and_say_so(run: Any, ledger: Ledger) -> None:
    planner = ScriptedModel("echo('x')\necho(value='x')")
    graph = build_graph(ledger.tools, planner=planner, joiner=ScriptedModel("Done."))
    outcomes = (await run(graph, ask()))["outcomes"]
    assert ledger.begun == ["x"]
    assert [outcomes[id]["reused"] for id in ("1", "2")] == [False, True]


async def test_a_replan_goes_on_with_ids_and_results(run: Any, ledger: Ledger) -> None:
    planner = ScriptedModel("a = add(1, 2)", "add(a, 10)")
    joiner = ScriptedModel("REPLAN: the sum with ten", "Thirteen.")
    graph = build_graph(ledger.tools, planner=planner, joiner=joiner)
    state = await run(graph, ask())
    assert [task["id"] for task in state["plan"]] == [1, 2]
    assert state["outcomes"]["2"]["value"] == 13
    assert (state["round"], state["feedback"]) == (2, None)
    assert ledger.begun == [(1, 2), (3, 10)]
    assert "the sum with ten" in planner.prompts[1]
    assert "add(1, 2)" in planner.prompts[1]
    kinds = [type(message).__name__ for message in state["messages"]]
    assert kinds == ["HumanMessage", *["AIMessage", "ToolMessage"] * 2, "AIMessage"]
    assert state["usage"]["planner"]["calls"] == 2


async def test_the_last_round_must_answer(run: Any, ledger: Ledger) -> None:
    planner = ScriptedModel("add(1, 2)", "add(2, 2)")
    joiner = ScriptedModel("REPLAN: more", "REPLAN: still more")
    graph = build_graph(ledger.tools, planner=planner, joiner=joiner)
    state = await run(graph, ask(), context=Context(max_rounds=2))
    assert state["messages"][-1].text == (
        "Not found: still more (no further plan: max_rounds is 2)"
    )
    assert "REPLAN" in joiner.prompts[0]
    assert "REPLAN" not in joiner.prompts[1]


async def test_a_direct_answer_takes_one_model_call(run: Any, ledger: Ledger) -> None:
    planner = ScriptedModel('answer("Hello, it costs $5!")')
    graph = build_graph(ledger.tools, planner=planner, joiner=ScriptedModel())
    state = await run(graph, ask("Is it $5?"))
    assert [m.text for m in state["messages"]] == ["Is it $5?", "Hello, it costs $5!"]
    assert state["usage"] == {"planner": {"calls": 1, "input": 10, "output": 5}}
    assert state["outcomes"]["1"]["status"] == "ok"


async def test_a_plan_without_a_task_that_compiles_is_planned_again(
    run: Any, ledger: Ledger
) -> None:
    planner = ScriptedModel("ad(1, 2)", "add(1, 2)")
    joiner = ScriptedModel("Three.")
    graph = build_graph(ledger.tools, planner=planner, joiner=joiner)
    state = await run(graph, ask())
    error = 'line 1: no function "ad"; did you mean "add"?\n    ad(1, 2)\n    ^^'
    assert state["outcomes"]["1"]["error"] == error
    assert 'no function "ad"; did you mean "add"?' in planner.prompts[1]
    del state["plan"][0]["key"]
    assert state["plan"][0] == {
        "id": 1,
        "name": "",
        "tool": "ad",
        "args": {},
        "needs": [],
        "line": 1,
        "source": "ad(1, 2)",
        "error": error,
        "text": "ad(1, 2)",
        "round": 1,
    }
    assert state["messages"][-1].text == "Three."
    assert len(joiner.seen) == 1


async def test_a_plan_without_a_task_is_requested_again_then_answered(
    run: Any, ledger: Ledger
) -> None:
    planner = ScriptedModel("I cannot.", "I cannot.", "I cannot.")
    graph = build_graph(ledger.tools, planner=planner, joiner=ScriptedModel("I do not know."))
    state = await run(graph, ask())
    assert state["messages"][-1].text == "I do not know."
    assert [task["source"] for task in state["plan"]] == ["I cannot."] * 3


async def test_a_breakpoint_shows_the_plan_and_nothing_starts(run: Any, ledger: Ledger) -> None:
    planner = ScriptedModel("a = add(1, 2)\nadd(a, 1)")
    graph = build_graph(
        ledger.tools, planner=planner, joiner=ScriptedModel("Done."), checkpointer=InMemorySaver()
    )
    await run(graph, ask(), THREAD, interrupt_before=["scheduler"])
    assert ledger.begun == []
    state = graph.get_state(THREAD)
    assert state.next == ("scheduler",)
    plan = state.values["plan"]
    assert [task["id"] for task in plan] == [1, 2]
    plan[0]["args"] = {"a": 100, "b": 2}
    graph.update_state(THREAD, {"plan": plan}, as_node="planner")
    result = await run(graph, None, THREAD)
    assert ledger.begun == [(100, 2), (102, 1)]
    assert result["messages"][-1].text == "Done."
    assert len(planner.seen) == 1


async def test_an_edit_that_does_not_compile_becomes_an_outcome(ledger: Ledger) -> None:
    planner = ScriptedModel("add(1, 2)")
    graph = build_graph(
        ledger.tools, planner=planner, joiner=ScriptedModel("Done."), checkpointer=InMemorySaver()
    )
    await graph.ainvoke(ask(), THREAD, interrupt_before=["scheduler"])
    edited = [{"id": 1, "tool": "add", "args": {"a": 1, "c": 2}, "needs": [9]}]
    await graph.aupdate_state(THREAD, {"plan": edited}, as_node="planner")
    state = await graph.ainvoke(None, THREAD)
    assert state["outcomes"]["1"]["error"] == "add has no argument 'c'; there are a, b"


async def test_a_stream_that_breaks_off_is_planned_again_and_keeps_its_calls(
    ledger: Ledger,
) -> None:
    ledger.gate("kept")
    planner = ScriptedModel(
        ["echo('kept')\necho('lost')\nec", ConnectionError("reset")],
        ["echo('kept')\nadd(1, 1)", ledger.gate("kept").set],
    )
    graph = build_graph(ledger.tools, planner=planner, joiner=ScriptedModel("Done."))
    events = [e async for e in graph.astream(ask(), stream_mode="custom")]
    assert ledger.begun.count("kept") == 1
    planned = Counter(e["id"] for e in events if e["event"] == "plan.task")
    finished = Counter(e["id"] for e in events if e["event"] == "task.finished")
    assert planned == finished


async def test_every_planned_task_gets_exactly_one_finished_event(run: Any, ledger: Ledger) -> None:
    planner = ScriptedModel("add(1, 2)\nb = nope()\necho(b)\necho(i)")
    graph = build_graph(ledger.tools, planner=planner, joiner=ScriptedModel("Done."))
    events = [event async for event in graph.astream(ask(), stream_mode="custom")]
    kinds = [event["event"] for event in events]
    assert kinds[0] == "turn.start"
    assert kinds[-1] == "round.end"
    assert kinds.count("plan.end") == 1
    finished = {e["id"]: e["status"] for e in events if e["event"] == "task.finished"}
    assert finished == {1: "ok", 2: "failed", 3: "skipped", 4: "failed"}
    assert kinds.count("task.finished") == 4
    seconds = [event["seconds"] for event in events]
    assert seconds == sorted(seconds)


async def test_only_the_answer_streams_as_tokens(ledger: Ledger) -> None:
    planner = ScriptedModel("add(1, 2)", "add(2, 2)")
    joiner = ScriptedModel("REPLAN: more", "The answer is four.")
    graph = build_graph(ledger.tools, planner=planner, joiner=joiner)
    shown = [m async for m, _ in graph.astream(ask(), stream_mode="messages")]
    tokens = [m.text for m in shown if type(m).__name__ == "AIMessageChunk"]
    assert "".join(tokens) == "The answer is four."
    assert len(tokens) > 2
    whole = [m.text for m in shown if type(m).__name__ == "AIMessage" and m.text]
    assert whole == []


async def test_a_new_message_starts_a_new_turn(run: Any, ledger: Ledger) -> None:
    planner = ScriptedModel("add(1, 2)", "add(5, 5)")
    joiner = ScriptedModel("Three.", "Ten.")
    graph = build_graph(ledger.tools, planner=planner, joiner=joiner, checkpointer=InMemorySaver())
    await run(graph, ask("First?"), THREAD)
    state = await run(graph, ask("Second?"), THREAD)
    assert [task["args"] for task in state["plan"]] == [{"a": 5, "b": 5}]
    assert list(state["outcomes"]) == ["1"]
    assert (state["round"], state["usage"]["planner"]["calls"]) == (1, 1)
    assert [m.text for m in planner.seen[1][1:]] == ["First?", "Three.", "Second?"]


async def test_a_failed_turn_does_not_leak_into_the_next(ledger: Ledger) -> None:
    planner = ScriptedModel("add(1, 2)", [ValueError("broken")], "add(5, 5)")
    joiner = ScriptedModel("REPLAN: more", "Ten.")
    graph = build_graph(ledger.tools, planner=planner, joiner=joiner, checkpointer=InMemorySaver())
    with pytest.raises(Exception, match="planner's model"):
        await graph.ainvoke(ask("First?"), THREAD)
    state = await graph.ainvoke(ask("Second?"), THREAD)
    assert [task["args"] for task in state["plan"]] == [{"a": 5, "b": 5}]
    assert state["round"] == 1


async def test_the_deadline_ends_the_turn_with_what_there_is(ledger: Ledger) -> None:
    ledger.gate("never")
    planner = ScriptedModel("add(1, 2)\nb = echo('never')\necho(b)")
    joiner = ScriptedModel("Three, so far.")
    graph = build_graph(ledger.tools, planner=planner, joiner=joiner)
    state = await graph.ainvoke(ask(), context=Context(deadline=0.2))
    statuses = {id: outcome["status"] for id, outcome in state["outcomes"].items()}
    assert statuses == {"1": "ok", "2": "failed", "3": "skipped"}
    assert "deadline of 0.2 s" in state["outcomes"]["2"]["error"]
    assert ledger.cancelled == ["never"]
    assert state["messages"][-1].text == "Three, so far."


async def test_the_deadline_cuts_the_planner_too(ledger: Ledger) -> None:
    planner = ScriptedModel(["add(1, 2)\nadd(2, ", asyncio.Event()])
    graph = build_graph(ledger.tools, planner=planner, joiner=ScriptedModel("Three."))
    state = await graph.ainvoke(ask(), context=Context(deadline=0.2))
    assert state["outcomes"]["1"]["value"] == 3
    assert state["messages"][-1].text == "Three."


async def test_models_inside_tools_never_show(ledger: Ledger) -> None:
    inner = ScriptedModel("secret words")

    async def think(about: str) -> str:
        """Think."""
        return (await inner.ainvoke(about)).text

    planner = ScriptedModel("think('x')")
    graph = build_graph([think], planner=planner, joiner=ScriptedModel("Answer."))
    shown = [m async for m, _ in graph.astream(ask(), stream_mode="messages")]
    tokens = "".join(m.text for m in shown if type(m).__name__ == "AIMessageChunk")
    assert tokens == "Answer."


@pytest.mark.parametrize("reply", ["", "   \n"])
async def test_a_silent_joiner_gives_the_results_as_they_are(ledger: Ledger, reply: str) -> None:
    planner = ScriptedModel("add(1, 2)")
    graph = build_graph(ledger.tools, planner=planner, joiner=ScriptedModel(*[reply] * 3))
    state = await graph.ainvoke(ask())
    assert "add(1, 2)  # 3" in state["messages"][-1].text


@pytest.mark.parametrize("written", ["answer()", "answer('cut"])
async def test_an_answer_that_does_not_compile_is_planned_again(
    ledger: Ledger, written: str
) -> None:
    planner = ScriptedModel(written, "add(1, 2)")
    graph = build_graph(ledger.tools, planner=planner, joiner=ScriptedModel("Three."))
    state = await graph.ainvoke(ask())
    assert state["messages"][-1].text == "Three."
    assert [outcome["status"] for outcome in state["outcomes"].values()] == ["failed", "ok"]


async def test_max_tasks_holds_for_a_plan_that_is_built_again_from_the_state(
    ledger: Ledger,
) -> None:
    planner = ScriptedModel("add(1, 2)\nadd(2, 2)\nadd(3, 3)")
    graph = build_graph(
        ledger.tools, planner=planner, joiner=ScriptedModel("Done."), checkpointer=InMemorySaver()
    )
    two = Context(max_tasks=2)
    await graph.ainvoke(ask(), THREAD, context=two, interrupt_before=["scheduler"])
    state = await graph.ainvoke(None, THREAD, context=two)
    assert ledger.begun == [(1, 2), (2, 2)]
    assert "more than 2 calls" in state["outcomes"]["3"]["error"]


async def test_an_edited_plan_may_be_careless(ledger: Ledger) -> None:
    planner = ScriptedModel("add(1, 2)")
    graph = build_graph(
        ledger.tools, planner=planner, joiner=ScriptedModel("Done."), checkpointer=InMemorySaver()
    )
    await graph.ainvoke(ask(), THREAD, interrupt_before=["scheduler"])
    edited: list[Any] = [
        {"id": "2", "tool": "add", "args": {"a": "$1", "b": 1}, "needs": "x"},
        {"id": "1", "tool": "add", "args": {"a": 1, "b": 1}},
        {"id": 1, "tool": "add", "args": {"a": 5, "b": 5}},
        {"tool": "echo"},
        {"id": 9},
    ]
    await graph.aupdate_state(THREAD, {"plan": edited}, as_node="planner")
    state = await graph.ainvoke(None, THREAD)
    found = {id: (o["status"], o["value"]) for id, o in state["outcomes"].items()}
    assert found["1"] == ("ok", 2)
    assert found["2"] == ("ok", 3)
    assert {status for id, (status, _) in found.items() if id not in "12"} == {"failed"}
    assert [call["id"].rpartition("_")[2] for call in state["messages"][1].tool_calls] == [*found]


async def test_an_edited_task_of_an_earlier_round_runs_again(ledger: Ledger) -> None:
    planner = ScriptedModel("a = add(1, 2)", "add(a, 10)")
    joiner = ScriptedModel("REPLAN: ten more", "Done.")
    graph = build_graph(ledger.tools, planner=planner, joiner=joiner, checkpointer=InMemorySaver())
    await graph.ainvoke(ask(), THREAD, interrupt_after=["joiner"])
    await graph.ainvoke(None, THREAD, interrupt_before=["scheduler"])
    plan = graph.get_state(THREAD).values["plan"]
    plan[0]["args"] = {"a": 100, "b": 2}
    await graph.aupdate_state(THREAD, {"plan": plan}, as_node="planner")
    state = await graph.ainvoke(None, THREAD)
    assert state["outcomes"]["2"]["value"] == 112
    assert ledger.begun == [(1, 2), (100, 2), (102, 10)]


@pytest.mark.parametrize(
    ("own", "asked"), [(None, False), (Context(approve=("add",)), True)], ids=["none", "its own"]
)
async def test_a_parents_context_is_not_ours(
    own: Context | None, asked: bool, ledger: Ledger
) -> None:
    from langgraph.graph import START, StateGraph
    from pydantic import BaseModel

    from llm_compiler.state import State

    class Other(BaseModel):
        approve: str = "red"

    planner, joiner = ScriptedModel("add(1, 2)"), ScriptedModel("Done.")
    graph = build_graph(ledger.tools, planner=planner, joiner=joiner, context=own)
    builder = StateGraph(State, Other).add_node("compiler", graph).add_edge(START, "compiler")
    parent = builder.compile(InMemorySaver())
    state = await parent.ainvoke(ask(), THREAD, context=Other())
    assert ("__interrupt__" in state) is asked
    if asked:
        approve: Any = Command(resume={"decisions": [{"type": "approve"}]})
        state = await parent.ainvoke(approve, THREAD, context=Other())
    assert state["messages"][-1].text == "Done."


async def test_settings_of_the_graph_hold_where_a_run_passes_no_others(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLM_COMPILER_APPROVE", "nothing")
    planner = ScriptedModel("add(1, 2)", "add(3, 4)")
    joiner = ScriptedModel("REPLAN: more", "Done.")
    context = Context(approve=["add"], max_rounds=1)
    graph = build_graph(ledger.tools, planner=planner, joiner=joiner, context=context)
    shown: Any = graph.copy().get_context_jsonschema()
    assert shown["properties"]["approve"]["default"] == ["add"]
    assert shown["properties"]["deadline"]["default"] is None
    passed: Any = {"max_rounds": 2}
    state = await graph.ainvoke(ask(), context=passed)
    assert [it["status"] for it in state["outcomes"].values()] == ["rejected", "rejected"]
    assert state["round"] == 2


def test_settings_of_the_graph_are_a_context(ledger: Ledger) -> None:
    given: Any = {"max_rounds": 2}
    with pytest.raises(SetupError, match=r"context: give Context\(…\), not a dict"):
        build_graph(ledger.tools, context=given)


async def test_a_conversation_that_ends_with_another_message_is_a_new_turn(
    ledger: Ledger,
) -> None:
    planner = ScriptedModel("add(1, 2)")
    graph = build_graph(ledger.tools, planner=planner, joiner=ScriptedModel("Done."))
    said: Any = {"messages": [HumanMessage("What?"), AIMessage("Let me see.")]}
    assert (await graph.ainvoke(said))["messages"][-1].text == "Done."


async def test_a_small_recursion_limit_does_not_bound_the_rounds(ledger: Ledger) -> None:
    planner = ScriptedModel(*(f"echo({i})" for i in range(1, 11)))
    joiner = ScriptedModel(*["REPLAN: more"] * 9, "Done.")
    graph = build_graph(ledger.tools, planner=planner, joiner=joiner)
    state = await graph.ainvoke(ask(), {"recursion_limit": 5}, context=Context(max_rounds=10))
    assert (state["round"], state["messages"][-1].text) == (10, "Done.")


@pytest.mark.parametrize(
    ("reply", "answer"),
    [("REPLAN is what it says.", "REPLAN is what it says."), ("**REPLAN:** more", None)],
)
async def test_a_replan_is_told_by_its_colon(
    ledger: Ledger, reply: str, answer: str | None
) -> None:
    planner = ScriptedModel("echo(1)", "echo(2)")
    joiner = ScriptedModel(reply, "Done.")
    graph = build_graph(ledger.tools, planner=planner, joiner=joiner)
    state = await graph.ainvoke(ask())
    assert state["messages"][-1].text == (answer or "Done.")


@pytest.mark.parametrize("given", [{"messages": []}, {}, {"question": "What is it?"}], ids=repr)
async def test_a_run_without_any_message_says_what_to_pass(ledger: Ledger, given: Any) -> None:
    planner = ScriptedModel("echo(1)")
    graph = build_graph(ledger.tools, model=planner)
    with pytest.raises(SetupError, match=r'there is no question; pass \{"messages": \[\("user"'):
        await graph.ainvoke(given)
    assert planner.prompts == []
