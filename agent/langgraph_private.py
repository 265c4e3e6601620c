"""Everything private of LangGraph and LangChain that the agent relies on.

No other module uses a private name (tests/test_private_names.py), and the meaning of each name is
tested (tests/test_langgraph_private.py). `pyproject.toml` keeps both libraries below their next
minor version; before raising that bound, run the tests with the new version. A missing name must be
an ImportError: a run that silently lost its checkpointer would repeat its writes.

LangChain's hooks for subclasses (`_run`, `_arun`, `_llm_type`,
`_convert_chunk_to_generation_chunk`) are not here but in the subclasses.

"For" says what a function is needed for; "Else" is what the agent would have to do without it.
"""

import uuid
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

from langchain_core.callbacks import BaseCallbackHandler, BaseCallbackManager
from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import var_child_runnable_config
from langchain_core.tracers._streaming import _V2StreamingCallbackHandler
from langgraph._internal._constants import (
    CONFIG_KEY_CHECKPOINT_MAP,
    CONFIG_KEY_CHECKPOINTER,
    CONFIG_KEY_DURABILITY,
    CONFIG_KEY_SCRATCHPAD,
    CONFIG_KEY_SEND,
    CONFIG_KEY_TASK_ID,
    NS_END,
    NS_SEP,
    RESUME,
)
from langgraph._internal._scratchpad import PregelScratchpad
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph.state import CompiledStateGraph

_COORDINATES = ("thread_id", "checkpoint_ns", "checkpoint_id", "checkpoint_map")
"""The keys of `configurable` that say where a run's checkpoints are."""
_Graph = TypeVar("_Graph", bound=CompiledStateGraph[Any, Any, Any, Any])

RESERVED: Final = "__pregel_"
"""LangGraph keeps keys of `configurable` with this prefix out of checkpoints, streams and traces.

For: a run's own resources travel in its config. Else: a context variable set around the run.
"""


def checkpointer_of(config: RunnableConfig, default: Any = None) -> Any:
    """The checkpointer of the run that a config belongs to; `default` if the config has none.

    For: whether the run outlives its process, and what its journal contains. Else: the checkpointer
    that the graph was compiled with, which is not the one that a server or a parent graph provides.
    """
    return config.get("configurable", {}).get(CONFIG_KEY_CHECKPOINTER, default)


def with_checkpointer(
    config: RunnableConfig, saver: BaseCheckpointSaver[Any] | None
) -> RunnableConfig:
    """The config with a checkpointer, or none, that replaces the graph's own.

    For: wrapping a sync-only one. Else: wrap it when the graph is compiled, and refuse others.
    """
    return _with(config, {CONFIG_KEY_CHECKPOINTER: saver})


def with_ambient(config: RunnableConfig, bound: RunnableConfig | None = None) -> RunnableConfig:
    """The config with what LangGraph will add to it from the node or tool that begins the run.

    A config that names a thread or a checkpoint stands on its own, so nothing is added to it; nor
    if `bound`, the config that the graph has from `with_config`, names one.

    For: a run that a function in a node of another graph begins has that graph's checkpointer, and
    its questions reach it. Else: they need a checkpointer of their own, and a thread.
    """
    given = config.get("configurable") or {}
    named = {**((bound or {}).get("configurable") or {}), **given}
    ambient = (var_child_runnable_config.get() or {}).get("configurable")
    if not ambient or any(named.get(key) for key in _COORDINATES):
        return config
    return {**config, "configurable": {**ambient, **named}}


def durability_of(config: RunnableConfig) -> str | None:
    """When the run's checkpoints are written: "sync", "async" or "exit".

    For: with "exit" a claim is never written in time, so no destructive call may start. Else: wait
    for the claim, which then fails after its time limit.
    """
    durability: str | None = config.get("configurable", {}).get(CONFIG_KEY_DURABILITY)
    return durability


def in_node(config: RunnableConfig) -> bool:
    """Whether a config belongs to a run inside a node of another graph.

    For: a subgraph does not wait for its thread, because its parent has it. Else: check for a
    `checkpoint_ns`.
    """
    return CONFIG_KEY_TASK_ID in config.get("configurable", {})


def has_parent(config: RunnableConfig) -> bool:
    """Whether a node's config belongs to a graph that runs in a node of another one.

    For: a tool may hand off to that. Else: the handoff is an error of LangGraph's.
    """
    return namespace_of(config) != ""


def own_namespace(config: RunnableConfig) -> str:
    """The namespace that a config itself names: of a run or a checkpoint its graph's, of a node its
    own; empty for a graph that is no subgraph.

    For and Else: as for `namespace_of`.
    """
    return str(config.get("configurable", {}).get("checkpoint_ns") or "")


