"""Histories that others wrote: they are read, and nothing in them is taken for a plan of ours."""

from typing import Any

import pytest
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    AnyMessage,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    RemoveMessage,
    SystemMessage,
    ToolMessage,
)
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph.message import REMOVE_ALL_MESSAGES

from llm_compiler import build_graph
from tests.support.scripted import Ledger, ScriptedModel

ASKED = HumanMessage("How many?")
THREAD: Any = {"configurable": {"thread_id": "1"}}


def calling(name: str, id: str = "1", **args: Any) -> AIMessage:
    call = {"name": name, "args": args, "id": id, "type": "tool_call"}
    return AIMessage("", tool_calls=[call], name="ann")


THINKING: list[str | dict[Any, Any]] = [
    {"type": "thinking", "thinking": "hm", "signature": "s"},
    {"type": "text", "text": "I look."},
    {"type": "tool_use", "id": "1", "name": "search", "input": {}},
]
HISTORIES: dict[str, list[Any]] = {
    "content in parts": [
        HumanMessage([{"type": "text", "text": "Hi"}]),
        AIMessage(["Yes?"]),
        ASKED,
    ],
    "calls in parts": [HumanMessage("Hi"), AIMessage(THINKING), ASKED],
    "a result without its call": [ToolMessage("5", tool_call_id="9"), ASKED],
    "a call without its result": [HumanMessage("Hi"), calling("search"), ASKED],
    "a call without its result at the end": [ASKED, calling("search")],
    "a call as we would write it": [ASKED, calling("add", "call_00000000_1", a=1, b=2)],
    "a call of the model that is broken": [AIMessage("", invalid_tool_calls=[]), ASKED],
    "system messages in the middle": [HumanMessage("Hi"), SystemMessage("Be brief."), ASKED],
    "names": [HumanMessage("Hi", name="Ann B"), AIMessage("Yes?", name="x y"), ASKED],
    "empty contents": [HumanMessage(""), AIMessage(""), AIMessage([]), ASKED],
    "no question": [AIMessage("Hello")],
    "dicts": [{"role": "developer", "content": "Be brief."}, {"role": "user", "content": "Hi"}],
    "messages of old": [
        FunctionMessage(content="r", name="f"),
        ChatMessage(content="c", role="critic"),
        ASKED,
    ],
    "chunks": [AIMessageChunk(content="Hello"), ASKED],
    "a removal of all": [HumanMessage("Hi"), RemoveMessage(id=REMOVE_ALL_MESSAGES), ASKED],
    "a removal of what is not there": [RemoveMessage(id="9"), ASKED],
    "an id twice": [HumanMessage("Hi", id="1"), AIMessage("Yes?"), HumanMessage("Hi!", id="1")],
}


@pytest.mark.parametrize("history", HISTORIES)
async def test_any_history_is_followed_by_two_turns(history: str, ledger: Ledger) -> None:
    model = ScriptedModel("answer(f'It is {add(1, 2)}.')", "answer(f'It is {add(3, 4)}.')")
    graph = build_graph(ledger.tools, model=model, checkpointer=InMemorySaver())
    first = await graph.ainvoke({"messages": HISTORIES[history]}, THREAD)
    second = await graph.ainvoke({"messages": "And now?"}, THREAD)
    assert [state["messages"][-1].text for state in (first, second)] == ["It is 3.", "It is 7."]
    assert ledger.begun == [(1, 2), (3, 4)]


BACK = AIMessage("Back to boss", response_metadata={"__is_handoff_back": True})
HEARD: dict[str, tuple[list[AnyMessage], list[str]]] = {
    "what an agent said": ([AIMessage("It is 77.", name="ann")], ["# ann: It is 77."]),
    "a call with its result": (
        [calling("search", q="x"), ToolMessage("77\n78", tool_call_id="1")],
        ["search(q='x')", "# 77", "# 78"],
    ),
    "a result without its call": (
        [ToolMessage("77", tool_call_id="9", name="look")],
        ["look()", "# 77"],
    ),
    "what goes with a handoff": (
        [
            calling("transfer_to_us", task="Add 2."),
            ToolMessage("Transferred", tool_call_id="1", name="transfer_to_us"),
        ],
        ["# transfer_to_us(task='Add 2.')"],
    ),
    "a handoff alone": (
        [
            calling("transfer_to_us"),
            ToolMessage("Transferred", tool_call_id="1", name="transfer_to_us"),
            BACK,
        ],
        [],
    ),
}


@pytest.mark.parametrize("what", HEARD)
async def test_planner_and_joiner_are_told_what_others_said_since(
    what: str, ledger: Ledger
) -> None:
    messages, lines = HEARD[what]
    replies = ["add(1, 2)", "REPLAN: more", "add(3, 4)", "Done."]
    model = ScriptedModel(*replies)
    graph = build_graph(ledger.tools, model=model, name="Our agent")
    state = await graph.ainvoke({"messages": [ASKED, *messages]})
    planned, joined, planned_again, joined_again = model.prompts
    for prompt in (planned, joined, planned_again, joined_again):
        told = prompt.partition("use it as data:\n")[2].splitlines()[1 : len(lines) + 2]
        assert [*told[:-1], told[-1][:2]] == [*lines, "</"] if lines else told == []
    assert [m.name for m in state["messages"] if m.text == "Done."] == ["Our_agent"]
