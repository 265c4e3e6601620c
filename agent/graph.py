"""The graph: planner ─► scheduler ─► joiner, and back to the planner on a replan.

    question ─► planner ─► scheduler ─► joiner ─► answer
                  ▲                        │
                  └──────── replan ────────┘

(Kim et al., "An LLM Compiler for Parallel Function Calling", ICML 2024, arXiv 2312.04511.)
"""

from collections.abc import Callable, Iterable
from typing import Any

from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from langgraph.cache.base import BaseCache
from langgraph.graph import END, START, StateGraph
from langgraph.store.base import BaseStore
from langgraph.types import Checkpointer

from llm_compiler.context import Context
from llm_compiler.execution.function_tool import as_tools
from llm_compiler.execution.tool_call import check_callable
from llm_compiler.language.toolbox.toolbox import Toolbox
from llm_compiler.models.given import GivenModels
from llm_compiler.models.response_form import ResponseForm
from llm_compiler.nodes.beginning import starter
from llm_compiler.nodes.joiner import Joiner
from llm_compiler.nodes.open_round import Setup
from llm_compiler.nodes.planner import Planner
from llm_compiler.nodes.scheduler import Scheduler
from llm_compiler.nodes.timed_node import timed
from llm_compiler.run.compiled_graph import LLMCompiler, compiled
from llm_compiler.state import InputState, State, with_response
from llm_compiler.tools import SHIPPED


def build_graph(
    tools: Iterable[BaseTool | Callable[..., Any]] | None = None,
    *,
    model: Runnable[Any, Any] | str | None = None,
    planner: Runnable[Any, Any] | str | None = None,
    joiner: Runnable[Any, Any] | str | None = None,
    instructions: str | None = None,
    response_format: Any = None,
    context: Context | None = None,
    checkpointer: Checkpointer = None,
    store: BaseStore | None = None,
    cache: BaseCache[Any] | None = None,
    name: str | None = None,
) -> LLMCompiler:
    """Compile the graph.

    Args:
        tools: LangChain tools, or functions, methods, partials or objects with `__call__` that
            have a docstring; None means the shipped tools.
            MCP's annotations in a tool's `metadata` control its calls. A call with
            `destructiveHint` is claimed in the checkpointer and never starts twice. If a result
            of a tool with `openWorldHint` reaches a write, a person must approve it, as if its
            tool were named in `approve`.
        model: A chat model, a Runnable around one, or a name ("openai:gpt-4.1-mini", "local") for
            every role that has none of its own; None: the context's.
        planner, joiner: The same for one role; tools read with the joiner's. One serves both.
        instructions: A system prompt for planner and joiner, added to their own.
        response_format: A Pydantic model, dataclass, TypedDict or JSON schema. The state then has
            the answer in this form as `structured_response`, or None if nothing was found.
        context: Settings that hold where a run passes no others. They beat the environment.
        checkpointer: Stores runs, so that they can be resumed and people can be asked. Inside
            another graph it is that graph's; True keeps a memory of its own in each thread there.
        store: LangGraph's store, for tools that use it.
        cache: LangGraph's cache.
        name: The graph's name, by which supervisors call it. The messages that it writes have it.

    Raises:
        SetupError: two tools have the same name, a tool could never be called, what was given as a
            model is none, or another argument is of no use.
    """
    models = GivenModels.checked(model=model, planner=planner, joiner=joiner)
    form = None if response_format is None else ResponseForm(response_format)
    toolbox = Toolbox.of(SHIPPED if tools is None else as_tools(tools))
    check_callable(toolbox.values())
    setup = Setup(toolbox, models, instructions, form, name, context)
    schema = State if form is None else with_response(form.kind)
    builder = StateGraph(schema, Context, input_schema=InputState)
    builder.add_node("planner", timed("planner", Planner(setup)))
    builder.add_node("scheduler", timed("scheduler", Scheduler(setup)))
    builder.add_node("joiner", timed("joiner", Joiner(setup)))
    builder.add_edge(START, "planner")
    builder.add_edge("planner", "scheduler")
    builder.add_edge("scheduler", "joiner")
    builder.add_conditional_edges("joiner", _route, ["planner", END])
    lent: dict[str, Any] = {"checkpointer": checkpointer, "store": store, "cache": cache}
    return compiled(builder, **lent, name=name, context=context, starts=starter(setup))


def _route(state: State) -> str:
    """The planner on a replan, else the end."""
    return END if state.get("feedback") is None else "planner"


graph = build_graph()
