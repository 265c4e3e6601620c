"""The graph: planner ─► scheduler ─► joiner, and back to the planner on a replan.

    question ─► planner ─► scheduler ─► joiner ─► answer
                  ▲                        │
                  └──────── replan ────────┘

(Kim et al., "An LLM Compiler for Parallel Function Calling", ICML 2024, arXiv 2312.04511.)
"""

import weakref
from collections.abc import (
    AsyncGenerator,
    Awaitable,
    Callable,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import aclosing, nullcontext
from typing import Any, Literal

from langchain_core.language_models import BaseChatModel
from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import merge_configs
from langchain_core.tools import BaseTool
from langgraph.cache.base import BaseCache
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import Runtime
from langgraph.store.base import BaseStore
from langgraph.stream import CustomTransformer, UpdatesTransformer

from llm_compiler.context import Context
from llm_compiler.execution.journal import CHECKPOINTER
from llm_compiler.language.toolbox import Toolbox
from llm_compiler.models.providers import Role
from llm_compiler.nodes.joiner import Joiner
from llm_compiler.nodes.open_round import Setup
from llm_compiler.nodes.planner import Planner
from llm_compiler.nodes.scheduler import Scheduler
from llm_compiler.observability.langsmith import with_tracer
from llm_compiler.observability.spans import Turn
from llm_compiler.run import sync_bridge as loop
from llm_compiler.run.abandoned_turn import close_left_turn
from llm_compiler.run.async_checkpointer import with_async
from llm_compiler.run.resources import Live
from llm_compiler.run.thread_queue import Place, thread_of
from llm_compiler.state import Input, Question, State, next_round
from llm_compiler.tools import SHIPPED

_UNBOUNDED = 1_000_000

_Node = Callable[[State, RunnableConfig, Runtime[Context]], Awaitable[dict[str, Any]]]


class LLMCompiler(CompiledStateGraph[State, Context, Input, State]):
    """The compiled graph. Each run has its own live resources, which end with it."""

    def astream(
        self, input: Any, config: RunnableConfig | None = None, **options: Any
    ) -> AsyncGenerator[Any]:
        """As LangGraph's. Closing it, or a run that ends in any other way, cancels its calls.

        Runs of one thread follow one another (turns.py), and a new message closes a turn that
        was left without its answer (left.py).
        """

        async def leave() -> None:
            if (abandoned := itself()) is not None:
                await abandoned.aclose()

        stream = self._in_turn(input, config, options, leave)
        # Not the stream itself: one that nobody reads any more must not keep itself alive.
        itself = weakref.ref(stream)
        return stream

    def stream(
        self, input: Any, config: RunnableConfig | None = None, **options: Any
    ) -> Iterator[Any]:
        """As `astream`, which it runs on one long-lived loop thread, from any thread."""
        yield from loop.iterate(lambda: self.astream(input, config, **options))

    def bulk_update_state(self, config: RunnableConfig, *args: Any, **options: Any) -> Any:
        """As LangGraph's, which traces what is written."""
        return super().bulk_update_state(with_tracer(config, self.config), *args, **options)

    async def abulk_update_state(self, config: RunnableConfig, *args: Any, **options: Any) -> Any:
        """As LangGraph's, which traces what is written."""
        config = with_tracer(config, self.config)
        return await super().abulk_update_state(config, *args, **options)

    async def _in_turn(
        self,
        input: Any,
        config: RunnableConfig | None,
        options: dict[str, Any],
        leave: Callable[[], Awaitable[None]],
    ) -> AsyncGenerator[Any]:
        config, outer = self._own(config), Live.around()
        saver = config["configurable"].get(CHECKPOINTER, self.checkpointer)
        thread = thread_of(merge_configs(self.config, config), saver)
        if outer is not None and outer.is_of(thread):
            thread = None  # a tool's run in its own thread would wait for itself
        async with nullcontext() if thread is None else Place(thread, leave):
            if thread is not None and saver is not None and isinstance(input, Mapping):
                config = await close_left_turn(self, saver, config, options.get("context"))
            turn = Turn(config["configurable"].get("thread_id"))
            live = Live(turn, self._starts_early(options), thread=thread, outer=outer)
            chunks = super().astream(input, live.into(config), **options)
            try:
                async with aclosing(chunks) as stream:  # type: ignore[type-var]
                    async for chunk in stream:
                        yield chunk
            except BaseException as error:
                turn.broke_off(error)
                raise
            finally:
                try:
                    await live.close()
                finally:
                    turn.close()

    def _starts_early(self, options: Mapping[str, Any]) -> bool:
        """Whether no breakpoint lies between planner and scheduler."""
        before = options.get("interrupt_before") or self.interrupt_before_nodes
        after = options.get("interrupt_after") or self.interrupt_after_nodes
        return not (_names("scheduler", before) or _names("planner", after))

    def _own(self, config: RunnableConfig | None) -> RunnableConfig:
        """What rules here is `max_parallel` and `max_rounds`, not LangGraph's own bounds.

        With `max_concurrency` 1 it deadlocks on `@task`, and its recursion limit would cut rounds.
        A sync-only checkpointer, also one that a parent graph lends, is called from threads.
        """
        config = with_tracer(config or {}, self.config)
        configurable = {**config.get("configurable", {})}
        saver = configurable.get(CHECKPOINTER, self.checkpointer)
        if isinstance(saver, BaseCheckpointSaver) and (face := with_async(saver)) is not saver:
            configurable[CHECKPOINTER] = face
        bounds: Any = {"max_concurrency": _UNBOUNDED, "recursion_limit": _UNBOUNDED}
        return {**config, **bounds, "configurable": configurable}


def build_graph(
    tools: Iterable[BaseTool | Callable[..., Any]] | None = None,
    *,
    planner: BaseChatModel | str | None = None,
    joiner: BaseChatModel | str | None = None,
    checkpointer: BaseCheckpointSaver[Any] | None = None,
    store: BaseStore | None = None,
    cache: BaseCache[Any] | None = None,
) -> LLMCompiler:
    """Compile the graph.

    Args:
        tools: LangChain tools or plain functions with a docstring; None means those shipped.
            MCP's annotations in their `metadata` rule their calls. With `destructiveHint` a call
            is claimed in the checkpointer and never begun twice, and if the result of a tool with
            `openWorldHint` reaches it, a person must approve it, as if it stood in `approve`.
        planner: A chat model or its name ("openai:gpt-4.1-mini", "local"); None: the context's.
        joiner: The same for the joiner, and for the tools that read texts.
        checkpointer: Where runs are kept, so that they survive and people can be asked.
        store: LangGraph's store, for tools that use it.
        cache: LangGraph's cache.

    Raises:
        SetupError: a tool has no name of its own or cannot be made one.
    """
    models: dict[Role, BaseChatModel | str] = {}
    if planner is not None:
        models["planner"] = planner
    if joiner is not None:
        models["joiner"] = joiner
    setup = Setup(Toolbox.of(SHIPPED if tools is None else tools), models)
    builder = StateGraph(State, Context, input_schema=Question)
    nodes: dict[str, _Node] = {
        "planner": Planner(setup),
        "scheduler": Scheduler(setup),
        "joiner": Joiner(setup),
    }
    for name, node in nodes.items():
        builder.add_node(name, _timed(name, node))
    builder.add_edge(START, "planner")
    builder.add_edge("planner", "scheduler")
    builder.add_edge("scheduler", "joiner")
    builder.add_conditional_edges("joiner", _route, ["planner", END])
    saver = with_async(checkpointer) if isinstance(checkpointer, BaseCheckpointSaver) else None
    compiled: Any = builder.compile(
        saver,
        cache=cache,
        store=store,
        name="LLM Compiler",
        # What the event protocol shows beside states and messages.
        transformers=[CustomTransformer, UpdatesTransformer],
    )
    # `StateGraph.compile` names its class itself; ours adds methods and no attributes.
    compiled.__class__ = LLMCompiler
    assert isinstance(compiled, LLMCompiler)
    return compiled


def _timed(name: str, node: _Node) -> Any:
    """Let a node count on from the turn's seconds in the state, and write them; it is traced."""

    async def timed(
        state: State, config: RunnableConfig, runtime: Runtime[Context]
    ) -> dict[str, Any]:
        live = Live.of(config)
        live.count_on(state.get("seconds") or 0.0)
        number = next_round(state) if name == "planner" else state.get("round") or 0
        with live.turn.node(name, number):
            update = await node(state, config, runtime)
        live.turn.passed(name, {**state, **update})
        return {**update, "seconds": live.seconds()}

    return timed


def _route(state: State) -> str:
    """A replan goes back to the planner."""
    return END if state.get("feedback") is None else "planner"


def _names(node: str, nodes: Sequence[str] | Literal["*"] | None) -> bool:
    return nodes == "*" or node in (nodes or ())


graph = build_graph()
