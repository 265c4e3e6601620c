"""The scheduler: takes over the task-fetching unit with its running calls, and waits for all.

After a restart, or when a person edited the plan, it builds a unit from the plan in the state and
the turn's journal. What a person was asked before is asked again in the same order: LangGraph tells
the answers of one node apart by their order alone.
"""

from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from langchain_core.messages import AnyMessage
from langchain_core.runnables import RunnableConfig
from langgraph.errors import GraphBubbleUp, GraphInterrupt, ParentCommand
from langgraph.runtime import Runtime
from langgraph.types import interrupt

from llm_compiler.context import Context
from llm_compiler.errors import PlanError
from llm_compiler.execution.approvals import (
    decisions_of,
    refused,
    reject_all,
    request_of,
    tell_decided,
    tell_waiting,
)
from llm_compiler.execution.executor import warm_up
from llm_compiler.execution.handoff import command_of, with_messages_before
from llm_compiler.execution.journal import Journal
from llm_compiler.execution.tool_interrupts import Asked
from llm_compiler.langgraph_private import drop_used_answer
from llm_compiler.language.evaluation.references import literal
from llm_compiler.language.tasks.task import Outcome, Task, TaskData, did_not_compile, is_call
from llm_compiler.language.tasks.task_ids import order_of
from llm_compiler.language.tasks.weight import exceeds
from llm_compiler.nodes.instances import with_instances
from llm_compiler.nodes.load_plan import Stored, load
from llm_compiler.nodes.open_round import Setup, open_round
from llm_compiler.nodes.replay import replay
from llm_compiler.observability.stream_events import Events
from llm_compiler.pacing import MANY, off_loop, paced
from llm_compiler.round_messages import round_messages
from llm_compiler.run.resources import Round, RunResources
from llm_compiler.run.turn_journal import journal_of
from llm_compiler.scheduling.facts import Decided, Decision, PlanEnded, TakenOver
from llm_compiler.scheduling.orders import Ask
from llm_compiler.scheduling.schedule import Schedule
from llm_compiler.state import State, spent

_NO_CHECKPOINTER = "approval needs a checkpointer; compile the graph with one"
_MANY_PARTS = 20_000
"""Of what was computed, which is gone through for the keys of dicts: a thread does it."""


