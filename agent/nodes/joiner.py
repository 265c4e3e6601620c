"""The joiner: answers from the results, or asks for another plan."""

import asyncio
from contextlib import suppress
from typing import Any

from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableConfig
from langgraph.runtime import Runtime

from llm_compiler.context import Context
from llm_compiler.language.task_ids import TaskId
from llm_compiler.models.errors import EmptyReplyError, RefusedError
from llm_compiler.models.model import Meter, Model, retrying
from llm_compiler.models.profiles import DEFAULT_PROFILE
from llm_compiler.nodes.heard import asked_and_heard
from llm_compiler.nodes.joiner_reply import JoinerReply
from llm_compiler.nodes.open_round import Setup
from llm_compiler.nodes.repeated_failure import failed_again
from llm_compiler.nodes.reply_facts import grounded, made_up, results
from llm_compiler.nodes.round_result import (
    all_ok,
    came_to_nothing,
    direct_result,
    none_compiled,
    nothing_succeeded,
    own_words,
    write_failed,
)
from llm_compiler.nodes.structured_response import planned_data, structured_response
from llm_compiler.nodes.unread import has_attachments, unread
from llm_compiler.observability.stream_events import Events
from llm_compiler.prompting.attachments import attachments
from llm_compiler.prompting.messages import joiner_messages
from llm_compiler.round_messages import UNTRUSTED, untrusted
from llm_compiler.run.resources import RunResources
from llm_compiler.state import (
    State,
    asked_message,
    conversation,
    spent,
    tasks_of_round,
    usage_metadata,
)

