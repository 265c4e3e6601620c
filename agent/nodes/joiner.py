"""The joiner: answers from the results, or asks for another plan."""

import asyncio
from typing import Any

from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableConfig
from langgraph.runtime import Runtime

from llm_compiler.context import Context
from llm_compiler.language.answers import in_words
from llm_compiler.language.references import as_text
from llm_compiler.language.task import ANSWER, Outcome, TaskData, did_not_compile
from llm_compiler.models.errors import EmptyReplyError, RefusedError
from llm_compiler.models.model import Meter, Model, retrying
from llm_compiler.models.profiles import DEFAULT_PROFILE
from llm_compiler.nodes.joiner_reply import JoinerReply
from llm_compiler.nodes.open_round import Setup
from llm_compiler.observability.stream_events import Events
from llm_compiler.prompting.messages import joiner_messages
from llm_compiler.prompting.result_lines import called, results
from llm_compiler.round_messages import UNTRUSTED, untrusted
from llm_compiler.run.resources import RunResources
from llm_compiler.state import State, conversation, question, spent, tasks_of_round

_MAX_TOKENS = 1024
_MAX_REASONS = 20
_MAX_VALUE_CHARS = 200
"""Of a value in a plan's own answer; with a longer one the joiner writes the reply."""


class Joiner:
    """The node `joiner`."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup

    async def __call__(
        self, state: State, config: RunnableConfig, runtime: Runtime[Context]
    ) -> dict[str, Any]:
        context = Context.of(runtime.context)
        run = RunResources.of(config)
        events = Events(runtime.stream_writer, state["round"], run.clock.seconds)
        late = context.deadline is not None and run.clock.until(context.deadline) <= 0
        may_replan = bool(state["plan"]) and state["round"] < context.max_rounds and not late
        limit = _limit(state, context, late=late)
        reply, meter = JoinerReply(), Meter()
        if (direct := _direct_answer(state)) is not None:
            reply.show(direct)
        elif may_replan and (reasons := _none_compiled(state)):
            return _replan(events, state, reasons, asked=False)
        else:
            # The deadline leaves the joiner the time that a model may be silent.
            left = None
            if context.deadline is not None:
                left = max(run.clock.until(context.deadline), 0)
            silence = context.model_timeout or DEFAULT_PROFILE.silence
            model = None
            try:
                async with asyncio.timeout(None if left is None else left + silence) as time:
                    model = await self._setup.model(context, "joiner")
                    profile = model.profile
                    at_once = profile.replan_on_failure and may_replan
                    if at_once and (reasons := _came_to_nothing(state)):
                        return _replan(events, state, reasons, asked=False)
                    all_ok = _all_ok(state)
                    may_replan = may_replan and (profile.offer_replan_when_all_ok or not all_ok)
                    if left is not None:
                        now = asyncio.get_running_loop().time()
                        time.reschedule(now + left + profile.silence)
                    await self._ask(
                        model, state, context, reply, meter, may_replan=may_replan, limit=limit
                    )
            except TimeoutError:
                if not time.expired():
                    raise
                who = "the joiner's model" if model is None else f"the joiner's model {model.name}"
                reply.leave_off(f"{who} was cut off at the deadline", state)
        usage = state["usage"]
        if meter.usage["calls"]:
            usage = spent(usage, "joiner", meter.usage)
        if reply.missing is not None:
            return {**_replan(events, state, reply.missing, asked=True), "usage": usage}
        reply.end()
        events.round_end(_ids(state), "answer", None, asked=direct is None)
        # The planner of the next turn reads the answer, so the mark must stay on it.
        mark = UNTRUSTED if untrusted(state["messages"]) else {}
        answer = AIMessage(content=reply.text, id=reply.id, response_metadata=mark)
        return {"messages": [answer], "feedback": None, "usage": usage}

    async def _ask(
        self,
        model: Model,
        state: State,
        context: Context,
        reply: JoinerReply,
        meter: Meter,
        *,
        may_replan: bool,
        limit: str,
    ) -> None:
        """Stream the model's verdict into `reply`; `limit` says why no further plan is possible."""
        messages = joiner_messages(
            question(state),
            conversation(state),
            results(state["plan"], state["outcomes"], context.max_result_chars),
            may_replan=may_replan,
            template=context.joiner_prompt,
        )

        async def read() -> None:
            pieces = model.stream(
                messages, meter, role="joiner", max_tokens=_MAX_TOKENS, forget=reply.forget
            )
            await reply.read(pieces)

        try:
            # Text that was shown cannot be taken back, so retry only if none was shown.
            await retrying(allowed=lambda: not reply.began)(read)
        except RefusedError as error:
            if error.said and not reply.began:
                reply.show(error.said)
            else:
                reply.leave_off(str(error), state)
        except EmptyReplyError as error:
            reply.leave_off(str(error), state)
        if reply.missing is not None and not may_replan:
            reply.show(f"Not found: {reply.missing}{limit}")
            reply.missing = None


def _limit(state: State, context: Context, *, late: bool) -> str:
    """Which limit prevents another plan for what is missing."""
    if late:
        return f" (no further plan: the deadline of {context.deadline:g} s has passed)"
    if state["round"] >= context.max_rounds:
        return f" (no further plan: max_rounds is {context.max_rounds})"
    return ""


def _ids(state: State) -> list[int]:
    return [task["id"] for task in tasks_of_round(state)]


def _replan(events: Events, state: State, feedback: str, *, asked: bool) -> dict[str, Any]:
    events.round_end(_ids(state), "replan", feedback, asked=asked)
    return {"feedback": feedback}


def _direct_answer(state: State) -> str | None:
    """What the round's plan says itself, if it does so in words and all its values are short."""
    answers = [task for task in tasks_of_round(state) if task["tool"] == ANSWER]
    if not answers or not in_words(answers[-1]["args"].get("expression", "")):
        return None
    values = [state["outcomes"][str(need)]["value"] for need in answers[-1]["needs"]]
    said = Outcome.of(state["outcomes"][str(answers[-1]["id"])])
    if not said.ok or any(len(as_text(value)) > _MAX_VALUE_CHARS for value in values):
        return None
    return as_text(said.value)


def _all_ok(state: State) -> bool:
    return all(outcome["status"] == "ok" for outcome in state["outcomes"].values())


def _none_compiled(state: State) -> str | None:
    """Why no task of this round compiled; None if one did."""
    tasks = tasks_of_round(state)
    if not tasks or not all(map(did_not_compile, tasks)):
        return None
    reasons = [f"{called(task)}: {_error(state, task)}" for task in tasks[:_MAX_REASONS]]
    return "\n".join(["No task could be run.", *reasons])


def _came_to_nothing(state: State) -> str | None:
    """Why the round's last task, which the others prepare, did not end ok; None if it did."""
    tasks = tasks_of_round(state)
    if not tasks or state["outcomes"][str(tasks[-1]["id"])]["status"] == "ok":
        return None
    return f"{tasks[-1]['tool']} failed: {_error(state, tasks[-1])}"


def _error(state: State, task: TaskData) -> str | None:
    return state["outcomes"][str(task["id"])]["error"]
