"""What lives as long as a run, and no longer: its unit, its threads, its clock.

LangGraph cancels nothing between nodes, so this travels in the run's config, and the graph closes
it when the run ends for any reason.
"""

import time
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any

from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import var_child_runnable_config

from llm_compiler.context import Context
from llm_compiler.execution.task_fetching_unit import TaskFetchingUnit
from llm_compiler.execution.tool_threads import Threads
from llm_compiler.langgraph_private import RESERVED
from llm_compiler.language.toolbox import Toolbox
from llm_compiler.models.model import Meter
from llm_compiler.observability.spans import Turn
from llm_compiler.observability.stream_events import Events

_KEY = f"{RESERVED}live"


@dataclass(frozen=True)
class Round:
    """One round being run."""

    number: int
    context: Context
    tools: Toolbox
    events: Events
    unit: TaskFetchingUnit
    meter: Meter
    """Of the models inside tools."""


@dataclass(eq=False)
class Live:
    """One run's own resources."""

    turn: Turn
    """What is told of it to those who trace and count."""
    early_start: bool = True
    """False where the run stops between planner and scheduler."""
    threads: Threads = field(default_factory=Threads)
    round: Round | None = None
    thread: Hashable = None
    """The thread that the run has to itself, if it has one (turns.py)."""
    outer: "Live | None" = None
    """The run whose tool began this one."""
    addressed: str | None = None
    """The id of the checkpoint that the run was told to begin from."""
    began: float = field(default_factory=lambda: time.perf_counter())
    """When the turn began on the clock `time.perf_counter`, as if it had run without a break."""

    def into(self, config: RunnableConfig | None) -> RunnableConfig:
        """The config with this in it."""
        config = {**(config or {})}
        config["configurable"] = {**config.get("configurable", {}), _KEY: self}
        self.addressed = config["configurable"].get("checkpoint_id")
        return config

    @staticmethod
    def of(config: RunnableConfig) -> "Live":
        """The resources of the run that a node's config belongs to."""
        live = config["configurable"][_KEY]
        assert isinstance(live, Live)
        return live

    @staticmethod
    def around() -> "Live | None":
        """The resources of the run whose tool is calling."""
        outer = var_child_runnable_config.get() or {}
        live = outer.get("configurable", {}).get(_KEY)
        return live if isinstance(live, Live) else None

    def is_of(self, thread: Hashable) -> bool:
        """Whether the run, or one around it, has a thread."""
        return self.thread == thread or (self.outer is not None and self.outer.is_of(thread))

    def seconds(self) -> float:
        """How long the turn has run, without the time between its runs."""
        return time.perf_counter() - self.began

    def count_on(self, seconds: float) -> None:
        """Count on from the seconds that the turn had run for when this run began."""
        self.began = min(self.began, time.perf_counter() - seconds)

    def left(self, deadline: float) -> float:
        """Seconds until the turn's deadline."""
        return deadline - self.seconds()

    def watch_deadline(self) -> None:
        """From now on, the round's calls end with the turn's deadline, or now if it has passed."""
        assert self.round is not None
        if (deadline := self.round.context.deadline) is not None:
            self.round.unit.expire_in(self.left(deadline), deadline)

    async def begin(self, round: Round) -> None:
        """Make `round` the run's; the one before it is closed."""
        before, self.round = self.round, round
        if before is not None:
            await before.unit.close()

    async def close(self) -> None:
        """Cancel what still runs, and let the threads go."""
        try:
            if self.round is not None:
                await self.round.unit.close()
        finally:
            self.threads.close()


def without_live(configurable: dict[str, Any]) -> dict[str, Any]:
    """What a tool may see of a run's config."""
    return {key: value for key, value in configurable.items() if key != _KEY}
