"""An open model: its reply is streamed and metered, and requested again when it breaks off."""

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Literal

from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_core.runnables import Runnable, RunnableConfig
from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt

from llm_compiler.errors import ModelError
from llm_compiler.langgraph_private import is_empty_stream
from llm_compiler.models.errors import broken_error
from llm_compiler.models.profiles import DEFAULT_PROFILE, ModelProfile
from llm_compiler.models.reply import StreamedReply
from llm_compiler.models.reply_chunks import at_once, refuses_to_stream, streamed
from llm_compiler.observability.spans import model_call
from llm_compiler.retries import backoff
from llm_compiler.state import RoleUsage
from llm_compiler.text import clean

_HIDDEN = "nostream"
"""LangGraph's tag for models whose tokens must not be streamed."""
_ATTEMPTS = 3
_REASONING_PATIENCE = 10
"""By this factor a model may exceed its silence while it reasons or sends other than text."""
_MAX_CHUNKS_AFTER_END = 16
_MAX_SECONDS_AFTER_END = 2.0
"""How long to wait after a reply's end: the usage comes last."""
_TURN_SECONDS = 0.01
"""After which the event loop gets a turn, however fast chunks come."""
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
        max_tokens: int | None = None,
        has_ended: Callable[[], bool] = lambda: False,
        forget: Callable[[], None] = lambda: None,
    ) -> AsyncGenerator[str]:
        """Yield the reply's text as it comes, without the thoughts that some servers leave in it.

        Args:
            messages: The prompt.
            meter: Counts the call and its tokens.
            role: Who asks.
            grammar: Used if the model's server supports grammars.
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
        if self.profile.grammar:
            options["extra_body"] = self._extra_body(grammar)
        if (limit := self.profile.max_tokens) is not None:
            options["max_tokens"] = limit if max_tokens is None else min(limit, max_tokens)
        meter.begin()
        config = RunnableConfig(run_name=_TRACED_AS[role], tags=[_HIDDEN])
        who = f"the {role}'s model {self.name}"
        reply = StreamedReply(thinks=self.profile.thinks or self.habits.thinks)
        with model_call(self.name, self.provider, role) as observed:
            chunks = self._chunks([*map(_inert, messages)], config, options)
            try:
                async with aclosing(chunks) as stream:
                    times = _Times(self.profile.silence)
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
            if broke_off:
                raise ModelError(
                    f"{who} stopped in the middle of its reply; try again", transient=True, wait=0
                )
            if wrong := reply.wrong(who):
                raise wrong

    async def _chunks(
        self, messages: list[BaseMessage], config: RunnableConfig, options: dict[str, Any]
    ) -> AsyncGenerator[AIMessageChunk]:
        """The chunks of a reply; one if the server does not stream."""
        if not self.habits.streams:
            yield await at_once(self.chat, messages, config, options)
            return
        began = False
        try:
            async with aclosing(streamed(self.chat, messages, config, options)) as chunks:
                async for chunk in chunks:
                    began = True
                    yield chunk
        except Exception as error:
            if began or self.adapts or not refuses_to_stream(error):
                raise
            try:
                whole = await at_once(self.chat, messages, config, options)
            except NotImplementedError:
                raise error from None
            self.habits.streams = False
            yield whole

    async def _next(
        self,
        who: str,
        stream: AsyncIterator[AIMessageChunk],
        reply: StreamedReply,
        times: "_Times",
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
        raise reply.without_end(who, f"wrote no text for {silence * _REASONING_PATIENCE:g} s")

    def _extra_body(self, grammar: str | None) -> dict[str, Any]:
        if self.profile.grammar == "vllm":
            return {"structured_outputs": {"grammar": grammar}} if grammar else {}
        return {"cache_prompt": True, **({"grammar": grammar} if grammar else {})}


class _Times:
    """Until when the next chunk of a reply must have come."""

    def __init__(self, silence: float) -> None:
        self._silence = silence
        self._loop = asyncio.get_running_loop()
        self.chunks_after_end = 0
        self._gave_way = self._worked = self._wrote = self._loop.time()
        self._end_by = 0.0

    @property
    def next_by(self) -> float:
        """The loop's time by which the next chunk must have come."""
        if self.chunks_after_end:
            return self._end_by
        return min(self._worked + self._silence, self._wrote + self._silence * _REASONING_PATIENCE)

    @property
    def is_silent(self) -> bool:
        """Whether nothing came lately, not even reasoning."""
        return self.next_by == self._worked + self._silence

    def came(self, reply: StreamedReply, *, over: bool) -> None:
        """A chunk came. `over`: after the end."""
        now = self._loop.time()
        if reply.worked:
            self._worked = now
        if reply.wrote:
            self._wrote = now
        if not over:
            self.chunks_after_end = 0
            return
        if not self.chunks_after_end:
            self._end_by = now + _MAX_SECONDS_AFTER_END
        self.chunks_after_end += 1

    async def give_way(self) -> None:
        """Let the loop run if it has not for a while: received chunks do not yield to it."""
        if self._loop.time() - self._gave_way > _TURN_SECONDS:
            await asyncio.sleep(0)
            self._gave_way = self._loop.time()


# Servers read the marks of a chat template also inside a message: a result could
# close the user's message and open one of the system's.
_MARKUP = re.compile(r"<(?=[|｜]|/?s>|(?:start|end)_of_turn>)|\[(?=/?INST\])")


def _inert(message: BaseMessage) -> BaseMessage:
    """A message without chat markup, lone surrogates and NUL."""
    if not isinstance(message.content, str):
        return message
    text = _MARKUP.sub(r"\g<0> ", clean(message.content)).replace("\0", "\ufffd")
    return message if text == message.content else message.model_copy(update={"content": text})
