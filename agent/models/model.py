"""An open model: its reply is streamed and metered, and requested again when it breaks off."""

import asyncio
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Mapping,
    Sequence,
)
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Literal

from langchain_core.messages import AIMessageChunk, BaseMessage, convert_to_openai_messages
from langchain_core.runnables import Runnable, RunnableConfig
from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt

from llm_compiler.errors import ModelError
from llm_compiler.langgraph_private import is_empty_stream
from llm_compiler.language.toolbox.native_calls import as_program, as_statement
from llm_compiler.models.errors import broken_error
from llm_compiler.models.profiles import DEFAULT_PROFILE, ModelProfile
from llm_compiler.models.reply import StreamedReply
from llm_compiler.models.reply_chunks import (
    at_once,
    refuses_attachments,
    refuses_to_stream,
    streamed,
)
from llm_compiler.models.reply_times import REASONING_PATIENCE, ReplyTimes
from llm_compiler.models.response_form import ResponseForm
from llm_compiler.models.sendable import sendable
from llm_compiler.observability.spans import model_call
from llm_compiler.prompting.attachments import kinds_of
from llm_compiler.retries import backoff
from llm_compiler.state import RoleUsage

_HIDDEN = "nostream"
"""LangGraph's tag for models whose tokens must not be streamed."""
_ATTEMPTS = 3
_MAX_CHUNKS_AFTER_END = 16
_TRACED_AS = {"planner": "plan", "joiner": "join", "reader": "read"}
"""The names of model calls in a trace, by role."""


def retrying(
    *, allowed: Callable[[], bool] = lambda: True, anew: Callable[[], None] = lambda: None
) -> AsyncRetrying:
    """Reads a whole reply again after a transient error: three attempts in all.

    It waits between attempts as long as the server asks for, at most a minute.

    Args:
        allowed: Asked after an error: whether another attempt may be made.
        anew: Called before each further attempt.
    """
    return AsyncRetrying(
        retry=retry_if_exception(
            lambda error: isinstance(error, ModelError) and error.transient and allowed()
        ),
        stop=stop_after_attempt(_ATTEMPTS),
        wait=backoff,
        before_sleep=lambda _: anew(),
        reraise=True,
    )


def as_sent(messages: Sequence[BaseMessage]) -> list[dict[str, Any]]:
    """Messages as OpenAI's protocol has them."""
    return convert_to_openai_messages([*messages])


class Meter:
    """Counts the calls and tokens of one role."""

    def __init__(self) -> None:
        self.usage = RoleUsage(calls=0, input=0, output=0)

    def begin(self) -> None:
        self.usage["calls"] += 1

    def add(self, chunk: AIMessageChunk) -> None:
        if chunk.usage_metadata:
            self.usage["input"] += chunk.usage_metadata["input_tokens"]
            self.usage["output"] += chunk.usage_metadata["output_tokens"]


@dataclass
class Habits:
    """What was seen of a model."""

    thinks: bool = False
    """Whether a reply of it began with a thought that no tag opened."""
    streams: bool = True
    """Whether its server streams."""
    refuses: frozenset[str] = frozenset()
    """The kinds of attachments that its server has refused."""


