"""With LangChain's `create_agent`, a supervisor and a swarm, over real HTTP."""

from dataclasses import dataclass
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command
from langgraph_supervisor import create_supervisor
from langgraph_swarm import create_handoff_tool, create_swarm

from llm_compiler import Context, build_graph
from tests.support.agents import calling, said, served
from tests.support.scripted import Ledger

pytestmark = pytest.mark.filterwarnings("ignore:create_react_agent:DeprecationWarning")

THREAD: Any = {"configurable": {"thread_id": "1"}}
APPROVE = Context(approve=("echo",))
APPROVED = {"decisions": [{"type": "approve"}]}
SUM = "a = add({}, {})\nanswer(f'It is {{a}}.')"


def test_an_agent_calls_it_twice_at_once_and_sees_the_answers(ledger: Ledger) -> None:
    questions = [("calc", {"question": "1 + 2?"}), ("calc", {"question": "3 + 4?"})]
    with served([SUM.format(1, 2)] * 2, [calling(*questions), "Both."]) as model:
        calc = build_graph(ledger.tools, model=model, name="Calc").as_tool(description="Adds.")
        agent = create_agent(model, [calc])
        messages = agent.invoke({"messages": [HumanMessage("Add.")]})["messages"]
    assert [it.text for it in messages if isinstance(it, ToolMessage)] == ["It is 3."] * 2
    assert messages[-1].text == "Both."


def test_approvals_inside_an_agents_tool_are_given_through_the_agent(ledger: Ledger) -> None:
    plans = [f"answer(f'Sent {{echo({word!r})}}.')" for word in ("ann", "bob")]
    calls = [("send", {"question": f"{number}?"}) for number in range(2)]
    with served(plans, [calling(*calls), "Sent."]) as model:
        graph = build_graph(ledger.tools, model=model)

        def send(question: str) -> str:
            """Send it."""
            state = graph.invoke({"messages": [("user", question)]}, context=APPROVE)
            return str(state["messages"][-1].text)

        agent: Any = create_agent(model, [send], checkpointer=InMemorySaver())
        asked = agent.invoke({"messages": [("user", "Send.")]}, THREAD)["__interrupt__"]
        assert len(asked) == 2
        assert ledger.begun == []
        answers = {it.id: APPROVED for it in asked}
        state = agent.invoke(Command(resume=answers), THREAD)
    assert sorted(ledger.begun) == ["ann", "bob"]
    found = [it.text for it in state["messages"] if isinstance(it, ToolMessage)]
    assert sorted(found) == ["Sent ann.", "Sent bob."]


@pytest.mark.parametrize("around", ["a tool of an agent", "behind a supervisor"])
def test_it_has_its_own_settings_whatever_the_context_around_it_is(
    around: str, ledger: Ledger
) -> None:
    @dataclass
    class Theirs:
        user: str

    plan = "answer(f'Sent {echo(1)}.')"
    name = "calc" if around == "a tool of an agent" else "transfer_to_calc"
    args = {"question": "Send."} if around == "a tool of an agent" else {}
    with served([plan], [calling((name, args)), "Sent."]) as model:
        calc = build_graph(ledger.tools, model=model, name="calc", context=APPROVE)
        graph: Any
        if around == "a tool of an agent":
            saver = InMemorySaver()
            graph = create_agent(model, [calc.as_tool()], checkpointer=saver, context_schema=Theirs)
        else:
            team = create_supervisor([calc], model=model, context_schema=Theirs)
            graph = team.compile(InMemorySaver())
        input, context = {"messages": [("user", "Send.")]}, Theirs("ann")
        (asked,) = graph.invoke(input, THREAD, context=context)["__interrupt__"]
        assert asked.value["action_requests"][0]["name"] == "echo"
        graph.invoke(Command(resume=APPROVED), THREAD, context=context)
    assert ledger.begun == [1]


@pytest.mark.filterwarnings("ignore:This API is in beta")
def test_an_agent_as_a_tool_of_ours_is_asked_in_words(ledger: Ledger) -> None:
    plan = "answer(f'{helper(\"Who?\")} and {add(1, 2)}.')"
    with served([plan], ["Ann"]) as model:
        helper = create_agent(model, name="helper")
        tool = helper.as_tool(name="helper", description="Knows people.")
        graph = build_graph([tool, *ledger.tools], model=model)
        state = graph.invoke({"messages": "Who?"})
    assert state["messages"][1].tool_calls[0]["args"] == {"question": "Who?"}
    assert state["messages"][-1].text == "Ann and 3."


@pytest.mark.parametrize("output_mode", ["last_message", "full_history"])
def test_behind_a_supervisor_it_knows_what_others_found(output_mode: Any, ledger: Ledger) -> None:
    turn: list[Any] = [
        calling(("transfer_to_researcher", {})),
        "It is 77.",
        calling(("transfer_to_calc", {})),
    ]
    # The reply is in no result: only the researcher has said it.
    plans = ["answer(f'77 and 2 is {add(77, 2)}.')", SUM.format(4, 5)]
    with served(plans, [*turn, "Done.", calling(("transfer_to_calc", {})), "Again."]) as model:
        calc = build_graph(ledger.tools, model=model, name="calc")
        researcher = create_agent(model, name="researcher")
        supervisor = create_supervisor([researcher, calc], model=model, output_mode=output_mode)
        graph = supervisor.compile(checkpointer=InMemorySaver())
        first = graph.invoke({"messages": [("user", "Find it and add 2.")]}, THREAD)
        second = graph.invoke({"messages": [("user", "4 and 5?")]}, THREAD)
    assert said(first["messages"]) == [
        ("researcher", "It is 77."),
        ("calc", "77 and 2 is 79."),
        ("supervisor", "Done."),
    ]
    assert said(second["messages"])[-2:] == [("calc", "It is 9."), ("supervisor", "Again.")]


def test_a_handoff_from_a_plan_takes_along_what_was_found(ledger: Ledger) -> None:
    plan = "a = add(1, 2)\ntransfer_to_ann()\nanswer(f'It is {a}.')"
    with served([plan], [calling(("transfer_to_calc", {})), "Ann again."]) as model:
        ann = create_agent(model, [create_handoff_tool(agent_name="calc")], name="ann")
        tools = [*ledger.tools, create_handoff_tool(agent_name="ann")]
        calc = build_graph(tools, model=model, name="calc")
        swarm = create_swarm([ann, calc], default_active_agent="ann").compile(InMemorySaver())
        state = swarm.invoke({"messages": [("user", "Go.")]}, THREAD)
    assert state["active_agent"] == "ann"
    calls = [it for it in state["messages"] if isinstance(it, AIMessage) and it.tool_calls]
    assert [(it.name, it.tool_calls[0]["name"]) for it in calls] == [
        ("ann", "transfer_to_calc"),
        ("calc", "add"),
        ("calc", "transfer_to_ann"),
    ]
    assert said(state["messages"]) == [("ann", "Ann again.")]
