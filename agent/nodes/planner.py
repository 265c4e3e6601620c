"""The planner: streams a plan, and hands each task to the task-fetching unit as it is written."""

import asyncio
import time
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from typing import Any

from langchain_core.messages import BaseMessage
from langchain_core.runnables import RunnableConfig
from langgraph.runtime import Runtime

from llm_compiler.context import Context
from llm_compiler.errors import ModelError
from llm_compiler.execution.executor import warm_up
from llm_compiler.language.compiler import Compiler
from llm_compiler.language.grammar import plan_grammar
from llm_compiler.language.parser import ANSWER, JOIN, Call, PlanParser
from llm_compiler.language.references import literal
from llm_compiler.language.task import OutcomeData, Refused, Task, TaskData
from llm_compiler.models.errors import CutOffError, EmptyReplyError
from llm_compiler.models.model import Meter, Model, retrying
from llm_compiler.nodes.open_round import Setup, load, open_round
from llm_compiler.prompting.messages import planner_messages, replan_message
from llm_compiler.run.resources import Live, Round
from llm_compiler.scheduling.facts import DeadlinePassed, PlanBroke, PlanEnded, Planned
from llm_compiler.scheduling.taint import untrusted
from llm_compiler.state import (
    RoleUsage,
    State,
    begins_turn,
    conversation,
    next_round,
    question,
    spent,
)

_PIECES_AFTER_END = 16
"""Pieces of a stream that are still taken after the plan's end: the last one has the usage."""
_LONGEST = 100_000
"""Characters of a plan, and as many more as `_LONGEST_TASK` for each task that it may have."""
_LONGEST_TASK = 1000