_MAX_TOKENS = 1024
_MADE_UP = 'The answer says "{}", which no result has: look it up, or compute it from results.'


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
        if self._setup.profile(context, "planner").replan_on_failure:
            may_replan = may_replan and not failed_again(state)
        limit = _limit(state, context, late=late)
        reply, meter = JoinerReply(), Meter()
        said, invented, model = direct_result(state), "", None
        form, planned = self._setup.form, None
        if said is None and self._answers(context) == "plan" and not write_failed(state):
            planned = planned_data(state, form) if form is not None else None
            if (said := planned[0] if planned is not None else own_words(state)) is not None:
                told = self._setup.told(state)
                invented = await asyncio.to_thread(made_up, said, state, context, told)
        if said is not None and not invented:
            reply.show(said)
        elif may_replan and invented:
            return _replan(events, state, _MADE_UP.format(invented), asked=False)
        elif may_replan and (reasons := none_compiled(state)):
            return _replan(events, state, reasons, asked=False)
        elif not may_replan and (failed := nothing_succeeded(state)):
            reply.show(failed)
            reply.unanswered = failed
        else:
            # The deadline leaves the joiner the time that a model may be silent.
            left = _seconds_left(run, context)
            silence = context.model_timeout or DEFAULT_PROFILE.silence
            try:
                async with asyncio.timeout(None if left is None else left + silence) as time:
                    model = await self._setup.model(context, "joiner")
                    profile = model.profile
                    at_once = profile.replan_on_failure and may_replan
                    if at_once and (reasons := came_to_nothing(state)):
                        return _replan(events, state, reasons, asked=False)
                    is_ok = all_ok(state)
                    may_replan = may_replan and (profile.offer_replan_when_all_ok or not is_ok)
                    if left is not None:
                        now = asyncio.get_running_loop().time()
                        time.reschedule(now + left + profile.silence)
                    await self._ask(
                        model,
                        state,
                        context,
                        asked_and_heard(state, config, state["round"], context.max_result_chars),
                        reply,
                        meter,
                        may_replan=may_replan,
                        limit=limit,
                    )
            except TimeoutError:
                if not time.expired():
                    raise
                who = "the joiner's model" if model is None else f"the joiner's model {model.name}"
                reply.leave_off(f"{who} was cut off at the deadline", state)
        data = planned[1] if planned is not None and said is not None and not invented else None
        if form is not None and data is None and reply.missing is None and not reply.unanswered:
            model = model or await self._setup.model(context, "joiner")
            left = _seconds_left(run, context)
            until = None if left is None else left + model.profile.silence
            with suppress(TimeoutError):  # past the deadline, the answer in words has to do
                async with asyncio.timeout(until):
                    data = await structured_response(form, model, state, context, reply.text, meter)
        usage = state["usage"]
        if meter.usage["calls"]:
            usage = spent(usage, "joiner", meter.usage)
        if reply.missing is not None:
            return {**_replan(events, state, reply.missing, asked=True), "usage": usage}
        if has_attachments(state):
            reply.show(unread(state, await self._setup.model(context, "planner"), model))
        reply.end()
        asked = bool(meter.usage["calls"])
        events.round_end(_ids(state), "answer", reply.unanswered, asked=asked)
        # The planner of the next turn reads the answer, so the mark must stay on it.
        mark = UNTRUSTED if untrusted(state["messages"]) else {}
        answer = AIMessage(
            content=reply.text,
            id=reply.id,
            name=self._setup.name,
            response_metadata=mark,
            usage_metadata=usage_metadata(usage),
        )
        structured = {} if form is None else {"structured_response": data}
        return {"messages": [answer], "feedback": None, "usage": usage, **structured}

    def _answers(self, context: Context) -> str:
        """Who writes the reply where the plan has words for one: `"plan"` or `"joiner"`."""
        if context.answer != "auto":
            return context.answer
        return self._setup.profile(context, "planner").answer

    async def _ask(
        self,
        model: Model,
        state: State,
        context: Context,
        question: str,
        reply: JoinerReply,
        meter: Meter,
        *,
        may_replan: bool,
        limit: str,
    ) -> None:
        """Stream the model's verdict into `reply`; `limit` says why no further plan is possible."""
        told = self._setup.told(state)
        shown, facts = await asyncio.to_thread(results, state, context, told)

        async def read() -> None:
            messages = joiner_messages(
                question,
                conversation(state),
                shown,
                may_replan=may_replan,
                template=context.joiner_prompt,
                instructions=told,
                attached=attachments(asked_message(state)),
                ungrounded=reply.ungrounded,
            )
            pieces = model.stream(
                messages, meter, role="joiner", max_tokens=_MAX_TOKENS, forget=reply.forget
            )
            await reply.read(pieces, facts)

        try:
            for _ in range(2):
                # Text that was shown cannot be taken back, so retry only if none was shown.
                await retrying(allowed=lambda: not reply.began)(read)
                if reply.began or not reply.ungrounded:
                    break
            if reply.ungrounded:
                reply.replace_ungrounded(state)
        except RefusedError as error:
            if error.said and not reply.began:
                reply.show(error.said)
            else:
                reply.leave_off(str(error), state)
        except EmptyReplyError as error:
            reply.leave_off(str(error), state)
        if reply.missing is not None and not may_replan:
            reply.show(f"Not found: {grounded(reply.missing, facts)}{limit}")
            reply.unanswered, reply.missing = reply.missing, None


def _limit(state: State, context: Context, *, late: bool) -> str:
    """Which limit prevents another plan for what is missing."""
    if late:
        return f" (no further plan: the deadline of {context.deadline:g} s has passed)"
    if state["round"] >= context.max_rounds:
        return f" (no further plan: max_rounds is {context.max_rounds})"
    return ""


def _seconds_left(run: RunResources, context: Context) -> float | None:
    """Until the deadline; None without one."""
    return None if context.deadline is None else max(run.clock.until(context.deadline), 0)


def _ids(state: State) -> list[TaskId]:
    return [task["id"] for task in tasks_of_round(state)]


def _replan(events: Events, state: State, feedback: str, *, asked: bool) -> dict[str, Any]:
    events.round_end(_ids(state), "replan", feedback, asked=asked)
    return {"feedback": feedback}
