"""Tools as people bring them, run through the whole graph."""

from collections.abc import Callable
from typing import Any

from langchain_core.messages import HumanMessage
from langchain_core.tools import BaseTool

from llm_compiler import Context, build_graph
from tests.support.scripted import ScriptedModel


async def state_after(program: str, *tools: BaseTool | Callable[..., Any], **options: Any) -> Any:
    """The state when a program has run and its results are joined, with the planner's `prompt`."""
    planner = ScriptedModel(program)
    graph = build_graph(tools, planner=planner, joiner=ScriptedModel("Joined."), **options)
    state = await graph.ainvoke(
        {"messages": [HumanMessage("Go on.")]},
        {"configurable": {"user": "ann"}},
        context=Context(max_rounds=1),
    )
    return {**state, "prompt": planner.prompts[0]}


async def ended(program: str, *tools: BaseTool | Callable[..., Any], **options: Any) -> Any:
    """The value of a program's last call or expression, or why it failed."""
    outcomes = (await state_after(program, *tools, **options))["outcomes"]
    last = outcomes[max(outcomes, key=int)]
    return last["value"] if last["status"] == "ok" else f"{last['status']}: {last['error']}"
