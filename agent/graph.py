"""The graph: planner ─► scheduler ─► joiner, and back to the planner on a replan.

    question ─► planner ─► scheduler ─► joiner ─► answer
                  ▲                        │
                  └──────── replan ────────┘

(Kim et al., "An LLM Compiler for Parallel Function Calling", ICML 2024, arXiv 2312.04511.)
"""

from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Sequence
from contextlib import aclosing
from typing import Any, Literal

from langchain_core.language_models import BaseChatModel
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool
from langgraph.cache.base import BaseCache
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.store.base import BaseStore

from agent import loop
from agent.context import Context
from agent.joiner import Joiner
from agent.journal import CHECKPOINTER
from agent.live import Live
from agent.planner import Planner
from agent.providers import Role
from agent.round import Setup
from agent.savers import with_async
from agent.scheduler import Scheduler
from agent.state import Question, State
from agent.toolbox import Toolbox
from tools import SHIPPED

_UNBOUNDED = 1_000_000


class LLMCompiler(CompiledStateGraph[State, Context, Question, State]):
    """The compiled graph. Each run has its own live resources, which end with it."""

    async def astream(
        self,
        input: Any,
        config: RunnableConfig | None = None,
        *,
        interrupt_before: Sequence[str] | Literal["*"] | None = None,
        interrupt_after: Sequence[str] | Literal["*"] | None = None,
        **options: Any,
    ) -> AsyncGenerator[Any]:
        """As LangGraph's. Closing it, or a run that ends in any other way, cancels its calls."""
        before = interrupt_before or self.interrupt_before_nodes
        after = interrupt_after or self.interrupt_after_nodes
        live = Live(early_start=not (_names("scheduler", before) or _names("planner", after)))
        config = self._own(live.into(config))
        chunks = super().astream(
            input,
            config,
            interrupt_before=interrupt_before,
            interrupt_after=interrupt_after,
            **options,
        )
        try:
            async with aclosing(chunks) as stream:  # type: ignore[type-var]
                async for chunk in stream:
                    yield chunk
        finally:
            await live.close()

    def stream(
        self, input: Any, config: RunnableConfig | None = None, **options: Any
    ) -> Iterator[Any]:
        """As `astream`, which it runs on one long-lived loop thread, from any thread."""
        yield from loop.iterate(lambda: self.astream(input, config, **options))

    def _own(self, config: RunnableConfig) -> RunnableConfig:
        """What rules here is `max_parallel` and `max_rounds`, not LangGraph's own bounds.

        With `max_concurrency` 1 it deadlocks on `@task`, and its recursion limit would cut rounds.
        A sync-only checkpointer, also one that a parent graph lends, is called from threads.
        """
        configurable = config["configurable"]
        saver = configurable.get(CHECKPOINTER, self.checkpointer)
        if isinstance(saver, BaseCheckpointSaver) and with_async(saver) is not saver:
            configurable[CHECKPOINTER] = with_async(saver)
        return {**config, "max_concurrency": _UNBOUNDED, "recursion_limit": _UNBOUNDED}


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
    nodes: dict[str, Any] = {
        "planner": Planner(setup),
        "scheduler": Scheduler(setup),
        "joiner": Joiner(setup),
    }
    for name, node in nodes.items():
        builder.add_node(name, node)
    builder.add_edge(START, "planner")
    builder.add_edge("planner", "scheduler")
    builder.add_edge("scheduler", "joiner")
    builder.add_conditional_edges("joiner", _route, ["planner", END])
    saver = with_async(checkpointer) if isinstance(checkpointer, BaseCheckpointSaver) else None
    compiled = builder.compile(saver, cache=cache, store=store, name="LLM Compiler")
    # `StateGraph.compile` names its class itself; ours adds methods and no attributes.
    compiled.__class__ = LLMCompiler
    assert isinstance(compiled, LLMCompiler)
    return compiled


def _route(state: State) -> str:
    """A replan goes back to the planner."""
    return END if state.get("feedback") is None else "planner"


def _names(node: str, nodes: Sequence[str] | Literal["*"] | None) -> bool:
    return nodes == "*" or node in (nodes or ())


graph = build_graph()
