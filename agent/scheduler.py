"""The scheduler: takes over the task-fetching unit with its running calls, and waits for all.

After a restart, or when a person edited the plan, it builds a unit from the plan in the state.
"""

import uuid
from typing import Any

from langchain_core.messages import AIMessage, AnyMessage, ToolMessage
from langchain_core.runnables import RunnableConfig
from langgraph.runtime import Runtime

from agent.approval import ask_person, reject_all
from agent.compiler import is_answer
from agent.context import Context
from agent.facts import Ask, Decided, Decision, PlanEnded, TakenOver
from agent.journal import Journal
from agent.live import Live, Round
from agent.parser import ANSWER
from agent.plan import Outcome, OutcomeData, TaskData, tidied
from agent.references import as_text
from agent.round import Setup, load, open_round
from agent.state import State, spent

_NO_CHECKPOINTER = "approval needs a checkpointer; compile the graph with one"


class Scheduler:
    """The node `scheduler`."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup

    async def __call__(
        self, state: State, config: RunnableConfig, runtime: Runtime[Context]
    ) -> dict[str, Any]:
        state = {**state, "plan": tidied(state.get("plan") or ())}
        before = state.get("outcomes") or {}
        round = await self._take_over(state, config, runtime)
        schedule = round.unit.schedule
        # Of the rounds before, only what a person has edited runs again.
        kept = {id for id, data in before.items() if _unchanged(round, data)}
        plan = [task for task in state["plan"] if str(task["id"]) not in kept]
        await _run(round, plan, config)
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
            "messages": messages(plan, outcomes, round.context.max_result_chars),
        }

    async def _take_over(
        self, state: State, config: RunnableConfig, runtime: Runtime[Context]
    ) -> Round:
        live = Live.of(config)
        if live.round is not None and not live.round.unit.closed:
            live.round.unit.adopt(config)
            return live.round
        round = await open_round(self._setup, runtime, config, state["round"], early_start=False)
        load(round, state["plan"], state.get("outcomes") or {}, announce=True)
        round.unit.tell(PlanEnded())
        return round


def _unchanged(round: Round, data: OutcomeData) -> bool:
    outcome = round.unit.schedule.outcomes.get(data["id"])
    return data["tool"] == ANSWER or (outcome is not None and outcome == Outcome.of(data))


async def _run(round: Round, plan: list[TaskData], config: RunnableConfig) -> None:
    """Let everything run, and ask a person where one is needed."""
    unit = round.unit
    journal = Journal(unit, config)
    unit.before_destructive = journal.confirm
    ids = [task["id"] for task in plan if task["id"] in unit.schedule.tasks]
    await journal.open(_calls(round, ids, decided=set()))
    unit.tell(TakenOver())
    decided: set[int] = set()
    while (ask := await _next_ask(round, journal)) is not None:
        decisions = _decide(ask, round, journal)
        decided |= {decision.id for decision in decisions}
        left = sorted(id for id in ids if id not in unit.schedule.outcomes)
        await journal.open(_calls(round, left, decided=decided))
        unit.tell(Decided(decisions))


async def _next_ask(round: Round, journal: Journal) -> Ask | None:
    """Wait until all has run or a person must decide; either way the journal is up to date."""
    try:
        ask = await round.unit.stopped()
    except Exception:
        # A tool interrupts: LangGraph would wait for what has not ended.
        await journal.pause()
        raise
    await journal.pause()
    return ask


def _calls(round: Round, ids: list[int], decided: set[int]) -> list[tuple[int, str, bool]]:
    """What the journal needs of the calls that need no person, or whom one has decided on."""
    found = []
    for id in ids:
        tool = round.tools.get(round.unit.schedule.tasks[id].tool)
        if tool is not None and (id in decided or not tool.rules.asks):
            found.append((id, tool.name, tool.destructive))
    return found


def _decide(ask: Ask, round: Round, journal: Journal) -> tuple[Decision, ...]:
    if journal.lasting:
        return ask_person(ask, round.tools)
    return reject_all(ask, _NO_CHECKPOINTER)


def messages(
    plan: list[TaskData], outcomes: dict[str, OutcomeData], max_chars: int
) -> list[AnyMessage]:
    """A round in the chat protocol: the plan's calls, and directly behind them their results."""
    plan = [task for task in plan if not is_answer(task)]
    if not plan:
        return []
    mark = uuid.uuid4().hex[:8]
    calls = [
        {"name": task["tool"], "args": task["args"], "id": f"call_{mark}_{task['id']}"}
        for task in plan
    ]
    answers: list[AnyMessage] = []
    for task in plan:
        outcome = Outcome.of(outcomes[str(task["id"])])
        text = as_text(outcome.value) if outcome.ok else f"{outcome.status}: {outcome.error}"
        answers.append(
            ToolMessage(
                text if len(text) <= max_chars else f"{text[:max_chars]}…",
                tool_call_id=f"call_{mark}_{task['id']}",
                name=task["tool"],
                status="success" if outcome.ok else "error",
            )
        )
    return [AIMessage("", tool_calls=calls), *answers]
