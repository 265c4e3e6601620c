"""Everything private of LangGraph and LangChain that the agent relies on.

Nothing else here uses a private name (tests/test_langgraph_private.py), and each name below has a
test of what it means. `pyproject.toml` keeps both libraries below their next minor version; before
that bound is raised, the tests must pass with the new one. A name that is gone is an ImportError:
a run that quietly lost its checkpointer would repeat its writes.

Not here are the hooks that LangChain has for subclasses (`_run`, `_arun`, `_llm_type`,
`_convert_chunk_to_generation_chunk`): they stand in the subclass.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

from langchain_core.callbacks import BaseCallbackHandler, BaseCallbackManager
from langchain_core.runnables import RunnableConfig
from langchain_core.tracers._streaming import _V2StreamingCallbackHandler
from langgraph._internal._constants import (
    CONFIG_KEY_CHECKPOINT_MAP,
    CONFIG_KEY_CHECKPOINTER,
    CONFIG_KEY_DURABILITY,
    CONFIG_KEY_SCRATCHPAD,
    CONFIG_KEY_SEND,
    CONFIG_KEY_TASK_ID,
    NS_SEP,
    RESUME,
)
from langgraph._internal._scratchpad import PregelScratchpad
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph.state import CompiledStateGraph

_Graph = TypeVar("_Graph", bound=CompiledStateGraph[Any, Any, Any, Any])

RESERVED: Final = "__pregel_"
"""LangGraph keeps keys of `configurable` that begin so out of checkpoints, streams and traces.

For: a run's own resources travel in its config. Else: a context variable set around the run.
"""


def checkpointer_of(config: RunnableConfig, default: Any = None) -> Any:
    """The checkpointer of the run that a config belongs to; `default` where it says nothing.

    For: whether the run outlives its process, and what its journal holds. Else: the checkpointer
    that the graph was compiled with, which is not the one that a server or a parent graph lends.
    """
    return config.get("configurable", {}).get(CONFIG_KEY_CHECKPOINTER, default)


def with_checkpointer(config: RunnableConfig, saver: BaseCheckpointSaver[Any]) -> RunnableConfig:
    """The config with a checkpointer that takes the place of the graph's own.

    For: a sync-only one is wrapped. Else: wrap it when the graph is compiled, and refuse others.
    """
    return _with(config, {CONFIG_KEY_CHECKPOINTER: saver})


def durability_of(config: RunnableConfig) -> str | None:
    """When the run's checkpoints are written: "sync", "async" or "exit".

    For: with "exit" a claim never gets there, so no destructive call may begin. Else: wait for
    the claim, which then fails after its time limit.
    """
    durability: str | None = config.get("configurable", {}).get(CONFIG_KEY_DURABILITY)
    return durability


def in_node(config: RunnableConfig) -> bool:
    """Whether a config is that of what runs inside a node of another graph.

    For: a subgraph does not wait for its thread, which its parent has. Else: it is one that has a
    `checkpoint_ns`.
    """
    return CONFIG_KEY_TASK_ID in config.get("configurable", {})


def checkpoint_of(config: RunnableConfig) -> RunnableConfig:
    """The checkpoint that a node began from, to which what the node journals belongs.

    For: the journal is read there. Else: `aget_state` names the checkpoint, at the cost of a read.
    """
    configurable = config["configurable"]
    # A node's own namespace is one below that of its graph, where the writes are.
    namespace = str(configurable.get("checkpoint_ns") or "").rpartition(NS_SEP)[0]
    return RunnableConfig(
        configurable={
            "thread_id": configurable.get("thread_id"),
            "checkpoint_ns": namespace,
            "checkpoint_id": (configurable.get(CONFIG_KEY_CHECKPOINT_MAP) or {}).get(namespace),
        }
    )


def scratchpad_of(config: RunnableConfig) -> PregelScratchpad | None:
    """Where a node's calls of `interrupt` are counted, and the answers to them are kept.

    For: each tool that asks gets the answer to its own question. Else: only one such tool at once.
    """
    scratchpad: PregelScratchpad | None = config.get("configurable", {}).get(CONFIG_KEY_SCRATCHPAD)
    return scratchpad


def with_scratchpad(config: RunnableConfig, scratchpad: PregelScratchpad) -> RunnableConfig:
    """The config of a node with another scratchpad, whose answers are not recorded as the node's.

    For and else: as for `scratchpad_of`.
    """
    send: Callable[[Sequence[tuple[str, Any]]], None] = config["configurable"][CONFIG_KEY_SEND]

    def send_all_but_answers(writes: Sequence[tuple[str, Any]]) -> None:
        if others := [write for write in writes if write[0] != RESUME]:
            send(others)

    own = {CONFIG_KEY_SCRATCHPAD: scratchpad, CONFIG_KEY_SEND: send_all_but_answers}
    return _with(config, own)


def with_class(graph: CompiledStateGraph[Any, Any, Any, Any], kind: type[_Graph]) -> _Graph:
    """A compiled graph as an instance of a subclass that adds methods and no attributes.

    For: `StateGraph.compile` names its class itself, and the run's lifecycle stands in a subclass.
    Else: a graph that holds the compiled one and passes calls on.
    """
    graph.__class__ = kind
    assert isinstance(graph, kind)
    return graph


def event_readers(config: RunnableConfig) -> list[BaseCallbackHandler]:
    """The callbacks that read a message as a life of events, not as chunks.

    For: the answer is streamed to `astream_events(version="v3")` too. Else: it comes there whole.
    """
    callbacks = config.get("callbacks") or []
    found = callbacks.handlers if isinstance(callbacks, BaseCallbackManager) else callbacks
    return [it for it in found if isinstance(it, _V2StreamingCallbackHandler)]


def is_empty_stream(error: Exception) -> bool:
    """Whether an error is LangChain's for a model's stream that ended without a chunk.

    For: the model is asked again. Else: it counts as an error that is not transient.
    """
    return isinstance(error, ValueError) and str(error).startswith("No generation")


def _with(config: RunnableConfig, changed: dict[str, Any]) -> RunnableConfig:
    return {**config, "configurable": {**config.get("configurable", {}), **changed}}
