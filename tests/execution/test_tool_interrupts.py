"""A tool that interrupts gets its own answers, whatever else asks in the same round."""

import asyncio
from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command, interrupt

from llm_compiler import Context, build_graph
from tests.support.scripted import Ledger, ScriptedModel

pytestmark = pytest.mark.timeout(30)

THREAD: Any = {"configurable": {"thread_id": "1"}}
ASK: Any = {"messages": [HumanMessage("What?")]}


class Askers:
    """Tools that ask a person: in the loop, in a thread, and by LangChain's way to a tool."""

    def __init__(self) -> None:
        self.gates = {name: asyncio.Event() for name in "abc"}

    @property
    def tools(self) -> list[Any]:
        async def ask(name: str, times: int = 1) -> str:
            """Ask when its gate is open."""
            await self.gates[name].wait()
            return " ".join(str(interrupt(f"{name}{n}?")) for n in range(times))

        def ask_in_thread(name: str, after: str) -> str:
            """Ask at once, with another's answer at hand."""
            return str(interrupt(f"{name}?"))

        @tool(response_format="content_and_artifact")
        async def ask_through_langchain(name: str, after: int) -> tuple[str, None]:
            """Ask at once, with another's result at hand."""
            return str(interrupt(f"{name}?")), None

        return [ask, ask_in_thread, ask_through_langchain]


async def answered(
    compiled: Any, state: Any, *, by_id: bool, **options: Any
) -> tuple[Any, list[Any]]:
    """Answer each question with itself, until there is none; the state and the questions."""
    asked = []
    while "__interrupt__" in state:
        [request] = state["__interrupt__"]
        asked.append(request.value)
        if isinstance(request.value, dict):
            answer: Any = {"decisions": [{"type": "approve"}]}
        else:
            answer = f"yes, {request.value}"
        resume = {request.id: answer} if by_id else answer
        state = await compiled.ainvoke(Command(resume=resume), THREAD, **options)
    return state, asked


def graph(tools: list[Any], plan: str) -> Any:
    return build_graph(
        tools,
        planner=ScriptedModel(plan),
        joiner=ScriptedModel("Done."),
        checkpointer=InMemorySaver(),
    )


@pytest.mark.parametrize("by_id", [False, True])
@pytest.mark.parametrize("first", ["ab", "ba"])
async def test_each_of_two_tools_gets_its_own_answers_in_any_order(first: str, by_id: bool) -> None:
    """The one that asked last is the first to ask again."""
    askers = Askers()
    compiled = graph(askers.tools, "ask('a', 2)\nask('b', 2)")
    askers.gates[first[0]].set()
    loop = asyncio.get_running_loop()
    loop.call_soon(askers.gates[first[1]].set)
    state = await compiled.ainvoke(ASK, THREAD)
    askers.gates[first[0]].clear()
    loop.call_later(0.02, askers.gates[first[0]].set)
    state, asked = await answered(compiled, state, by_id=by_id)
    assert {id: o["value"] for id, o in state["outcomes"].items()} == {
        "1": "yes, a0? yes, a1?",
        "2": "yes, b0? yes, b1?",
    }
    assert sorted(asked) == ["a0?", "a1?", "b0?", "b1?"]


@pytest.mark.parametrize("by_id", [False, True])
async def test_questions_one_after_another_and_an_approval_do_not_mix(by_id: bool) -> None:
    ledger, askers = Ledger(), Askers()
    for gate in askers.gates.values():
        gate.set()
    compiled = graph(
        [*askers.tools, *ledger.tools],
        "a = ask('a')\nb = ask_in_thread('b', a)\nc = add(1, len(b))\necho('x')\n"
        "ask_through_langchain('c', c)",
    )
    context = Context(approve=("add",))
    state = await compiled.ainvoke(ASK, THREAD, context=context)
    state, asked = await answered(compiled, state, by_id=by_id, context=context)
    values = [outcome["value"] for outcome in state["outcomes"].values()]
    assert values == ["yes, a0?", "yes, b?", 7, 8, "x", "yes, c?"]
    assert [it if isinstance(it, str) else "add" for it in asked] == ["a0?", "b?", "add", "c?"]
    assert ledger.begun == ["x", (1, 7)]


async def test_what_can_run_beside_a_question_runs_before_it_is_asked() -> None:
    ledger, askers = Ledger(), Askers()
    askers.gates["a"].set()
    compiled = graph(
        [*askers.tools, *ledger.tools],
        "ask('a')\nb = echo(1)\nc = echo(b)\nadd(b, c)",
    )
    state = await compiled.ainvoke(ASK, THREAD)
    assert len(state["__interrupt__"]) == 1
    assert ledger.ended == [1, (1, 1)]