def namespace_of(config: RunnableConfig) -> str:
    """The namespace of the graph that a node's config belongs to; empty if it is no subgraph.

    For: where its checkpoints and writes are, and which of several subgraphs it is. Else: as for
    `checkpoint_of`.
    """
    # A node's own namespace is one level below that of its graph.
    return own_namespace(config).rpartition(NS_SEP)[0]


def in_call(config: RunnableConfig, tool: str, id: str) -> RunnableConfig:
    """A node's config as that of one of its calls: a graph that it begins has its own namespace.

    For: a graph inside a tool finds its own checkpoints after a resume, though the call began in
    another node, or the calls begin in another order. Else: it begins anew, or another call's goes
    on in its place.
    """
    leaf = f"{tool}{NS_END}{uuid.uuid5(uuid.NAMESPACE_OID, id)}"
    above = namespace_of(config)
    return _with(config, {"checkpoint_ns": f"{above}{NS_SEP}{leaf}" if above else leaf})


def checkpoint_of(config: RunnableConfig) -> RunnableConfig:
    """The checkpoint that a node started from; the node's journal belongs to it.

    For: reading the journal. Else: `aget_state` names the checkpoint, at the cost of a read.
    """
    configurable = config["configurable"]
    namespace = namespace_of(config)
    return RunnableConfig(
        configurable={
            "thread_id": configurable.get("thread_id"),
            "checkpoint_ns": namespace,
            "checkpoint_id": (configurable.get(CONFIG_KEY_CHECKPOINT_MAP) or {}).get(namespace),
        }
    )


def scratchpad_of(config: RunnableConfig) -> PregelScratchpad | None:
    """Counts a node's calls of `interrupt`, and holds the answers to them.

    For: each tool that asks gets the answer to its own question. Else: only one such tool at once.
    """
    scratchpad: PregelScratchpad | None = config.get("configurable", {}).get(CONFIG_KEY_SCRATCHPAD)
    return scratchpad


def drop_used_answer(config: RunnableConfig, decided: int) -> None:
    """Forget the answer to a node's last question if it waits to be the answer to the next one.

    LangGraph keeps the value that a run was resumed with beside the answers of the node. A run that
    goes on after a kill without a value would give the old one to the next question. Where that
    cannot be told from a new value that is equal, the person is asked again. Of the node's
    questions, `decided` are answered: if more than LangGraph has stored, the value was used for
    the last of them by a run that was killed.

    For: a decision applies to the calls that it was made on, and to no others. Else: run nothing
    that was asked about before this run, unless it was resumed with a value.
    """
    scratchpad = scratchpad_of(config)
    used = scratchpad.resume[-1:] if scratchpad is not None else []
    if scratchpad is None or decided > len(scratchpad.resume):
        return
    if used == [scratchpad.get_null_resume(False)]:
        scratchpad.get_null_resume(True)


def with_scratchpad(config: RunnableConfig, scratchpad: PregelScratchpad) -> RunnableConfig:
    """A node's config with another scratchpad, whose answers are not recorded as the node's.

    For and Else: as for `scratchpad_of`.
    """
    send: Callable[[Sequence[tuple[str, Any]]], None] = config["configurable"][CONFIG_KEY_SEND]

    def send_all_but_answers(writes: Sequence[tuple[str, Any]]) -> None:
        if others := [write for write in writes if write[0] != RESUME]:
            send(others)

    own = {CONFIG_KEY_SCRATCHPAD: scratchpad, CONFIG_KEY_SEND: send_all_but_answers}
    return _with(config, own)


def with_class(graph: CompiledStateGraph[Any, Any, Any, Any], kind: type[_Graph]) -> _Graph:
    """A compiled graph as an instance of a subclass that adds methods and no attributes.

    For: `StateGraph.compile` always returns its own class, and the run's lifecycle is in a
    subclass. Else: a graph that wraps the compiled one and forwards every call.
    """
    graph.__class__ = kind
    assert isinstance(graph, kind)
    return graph


def event_readers(config: RunnableConfig) -> list[BaseCallbackHandler]:
    """The callbacks that read a message as a series of events, not as chunks.

    For: streaming the answer to `astream_events(version="v3")` too. Else: it arrives there whole.
    """
    callbacks = config.get("callbacks") or []
    found = callbacks.handlers if isinstance(callbacks, BaseCallbackManager) else callbacks
    return [it for it in found if isinstance(it, _V2StreamingCallbackHandler)]


def is_empty_stream(error: Exception) -> bool:
    """Whether this is LangChain's error for a model's stream that ended without a chunk.

    For: asking the model again. Else: it counts as an error that is not transient.
    """
    return isinstance(error, ValueError) and str(error).startswith("No generation")


def _with(config: RunnableConfig, changed: dict[str, Any]) -> RunnableConfig:
    return {**config, "configurable": {**config.get("configurable", {}), **changed}}
