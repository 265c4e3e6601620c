"""The answer in LangGraph's event protocol; chunks are tested with the graph."""

import warnings
from typing import Any

import pytest
from langchain_core._api import LangChainBetaWarning

from llm_compiler import build_graph
from tests.support.scripted import ScriptedModel

ANSWER = "The answer is 42."
ASKED: Any = {"messages": [("user", "Is it 42?")]}


def look(at: int) -> int:
    """Look at a number."""
    return at


async def events(planner: ScriptedModel, joiner: ScriptedModel) -> tuple[list[Any], Any]:
    graph = build_graph([look], planner=planner, joiner=joiner)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LangChainBetaWarning)
        run: Any = await graph.astream_events(ASKED, version="v3")
        seen = [event async for event in run]
    return seen, await run.output()


def of_answer(seen: list[Any]) -> list[Any]:
    """The events of messages that are written piece by piece."""
    data = [event["params"]["data"][0] for event in seen if event["method"] == "messages"]
    return [piece for piece in data if isinstance(piece, dict)]


@pytest.mark.parametrize(
    ("plan", "replies"),
    [("look(42)", [ANSWER]), (f'answer("{ANSWER}")', [])],
    ids=["joined", "direct"],
)
async def test_the_answer_is_one_message_with_its_beginning_and_end(
    plan: str, replies: list[str]
) -> None:
    seen, values = await events(ScriptedModel(plan), ScriptedModel(*replies))
    start, begun, *deltas, finished, end = of_answer(seen)
    assert (start["event"], start["id"]) == ("message-start", values["messages"][-1].id)
    assert begun["event"] == "content-block-start"
    assert "".join(piece["delta"]["text"] for piece in deltas) == ANSWER
    assert finished["content"] == {"type": "text", "text": ANSWER}
    assert end == {"event": "message-finish", "usage": values["messages"][-1].usage_metadata}
    whole = [e["params"]["data"][0] for e in seen if e["method"] == "messages"]
    assert values["messages"][-1].id not in [getattr(message, "id", None) for message in whole]


async def test_a_replan_is_not_a_message() -> None:
    seen, values = await events(
        ScriptedModel("look(1)", "look(42)"),
        ScriptedModel("REPLAN: the other number", ANSWER),
    )
    assert values["round"] == 2
    assert [piece["event"] for piece in of_answer(seen)].count("message-start") == 1


async def test_what_happens_is_shown_beside_the_messages() -> None:
    seen, _ = await events(ScriptedModel("look(42)"), ScriptedModel(ANSWER))
    told = [e["params"]["data"]["event"] for e in seen if e["method"] == "custom"]
    assert (told[0], told[-1]) == ("turn.start", "round.end")
    updates = [name for e in seen if e["method"] == "updates" for name in e["params"]["data"]]
    assert updates == ["planner", "scheduler", "joiner"]
