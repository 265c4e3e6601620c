"""Closes a turn that a new message abandons: stopped at a question or a breakpoint, or killed.

What its journal holds is recorded in the thread, so that every `tool_call` has its `ToolMessage`
and completed calls are not forgotten. None of its calls run any more, and a later decision about
them has no effect. An answer that was given is kept, even if the run was killed before its
checkpoint was written. A message that is sent again under its id asks its own question anew.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.messages import AIMessage, AnyMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import StateSnapshot

from llm_compiler.context import Context
from llm_compiler.execution.journal import Journal
from llm_compiler.langgraph_private import own_namespace
from llm_compiler.language.evaluation.references import literal
from llm_compiler.language.tasks.task import EACH, Outcome, OutcomeData, Task, TaskData, stored_data
from llm_compiler.language.tasks.task_ids import is_instance, order_of
from llm_compiler.pacing import MANY, off_loop
from llm_compiler.round_messages import ABANDONED, call_mark, round_messages
from llm_compiler.run.stored_state import read_state, repairs
from llm_compiler.run.turn_journal import records_of
from llm_compiler.scheduling.facts import Prior
from llm_compiler.state import State, asked_by
from llm_compiler.thread_messages import mended_messages

_NODES = ("planner", "scheduler", "joiner")
_WHY = "it had not ended when another message came"


async def close_abandoned_turn(
    graph: CompiledStateGraph[Any, Any, Any, Any],
    saver: BaseCheckpointSaver[Any],
    config: RunnableConfig,
    given: Mapping[str, Any],
    context: Context,
) -> RunnableConfig:
    """Close the thread's last turn if it has no answer; return the config to continue with.

    Args:
        graph: The graph.
        saver: Its checkpointer.
        config: That of the run.
        given: The run's input, with the new message.
        context: The run's context.
    """
    snapshot = await graph.aget_state(config)
    # Servers put it in the one or the other; LangGraph, which continues by it, reads both.
    run = (config.get("metadata") or {}).get("run_id") or config["configurable"].get("run_id")
    before = (snapshot.metadata or {}).get("run_id")
    # Not `next`: a node that has ended, but whose checkpoint is not written, is not in it.
    node = next((task for task in snapshot.tasks if task.name in _NODES), None)
    gone_back = "checkpoint_id" in config["configurable"]
    if node is None or (run and run == before):
        # It has ended; or a server begins the same run again, and it continues.
        if node is None and not gone_back and snapshot.values.get("feedback") is not None:
            # A client asked for a replan after the end; the message would be taken for that replan.
            await _update(graph, config, snapshot, {"feedback": None})
        return config
    # What the node returned. A checkpoint that a run goes back to stays as it was.
    written: dict[str, Any] = {**(({} if gone_back else node.result) or {})}
    messages: list[AnyMessage] = written.pop("messages", [])
    answered = node.name == "joiner" and bool(messages)
    stored = {**snapshot.values, **written}
    state = await read_state(stored)
    outcomes = state["outcomes"]
    if node.name == ("planner" if written else "scheduler"):  # its plan has not run to its end
        journal = Journal(records_of(saver, snapshot.config, state))
        await journal.read()
        found = await off_loop(True, journal.ended)
        state["plan"] = _with_instances(state["plan"], found)
        plan = [task for task in state["plan"] if str(task["id"]) not in outcomes]
        ended = {
            str(task["id"]): found[task["key"]][-1].outcome.data()
            if task["key"] in found
            else _skipped(task)
            for task in plan
        }
        mark = call_mark(state["turn"], state["round"], state["messages"], own_namespace(config))
        messages = await off_loop(
            len(plan) > MANY, round_messages, plan, ended, context.max_result_chars, mark=mark
        )
        outcomes = {**outcomes, **ended}
    if not answered and not _is_asked_again(state, given):
        messages = [*messages, AIMessage(ABANDONED)]
    repaired = {**written, **repairs(stored, state)}
    values = {**repaired, "messages": messages, "outcomes": outcomes, "feedback": None}
    closed = await _update(graph, config, snapshot, values)
    if not gone_back:
        return config
    return {**config, "configurable": {**config["configurable"], **closed["configurable"]}}


def _is_asked_again(state: State, given: Mapping[str, Any]) -> bool:
    """Whether the new message is the one that asked the question without an answer."""
    asked = asked_by(state)
    return asked != "" and asked == asked_by({"messages": mended_messages(given.get("messages"))})


async def _update(
    graph: CompiledStateGraph[Any, Any, Any, Any],
    config: RunnableConfig,
    snapshot: StateSnapshot,
    values: Mapping[str, Any],
) -> RunnableConfig:
    # Not the run's own config: with its id, which a server puts in both places, the run would take
    # the turn for its own, and its message for the one that the turn began with.
    configurable = {**config["configurable"], **snapshot.config["configurable"]}
    configurable.pop("run_id", None)
    return await graph.aupdate_state({"configurable": configurable}, values, as_node="joiner")


def _with_instances(
    plan: list[TaskData], journaled: Mapping[str, Sequence[Prior]]
) -> list[TaskData]:
    """The plan, with the calls of its loops that have ended."""
    loops = {task["key"]: task for task in plan if task["tool"] == EACH}
    known = {task["id"] for task in plan}
    found = []
    for key, priors in journaled.items():
        loop, outcome = loops.get(key.partition("[")[0]), priors[-1].outcome
        if loop is None or outcome.id in known or not is_instance(outcome.id):
            continue
        task = Task(outcome.id, outcome.tool, literal(dict(priors[-1].planned)), line=loop["line"])
        taint = loop.get("taint", "")
        found.append(stored_data(task, round=loop["round"], key=key, taint=taint, rules=()))
    return sorted([*plan, *found], key=lambda task: order_of(task["id"])) if found else plan


def _skipped(task: TaskData) -> OutcomeData:
    return Outcome(task["id"], task["tool"], "skipped", task["args"], error=_WHY).data()
