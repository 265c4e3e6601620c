"""The joiner: answers from the results, or asks for another plan.

The reply's first line `REPLAN: what is missing` is a replan; anything else is the answer, which
is shown token by token.
"""

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableConfig
from langgraph.runtime import Runtime

from llm_compiler.context import Context
from llm_compiler.language.compiler import is_answer
from llm_compiler.language.task import TaskData
from llm_compiler.models.errors import CutOffError, EmptyReplyError, RefusedError
from llm_compiler.models.model import Meter, Model, retrying
from llm_compiler.nodes.answer_stream import Shown
from llm_compiler.nodes.open_round import Setup
from llm_compiler.observability.stream_events import Events
from llm_compiler.prompting.messages import called, joiner_messages, results
from llm_compiler.run.resources import Live
from llm_compiler.scheduling.taint import UNTRUSTED, untrusted
from llm_compiler.state import State, conversation, question, spent

_MAX_TOKENS = 1024
_REPLAN = re.compile(r"\W*REPLAN\W*:[*\s]*(?P<missing>.*)")
_BEGINS_REPLAN = re.compile(r"REPLAN[*_\s]*(?::.*)?", re.DOTALL)
_LONGEST_FEEDBACK = 1000
_LONGEST_ANSWER = 200_000
_MOST_REASONS = 20
_LAST_RESULTS = 5


class Joiner:
    """The node `joiner`."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup

    async def __call__(
        self, state: State, config: RunnableConfig, runtime: Runtime[Context]
    ) -> dict[str, Any]:
        context = Context.of(runtime.context)
        live = Live.of(config)
        events = Events(runtime.stream_writer, state["round"], live.seconds)
        late = context.deadline is not None and live.left(context.deadline) <= 0
        may_replan = bool(state["plan"]) and state["round"] < context.max_rounds and not late
        limit = _limit(state, context, late=late)
        reply, meter = _Reply(), Meter()
        if (direct := _direct_answer(state)) is not None:
            reply.show(direct)
        elif may_replan and (reasons := _none_compiled(state)):
            return _replan(events, state, reasons)
        else:
            model = await self._setup.model(context, "joiner")
            profile = model.profile
            at_once = profile.replan_on_failure and may_replan
            if at_once and (reasons := _came_to_nothing(state)):
                return _replan(events, state, reasons)
            may_replan = may_replan and (profile.offer_replan_when_all_ok or not _all_ok(state))
            # The deadline leaves the joiner the time that a model may be silent.
            most = context.deadline and max(live.left(context.deadline), 0) + profile.silence
            try:
                async with asyncio.timeout(most):
                    await self._ask(
                        model, state, context, reply, meter, may_replan=may_replan, limit=limit
                    )
            except TimeoutError:
                if most is None:
                    raise
                why = f"the joiner's model {model.name} was cut off at the deadline"
                reply.leave_off(why, state)
        usage = state["usage"]
        if meter.usage["calls"]:
            usage = spent(usage, "joiner", meter.usage)
        if reply.missing is not None:
            return {**_replan(events, state, reply.missing), "usage": usage}
        reply.end()
        events.round_end(_ids(state), "answer", None)
        # The next turn's planner reads it.
        mark = UNTRUSTED if untrusted(state["messages"]) else {}
        answer = AIMessage(content=reply.text, id=reply.id, response_metadata=mark)
        return {"messages": [answer], "feedback": None, "usage": usage}

    async def _ask(
        self,
        model: Model,
        state: State,
        context: Context,
        reply: "_Reply",
        meter: Meter,
        *,
        may_replan: bool,
        limit: str,
    ) -> None:
        """Stream the model's verdict into `reply`; `limit` says why there is no other plan."""
        messages = joiner_messages(
            question(state),
            conversation(state),
            results(state["plan"], state["outcomes"], context.max_result_chars),
            may_replan=may_replan,
            template=context.joiner_prompt,
        )

        async def read() -> None:
            pieces = model.stream(messages, meter, role="joiner", max_tokens=_MAX_TOKENS)
            await reply.read(pieces)

        try:
            # What was shown cannot be taken back, so only a silent failure is tried again.
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


