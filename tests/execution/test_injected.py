"""Arguments that the planner does not see, run through the whole graph."""

import asyncio
from typing import Annotated, Any, Optional

import pytest
from langchain_core.callbacks import CallbackManagerForToolRun, Callbacks
from langchain_core.messages import BaseMessage, HumanMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool, InjectedToolArg, InjectedToolCallId, StructuredTool, tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.prebuilt import InjectedState, InjectedStore, ToolRuntime
from langgraph.store.base import BaseStore
from langgraph.store.memory import InMemoryStore
from pydantic import BaseModel, ConfigDict

from llm_compiler import build_graph
from tests.support.scripted import ScriptedModel
from tests.support.wild import state_after

CONFIG: RunnableConfig = {"configurable": {"user": "ann"}}


def called_by(messages: list[BaseMessage]) -> Any:
    """The question, and the call that the last message makes."""
    [call] = messages[-1].tool_calls  # type: ignore[attr-defined]
    return [messages[0].text, call["name"], call["args"], call["id"][:5]]


def whole(a: int, state: Annotated[dict[str, Any], InjectedState]) -> Any:
    """W."""
    return called_by(state["messages"])


def part(a: int, said: Annotated[list[Any], InjectedState("messages")]) -> Any:
    """P."""
    return called_by(said)


def absent(a: int, foo: Annotated[str, InjectedState("foo")] = "none") -> Any:
    """A."""
    return foo


async def stored(a: int, store: Annotated[BaseStore, InjectedStore()]) -> Any:
    """S."""
    await store.aput(("notes",), "k", {"a": a})
    found = await store.aget(("notes",), "k")
    return found and found.value


def call_id(a: int, id: Annotated[str, InjectedToolCallId]) -> Any:
    """C."""
    return id


def run(a: int, runtime: ToolRuntime[Any, Any]) -> Any:
    """R."""
    runtime.stream_writer({"noted": a})
    return [
        called_by(runtime.state["messages"]),
        runtime.context.max_rounds,
        runtime.config["configurable"]["user"],
        [it.name for it in runtime.tools],
    ]


async def arun(a: int, runtime: ToolRuntime) -> Any:
    """R."""
    return called_by(runtime.state["messages"])


def config(a: int, config: RunnableConfig) -> Any:
    """C."""
    return config["configurable"]["user"]


def maybe_config(a: int, config: Optional[RunnableConfig] = None) -> Any:  # noqa: UP045
    """C."""
    return config and config["configurable"]["user"]


def callbacks(a: int, callbacks: Callbacks = None) -> Any:
    """C."""
    return type(callbacks).__name__


def manager(a: int, run_manager: CallbackManagerForToolRun) -> Any:
    """M."""
    return type(run_manager).__name__


def custom(a: int, user: Annotated[str, InjectedToolArg] = "nobody") -> Any:
    """C."""
    return user


class Handwritten(BaseTool):
    name: str = "handwritten"
    description: str = "H."

    def _run(
        self,
        a: int,
        state: Annotated[dict[str, Any], InjectedState],
        runtime: ToolRuntime,
        run_manager: CallbackManagerForToolRun | None = None,
    ) -> Any:
        return [called_by(state["messages"]), type(run_manager).__name__]


class OnlyA(BaseModel):
    model_config = ConfigDict(extra="forbid")
    a: int


def by(schema: Any) -> StructuredTool:
    return StructuredTool(name="arun", description="R.", args_schema=schema, coroutine=arun)


def call_of(name: str) -> Any:
    return ["Go on.", name, {"a": 1}, "call_"]


