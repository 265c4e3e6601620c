"""The compiled graph: LangGraph's, with a lifecycle for each run.

A run's life is one stack of context managers; what is opened first is closed last:

    its place in the queue for its thread ─► the turn's span ─► its resources ─► LangGraph's stream
"""

import re
import weakref
from collections.abc import (
    AsyncGenerator,
    Awaitable,
    Callable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import AsyncExitStack, aclosing
from datetime import date
from typing import Any, Literal, Self

from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import merge_configs
from langchain_core.tools import BaseTool
from langgraph.cache.base import BaseCache
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.store.base import BaseStore
from langgraph.stream import CustomTransformer, UpdatesTransformer
from langgraph.types import Checkpointer, Command, StateUpdate
from pydantic import BaseModel

from llm_compiler.clock import SYSTEM_CLOCK, Clock, today
from llm_compiler.context import Context
from llm_compiler.execution.graph_tool import graph_tool
from llm_compiler.langgraph_private import (
    checkpointer_of,
    in_node,
    with_ambient,
    with_checkpointer,
    with_class,
)
from llm_compiler.observability.langsmith import with_tracer
from llm_compiler.observability.spans import AGENT, Turn
from llm_compiler.run import sync_bridge
from llm_compiler.run.abandoned_turn import close_abandoned_turn
from llm_compiler.run.async_checkpointer import at_home, with_async
from llm_compiler.run.clock import TurnClock
from llm_compiler.run.resources import RunResources
from llm_compiler.run.run_checkpointer import RunCheckpointer
from llm_compiler.run.saver_wrapper import remember
from llm_compiler.run.settings import noting, settings_of
from llm_compiler.run.stored_state import check_input, check_updates
from llm_compiler.run.thread_fence import ThreadFence
from llm_compiler.run.thread_queue import PlaceInQueue, thread_of
from llm_compiler.state import Input, InputState, State

_UNBOUNDED = 1_000_000


class LLMCompiler(CompiledStateGraph[State, Any, Input, State]):
    """The compiled graph. Each run has its own resources, which end with it.

    To type checkers, its context is any: supervisors take graphs without one alone. What is no
    context is refused when a run begins.
    """

    clock: Clock = SYSTEM_CLOCK
    """Where its runs read the time."""
    context: Context | None = None
    """The settings of runs that bring none."""
    starts: Callable[[Context, date], None] | None = None
    """What `prepare` calls."""

    def prepare(self, context: Context | None = None) -> None:
        """Start the local model before the first question, if it is the one that plans.

        It reads what all prompts of the day begin with. Returns at once, and does nothing if its
        weights must be fetched first.

        Args:
            context: The settings of the runs that follow.

        Raises:
            SetupError: a setting cannot be right.
        """
        if self.starts is not None:
            self.starts(Context.of(context, self.context), today(self.clock))

    def astream(
        self, input: Any, config: RunnableConfig | None = None, **options: Any
    ) -> AsyncGenerator[Any]:
        """As LangGraph's. Closing it, or a run that ends in any other way, cancels its calls.

        Runs of one thread follow one another (thread_queue.py), and a new message closes a turn
        that was abandoned without its answer (abandoned_turn.py).
        """

        async def leave() -> None:
            if (abandoned := itself()) is not None:
                await abandoned.aclose()

        stream = self._run(input, config, options, leave)
        # Not the stream itself: one that nobody reads any more must not keep itself alive.
        itself = weakref.ref(stream)
        return stream

    async def _run(
        self,
        input: Any,
        config: RunnableConfig | None,
        options: dict[str, Any],
        leave: Callable[[], Awaitable[None]],
    ) -> AsyncGenerator[Any]:
        config, outer = self._own(config), RunResources.around()
        saver = checkpointer_of(config, self.checkpointer)
        whole = merge_configs(self.config, config)
        options = {**options, "context": settings_of(options.get("context"), whole)}
        thread = thread_of(whole, saver)
        if outer is not None and outer.has_thread(thread):
            thread = None  # a tool's run in its own thread would wait for itself
        fence = None
        async with AsyncExitStack() as run:
            check_input(saver, input)
            if thread is not None:
                await run.enter_async_context(PlaceInQueue(thread, leave))
                fence = ThreadFence(saver, thread.id, thread.namespace)
                await fence.enter()
            if isinstance(saver, BaseCheckpointSaver):
                saver = RunCheckpointer(saver, fence)
                config = with_checkpointer(config, saver)
                if thread is not None and isinstance(input, Mapping):
                    context = Context.of(options["context"], self.context)
                    config = await close_abandoned_turn(self, saver, config, input, context)
            span = run.enter_context(Turn(config["configurable"].get("thread_id")))
            clock, early_start = TurnClock(self.clock), self._starts_early(options)
            answered = isinstance(input, Command) or in_node(config)
            resources = RunResources(
                span, clock, early_start, answered=answered, thread=thread, outer=outer
            )
            await run.enter_async_context(resources)
            if fence is not None:
                await run.enter_async_context(fence.watched(resources.take))
            chunks = super().astream(input, resources.into(config), **options)
            await run.enter_async_context(aclosing(chunks))  # type: ignore[type-var]
            async for chunk in chunks:
                yield chunk

    def stream(
        self, input: Any, config: RunnableConfig | None = None, **options: Any
    ) -> Iterator[Any]:
        """As `astream`, which it runs on one long-lived loop thread, from any thread."""
        yield from sync_bridge.iterate(lambda: self.astream(input, config, **options))

    def get_context_jsonschema(self) -> dict[str, Any] | None:
        """As LangGraph's; a run learns what a server has left out of its context by it."""
        return noting(super().get_context_jsonschema(), self.context)

    def as_tool(
        self,
        args_schema: type[BaseModel] | None = None,
        *,
        name: str | None = None,
        description: str | None = None,
        arg_types: dict[str, type] | None = None,
    ) -> BaseTool:
        """A tool for other agents, which takes a question and returns the answer's text.

        With `args_schema` or `arg_types`, it is LangChain's.
        """
        if args_schema is not None or arg_types is not None:
            return super().as_tool(
                args_schema, name=name, description=description, arg_types=arg_types
            )
        return graph_tool(
            name or re.sub(r"\W+", "_", self.get_name()).lower(),
            description or "Answers a question by looking things up and computing with them.",
            self.invoke,
            self.ainvoke,
        )

    def bulk_update_state(
        self, config: RunnableConfig, supersteps: Sequence[Sequence[StateUpdate]]
    ) -> RunnableConfig:
        """As LangGraph's, which traces what is written. What cannot be stored is refused."""
        check_updates(checkpointer_of(config, self.checkpointer), supersteps)
        written = super().bulk_update_state(with_tracer(config, self.config), supersteps)
        if (fence := self._fence_to_pass(config)) is not None:
            fence.enter_blocking()
        return written

    async def abulk_update_state(
        self, config: RunnableConfig, supersteps: Sequence[Sequence[StateUpdate]]
    ) -> RunnableConfig:
        """As LangGraph's, which traces what is written. What cannot be stored is refused."""
        check_updates(checkpointer_of(config, self.checkpointer), supersteps)
        written = await super().abulk_update_state(with_tracer(config, self.config), supersteps)
        if (fence := self._fence_to_pass(config)) is not None:
            await fence.enter()
        return written

    def copy(self, update: dict[str, Any] | None = None) -> Self:
        """As LangGraph's, which knows its own attributes only."""
        copied = super().copy(update)
        copied.clock, copied.context, copied.starts = self.clock, self.context, self.starts
        return copied

    def _fence_to_pass(self, config: RunnableConfig) -> ThreadFence | None:
        """The fence of a thread whose state was changed; None if a run of the thread did it."""
        config = merge_configs(self.config, config)
        saver, outer = checkpointer_of(config, self.checkpointer), RunResources.around()
        thread = None if isinstance(saver, RunCheckpointer) else thread_of(config, saver)
        if thread is None or (outer is not None and outer.has_thread(thread)):
            return None
        return ThreadFence(saver, thread.id, thread.namespace)

    def _starts_early(self, options: Mapping[str, Any]) -> bool:
        """Whether no breakpoint lies between planner and scheduler."""
        before = options.get("interrupt_before") or self.interrupt_before_nodes
        after = options.get("interrupt_after") or self.interrupt_after_nodes
        return not (_names("scheduler", before) or _names("planner", after))

    def _own(self, config: RunnableConfig | None) -> RunnableConfig:
        """`max_parallel` and `max_rounds` bound a run, not LangGraph's limits.

        With `max_concurrency` 1 it deadlocks on `@task`, and its recursion limit would cut rounds.
        A checkpointer, also one that a parent graph lends, is called where it can be.
        """
        config = with_ambient(with_tracer(config or {}, self.config), self.config)
        if self.checkpointer is False:  # then a parent's is not used either
            config = with_checkpointer(config, None)
        saver = checkpointer_of(config, self.checkpointer)
        if (
            isinstance(saver, BaseCheckpointSaver)
            and (face := at_home(with_async(saver))) is not saver
        ):
            config = with_checkpointer(config, face)
        bounds: Any = {"max_concurrency": _UNBOUNDED, "recursion_limit": _UNBOUNDED}
        return {"configurable": {}, **config, **bounds}


def compiled(
    builder: StateGraph[State, Context, InputState, State],
    *,
    checkpointer: Checkpointer,
    store: BaseStore | None,
    cache: BaseCache[Any] | None,
    name: str | None,
    context: Context | None,
    starts: Callable[[Context, date], None],
) -> LLMCompiler:
    """Compile a graph; a sync-only checkpointer is called from threads."""
    saver = with_async(checkpointer) if isinstance(checkpointer, BaseCheckpointSaver) else None
    graph: Any = builder.compile(
        saver or checkpointer,
        cache=cache,
        store=store,
        name=name or AGENT,
        # What the event protocol shows beside states and messages.
        transformers=[CustomTransformer, UpdatesTransformer],
    )
    if saver is not None:
        remember(saver, graph.checkpointer)
    made = with_class(graph, LLMCompiler)
    made.context, made.starts = context, starts
    return made


def _names(node: str, nodes: Sequence[str] | Literal["*"] | None) -> bool:
    return nodes == "*" or node in (nodes or ())
