"""The answer's `usage_metadata`: the tokens of the whole turn, wherever the answer comes from."""

from typing import Any

import pytest
from langchain_core.messages import AIMessageChunk, HumanMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from llm_compiler import Context, build_graph
from tests.support.scripted import Ledger, ScriptedModel

ASK: Any = {"messages": [HumanMessage("What?")]}
THREAD: Any = {"configurable": {"thread_id": "1"}}
APPROVE = Context(approve=("add",))
YES: Any = Command(resume={"decisions": [{"type": "approve"}]})


def tokens(calls: int) -> dict[str, int]:
    """Those of so many calls of a scripted model."""
    came, went = 10 * calls, 5 * calls
    return {"input_tokens": came, "output_tokens": went, "total_tokens": came + went}


@pytest.mark.parametrize(
    ("plans", "answers", "calls"),
    [
        (["echo(1)"], ["Done."], 2),
        (['a = echo(1)\nanswer(f"It is {a}.")'], [], 1),
        (["add(1, 2)"], ["Done."], 2),
        (["echo(1)", "add(2, 3)"], ["REPLAN: more", "Done."], 4),
        (["add(1, 2)", 'a = echo(1)\nanswer(f"It is {a}.")'], ["REPLAN: more"], 3),
    ],
    ids=["joined", "without a joiner", "resumed", "replanned, resumed", "resumed, replanned"],
)
async def test_the_answer_has_the_tokens_of_the_turn(
    ledger: Ledger, plans: list[str], answers: list[str], calls: int
) -> None:
    saver = InMemorySaver()
    graph = build_graph(
        ledger.tools,
        planner=ScriptedModel(*plans),
        joiner=ScriptedModel(*answers),
        checkpointer=saver,
    )
    told: list[Any] = []
    input = ASK
    while True:
        stream = graph.astream(input, THREAD, stream_mode="messages", context=APPROVE)
        told += [chunk async for chunk, _ in stream if isinstance(chunk, AIMessageChunk)]
        if not (await graph.aget_state(THREAD)).interrupts:
            break
        input = YES
    answer = (await graph.aget_state(THREAD)).values["messages"][-1]
    assert answer.usage_metadata == tokens(calls)
    streamed = [chunk.usage_metadata for chunk in told if chunk.id == answer.id]
    assert [usage for usage in streamed if usage] == [tokens(calls)]
