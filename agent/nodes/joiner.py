"""The joiner: answers from the results, or asks for another plan."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, ParamSpec, TypeVar

from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.runnables import RunnableConfig
from langgraph.runtime import Runtime

from llm_compiler.clock import today
from llm_compiler.context import Context
from llm_compiler.language.tasks.task_ids import TaskId
from llm_compiler.models.errors import EmptyReplyError, RefusedError
from llm_compiler.models.model import Meter, Model, retrying
from llm_compiler.models.profiles import DEFAULT_PROFILE
from llm_compiler.models.response_form import ResponseForm
from llm_compiler.nodes.heard import asked_and_heard
from llm_compiler.nodes.joiner_reply import JoinerReply
from llm_compiler.nodes.open_round import Setup
from llm_compiler.nodes.repeated_failure import failed_again, said_again
from llm_compiler.nodes.reply_facts import grounded, made_up, results
from llm_compiler.nodes.round_result import (
    all_ok,
    came_to_nothing,
    direct_result,
    none_compiled,
    nothing_succeeded,
    own_words,
    unread_number,
    write_failed,
)
from llm_compiler.nodes.structured_response import planned_data, structured_response
from llm_compiler.nodes.unread import has_attachments, unread
from llm_compiler.observability.stream_events import Events
from llm_compiler.pacing import MANY, off_loop
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

P = ParamSpec("P")
T = TypeVar("T")

_MAX_TOKENS = 1024
_MADE_UP = 'The answer says "{}", which no result has: look it up with search, or leave it out.'


class Joiner:
    """The node `joiner`."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup

    async def __call__(
        self, state: State, config: RunnableConfig, runtime: Runtime[Context]
    ) -> dict[str, Any]:
        return await _Joining(self._setup, state, config, runtime).update()