@pytest.mark.parametrize("handler", [False, True], ids=["directly", "through LangChain"])
@pytest.mark.parametrize(
    ("given", "value"),
    [
        (whole, call_of("whole")),
        (part, call_of("part")),
        (absent, "none"),
        (stored, {"a": 1}),
        (run, [call_of("run"), 1, "ann", ["run"]]),
        (arun, call_of("arun")),
        (by(OnlyA), call_of("arun")),
        (by({"type": "object", "properties": {"a": {"type": "integer"}}}), call_of("arun")),
        (config, "ann"),
        (maybe_config, "ann"),
        (callbacks, "CallbackManager"),
        (manager, "CallbackManagerForToolRun"),
        (custom, "nobody"),
        (Handwritten(), [call_of("handwritten"), "CallbackManagerForToolRun"]),
    ],
)
async def test_argument_is_filled_in_and_not_shown(given: Any, value: Any, handler: bool) -> None:
    made = given if isinstance(given, BaseTool) else tool(given)
    made = made.model_copy(update={"handle_tool_error": handler})
    state = await state_after(f"{made.name}(1)", made, store=InMemoryStore())
    assert state["outcomes"]["1"]["value"] == value, state["outcomes"]["1"]["error"]
    assert f"def {made.name}(a: int" in state["prompt"]
    assert f"def {made.name}(a: int," not in state["prompt"]


async def test_call_id_is_that_of_the_message() -> None:
    state = await state_after("call_id(1)", call_id)
    [message] = [it for it in state["messages"] if it.type == "tool"]
    assert message.content == message.tool_call_id


async def test_without_a_store_the_call_says_what_to_do() -> None:
    state = await state_after("stored(1)", stored)
    assert state["outcomes"]["1"]["error"] == "stored needs a store; pass store=… to build_graph"


@pytest.mark.parametrize("forged", ["state={}", 'config={"a": 1}', 'id="x"'])
async def test_a_planner_cannot_forge_them(forged: str) -> None:
    for given in (whole, config, call_id):
        state = await state_after(f"{given.__name__}(1, {forged})", given)
        assert "has no argument" in state["outcomes"]["1"]["error"]


async def test_what_a_tool_writes_to_the_stream_arrives() -> None:
    graph = build_graph([run], planner=ScriptedModel("run(1)"), joiner=ScriptedModel("Joined."))
    asked: Any = {"messages": [HumanMessage("Go on.")]}
    events = [it async for it in graph.astream(asked, CONFIG, stream_mode="custom")]
    assert {"noted": 1} in events


async def test_a_call_sees_its_own_turn_and_no_other() -> None:
    seen: list[tuple[str, list[Any], dict[str, Any], int, str]] = []

    noted = asyncio.Event()

    async def note(where: str, state: Annotated[dict[str, Any], InjectedState]) -> str:
        """Note the state."""
        noted.set()
        ids = [task["id"] for task in state["plan"]]
        seen.append((where, ids, state["outcomes"], state["round"], state["turn"]))
        return where

    async def keep(where: str, state: Annotated[dict[str, Any], InjectedState]) -> str:
        """Note the state, as a write: when the plan is complete."""
        return await note(where, state)

    write = StructuredTool.from_function(coroutine=keep, metadata={"readOnlyHint": False})
    turn: Any = [noted.clear, 'note("early")\n', noted, 'keep("late")']
    plans: Any = turn, turn, [noted.clear, 'note("replanned")\n', noted, "x = 1"]
    graph = build_graph(
        [note, write],
        planner=ScriptedModel(*plans),
        joiner=ScriptedModel("One.", "REPLAN: more", "Two."),
        checkpointer=InMemorySaver(),
    )
    thread: Any = {"configurable": {"thread_id": "1"}}
    for id in ("a", "b"):
        await graph.ainvoke({"messages": [HumanMessage("Go on.", id=id)]}, thread)
    shown = [(where, ids, len(outcomes), round, turn) for where, ids, outcomes, round, turn in seen]
    assert shown == [
        ("early", [], 0, 1, "a"),
        ("late", [1, 2], 0, 1, "a"),
        ("early", [], 0, 1, "b"),
        ("late", [1, 2], 0, 1, "b"),
        ("replanned", [1, 2], 2, 2, "b"),
    ]
