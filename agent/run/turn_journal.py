"""Opens the journal of the turn that a node is about."""

import asyncio
from collections.abc import Mapping
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver

from llm_compiler.clock import Clock
from llm_compiler.errors import ThreadTakenError, ToolError
from llm_compiler.execution.claims import Claims
from llm_compiler.execution.journal import Journal
from llm_compiler.execution.turn_records import TurnRecords
from llm_compiler.langgraph_private import (
    checkpoint_of,
    checkpointer_of,
    durability_of,
    own_namespace,
)
from llm_compiler.language.tasks.task import Outcome
from llm_compiler.run.resources import RunResources
from llm_compiler.run.run_checkpointer import RunCheckpointer
from llm_compiler.state import State

_STORING_SECONDS = 30.0
"""In which a checkpoint must be stored for a claim to be made."""


def journal_of(config: RunnableConfig, state: State, run: RunResources) -> Journal:
    """The journal of the node that a config belongs to; one that keeps nothing without a saver."""
    saver = checkpointer_of(config)
    if not isinstance(saver, RunCheckpointer):
        return Journal()
    node = checkpoint_of(config)
    records = records_of(saver, node, state)
    claims = None
    if durability_of(config) != "exit":
        claims = _ConfirmedClaims(records, run.clock.source, saver, node)

    def failed(error: BaseException) -> None:
        if run.round is not None:
            run.round.unit.fail(error)

    keys = {task["id"]: task["key"] for task in state["plan"]}
    id = str(node["configurable"]["checkpoint_id"])
    return Journal(records, claims, node=id, keys=keys, failed=failed)


def records_of(
    saver: BaseCheckpointSaver[Any], checkpoint: RunnableConfig, state: State
) -> TurnRecords:
    """The records of a state's turn, in the thread and the namespace of one of its checkpoints."""
    thread = str(checkpoint["configurable"]["thread_id"])
    return TurnRecords(saver, thread, own_namespace(checkpoint), state["turn"])


class _ConfirmedClaims(Claims):
    """Claims that are made once the plan is stored, by the run that its thread belongs to."""

    def __init__(
        self, records: TurnRecords, clock: Clock, saver: RunCheckpointer, node: RunnableConfig
    ) -> None:
        super().__init__(records, clock)
        self._saver = saver
        self._node = node

    async def claim(self, id: object, tool: str, args: Mapping[str, Any]) -> Outcome | None:
        """As claims are made."""
        try:
            async with asyncio.timeout(_STORING_SECONDS):
                await self._saver.confirm(self._node)
        except ThreadTakenError:
            # The run ends, and this call with it: it has no outcome.
            await asyncio.get_running_loop().create_future()
        except TimeoutError:
            raise ToolError(
                f"not run: its plan was not stored within {_STORING_SECONDS:g} s;"
                " check the checkpointer"
            ) from None
        return await super().claim(id, tool, args)