@dataclass(frozen=True)
class Model:
    """An open model."""

    name: str
    chat: Runnable[Any, Any]
    profile: ModelProfile = DEFAULT_PROFILE
    habits: Habits = field(default_factory=Habits)
    kind: str = "other"
    """LangChain's name for its kind."""
    adapts: bool = False
    """Whether its client itself asks again without what its server refuses."""
    read_ahead: Callable[[Sequence[Mapping[str, Any]]], Awaitable[None]] | None = None
    """Has its server know what prompts begin with, as messages of OpenAI's protocol; None if it
    cannot."""

    async def prepare(self, beginning: Sequence[BaseMessage]) -> None:
        """Have its server know what prompts begin with, if it can read ahead."""
        if self.read_ahead is not None:
            await self.read_ahead(as_sent(beginning))

    @property
    def provider(self) -> str:
        """The provider in its name; without one, its kind."""
        provider, colon, _ = self.name.partition(":")
        return provider if colon else self.kind

    async def stream(
        self,
        messages: Sequence[BaseMessage],
        meter: Meter,
        *,
        role: Literal["planner", "joiner", "reader"],
        grammar: str | None = None,
        form: ResponseForm | None = None,
        max_tokens: int | None = None,
        has_ended: Callable[[], bool] = lambda: False,
        forget: Callable[[], None] = lambda: None,
    ) -> AsyncGenerator[str]:
        """Yield the reply's text as it comes, without the thoughts that some servers leave in it.

        Native calls become the text that was asked for: a planner's are a plan, and a joiner's,
        instead of an answer, what is missing.

        Args:
            messages: The prompt.
            meter: Counts the call and its tokens.
            role: Who asks.
            grammar: Used if the model's server supports grammars.
            form: The schema that its server is asked to keep to, if it speaks OpenAI's protocol.
            max_tokens: The most tokens of the reply, where its profile has a limit.
            has_ended: Whether the text until now is all that is needed: the rest is not waited
                for.
            forget: Called when the text until now turns out to be a thought, before the text that
                follows it. That is rare: a reply that begins as thoughts do is held back.

        The caller limits the text. Everything else in a reply is limited here: chunks without
        text, characters of reasoning and blanks, seconds without text, chunks after the end.

        Raises:
            ModelError: the model cannot be reached, breaks off or falls silent.
            EmptyReplyError: it said nothing, or refused (RefusedError).
            CutOffError: it was cut off; the text until then was yielded.
        """
        options: dict[str, Any] = {}
        extra = self._extra_body(grammar) if self.profile.grammar else {}
        if form is not None and self.adapts:
            extra["response_format"] = form.of_openai
        if extra:
            options["extra_body"] = extra
        if (limit := self.profile.max_tokens) is not None:
            options["max_tokens"] = limit if max_tokens is None else min(limit, max_tokens)
        meter.begin()
        config = RunnableConfig(run_name=_TRACED_AS[role], tags=[_HIDDEN])
        who = f"the {role}'s model {self.name}"
        reply = StreamedReply(thinks=self.profile.thinks or self.habits.thinks)
        with model_call(self.name, self.provider, role) as observed:
            chunks = self._chunks(messages, config, options)
            try:
                async with aclosing(chunks) as stream:
                    times = ReplyTimes(self.profile.silence)
                    while (chunk := await self._next(who, stream, reply, times)) is not None:
                        meter.add(chunk)
                        observed.take(chunk)
                        text = reply.take(chunk)
                        if reply.began_anew:
                            self.habits.thinks = True
                            forget()
                        if text:
                            yield text
                        if endless := reply.endless(who):
                            raise endless
                        # A thought may contain what looks like a whole plan.
                        over = has_ended() and not reply.may_be_thought
                        times.came(reply, over=over or bool(reply.reason and not reply.wrote))
                        await times.give_way()
            except ModelError:
                raise
            except Exception as error:
                if not is_empty_stream(error):
                    raise broken_error(who, error) from None
            observed.ended(reply.reason)
            broke_off = self.profile.names_end and not reply.reason and not has_ended()
            if text := reply.rest(broke_off=broke_off):
                yield text
            if has_ended():
                return
            if not broke_off and (calls := reply.calls()):
                if role == "planner":
                    yield as_program(calls)
                elif role == "joiner" and not reply.has_text:
                    wanted = ", ".join(as_statement(*call) for call in calls)
                    yield f"REPLAN: {wanted}"
            if broke_off:
                raise ModelError(
                    f"{who} stopped in the middle of its reply; try again", transient=True, wait=0
                )
            if wrong := reply.wrong(who):
                raise wrong

    @property
    def refuses(self) -> frozenset[str]:
        """The kinds of attachments that it is known not to take."""
        return self.profile.refuses | self.habits.refuses

    async def _chunks(
        self, messages: Sequence[BaseMessage], config: RunnableConfig, options: dict[str, Any]
    ) -> AsyncGenerator[AIMessageChunk]:
        """The chunks of a reply: asked for again without what its server refuses, unless that is a
        parameter; one if the server does not stream."""
        attached = frozenset(kinds_of(messages)) - self.refuses
        sent = sendable(messages, self.refuses)
        if not self.habits.streams:
            yield await at_once(self.chat, sent, config, options)
            return
        began = False
        try:
            async with aclosing(streamed(self.chat, sent, config, options)) as chunks:
                async for chunk in chunks:
                    began = True
                    yield chunk
            return
        except Exception as error:
            if began:
                raise
            why = error
        if attached and refuses_attachments(why):
            self.habits.refuses |= attached
            async with aclosing(self._chunks(messages, config, options)) as chunks:
                async for chunk in chunks:
                    yield chunk
        elif refuses_to_stream(why) and not self.adapts:
            try:
                whole = await at_once(self.chat, sent, config, options)
            except NotImplementedError:
                raise why from None
            self.habits.streams = False
            yield whole
        else:
            raise why

    async def _next(
        self,
        who: str,
        stream: AsyncIterator[AIMessageChunk],
        reply: StreamedReply,
        times: ReplyTimes,
    ) -> AIMessageChunk | None:
        """The next chunk; None at the end, or when the end was waited for long enough."""
        if times.chunks_after_end > _MAX_CHUNKS_AFTER_END:
            return None
        try:
            async with asyncio.timeout_at(times.next_by) as clock:
                return await anext(stream, None)
        except TimeoutError:
            if not clock.expired():
                raise
        if times.chunks_after_end:
            return None
        silence, remedy = self.profile.silence, "raise model_timeout, or use another model"
        if times.is_silent:
            why = f"{who} was silent for {silence:g} s; try again, {remedy}"
            raise ModelError(why, transient=True, wait=0) from None
        raise reply.without_end(who, f"wrote no text for {silence * REASONING_PATIENCE:g} s")

    def _extra_body(self, grammar: str | None) -> dict[str, Any]:
        if self.profile.grammar == "vllm":
            return {"structured_outputs": {"grammar": grammar}} if grammar else {}
        return {"cache_prompt": True, **({"grammar": grammar} if grammar else {})}
