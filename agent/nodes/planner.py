"""The planner: streams a plan, and hands each task to the task-fetching unit as it is written."""

import asyncio
import datetime
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from typing import Any, cast

from langchain_core.messages import BaseMessage
from langchain_core.runnables import RunnableConfig
from langgraph.runtime import Runtime

from llm_compiler.clock import today
from llm_compiler.context import Context
from llm_compiler.errors import ModelError, SetupError
from llm_compiler.execution.executor import warm_up
from llm_compiler.language.tasks.task import ANSWER, OutcomeData, TaskData
from llm_compiler.language.tasks.task_ids import order_of
from llm_compiler.models.errors import CutOffError, EmptyReplyError
from llm_compiler.models.model import Meter, Model, retrying
from llm_compiler.nodes.beginning import beginning, constant, instructions
from llm_compiler.nodes.heard import asked_and_heard
from llm_compiler.nodes.load_plan import Stored, load
from llm_compiler.nodes.open_round import Setup, open_round
from llm_compiler.nodes.plan_stream import PlanStream
from llm_compiler.pacing import MANY, off_loop
from llm_compiler.prompting.attachments import attachments
from llm_compiler.prompting.messages import planner_messages, replan_message
from llm_compiler.run.resources import Round, RunResources
from llm_compiler.state import (
    RoleUsage,
    State,
    asked_by,
    asked_message,
    begins_turn,
    conversation,
    next_round,
    question,
    spent,
)


class Planner:
    """The node `planner`."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup

    async def __call__(
        self, state: State, config: RunnableConfig, runtime: Runtime[Context]
    ) -> dict[str, Any]:
        if not state.get("messages"):
            raise SetupError('there is no question; pass {"messages": [("user", "…")]}')
        run, before = RunResources.of(config), _Before.of(state)
        round = await open_round(
            self._setup,
            runtime,
            config,
            next_round(state),
            state=before.beginning(state),
            early_start=run.early_start,
            asked=before.asked,
        )
        warm_up(round.tools)
        run.watch_deadline()
        await load(round, Stored(before.plan, before.outcomes, before.names))
        plan, meter = PlanStream(round, before.plan, before.names), Meter()
        deadline = round.context.deadline
        try:
            async with asyncio.timeout(None if deadline is None else run.clock.until(deadline)):
                model = await self._setup.model(round.context, "planner")
                told = instructions(self._setup, state)
                date = today(run.clock.source)
                if model.read_ahead is not None:
                    constants = (round.tools, round.context, model.profile, told, date)
                    await model.prepare(await asyncio.to_thread(beginning, *constants))
                # Of a long plan, the results are many.
                messages = await asyncio.to_thread(
                    _messages, round, model, state, before, date, told, config
                )
                asked = question(state) if model.profile.names_which else ""
                grammar = plan.grammar(asked) if model.profile.grammar else None
                await self._stream(plan, model, messages, meter, grammar)
        except TimeoutError:
            if deadline is None:
                raise
            await plan.expire(deadline)
        written = await plan.close()
        many = len(written) > MANY
        # The data of the turn before.
        stale = {"structured_response": None} if self._setup.form and before.asked else {}
        return {
            **stale,
            "plan": await off_loop(many, _in_order, [*before.plan, *written]),
            "outcomes": before.outcomes,
            "names": await off_loop(many, lambda: plan.names),
            "turn": asked_by(state),
            "round": round.number,
            "feedback": None,
            "usage": spent(before.usage, "planner", meter.usage),
        }

    async def _stream(
        self,
        plan: PlanStream,
        model: Model,
        messages: list[BaseMessage],
        meter: Meter,
        grammar: str | None,
    ) -> None:
        """Read one plan to its end. If the stream breaks off, the whole plan is asked for again."""

        async def read() -> None:
            plan.begin()
            pieces = model.stream(
                messages,
                meter,
                role="planner",
                grammar=grammar,
                has_ended=lambda: plan.ended,
                forget=plan.broke,
            )
            try:
                async with aclosing(pieces):
                    async for piece in pieces:
                        await plan.feed(piece)
                        if plan.full:
                            break
                        # A small model that repeats itself would do so until its limit.
                        if plan.too_long or (grammar and plan.repeats):
                            await plan.leave_off()
                            break
            except CutOffError:
                await plan.leave_off()
            except ModelError:
                if not plan.ended:
                    raise
            await plan.finish(model.name)

        with suppress(EmptyReplyError):  # the joiner answers a plan without tasks
            await retrying(anew=plan.broke)(read)


@dataclass(frozen=True)
class _Before:
    """The earlier rounds of this turn."""

    plan: list[TaskData] = field(default_factory=list)
    outcomes: dict[str, OutcomeData] = field(default_factory=dict)
    usage: dict[str, RoleUsage] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    asked: str | None = None
    """The question, if it begins a turn."""

    def beginning(self, state: State) -> State:
        """The state that the round begins with: of a new turn, without the turn before."""
        begins = {
            **state,
            "plan": self.plan,
            "outcomes": self.outcomes,
            "names": self.names,
            "usage": self.usage,
            "turn": asked_by(state),
            "round": next_round(state),
            "feedback": None,
        }
        if self.asked is not None:
            begins.pop("structured_response", None)
        return cast(State, begins)

    @classmethod
    def of(cls, state: State) -> "_Before":
        if begins_turn(state):
            return cls(asked=question(state))
        return cls(state["plan"], state["outcomes"], state["usage"], state["names"])


def _in_order(plan: list[TaskData]) -> list[TaskData]:
    return sorted(plan, key=lambda task: order_of(task["id"]))


def _messages(
    round: Round,
    model: Model,
    state: State,
    before: _Before,
    date: datetime.date,
    told: str,
    config: RunnableConfig,
) -> list[BaseMessage]:
    context = round.context
    replan = None
    if before.asked is None:
        feedback = state.get("feedback") or "what the question asks for"
        max_chars = context.max_result_chars
        # An answer of an earlier round was none, and a small model writes it again.
        hidden = () if model.profile.show_failures else (ANSWER,)
        replan = replan_message(
            [task for task in before.plan if task["tool"] not in hidden],
            before.outcomes,
            feedback,
            max_chars,
            names=before.names,
            with_failures=model.profile.show_failures,
        )
    return planner_messages(
        round.tools,
        conversation(state),
        asked_and_heard(state, config, context.max_result_chars),
        **constant(context, model.profile, told, date),
        attached=attachments(asked_message(state)),
        replan=replan,
    )