class _Joining:
    """The end of one round: its reply, or the feedback for another plan."""

    def __init__(
        self, setup: Setup, state: State, config: RunnableConfig, runtime: Runtime[Context]
    ) -> None:
        self._setup, self._state, self._config = setup, state, config
        self._context = context = Context.of(runtime.context, setup.context)
        self._clock = RunResources.of(config).clock
        self._events = Events(runtime.stream_writer, state["round"], self._clock.seconds)
        late = context.deadline is not None and self._clock.until(context.deadline) <= 0
        self._may_replan = bool(state["plan"]) and state["round"] < context.max_rounds and not late
        if setup.planner_profile(context).replan_on_failure:
            self._may_replan = self._may_replan and not failed_again(state)
        self._limit = _limit(state, context, late=late)
        self._reply, self._meter = JoinerReply(), Meter()
        self._model: Model | None = None
        self._data: Any = None

    async def update(self) -> dict[str, Any]:
        """What the joiner makes of the state."""
        feedback = await self._write()
        reply, state, form = self._reply, self._state, self._setup.form
        if feedback is None and form is not None and self._data is None and not reply.unanswered:
            await self._write_data(form)
        asked, usage = bool(self._meter.usage["calls"]), state["usage"]
        if asked:
            usage = spent(usage, "joiner", self._meter.usage)
        ids = await self._apart(_ids, state)
        if feedback is not None:
            self._events.round_end(ids, "replan", feedback, asked=asked)
            return {"feedback": feedback, "usage": usage}
        if has_attachments(state):
            planner = await self._setup.model(self._context, "planner")
            reply.show(unread(state, planner, self._model))
        counted = usage_metadata(usage)
        reply.end(counted)
        self._events.round_end(ids, "answer", reply.unanswered, asked=asked)
        marked = await self._apart(untrusted, state["messages"])
        answer = AIMessage(
            content=reply.text,
            id=reply.id,
            name=self._setup.author,
            # The planner of the next turn reads the answer, so the mark must stay on it.
            response_metadata=UNTRUSTED if marked else {},
            usage_metadata=counted,
        )
        structured = {} if form is None else {"structured_response": self._data}
        return {"messages": [answer], "feedback": None, "usage": usage, **structured}

    async def _write(self) -> str | None:
        """Write the reply; or return the feedback for another plan."""
        said, invented = await self._planned_words()
        if said is not None and not invented:
            self._reply.show(said)
            return None
        small = self._setup.planner_profile(self._context).replan_on_failure
        if invented and small and said_again(self._state):
            self._may_replan = False
        if self._may_replan:
            if invented:
                return _MADE_UP.format(invented)
            if reasons := await self._apart(none_compiled, self._state):
                return reasons
        elif failed := await self._apart(self._failure, bool(invented), small):
            self._reply.show(failed)
            self._reply.unanswered = failed
            return None
        return await self._write_by_model()

    def _failure(self, made_up: bool, small: bool) -> str | None:
        """A reply without a model, if the turn found nothing that one could answer from."""
        failed = nothing_succeeded(self._state, made_up=made_up)
        return unread_number(self._state) if failed is None and small else failed

    async def _planned_words(self) -> tuple[str | None, str]:
        """The reply that the plan itself has, if it is to be said, and what is made up in it."""
        state, form = self._state, self._setup.form
        if (said := await self._apart(direct_result, state)) is not None:
            return said, ""
        if self._answers() != "plan" or await self._apart(write_failed, state):
            return None, ""
        planned = None if form is None else await self._apart(planned_data, state, form)
        said = planned[0] if planned is not None else await self._apart(own_words, state)
        if said is None:
            return None, ""
        told = self._told()
        invented = await asyncio.to_thread(made_up, said, state, self._context, told)
        if planned is not None and not invented:
            self._data = planned[1]
        return said, invented

    def _answers(self) -> str:
        """Who writes the reply where the plan has words for one: `"plan"` or `"joiner"`."""
        if self._context.answer != "auto":
            return self._context.answer
        return self._setup.planner_profile(self._context).answer

    async def _write_by_model(self) -> str | None:
        """Let the joiner's model write the reply; or return the feedback for another plan.

        The deadline leaves the model the time that it may be silent.
        """
        left, silence = self._left(), self._context.model_timeout or DEFAULT_PROFILE.silence
        try:
            async with asyncio.timeout(None if left is None else left + silence) as time:
                self._model = model = await self._setup.model(self._context, "joiner")
                profile = model.profile
                at_once = profile.replan_on_failure and self._may_replan
                if at_once and (reasons := await self._apart(came_to_nothing, self._state)):
                    return reasons
                if not profile.offer_replan_when_all_ok and await self._apart(all_ok, self._state):
                    self._may_replan = False
                if left is not None:
                    time.reschedule(asyncio.get_running_loop().time() + left + profile.silence)
                await self._ask(model)
        except TimeoutError:
            if not time.expired():
                raise
            name = f" {self._model.name}" if self._model else ""
            why = f"the joiner's model{name} was cut off at the deadline"
            self._reply.leave_off(why, self._state)
        return self._reply.missing

    async def _ask(self, model: Model) -> None:
        """Stream the model's verdict into the reply."""
        state, context, reply = self._state, self._context, self._reply
        told = self._setup.told(state)
        shown, facts = await asyncio.to_thread(results, state, context, self._told())
        asked = await asyncio.to_thread(
            asked_and_heard, state, self._config, context.max_result_chars
        )

        async def read() -> None:
            messages = await self._apart(
                _messages,
                asked,
                state,
                shown,
                may_replan=self._may_replan,
                template=context.joiner_prompt,
                instructions=told,
                ungrounded=reply.ungrounded,
            )
            pieces = model.stream(
                messages, self._meter, role="joiner", max_tokens=_MAX_TOKENS, forget=reply.forget
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
        if reply.missing is not None and not self._may_replan:
            reply.show(f"Not found: {grounded(reply.missing, facts)}{self._limit}")
            reply.unanswered, reply.missing = reply.missing, None

    async def _write_data(self, form: ResponseForm) -> None:
        """Let a model write the answer in the caller's form too."""
        self._model = model = self._model or await self._setup.model(self._context, "joiner")
        left = self._left()
        with suppress(TimeoutError):  # past the deadline, the answer in words has to do
            async with asyncio.timeout(None if left is None else left + model.profile.silence):
                self._data = await structured_response(
                    form, model, self._state, self._context, self._reply.text, self._meter
                )

    async def _apart(self, work: Callable[P, T], *args: P.args, **options: P.kwargs) -> T:
        """What `work` makes of a state that may have many tasks."""
        return await off_loop(len(self._state["plan"]) > MANY, work, *args, **options)

    def _told(self) -> str:
        """What planner and joiner were told besides the messages."""
        date = today(self._clock.source)
        told = self._context.planner_prompt, self._setup.told(self._state)
        return "\n".join([*told, f"Today is {date:%A, %Y-%m-%d, %d %B}."])

    def _left(self) -> float | None:
        """Seconds until the deadline; None without one."""
        deadline = self._context.deadline
        return None if deadline is None else max(self._clock.until(deadline), 0)


def _messages(asked: str, state: State, shown: Sequence[str], **more: Any) -> list[BaseMessage]:
    attached = attachments(asked_message(state))
    return joiner_messages(asked, conversation(state), shown, attached=attached, **more)


def _ids(state: State) -> list[TaskId]:
    return [task["id"] for task in tasks_of_round(state)]


def _limit(state: State, context: Context, *, late: bool) -> str:
    """Which limit prevents another plan for what is missing."""
    if late:
        return f" (no further plan: the deadline of {context.deadline:g} s has passed)"
    if state["round"] >= context.max_rounds:
        return f" (no further plan: max_rounds is {context.max_rounds})"
    return ""
