"""Instructions of whoever builds the graph, and of the messages, reach planner and joiner."""

from typing import Any

import pytest
from langchain_core.messages import BaseMessage, HumanMessage, SystemMessage

from llm_compiler import build_graph
from llm_compiler.errors import SetupError
from tests.support.scripted import Ledger, ScriptedModel

PLAN = 'echo("one")'
ANSWER = "It is one."


async def asked(
    *messages: BaseMessage, instructions: str | None = None
) -> tuple[Any, list[BaseMessage], list[BaseMessage]]:
    """The state of a turn, and what planner and joiner were sent."""
    planner, joiner = ScriptedModel(PLAN), ScriptedModel(ANSWER)
    graph = build_graph(Ledger().tools, planner=planner, joiner=joiner, instructions=instructions)
    state = await graph.ainvoke({"messages": [*messages, HumanMessage("Which?")]})
    return state, planner.seen[0], joiner.seen[0]


async def test_instructions_follow_the_prompts_of_both_roles() -> None:
    _, *sent = await asked(instructions="Answer in French. {tools}")
    for prompt in sent:
        assert [message.type for message in prompt] == ["system", "human"]
        assert prompt[0].text.endswith("\n\nAnswer in French. {tools}")


async def test_without_instructions_the_prompts_are_as_they_were() -> None:
    _, planner, joiner = await asked()
    _, with_none, _ = await asked(instructions="")
    assert planner == with_none
    assert not planner[0].text.endswith("\n")
    assert not joiner[0].text.endswith("\n")


async def test_system_messages_of_the_input_are_instructions() -> None:
    messages = [
        SystemMessage("You work for ACME."),
        HumanMessage("Hi."),
        SystemMessage("Be brief."),
    ]
    state, *sent = await asked(*messages, instructions="Answer in French.")
    for prompt in sent:
        assert prompt[0].text.endswith("\n\nAnswer in French.\n\nYou work for ACME.\n\nBe brief.")
        assert [message.type for message in prompt] == ["system", "human"]
    assert [message.type for message in state["messages"][:4]] == [
        "system", "human", "system", "human",
    ]  # fmt: skip


async def test_long_system_messages_are_cut() -> None:
    _, planner, _ = await asked(SystemMessage("long " * 100_000))
    assert len(planner[0].text) < 25_000


@pytest.mark.parametrize("where", ["argument", "message"])
async def test_a_name_in_the_instructions_may_be_said(where: str) -> None:
    said = "Sign as Zebedee."
    planner = ScriptedModel('x = echo("one")\nanswer(f"Got {x}. Zebedee")')
    graph = build_graph(
        Ledger().tools, model=planner, instructions=said if where == "argument" else None
    )
    messages = [SystemMessage(said)] if where == "message" else []
    state = await graph.ainvoke({"messages": [*messages, HumanMessage("Which?")]})
    assert state["messages"][-1].text == "Got one. Zebedee"


def test_instructions_are_a_text() -> None:
    given: Any = SystemMessage("x")
    with pytest.raises(SetupError, match="instructions: give a string, not a SystemMessage"):
        build_graph(Ledger().tools, instructions=given)


async def test_the_answer_has_the_tokens_of_the_turn() -> None:
    state, *_ = await asked()
    assert state["messages"][-1].usage_metadata == {
        "input_tokens": 20, "output_tokens": 10, "total_tokens": 30,
    }  # fmt: skip
    assert all(getattr(m, "usage_metadata", None) is None for m in state["messages"][:-1])
