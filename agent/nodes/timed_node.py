"""What every node does in addition to its own work: repairs the state, and is timed and traced.

A run that goes on with a turn in the planner or joiner tells how the turn stands; the scheduler has
its journal to read before.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.runtime import Runtime

from llm_compiler.context import Context
from llm_compiler.language.tasks.task import Outcome
from llm_compiler.language.tasks.task_ids import TaskId
from llm_compiler.nodes.replay import replay
from llm_compiler.observability.stream_events import Events
from llm_compiler.pacing import MANY, off_loop
from llm_compiler.run.resources import RunResources
from llm_compiler.run.stored_state import read_state, repairs
from llm_compiler.state import State, begins_turn, next_round

Node = Callable[[State, RunnableConfig, Runtime[Context]], Awaitable[dict[str, Any]]]


def timed(name: str, node: Node) -> Any:
    """`node`, traced and timed: the turn's seconds in the state are counted on from, and written.

    Repairs of the state are written too, so that it stays valid when the turn has ended.
    """

    async def run_node(
        state: State, config: RunnableConfig, runtime: Runtime[Context]
    ) -> dict[str, Any]:
        run = RunResources.of(config)
        stored, state = state, await read_state(state, run.state)
        number = state["round"]
        run.clock.count_on(state["seconds"])
        if name == "planner":
            number = next_round(state)
            if begins_turn(state):
                run.clock.restart()
        goes_on = name == "joiner" or (name == "planner" and not begins_turn(state))
        if run.state is None and goes_on:
            events = Events(runtime.stream_writer, state["round"], run.clock.seconds)
            outcomes = await off_loop(len(state["plan"]) > MANY, _outcomes, state)
            await replay(events, state, state["plan"], outcomes, replanned=name == "planner")
        with run.node(), run.span.node(name, number):
            update = await node(state, config, runtime)
        update = {**repairs(stored, state), **update, "seconds": run.clock.seconds()}
        run.state = after = {**state, **update}
        run.span.passed(name, after)
        return update

    return run_node


def _outcomes(state: State) -> dict[TaskId, Outcome]:
    return {it["id"]: Outcome.of(it) for it in state["outcomes"].values()}
