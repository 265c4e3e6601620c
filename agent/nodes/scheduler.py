"""The scheduler: takes over the task-fetching unit with its running calls, and waits for all.

After a restart, or when a person edited the plan, it builds a unit from the plan in the state.
"""

from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.runtime import Runtime

from llm_compiler.context import Context
from llm_compiler.execution.approvals import ask_person, reject_all
from llm_compiler.execution.executor import warm_up
from llm_compiler.execution.journal import (
    Entry,
    Journal,
    ended_at,
    forked_from,
)
from llm_compiler.execution.task_fetching_unit import TaskFetchingUnit
from llm_compiler.execution.tool_interrupts import Question
from llm_compiler.langgraph_private import checkpoint_of, checkpointer_of
from llm_compiler.language.compiler import is_answer
from llm_compiler.language.parser import ANSWER
from llm_compiler.language.references import literal
from llm_compiler.language.task import Outcome, OutcomeData, TaskData
from llm_compiler.nodes.open_round import Setup, load, open_round
from llm_compiler.round_messages import round_messages, untrusted
from llm_compiler.run.clock import TurnClock
from llm_compiler.run.resources import Round, RunResources
from llm_compiler.scheduling.facts import Ask, Decided, Decision, Fact, PlanEnded, TakenOver
from llm_compiler.state import State, conversation, spent

_NO_CHECKPOINTER = "approval needs a checkpointer; compile the graph with one"


class Scheduler:
    """The node `scheduler`."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup

    async def __call__(
        self, state: State, config: RunnableConfig, runtime: Runtime[Context]
    ) -> dict[str, Any]:
        state = {**state, "plan": [task.copy() for task in state["plan"]]}
        before = state.get("outcomes") or {}
        round = await self._take_over(state, config, runtime)
        schedule = round.unit.schedule
        # Of the rounds before, only what a person has edited runs again.
        kept = {id for id, data in before.items() if _unchanged(round, data)}
        plan = [task for task in state["plan"] if str(task["id"]) not in kept]
        await _run(round, plan, config)
        for task in plan:
            if task["id"] in schedule.edited:
                # The plan says what ran: what a person makes of it later is an edit of that.
                task["args"] = literal(dict(schedule.outcomes[task["id"]].args))
        outcomes = {str(id): outcome.data() for id, outcome in schedule.outcomes.items()}
        for task in state["plan"]:
            if is_answer(task):
                outcome = Outcome(task["id"], ANSWER, "ok", value=task["args"].get("text", ""))
                outcomes[str(task["id"])] = outcome.data()
                round.events.task_finished(outcome)
        usage = state.get("usage") or {}
        if round.meter.usage["calls"]:
            usage = spent(usage, "tools", round.meter.usage)
        return {
            "plan": state["plan"],
            "outcomes": dict(sorted(outcomes.items(), key=lambda entry: int(entry[0]))),
            "usage": usage,
            "messages": round_messages(
                plan, outcomes, round.context.max_result_chars, untrusted=_untrusted(round)
            ),
        }

    async def _take_over(
        self, state: State, config: RunnableConfig, runtime: Runtime[Context]
    ) -> Round:
        run = RunResources.of(config)
        if run.round is not None and not run.round.unit.closed:
            run.round.unit.adopt(config)
            return run.round
        round = await open_round(
            self._setup,
            runtime,
            config,
            state["round"],
            early_start=False,
            untrusted_conversation=untrusted(conversation(state)),
        )
        warm_up(round.tools)
        outcomes = state.get("outcomes") or {}
        if (saver := checkpointer_of(config)) is not None:
            # What ran before a person edited the plan, or went back to it.
            outcomes = {
                **await forked_from(saver, checkpoint_of(config), run.addressed),
                **outcomes,
            }
        load(round, state["plan"], outcomes, announce=True)
        round.unit.tell(PlanEnded())
        return round


def _untrusted(round: Round) -> set[str]:
    """The names of the tools for whose results nobody vouches."""
    return {name for name, tool in round.tools.items() if tool.rules.untrusted}


def _unchanged(round: Round, data: OutcomeData) -> bool:
    outcome = round.unit.schedule.outcomes.get(data["id"])
    return data["tool"] == ANSWER or (outcome is not None and outcome == Outcome.of(data))


async def _run(round: Round, plan: list[TaskData], config: RunnableConfig) -> None:
    """Let everything run, and ask a person where one is needed."""
    unit, run = round.unit, RunResources.of(config)
    journal = Journal(unit, config, run.clock.source)
    unit.before_destructive = journal.confirm
    unfinished = [task["id"] for task in plan if task["id"] in unit.schedule.tasks]
    saver = checkpointer_of(config)
    if saver is not None and run.addressed is not None:
        unit.recall(await ended_at(saver, checkpoint_of(config)))
    fact: Fact = TakenOver()
    while True:
        await journal.open(_entries(round, unfinished))
        if not journal.replaying:
            run.clock.count_on(journal.seconds)
            run.watch_deadline()
        unit.tell(fact)
        match await _next_stop(unit, journal, run.clock):
            case None:
                return
            case Question() as question:
                unit.answer(question.id, question.ask())
                fact = TakenOver()
            case Ask() as ask:
                fact = Decided(_decide(ask, round, journal))
        unfinished = [id for id in unfinished if id not in unit.schedule.outcomes]


async def _next_stop(
    unit: TaskFetchingUnit, journal: Journal, clock: TurnClock
) -> Ask | Question | None:
    """Wait until all has run or a person is needed; either way the journal is up to date."""
    try:
        stop = await unit.stopped()
    except Exception:
        # A graph inside a tool interrupts: LangGraph would wait for what has not ended.
        await journal.pause(clock.seconds())
        raise
    question = stop if isinstance(stop, Question) else None
    await journal.pause(clock.seconds(), asked=isinstance(stop, Ask), question=question)
    return stop


def _entries(round: Round, ids: list[int]) -> list[Entry]:
    """The calls to journal, in plan order."""
    tools = {id: round.tools.get(round.unit.schedule.tasks[id].tool) for id in ids}
    return [Entry(id, it.name, it.destructive) for id, it in tools.items() if it is not None]


def _decide(ask: Ask, round: Round, journal: Journal) -> tuple[Decision, ...]:
    if journal.lasting:
        return ask_person(ask, round.tools)
    return reject_all(ask, _NO_CHECKPOINTER)
