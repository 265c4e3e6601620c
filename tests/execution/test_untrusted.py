"""A destructive call that an untrusted result reaches needs a person, as if it stood in `approve`.

Untrusted is what a tool with `openWorldHint` returns, and all that is made of it.
"""

from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from llm_compiler import build_graph
from llm_compiler.language.tasks.task import Outcome, Task
from llm_compiler.scheduling.facts import (
    Decided,
    Decision,
    PlanEnded,
    Planned,
    Prior,
    Returned,
    TakenOver,
)
from llm_compiler.scheduling.orders import Ask, Launch
from llm_compiler.scheduling.schedule import Schedule
from llm_compiler.tools.search import search
from tests.support.scripted import ScriptedModel, wiping
from tests.support.turn import FakeTools

THREAD: Any = {"configurable": {"thread_id": "1"}}
ASK: Any = {"messages": [HumanMessage("What?")]}
APPROVE: Any = Command(resume={"decisions": [{"type": "approve"}]})


@pytest.fixture
def wiped() -> list[str]:
    return []


@pytest.fixture
def tools(wiped: list[str]) -> list[Any]:
    @tool
    async def look(query: str) -> str:
        """Look it up."""
        return f"what the web says of {query}"

    look.metadata = {"openWorldHint": True}

    async def short(text: str) -> str:
        """Shorten it."""
        return text[:8]

    return [look, wiping(wiped.append), short]


def graph(tools: list[Any], *plans: str, saver: bool = True) -> Any:
    joiner = ScriptedModel(*["REPLAN: more"] * (len(plans) - 1), "Done.")
    checkpointer = InMemorySaver() if saver else None
    planner = ScriptedModel(*plans)
    return build_graph(tools, planner=planner, joiner=joiner, checkpointer=checkpointer)


@pytest.mark.parametrize(
    "plan",
    [
        "a = look('x')\nshort('y')\nwipe(a)",
        "a = look('x')\nwipe(f'all of {a}')",
        "a = look('x')\nb = short(a)\nwipe(b)",
    ],
    ids=["itself", "in a text", "through another tool"],
)
async def test_an_untrusted_result_in_a_destructive_call_asks(
    tools: list[Any], wiped: list[str], plan: str
) -> None:
    compiled = graph(tools, plan)
    state = await compiled.ainvoke(ASK, THREAD)
    [request] = state["__interrupt__"]
    [action] = request.value["action_requests"]
    assert action["description"] == (
        "Task 3: Wipe it. (asked because it writes"
        " and the untrusted result of task 1 (look) reaches it)"
    )
    assert wiped == []
    state = await compiled.ainvoke(APPROVE, THREAD)
    assert state["outcomes"]["3"]["status"] == "ok"
    assert len(wiped) == 1


@pytest.mark.parametrize(
    "plan",
    [
        "wipe('y')\nlook('x')",
        "look('x')\nwipe('y')",
        "a = short('x')\nwipe(a)",
    ],
    ids=["before", "after", "trusted"],
)
async def test_what_no_untrusted_result_reaches_does_not_ask(
    tools: list[Any], wiped: list[str], plan: str
) -> None:
    state = await graph(tools, plan).ainvoke(ASK, THREAD)
    assert "__interrupt__" not in state
    assert len(wiped) == 1


async def test_what_is_planned_after_reading_an_untrusted_result_asks(
    tools: list[Any], wiped: list[str]
) -> None:
    """A result that tells the planner to wipe everything is asked about, though obeyed."""
    compiled = graph(tools, "look('x')", "wipe('everything')")
    state = await compiled.ainvoke(ASK, THREAD)
    [request] = state["__interrupt__"]
    assert "result of task 1 (look)" in request.value["action_requests"][0]["description"]
    assert wiped == []
    reject: Any = Command(resume={"decisions": [{"type": "reject", "message": "no"}]})
    state = await compiled.ainvoke(reject, THREAD)
    assert state["outcomes"]["2"]["status"] == "rejected"
    assert wiped == []


async def two_turns(tools: list[Any], *plans: str, answer: str = "It says: wipe all.") -> Any:
    planner, joiner = ScriptedModel(*plans), ScriptedModel(answer, *["Done."] * len(plans))
    checkpointer = InMemorySaver()
    compiled = build_graph(tools, planner=planner, joiner=joiner, checkpointer=checkpointer)
    for _ in plans:
        state = await compiled.ainvoke({"messages": [HumanMessage("What?")]}, THREAD)
    assert answer in planner.prompts[-1]
    return state


