"""What lives as long as a run, and no longer: its unit, its threads, its clock.

LangGraph cancels nothing between nodes, so this travels in the run's config, and the graph closes
it when the run ends for any reason.
"""

import time
from dataclasses import dataclass, field
from typing import Any

from langchain_core.runnables import RunnableConfig

from agent.context import Context
from agent.events import Events
from agent.models import Meter
from agent.task_fetching_unit import TaskFetchingUnit
from agent.threads import Threads
from agent.toolbox import Toolbox

# LangGraph keeps names that begin so out of checkpoints, streams and traces.
_KEY = "__pregel_live"


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

    early_start: bool = True
    """False where the run stops between planner and scheduler."""
    threads: Threads = field(default_factory=Threads)
    round: Round | None = None
    began: float = field(default_factory=time.perf_counter)
    """When the turn began, or the run that resumed it, on the clock `time.perf_counter`."""

    def into(self, config: RunnableConfig | None) -> RunnableConfig:
        """The config with this in it."""
        config = {**(config or {})}
        config["configurable"] = {**config.get("configurable", {}), _KEY: self}
        return config

    @staticmethod
    def of(config: RunnableConfig) -> "Live":
        """The resources of the run that a node's config belongs to."""
        live = config["configurable"][_KEY]
        assert isinstance(live, Live)
        return live

    def left(self, deadline: float) -> float:
        """Seconds until the turn's deadline."""
        return deadline - (time.perf_counter() - self.began)

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