class Planner:
    """The node `planner`."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup

    async def __call__(
        self, state: State, config: RunnableConfig, runtime: Runtime[Context]
    ) -> dict[str, Any]:
        live, before = Live.of(config), _Before.of(state)
        if before.asked is not None:
            live.began = time.perf_counter()
        round = await open_round(
            self._setup,
            runtime,
            config,
            next_round(state),
            early_start=live.early_start,
            untrusted_conversation=untrusted(conversation(state)),
            asked=before.asked,
        )
        warm_up(round.tools)
        live.watch_deadline()
        load(round, before.plan, before.outcomes, announce=False)
        model = await self._setup.model(round.context, "planner")
        messages = _messages(round, model, state, before)
        writing, meter = _Writing(round, before.plan), Meter()
        deadline = round.context.deadline
        try:
            async with asyncio.timeout(None if deadline is None else live.left(deadline)):
                await self._stream(writing, model, messages, meter)
        except TimeoutError:
            if deadline is None:
                raise
            writing.expire(deadline)
        return {
            "plan": [*before.plan, *writing.close()],
            "outcomes": before.outcomes,
            "round": round.number,
            "feedback": None,
            "usage": spent(before.usage, "planner", meter.usage),
        }

    async def _stream(
        self, writing: "_Writing", model: Model, messages: list[BaseMessage], meter: Meter
    ) -> None:
        """Read one plan to its end. A stream that breaks off is read anew, whole."""
        with suppress(EmptyReplyError):  # the joiner answers a plan without tasks
            await retrying(anew=writing.broke)(self._read, writing, model, messages, meter)

    async def _read(
        self, writing: "_Writing", model: Model, messages: list[BaseMessage], meter: Meter
    ) -> None:
        writing.begin()
        staged = _with_examples(writing.round.context, model)
        grammar = writing.grammar(staged=staged) if model.profile.grammar else None
        pieces = model.stream(messages, meter, role="planner", grammar=grammar)
        after_end = 0
        try:
            async with aclosing(pieces):
                async for piece in pieces:
                    writing.feed(piece)
                    after_end += writing.ended
                    if after_end > _PIECES_AFTER_END or writing.full:
                        break
                    if writing.too_long:
                        writing.leave_off()
                        break
        except CutOffError:
            writing.leave_off()
        except ModelError:
            if not writing.ended:
                raise
        writing.finish(model.name)


@dataclass(frozen=True)
class _Before:
    """The rounds of this turn before the one that begins."""

    plan: list[TaskData] = field(default_factory=list)
    outcomes: dict[str, OutcomeData] = field(default_factory=dict)
    usage: dict[str, RoleUsage] = field(default_factory=dict)
    asked: str | None = None
    """The question, if it begins a turn."""

    @classmethod
    def of(cls, state: State) -> "_Before":
        if begins_turn(state):
            return cls(asked=question(state))
        return cls(state["plan"], state["outcomes"], state["usage"])


def _with_examples(context: Context, model: Model) -> bool:
    """Whether worked plans are sent, and plans of their form, in stages, are asked for."""
    return context.examples == "always" or (context.examples == "auto" and model.profile.few_shot)


def _messages(round: Round, model: Model, state: State, before: _Before) -> list[BaseMessage]:
    context = round.context
    replan = None
    if before.asked is None:
        feedback = state.get("feedback") or "what the question asks for"
        most = context.max_result_chars
        replan = replan_message(
            before.plan, before.outcomes, feedback, most, with_failures=model.profile.show_failures
        )
    return planner_messages(
        round.tools,
        conversation(state),
        question(state),
        with_examples=_with_examples(context, model),
        more_examples=() if context.examples == "never" else context.more_examples,
        template=context.planner_prompt,
        replan=replan,
    )


class _Writing:
    """A plan that is being written: parsed, compiled and handed on task by task."""

    def __init__(self, round: Round, plan: list[TaskData]) -> None:
        self.round = round
        self._taken = [task["id"] for task in plan]
        self.first_id = max(self._taken, default=0) + 1
        self.begin()

    def begin(self) -> None:
        self._parser = PlanParser()
        self._compiler = Compiler(
            self.round.tools, taken=self._taken, max_tasks=self.round.context.max_tasks
        )
        self._answer: TaskData | None = None
        self._ids: list[int] = []
        self._any = False
        self._characters = 0
        self.too_long = False

    def grammar(self, *, staged: bool) -> str:
        """The language of this plan, for servers that decode under a grammar."""
        most = self.round.context.max_tasks
        return plan_grammar(self.round.tools, self.first_id, max_tasks=most, staged=staged)

    @property
    def ended(self) -> bool:
        return self._parser.ended

    @property
    def full(self) -> bool:
        return self._compiler.full

    def feed(self, text: str) -> None:
        room = _LONGEST + _LONGEST_TASK * self.round.context.max_tasks - self._characters
        self.too_long = len(text) > room
        self._characters += len(text)
        for call in self._parser.feed(text[:room]):
            self._take(call)

    def broke(self) -> None:
        """The stream broke off: its calls wait for the plan that is written next."""
        self.round.unit.tell(PlanBroke())
        self.begin()

    def cut(self) -> bool:
        """The stream was cut: the call that it was in is not run. Returns whether there is one."""
        calls = self._parser.close()
        for call in calls:
            self._take(call)
        return bool(calls)

    def expire(self, deadline: float) -> None:
        """The deadline passed. What ran for a plan that broke off stands in this one's place."""
        self.cut()
        self._plan_without_id()
        left = self.round.unit.schedule.unclaimed
        for call in sorted(left, key=lambda call: self._free(call.id) != call.id):
            self._plan(Task(self._free(call.id), call.tool, literal(dict(call.args))))
        self.round.unit.tell(DeadlinePassed(deadline))

    def leave_off(self) -> None:
        """The model stopped before the plan's end: a task that failed tells the joiner so."""
        if not self.ended and not self.cut() and self._any:
            self._take(Call(self._free(), JOIN, whole=False))

    def finish(self, model: str) -> None:
        """The stream ended.

        Raises:
            EmptyReplyError: without a single task.
        """
        self.cut()
        if not self._any:
            why = f"the planner's model {model} wrote no task; use another model"
            raise EmptyReplyError(why, passing=True, wait=0)

    def close(self) -> list[TaskData]:
        """End the plan; return its tasks in id order, as the state holds them."""
        self._plan_without_id()
        self.round.unit.tell(PlanEnded())
        tasks = self.round.unit.schedule.tasks
        written = [tasks[id].data() for id in self._ids]
        if self._answer is not None:
            written.append(self._answer)
        written.sort(key=lambda task: task["id"])
        self.round.events.plan_end([task["id"] for task in written])
        return written

    def _take(self, call: Call) -> None:
        if self.full:
            return
        self._any = True
        for task in self._compiler.compile(call):
            if isinstance(task, Task) and task.tool == ANSWER:
                self._answer = task.data()
                self.round.events.plan_task(task)
            else:
                self._plan(task)

    def _plan_without_id(self) -> None:
        for refused in self._compiler.close():
            self._plan(refused)

    def _free(self, id: int = 0) -> int:
        """`id`, if no task has it, else one behind all others."""
        answered = [self._answer["id"]] if self._answer is not None else []
        taken = {*self._taken, *self._ids, *answered}
        return id if id and id not in taken else max(taken, default=0) + 1

    def _plan(self, task: Task | Refused) -> None:
        self._ids.append(task.id)
        self.round.events.plan_task(task)
        self.round.unit.tell(Planned(task))
