"""A run's own resources: its round with the task-fetching unit, its tool threads, its clock.

LangGraph cancels nothing between nodes, so they travel in the run's config, and are closed when
the run ends for any reason.
"""

import asyncio
from collections.abc import Hashable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Self

from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import var_child_runnable_config

from llm_compiler.context import Context
from llm_compiler.errors import ThreadTakenError
from llm_compiler.execution.task_fetching_unit import TaskFetchingUnit
from llm_compiler.execution.tool_threads import Threads
from llm_compiler.langgraph_private import RESERVED
from llm_compiler.language.toolbox.toolbox import Toolbox
from llm_compiler.models.model import Meter
from llm_compiler.observability.spans import Turn
from llm_compiler.observability.stream_events import Events
from llm_compiler.run.clock import TurnClock

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
    mark: str
    """Of the ids of its calls in the chat protocol."""


@dataclass(eq=False)
class RunResources:
    """The resources of one run: `async with` closes them."""

    span: Turn
    """The run's span, for traces and metrics."""
    clock: TurnClock = field(default_factory=TurnClock)
    early_start: bool = True
    """False where the run stops between planner and scheduler."""
    answered: bool = True
    """False where the run was begun without an answer to a question."""
    threads: Threads = field(default_factory=Threads)
    round: Round | None = None
    thread: Hashable = None
    """The thread that the run has to itself, if it has one (thread_queue.py)."""
    outer: "RunResources | None" = None
    """Those of the run whose tool began this one."""
    state: Mapping[str, Any] | None = None
    """The state as its last node left it; what differs from it, somebody else wrote."""
    taken: ThreadTakenError | None = None
    """Why the run ends, if its thread has gone on without it."""
    _node: "asyncio.Task[Any] | None" = None

    def into(self, config: RunnableConfig) -> RunnableConfig:
        """The config with these resources in it."""
        return {**config, "configurable": {**config.get("configurable", {}), _KEY: self}}

    @staticmethod
    def of(config: RunnableConfig) -> "RunResources":
        """The resources of the run that a node's config belongs to."""
        found = config["configurable"][_KEY]
        assert isinstance(found, RunResources)
        return found

    @staticmethod
    def around() -> "RunResources | None":
        """The resources of the run whose tool is calling."""
        outer = var_child_runnable_config.get() or {}
        found = outer.get("configurable", {}).get(_KEY)
        return found if isinstance(found, RunResources) else None

    def has_thread(self, thread: Hashable) -> bool:
        """Whether the run, or one around it, has a thread to itself."""
        return self.thread == thread or (self.outer is not None and self.outer.has_thread(thread))

    def take(self, error: ThreadTakenError) -> None:
        """The thread has gone on without the run: end the node that runs."""
        self.taken = error
        if self._node is not None:
            self._node.cancel()

    @contextmanager
    def node(self) -> Iterator[None]:
        """A node of the run runs in the current task.

        Raises:
            ThreadTakenError: the thread has gone on without the run.
        """
        if self.taken is not None:
            raise self.taken
        node = self._node = asyncio.current_task()
        try:
            yield
        except asyncio.CancelledError:
            if self.taken is None or node is None:
                raise
            node.uncancel()
            raise self.taken from None
        finally:
            self._node = None

    async def begin(self, round: Round) -> None:
        """Make `round` the run's; the one before it is closed."""
        before, self.round = self.round, round
        if before is not None:
            await before.unit.close()

    def watch_deadline(self) -> None:
        """From now on, the round's calls end with the turn's deadline, or now if it has passed."""
        assert self.round is not None
        if (deadline := self.round.context.deadline) is not None:
            self.round.unit.expire_in(self.clock.until(deadline), deadline)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Cancel what still runs, and release the threads."""
        try:
            if self.round is not None:
                await self.round.unit.close()
        finally:
            self.threads.close()


def without_resources(configurable: dict[str, Any]) -> dict[str, Any]:
    """What a tool may see of a run's config."""
    return {key: value for key, value in configurable.items() if key != _KEY}
