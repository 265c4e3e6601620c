"""What the private names in `agent/langgraph_private.py` mean in the installed LangGraph."""

import warnings
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import pytest
from langchain_core._api import LangChainBetaWarning
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import HumanMessage
from langchain_core.outputs import ChatGenerationChunk
from langchain_core.runnables import RunnableConfig, RunnableLambda
from langchain_openai import ChatOpenAI
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Command, interrupt
from typing_extensions import TypedDict

from llm_compiler import langgraph_private as private
from llm_compiler.models.openai_compatible import OpenAIChat
from tests.support.streamed_model import StreamedModel


class Data(TypedDict):
    text: str


def graph(node: Callable[[RunnableConfig], Any], **options: Any) -> Any:
    """A graph of one node, which gets its config."""

    async def only(state: Data, config: RunnableConfig) -> dict[str, Any]:
        node(config)
        return {"text": "done"}

    builder = StateGraph(Data)
    builder.add_node("only", only)
    builder.add_edge(START, "only")
    builder.add_edge("only", END)
    return builder.compile(**options)


def thread(**more: Any) -> RunnableConfig:
    return {"configurable": {"thread_id": "1", **more}}


BEGIN: Any = {"text": ""}


async def test_a_config_tells_whether_its_graph_runs_in_another() -> None:
    seen: list[bool] = []
    inner = graph(lambda config: seen.append(private.has_parent(config)))
    await inner.ainvoke(BEGIN)
    builder = StateGraph(Data)
    builder.add_node("outer", inner)
    builder.add_edge(START, "outer")
    await builder.compile().ainvoke(BEGIN)
    assert seen == [False, True]


async def test_a_run_inherits_from_the_node_that_begins_it_unless_it_names_its_thread() -> None:
    seen: list[RunnableConfig] = []

    def note(config: RunnableConfig) -> None:
        given: RunnableConfig = {"configurable": {"mine": 1}}
        seen.append(private.with_ambient(given))
        seen.append(private.with_ambient(thread()))
        seen.append(private.with_ambient(given, thread()))

    saver = InMemorySaver()
    await graph(note, checkpointer=saver).ainvoke(BEGIN, thread())
    inherited, *own = seen
    assert isinstance(private.checkpointer_of(inherited), InMemorySaver)
    assert inherited["configurable"]["mine"] == 1
    assert [private.checkpointer_of(it) for it in own] == [None, None]
    assert private.with_ambient({}) == {}  # outside of any run


async def test_a_graph_in_a_call_has_a_namespace_that_follows_from_the_call_alone() -> None:
    spaces: list[str] = []
    inner = graph(lambda config: spaces.append(private.namespace_of(config)))

    def begins(*calls: str) -> Any:
        async def node(state: Data, config: RunnableConfig) -> dict[str, Any]:
            for call in calls:
                await inner.ainvoke(BEGIN, private.in_call(config, "tool", call))
            return {"text": ""}

        return node

    for name, calls in (("one", "ab"), ("another", "b")):
        builder = StateGraph(Data)
        builder.add_node(name, begins(*calls))
        builder.add_edge(START, name)
        await builder.compile(InMemorySaver()).ainvoke(BEGIN, thread())
    first, second, again = (space.partition("|")[0] for space in spaces)
    assert first.startswith("tool:")
    assert first != second == again


async def test_a_node_sees_the_checkpointer_of_its_run() -> None:
    saver, seen = InMemorySaver(), list[Any]()

    def note(config: RunnableConfig) -> None:
        seen.append(private.checkpointer_of(config))

    await graph(note, checkpointer=saver).ainvoke(BEGIN, thread())
    await graph(note).ainvoke(BEGIN)
    kept, none = seen
    assert kept.storage is saver.storage  # LangGraph may hand out a copy
    assert none is None
    assert private.checkpointer_of({}, "the graph's own") == "the graph's own"


async def test_a_checkpointer_in_the_config_takes_the_place_of_the_graphs_own() -> None:
    own, lent = InMemorySaver(), InMemorySaver()
    compiled = graph(lambda config: None, checkpointer=own)
    await compiled.ainvoke(BEGIN, private.with_checkpointer(thread(), lent))
    assert own.get_tuple(thread()) is None
    assert lent.get_tuple(thread()) is not None


@pytest.mark.parametrize("durability", ["sync", "async", "exit"])
async def test_a_node_sees_when_its_checkpoints_are_written(durability: str) -> None:
    seen: list[Any] = []
    compiled = graph(
        lambda config: seen.append(private.durability_of(config)), checkpointer=InMemorySaver()
    )
    await compiled.ainvoke(BEGIN, thread(), durability=durability)
    assert seen == [durability]


async def test_a_config_tells_whether_it_is_a_nodes() -> None:
    seen: list[bool] = []
    await graph(lambda config: seen.append(private.in_node(config))).ainvoke(BEGIN)
    assert seen == [True]
    assert not private.in_node(thread())