class _Reply:
    """What the joiner says: held back until it is clear whether it is a replan."""

    def __init__(self) -> None:
        self.missing: str | None = None
        self._message = Shown()

    @property
    def id(self) -> str:
        return self._message.id

    @property
    def text(self) -> str:
        return self._message.text

    @property
    def began(self) -> bool:
        """Whether any of the answer was shown."""
        return self._message.began

    def show(self, text: str) -> None:
        """Add to the answer, for everyone to see."""
        self._message.show(text)

    def end(self) -> None:
        """The answer is whole."""
        self._message.end()

    def leave_off(self, why: str, state: State) -> None:
        """End an answer that its model did not end; one without a word says how it stands."""
        self.show(f"… ({why})" if self.began else _as_it_stands(why, state))

    async def read(self, pieces: AsyncGenerator[str]) -> None:
        """Read a model's reply to its end.

        Raises:
            EmptyReplyError: it was empty.
        """
        held, why = "", ""
        try:
            async with aclosing(pieces):
                async for piece in pieces:
                    if self.began:
                        self.show(piece)
                        if len(self.text) > _LONGEST_ANSWER:
                            why = f"cut off after {_LONGEST_ANSWER} characters"
                            break
                        continue
                    held = (held + piece).lstrip()
                    if _may_replan(held):
                        if len(held) > _LONGEST_FEEDBACK:
                            break
                    elif held:
                        self.show(held)
        except CutOffError as error:
            why = str(error)
        if self.began:
            if why:
                self.show(f"… ({why})")
            return
        if replan := _REPLAN.match(held):
            missing = replan["missing"].strip()[:_LONGEST_FEEDBACK]
            self.missing = missing or "the results do not answer the question"
        elif held:
            self.show(held)
        else:
            raise EmptyReplyError("the joiner's model wrote no answer", passing=True, wait=0)


def _limit(state: State, context: Context, *, late: bool) -> str:
    """Which limit keeps what is missing from being planned."""
    if late:
        return f" (no plan follows: the deadline of {context.deadline:g} s passed)"
    if state["round"] >= context.max_rounds:
        return f" (no plan follows: max_rounds is {context.max_rounds})"
    return ""


def _replan(events: Events, state: State, feedback: str) -> dict[str, Any]:
    events.round_end(_ids(state), "replan", feedback)
    return {"feedback": feedback}


def _may_replan(held: str) -> bool:
    """Whether the reply is a replan, or still may become one."""
    word = held.lstrip("*_#> ")
    return "REPLAN".startswith(word) or _BEGINS_REPLAN.fullmatch(word) is not None


def _direct_answer(state: State) -> str | None:
    answers = [task["args"].get("text") for task in state["plan"] if is_answer(task)]
    return str(answers[-1]) if answers else None


def _all_ok(state: State) -> bool:
    return all(outcome["status"] == "ok" for outcome in state["outcomes"].values())


def _none_compiled(state: State) -> str | None:
    """Why no task of this round compiled; None if one did."""
    tasks = _of_this_round(state)
    if not tasks or not all(task.get("text") for task in tasks):
        return None
    reasons = [f"{called(task)}: {_error(state, task)}" for task in tasks[:_MOST_REASONS]]
    return "\n".join(["No task could be run.", *reasons])


def _came_to_nothing(state: State) -> str | None:
    """Why the round's last task, which the others lead up to, did not end ok; None if it did."""
    tasks = _of_this_round(state)
    if not tasks or state["outcomes"][str(tasks[-1]["id"])]["status"] == "ok":
        return None
    return f"{tasks[-1]['tool']} failed: {_error(state, tasks[-1])}"


def _of_this_round(state: State) -> list[TaskData]:
    """The tasks behind the round's message, which ends its calls' ids with theirs."""
    plans = (m for m in reversed(state["messages"]) if isinstance(m, AIMessage) and m.tool_calls)
    calls = getattr(next(plans, None), "tool_calls", [])
    ids = {str(call["id"]).rpartition("_")[2] for call in calls}
    return [task for task in state["plan"] if str(task["id"]) in ids]


def _ids(state: State) -> list[int]:
    """The round's tasks. A direct answer leaves no message behind; it is the last task."""
    answers = [task for task in state["plan"][-1:] if is_answer(task)]
    return [task["id"] for task in answers or _of_this_round(state)]


def _error(state: State, task: TaskData) -> str | None:
    return state["outcomes"][str(task["id"])]["error"]


def _as_it_stands(why: str, state: State) -> str:
    """An answer without a model: why, and the last results as they are."""
    lines = results(state["plan"], state["outcomes"], _LONGEST_FEEDBACK)[-_LAST_RESULTS:]
    return "\n".join([f"{why}. The last results:", *lines]) if lines else why
