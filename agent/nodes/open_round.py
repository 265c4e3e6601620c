"""Opens a round: the tools offered, the unit that runs its calls, and what the tools need."""

import asyncio
import re
import sys
from dataclasses import dataclass, replace

from langchain_core.runnables import RunnableConfig
from langgraph.runtime import Runtime

from llm_compiler.context import Context
from llm_compiler.errors import SetupError
from llm_compiler.execution.executor import Executor
from llm_compiler.execution.injected import Surroundings
from llm_compiler.execution.task_fetching_unit import TaskFetchingUnit
from llm_compiler.langgraph_private import checkpointer_of, namespace_of
from llm_compiler.language.toolbox.toolbox import Toolbox
from llm_compiler.mcp import with_mcp
from llm_compiler.models.choice import Role
from llm_compiler.models.given import GivenModels
from llm_compiler.models.model import Meter, Model
from llm_compiler.models.profiles import ModelProfile
from llm_compiler.models.providers import OPEN_MODELS, known_profile
from llm_compiler.models.reader import Reader
from llm_compiler.models.response_form import ResponseForm
from llm_compiler.observability.stream_events import Events
from llm_compiler.round_messages import call_mark, untrusted
from llm_compiler.run.resources import Round, RunResources, without_resources
from llm_compiler.scheduling.schedule import Schedule
from llm_compiler.state import State, asked_by, told
from llm_compiler.tools import Resources


@dataclass(frozen=True)
class Setup:
    """What `build_graph` was given."""

    toolbox: Toolbox
    models: GivenModels
    instructions: str | None = None
    form: ResponseForm | None = None
    name: str | None = None
    context: Context | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.instructions, str | None):
            kind = type(self.instructions).__name__
            raise SetupError(f"instructions: give a string, not a {kind}")
        if self.name is not None and (not isinstance(self.name, str) or not self.name.strip()):
            raise SetupError(f"name: give a string, not {self.name!r}")
        if not isinstance(self.context, Context | None):
            kind = type(self.context).__name__
            raise SetupError(f"context: give Context(…), not a {kind}")

    @property
    def author(self) -> str | None:
        """The graph's name as its messages have it: providers take no blanks and brackets."""
        return None if self.name is None else re.sub(r"[\s<|\\/>]+", "_", self.name.strip())

    def told(self, state: State) -> str:
        """The instructions of planner and joiner: of who built the graph, and of the messages."""
        return "\n\n".join(filter(None, (self.instructions, told(state))))

    async def model(self, context: Context, role: Role) -> Model:
        """Open the model of a role."""
        model = self.models.of(context, role)
        if isinstance(model, str):
            model = await OPEN_MODELS.get(model)
        if context.model_timeout is None:
            return model
        return replace(model, profile=replace(model.profile, silence=context.model_timeout))

    def planner_profile(self, context: Context) -> ModelProfile:
        """What is known of the planner's model before it is opened."""
        model = self.models.of(context, "planner")
        return known_profile(model) if isinstance(model, str) else model.profile

    async def tools(self, context: Context, remaining_seconds: float | None) -> Toolbox:
        """The tools of one run, with those of MCP servers that can be reached in that time."""
        tools = await with_mcp(self.toolbox, remaining_seconds)
        return tools.offered(context.allow, context.approve, context.trusted_writes)


async def open_round(
    setup: Setup,
    runtime: Runtime[Context],
    config: RunnableConfig,
    number: int,
    *,
    state: State,
    early_start: bool,
    asked: str | None = None,
) -> Round:
    """Make the round's unit the run's own. Its schedule is empty; `asked` begins a turn."""
    run = RunResources.of(config)
    context = Context.of(runtime.context, setup.context)
    events = Events(runtime.stream_writer, number, run.clock.seconds)
    if asked is not None:
        events.turn_start(asked)
    remaining_seconds = None if context.deadline is None else run.clock.until(context.deadline)
    tools = await setup.tools(context, remaining_seconds)
    meter = Meter()
    reader = None
    remaining_seconds = None if context.deadline is None else run.clock.until(context.deadline)
    try:
        async with asyncio.timeout(remaining_seconds) as opening:
            # Tools read with the joiner's model.
            reader = Reader(await setup.model(context, "joiner"), meter)
    except TimeoutError:
        # Past the deadline no tool reads any more.
        if not opening.expired():
            raise
    resources = Resources(
        reader=reader,
        documents=None
        if context.documents is None
        else await asyncio.to_thread(context.folder, on_server="langgraph_api" in sys.modules),
    )
    around = Surroundings(
        state,
        runtime,
        [tool.base for tool in tools.values()],
        call_mark(asked_by(state), number, state["messages"], namespace_of(config)),
        setup.author,
    )
    unit = TaskFetchingUnit(
        Schedule(
            tools,
            max_parallel=context.max_parallel,
            early_start=early_start,
            read_untrusted=untrusted(
                state["messages"], [name for name, it in tools.items() if it.rules.untrusted]
            ),
            max_tasks=context.max_tasks,
        ),
        Executor(
            tools,
            run.threads,
            context.tool_timeout,
            context.tool_retries,
            can_ask=checkpointer_of(config) is not None,
            clock=run.clock.source,
            around=around,
        ),
        events,
        call_config(config, resources),
    )
    round = Round(number, context, tools, events, unit, meter, around.mark)
    await run.begin(round)
    return round


def call_config(config: RunnableConfig, resources: Resources) -> RunnableConfig:
    """The config that a round's calls get. Models inside tools stay hidden (`nostream`)."""
    configurable = without_resources(config.get("configurable", {}))
    return {
        **config,
        "tags": [*(config.get("tags") or ()), "nostream"],
        "configurable": {**configurable, **resources.configurable},
    }