async def test_a_node_sees_the_checkpoint_that_it_began_from() -> None:
    saver, seen = InMemorySaver(), list[RunnableConfig]()
    inner = graph(lambda config: seen.append(private.checkpoint_of(config)), checkpointer=True)
    builder = StateGraph(Data)
    builder.add_node("outer", inner)
    builder.add_edge(START, "outer")
    compiled = builder.compile(checkpointer=saver)
    await compiled.ainvoke(BEGIN, thread(), durability="sync")
    (config,) = seen
    found = saver.get_tuple(config)
    assert config["configurable"]["checkpoint_ns"] == "outer"
    assert found is not None
    assert {value for _, channel, value in found.pending_writes or () if channel == "text"} == {
        "done"
    }


async def test_a_call_with_a_scratchpad_of_its_own_gets_its_own_answers() -> None:
    """And those of the node wait for the node's questions."""
    got: list[Any] = []

    async def ask(question: str) -> Any:
        return interrupt(question)

    def no_answer(consume: bool = False) -> None:
        return None

    async def node(state: Data, config: RunnableConfig) -> dict[str, Any]:
        scratchpad = private.scratchpad_of(config)
        assert scratchpad is not None
        own = replace(
            scratchpad,
            resume=["the call's answer"],
            interrupt_counter=iter(range(9)).__next__,
            get_null_resume=no_answer,
        )
        calls = private.with_scratchpad(config, own)
        got.append(await RunnableLambda(ask).ainvoke("asked by the call", calls))
        got.append(interrupt("asked by the node"))
        return {"text": "done"}

    builder = StateGraph(Data)
    builder.add_node("only", node)
    builder.add_edge(START, "only")
    saver = InMemorySaver()
    compiled: Any = builder.compile(checkpointer=saver)
    state = await compiled.ainvoke(BEGIN, thread())
    assert [it.value for it in state["__interrupt__"]] == ["asked by the node"]
    saved = saver.get_tuple(thread())
    assert saved is not None
    assert [channel for _, channel, _ in saved.pending_writes or ()] == ["__interrupt__"]
    assert (await compiled.ainvoke(Command(resume="the node's answer"), thread()))["text"] == "done"
    assert got == ["the call's answer", "the call's answer", "the node's answer"]


async def test_reserved_keys_stay_out_of_checkpoints_and_streams() -> None:
    saver, key = InMemorySaver(), f"{private.RESERVED}ours"
    seen: list[Any] = []
    compiled = graph(lambda config: seen.append(config["configurable"][key]), checkpointer=saver)
    config, shown = thread(**{key: "kept", "shown": "x", "__ours": "kept"}), ""
    async for event in compiled.astream(BEGIN, config, stream_mode="debug"):
        shown += repr(event)
    saved = saver.get_tuple(thread())
    assert saved is not None
    assert seen == ["kept"]
    assert "shown" in saved.metadata
    assert not {key, "__ours"} & saved.metadata.keys()
    assert "'shown'" in shown
    assert key not in shown


async def test_a_compiled_graph_takes_a_subclass_that_its_copies_keep() -> None:
    class Named(CompiledStateGraph[Any, Any, Any, Any]):
        def called(self) -> str:
            return "ours"

    compiled = private.with_class(graph(lambda config: None), Named)
    assert compiled.called() == "ours"
    assert isinstance(compiled.with_config(tags=["x"]), Named)
    assert isinstance(compiled.copy(), Named)
    assert await compiled.ainvoke(BEGIN) == {"text": "done"}


async def test_who_reads_a_message_as_events_is_among_the_callbacks() -> None:
    seen: list[list[BaseCallbackHandler]] = []
    compiled = graph(lambda config: seen.append(private.event_readers(config)))
    await compiled.ainvoke(BEGIN)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LangChainBetaWarning)
        async for _ in await compiled.astream_events(BEGIN, version="v3"):
            pass
    without, (reader,) = seen
    assert without == []
    assert callable(reader.on_chat_model_start)
    assert callable(getattr(reader, "on_stream_event", None))


async def test_a_stream_without_a_chunk_is_told_from_other_errors() -> None:
    class Silent(StreamedModel):
        async def _astream(self, *args: Any, **options: Any) -> AsyncIterator[ChatGenerationChunk]:
            for chunk in list[ChatGenerationChunk]():
                yield chunk

    with pytest.raises(ValueError) as error:  # noqa: PT011 - its text is what is tested
        async for _ in Silent().astream([HumanMessage("x")]):
            pass
    assert private.is_empty_stream(error.value)
    assert not private.is_empty_stream(ValueError("another"))


def test_the_hooks_of_subclasses_are_those_of_their_parents() -> None:
    hook = "_convert_chunk_to_generation_chunk"
    assert hook in vars(OpenAIChat)
    assert hasattr(ChatOpenAI, hook)
    assert {"async_client", "root_async_client"} <= ChatOpenAI.model_fields.keys()
    assert isinstance(BaseChatModel._llm_type, property)