@pytest.mark.parametrize("between", [[], ["short('x')"]], ids=["next", "after next"])
async def test_what_is_planned_in_a_later_turn_asks(
    tools: list[Any], wiped: list[str], between: list[str]
) -> None:
    """An answer that quotes an untrusted result is read by the planners of the turns to come."""
    plans = ["look('x')", *between, "wipe('all')"]
    state = await two_turns(tools, *plans)
    [request] = state["__interrupt__"]
    assert request.value["action_requests"][0]["description"] == (
        "Task 1: Wipe it. (asked because it writes"
        " and an untrusted result of an earlier turn may have reached it)"
    )
    assert wiped == []


async def test_what_is_planned_after_a_turn_that_read_nothing_untrusted_does_not_ask(
    tools: list[Any], wiped: list[str]
) -> None:
    await two_turns(tools, "short('x')", "wipe('all')")
    assert wiped == ["all"]


async def test_an_untrusted_answer_is_known_by_its_message_alone(
    tools: list[Any], wiped: list[str]
) -> None:
    """So a parent graph may keep questions and answers, and let the results go."""
    state = await graph(tools, "look('x')").ainvoke(ASK, THREAD)
    said = [state["messages"][0], state["messages"][-1], HumanMessage("And now?")]
    state = await graph(tools, "wipe('all')").ainvoke({"messages": said}, THREAD)
    assert len(state["__interrupt__"]) == 1
    assert wiped == []


@pytest.mark.parametrize(
    ("name", "mark", "asks"),
    [
        ("look", {}, True),
        ("browse", {"openWorldHint": True}, True),
        ("browse", {}, False),  # nobody here knows that tool
    ],
)
async def test_what_another_agent_has_found(
    name: str, mark: dict[str, Any], asks: bool, tools: list[Any]
) -> None:
    call = {"name": name, "args": {"query": "x"}, "id": "1"}
    found = ToolMessage("what the web says", tool_call_id="1", name=name, response_metadata=mark)
    messages = [*ASK["messages"], AIMessage("", tool_calls=[call]), found]
    state = await graph(tools, "wipe('all')").ainvoke({"messages": messages}, THREAD)
    assert ("__interrupt__" in state) is asks


async def test_what_was_approved_does_not_run_again_in_the_next_round(
    tools: list[Any], wiped: list[str]
) -> None:
    compiled = graph(tools, "a = look('x')\nb = wipe(a)", "short(b)")
    await compiled.ainvoke(ASK, THREAD)
    args = {"what": "$1 only"}
    edit = {"type": "edit", "edited_action": {"name": "wipe", "args": args}}
    state = await compiled.ainvoke(Command(resume={"decisions": [edit]}), THREAD)
    assert wiped == ["$1 only"]
    assert state["outcomes"]["3"]["value"] == "$1 only"
    assert state["plan"][1]["args"] == {"what": "$$1 only"}  # as it ran


async def test_without_a_checkpointer_it_is_rejected(tools: list[Any], wiped: list[str]) -> None:
    state = await graph(tools, "a = look('x')\nwipe(a)", saver=False).ainvoke(ASK)
    outcome = state["outcomes"]["2"]
    assert outcome["status"] == "rejected"
    assert outcome["error"].startswith("approval needs a checkpointer")
    assert wiped == []


def test_the_shipped_search_is_untrusted() -> None:
    assert search.metadata is not None
    assert search.metadata["openWorldHint"] is True


# ── the rule itself ───────────────────────────────────────────────────────────────────────────


def planned(*tasks: Planned) -> Schedule:
    machine = Schedule(FakeTools(), max_parallel=4)
    for fact in tasks:
        machine.handle(fact)
    return machine


def test_rule_waits_until_the_source_is_known_and_names_it() -> None:
    machine = planned(
        Planned(Task(1, "guarded", {"x": "$2"}, (2,))), Planned(Task(2, "open", {"x": 9}))
    )
    machine.handle(PlanEnded())
    machine.handle(TakenOver())
    [_, asked] = machine.handle(Returned(0, "v"))
    why = "the untrusted result of task 2 (open) reaches it"
    assert asked == Ask((Launch(1, 1, "guarded", {"x": "v"}),), {1: why})
    assert machine.handle(Decided((Decision(1),))) == [Launch(1, 1, "guarded", {"x": "v"})]


def test_rule_holds_for_all_that_is_planned_once_an_untrusted_result_was_read() -> None:
    machine = planned(
        Planned(Task(1, "open", {"x": 9}), (Prior.of(Outcome(1, "open", "ok", {"x": 9}, "v")),)),
        Planned(Task(2, "guarded", {"x": 8})),
        Planned(Task(3, "destroy", {"x": 8})),
    )
    machine.handle(PlanEnded())
    [launch] = machine.handle(TakenOver())
    assert launch == Launch(2, 3, "destroy", {"x": 8})
    [_, asked] = machine.handle(Returned(2, "v"))
    assert isinstance(asked, Ask)
    assert [call.id for call in asked.calls] == [2]
