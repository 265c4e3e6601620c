"""The graphs that load.py puts on one server, and the script that their models and tools follow.

`ours` is the agent. The others are bare LangGraph graphs of one node, the yardsticks:

    empty        returns an answer, and calls nothing
    chatbot      one streamed model call, with LangChain's own client for OpenAI
    same_calls   the two model calls and three tool calls of `ours`, written out by hand:
                 the plan is read to its end, then two calls at once, the third, the answer
"""

import asyncio
import os
from typing import Any

from langchain_core.messages import AIMessage, AIMessageChunk, SystemMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from langgraph.graph import END, START, MessagesState, StateGraph
from pydantic import SecretStr

from llm_compiler import build_graph

FIRST_TOKEN = 0.1
"""Seconds from a request to the first token of its reply."""
RATE = 200.0
"""Tokens a second."""
TOOL_SECONDS = 0.05
PLANNER, JOINER = "Write a plan", "Answer the question"
"""What stands in a system message, and tells the model server whose request it is."""
PLAN = """\
everest = look_up("the height of Mount Everest in metres")
k2 = look_up("the height of K2 in metres")
difference(everest, k2)"""
ANSWER = (
    "Mount Everest is 8849 m high and K2 8611 m, so that Mount Everest is 238 m higher than K2."
)


@tool
async def look_up(what: str) -> int:
    """Look up a figure."""
    await asyncio.sleep(TOOL_SECONDS)
    return 8849 if "Everest" in what else 8611


@tool
async def difference(first: int, second: int) -> int:
    """Subtract the second figure from the first."""
    await asyncio.sleep(TOOL_SECONDS)
    return first - second


_model = ChatOpenAI(
    model="scripted",
    base_url=os.environ.get("OPENAI_BASE_URL"),
    api_key=SecretStr("unused"),
    stream_usage=True,
)


async def _say(what: str, state: MessagesState) -> AIMessage:
    whole: Any = None
    async for chunk in _model.astream([SystemMessage(f"{what}."), *state["messages"]]):
        whole = chunk if whole is None else whole + chunk
    assert isinstance(whole, AIMessageChunk)
    return AIMessage(whole.content, id=whole.id)


async def _nothing(state: MessagesState) -> dict[str, Any]:
    return {"messages": [AIMessage(ANSWER)]}


async def _chat(state: MessagesState) -> dict[str, Any]:
    return {"messages": [await _say(JOINER, state)]}


async def _calls(state: MessagesState) -> dict[str, Any]:
    await _say(PLANNER, state)
    first, second = await asyncio.gather(
        look_up.ainvoke({"what": "the height of Mount Everest in metres"}),
        look_up.ainvoke({"what": "the height of K2 in metres"}),
    )
    await difference.ainvoke({"first": first, "second": second})
    return {"messages": [await _say(JOINER, state)]}


def _one_node(node: Any) -> Any:
    builder = StateGraph(MessagesState)
    builder.add_node("node", node)
    builder.add_edge(START, "node")
    builder.add_edge("node", END)
    return builder.compile()


ours = build_graph([look_up, difference])
empty = _one_node(_nothing)
chatbot = _one_node(_chat)
same_calls = _one_node(_calls)