class Scheduler:
    """The node `scheduler`."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup

    async def __call__(
        self, state: State, config: RunnableConfig, runtime: Runtime[Context]
    ) -> dict[str, Any]:
        stored, run = state["plan"], RunResources.of(config)
        plan = await off_loop(len(stored) > MANY, lambda: [task.copy() for task in stored])
        state = {**state, "plan": plan}
        journal = await off_loop(len(plan) > MANY, journal_of, config, state, run)
        try:
            round = await self._take_over(state, config, runtime, run, journal)
            await _Running(round, journal, run).to_the_end()
        finally:
            await journal.close()
        return await off_loop(_is_large(round.unit.schedule), self._update, state, round)

    def _update(self, state: State, round: Round) -> dict[str, Any]:
        """What the state gets of a round in which all has ended."""
        schedule, before = round.unit.schedule, state["outcomes"]
        outcomes = {str(id): outcome.data() for id, outcome in schedule.outcomes.items()}
        plan = with_instances(state["plan"], schedule)
        # In earlier rounds, only what a person has edited has run again.
        ran = [task for task in plan if before.get(id := str(task["id"])) != outcomes[id]]
        for task in ran:
            # The plan records what ran: what a person makes of it later is an edit of that.
            if task["id"] in schedule.records:
                _as_it_ran(task, schedule)
        untrusted = {id for id in schedule.records if schedule.taint.of_result(id)}

        def messages(tasks: list[TaskData]) -> list[AnyMessage]:
            return round_messages(
                tasks,
                outcomes,
                round.context.max_result_chars,
                mark=round.mark,
                untrusted=untrusted,
                name=self._setup.author,
            )

        for task in ran:
            ended = schedule.outcomes[task["id"]]
            if ended.command is not None and (handoff := ended.command.get("handoff")):
                others = messages([it for it in ran if it is not task])
                raise ParentCommand(with_messages_before(command_of(handoff), others))
        usage = state["usage"]
        if round.meter.usage["calls"]:
            usage = spent(usage, "tools", round.meter.usage)
        return {
            "plan": plan,
            "outcomes": dict(sorted(outcomes.items(), key=lambda it: order_of(it[1]["id"]))),
            "usage": usage,
            "messages": messages(ran),
        }

    async def _take_over(
        self,
        state: State,
        config: RunnableConfig,
        runtime: Runtime[Context],
        run: RunResources,
        journal: Journal,
    ) -> Round:
        if run.round is not None and not run.round.unit.closed:
            run.round.unit.adopt(config, state)
            return run.round
        await journal.read()
        if not run.answered:
            drop_used_answer(config, journal.decided)
        run.clock.count_on(journal.seconds)
        round = await open_round(
            self._setup,
            runtime,
            config,
            state["round"],
            state=state,
            early_start=False,
        )
        warm_up(round.tools)
        stored = Stored(
            state["plan"],
            state["outcomes"],
            state["names"],
            await off_loop(True, journal.ended),
            journal.asked_keys,
            journal.loops,
        )
        round.events.silent = True
        await load(round, stored)
        round.unit.tell(PlanEnded())
        await round.unit.idle()
        round.events.silent = False
        schedule = round.unit.schedule
        many = len(schedule.records) > MANY
        plan = await off_loop(many, with_instances, state["plan"], schedule)
        await replay(round.events, state, plan, schedule.outcomes)
        return round


def _is_large(schedule: Schedule) -> bool:
    if len(schedule.records) > MANY:
        return True
    outcomes = schedule.outcomes.values()
    return exceeds((it.value for it in outcomes if not is_call(it.tool)), _MANY_PARTS)


def _as_it_ran(task: TaskData, schedule: Schedule) -> None:
    """Put into a task of the state what ran: the arguments, of a text what it compiled to."""
    id, ruled = task["id"], schedule.tasks[task["id"]]
    if did_not_compile(task) and isinstance(ruled, Task):
        del task["text"]
        task.pop("error", None)
        task |= schedule.binding.data(id, round=task["round"], key=task["key"])
    if schedule.planned_args(id) is not None:
        task["args"] = literal(dict(schedule.outcomes[id].args))


@dataclass(frozen=True)
class _Running:
    """A round whose calls run, and whose person is asked, until all has ended."""

    round: Round
    journal: Journal
    run: RunResources

    async def to_the_end(self) -> None:
        """Run everything, and ask a person where one is needed."""
        unit, schedule = self.round.unit, self.round.unit.schedule
        unit.claim = lambda launch: self.journal.claim(launch, schedule.planned_args(launch.id))
        unit.on_settled = self._record
        unit.on_loop = self.journal.loop
        # What happened while the plan was written:
        async for id, calls in paced([*schedule.loops.calls.items()]):
            self.journal.loop(id, calls)
        async for record in paced([*schedule.records.values()]):
            if record.outcome is not None:
                self._record(record.outcome)
        await self._ask_again()
        self.run.watch_deadline()
        unit.tell(TakenOver())
        while (stop := await self._stopped()) is not None:
            if isinstance(stop, Ask):
                unit.tell(Decided(await self._decisions(stop)))
            else:
                await self._journal(stop)
                self._answered(stop, self.round.events, self.round.events)
        await self.journal.flush()

    def _record(self, outcome: Outcome) -> None:
        self.journal.record(outcome, self.round.unit.schedule.planned_args(outcome.id))

    async def _stopped(self) -> Ask | Asked | None:
        try:
            return await self.round.unit.stopped()
        except GraphBubbleUp:  # graphs inside tools interrupt
            for id, _ in self.round.unit.interrupted.values():
                await self.journal.release(id)
            await self.journal.stop(self.run.clock.seconds())
            raise

    async def _ask_again(self) -> None:
        """Ask what was asked before; what is answered by now does not stop the run."""
        asked, again = self.journal.asked, self.round.events.again()
        for number, (this, following) in enumerate(zip_longest(asked, asked[1:])):
            told = self.round.events if number >= self.journal.decided else again
            if this.task is not None:
                self._answered(this, again, told, number + 1)
            elif following is not None and following.calls == this.calls:
                _answer(this)  # it was refused, and asked for again
            else:
                await tell_waiting(again, this)
                self.round.unit.tell(Decided(await self._decided(this, told, number + 1)))

    async def _decisions(self, ask: Ask) -> tuple[Decision, ...]:
        if not self.journal.lasting:
            return reject_all(ask, _NO_CHECKPOINTER)
        asked = await off_loop(len(ask.calls) > MANY, request_of, ask, self.round.tools)
        await tell_waiting(self.round.events, asked)
        try:
            _answer(asked)
        except GraphInterrupt:
            await self._journal(asked)
            raise
        # What is there already was sent for a question that the plan has left behind since: it
        # decides on nothing, and keeps its place in the order.
        again = refused(asked, PlanError("an answer came before this was asked; decide on it now"))
        await self._journal(asked, again)
        return await self._decided(again, self.round.events)

    async def _decided(
        self, asked: Asked, events: Events, number: int | None = None
    ) -> tuple[Decision, ...]:
        """Stop the run until a person has decided on all the calls; tell what they decided."""
        while True:
            try:
                answer, tools = _answer(asked), self.round.tools
                many = len(asked.calls) > MANY
                decisions = await off_loop(many, decisions_of, asked, answer, tools)
            except PlanError as error:
                asked, number = refused(asked, error), None
                await self._journal(asked)
            else:
                self.journal.decide(number)
                await tell_decided(events, asked, decisions)
                return decisions

    def _answered(
        self, asked: Asked, waiting: Events, answered: Events, number: int | None = None
    ) -> None:
        """Stop the run until a person has answered the question of a tool."""
        tool = self.round.unit.schedule.tasks[asked.task].tool
        waiting.task_waiting(asked.task, tool, {}, asked.value)
        self.round.unit.answer(asked.task, _answer(asked))
        self.journal.decide(number)
        answered.task_decided(asked.task, tool, "answered")

    async def _journal(self, *questions: Asked) -> None:
        await self.journal.ask(*questions, seconds=self.run.clock.seconds())


def _answer(asked: Asked) -> Any:
    """Stop the run until a person has answered."""
    return interrupt(asked.value, response_schema=asked.schema)
