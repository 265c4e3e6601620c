"""Closes a turn that a new message leaves: stopped at a question or a breakpoint, or killed.

What its journal holds is recorded in the thread, so that every `tool_call` has its `ToolMessage`
and nobody forgets what has run. Nothing of it runs any more, and a decision that comes for it
afterwards finds nothing to decide on.
"""

from collections.abc import Mapping
from typing import Any

from langchain_core.messages import AIMessage, AnyMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph.state import CompiledStateGraph

from agent.context import Context
from agent.journal import forked_from, recorded
from agent.messages import LEFT, round_messages
from agent.plan import Outcome, OutcomeData, TaskData, tidied
from agent.state import State

_WHY = "it had not ended when another message came"


async def close_left_turn(
    graph: CompiledStateGraph[Any, Any, Any, Any],
    saver: BaseCheckpointSaver[Any],
    config: RunnableConfig,
    context: object,
) -> RunnableConfig:
    """Close the thread's last turn if it has no answer; return the config to go on with."""
    snapshot = await graph.aget_state(config)
    run = (config.get("metadata") or {}).get("run_id")
    before = (snapshot.metadata or {}).get("run_id")
    if not set(snapshot.next) & {"planner", "scheduler", "joiner"} or (run and run == before):
        # It has ended; or a server begins the same run again, and it goes on.
        return config
    messages: list[AnyMessage] = []
    state: State = snapshot.values  # type: ignore[assignment]
    outcomes = state.get("outcomes") or {}
    if "scheduler" in snapshot.next:
        plan = [task for task in tidied(state["plan"]) if str(task["id"]) not in outcomes]
        saved = await saver.aget_tuple(snapshot.config)
        found = {
            **await forked_from(saver, snapshot.config, None),
            **recorded((saved and saved.pending_writes) or ()),
        }
        ended = {str(task["id"]): found.get(str(task["id"])) or _left(task) for task in plan}
        given = Context(**context) if isinstance(context, Mapping) else Context.of(context)
        messages = round_messages(plan, ended, given.max_result_chars)
        outcomes = {**outcomes, **ended}
    values = {"messages": [*messages, AIMessage(LEFT)], "outcomes": outcomes, "feedback": None}
    # Not the run's own config: with its id, the run would take the turn for its own.
    configurable = {**config["configurable"], **snapshot.config["configurable"]}
    closed = await graph.aupdate_state({"configurable": configurable}, values, as_node="joiner")
    if "checkpoint_id" not in config["configurable"]:
        return config
    return {**config, "configurable": {**config["configurable"], **closed["configurable"]}}


def _left(task: TaskData) -> OutcomeData:
    return Outcome(task["id"], task["tool"], "skipped", task["args"], error=_WHY).data()
