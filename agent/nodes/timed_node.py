"""What every node does in addition to its own work: counts the turn's seconds, and is traced."""

from collections.abc import Awaitable, Callable
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.runtime import Runtime

from llm_compiler.context import Context
from llm_compiler.run.resources import RunResources
from llm_compiler.state import State, begins_turn, next_round

Node = Callable[[State, RunnableConfig, Runtime[Context]], Awaitable[dict[str, Any]]]


def timed(name: str, node: Node) -> Any:
    """`node`, traced, and with the turn's seconds in the state counted on from where they were."""

    async def run_node(
        state: State, config: RunnableConfig, runtime: Runtime[Context]
    ) -> dict[str, Any]:
        run, number = RunResources.of(config), state.get("round") or 0
        run.clock.count_on(state.get("seconds") or 0.0)
        if name == "planner":
            number = next_round(state)
            if begins_turn(state):
                run.clock.restart()
        with run.span.node(name, number):
            update = await node(state, config, runtime)
        run.span.passed(name, {**state, **update})
        return {**update, "seconds": run.clock.seconds()}

    return run_node
