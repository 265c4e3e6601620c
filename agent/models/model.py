"""A model that is open: its reply streamed, metered, and read anew when it breaks off."""

import asyncio
import codecs
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Literal, cast

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessageChunk, BaseMessage, HumanMessage, SystemMessage
from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt

from llm_compiler.errors import ModelError
from llm_compiler.models.errors import CutOffError, broken_error, ending_error
from llm_compiler.observability import spans as telemetry
from llm_compiler.retries import backoff
from llm_compiler.state import RoleUsage
from llm_compiler.text import clean

Dialect = Literal["llama.cpp", "vllm"]
_HIDDEN = "nostream"
"""LangGraph's tag for models whose tokens must not show."""
_ATTEMPTS = 3
_TRACED_AS = {"planner": "plan", "joiner": "join", "reader": "read"}
"""The names of model calls in a trace, by role."""
_LONGEST_READING = 10_000
"""Characters of a reply to a tool."""


def retrying(
    *, allowed: Callable[[], bool] = lambda: True, anew: Callable[[], None] = lambda: None
) -> AsyncRetrying:
    """Reads a model's stream again, whole, when that may help: three times in all.

    Before it waits as long as the server asks for, at most a minute; `allowed` is asked before,
    and `anew` is called.
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


@dataclass(frozen=True)
class Model:
    """An open chat model."""

    name: str
    chat: BaseChatModel
    dialect: Dialect | None = None
    """How its server takes a grammar, if it decodes under one."""
    local: bool = False
    silence: float = 120.0
    """Seconds without a chunk, reasoning included, after which a reply counts as broken."""
    names_end: bool = False
    """Whether its server gives a reason for a reply's end: one without it broke off."""

    @property
    def provider(self) -> str:
        """Whose it is, in the word of its name; else what LangChain calls its kind."""
        provider, colon, _ = self.name.partition(":")
        return provider if colon else self.chat._llm_type

    async def stream(
        self,
        messages: Sequence[BaseMessage],
        meter: Meter,
        *,
        role: Literal["planner", "joiner", "reader"],
        grammar: str | None = None,
        max_tokens: int | None = None,
    ) -> AsyncGenerator[str]:
        """Yield the reply's text as it comes.

        Raises:
            ModelError: the model cannot be reached, breaks off or falls silent.
            EmptyReplyError: it said nothing, or refused (RefusedError).
            CutOffError: it was ended before its end; the text until then was yielded.
        """
        options: dict[str, Any] = {}
        if self.dialect:
            options["extra_body"] = self._extra_body(grammar)
        if max_tokens is not None and self.local:
            options["max_tokens"] = max_tokens
        meter.begin()
        config = {"run_name": _TRACED_AS[role], "tags": [_HIDDEN]}
        who, reply = f"the {role}'s model {self.name}", _Reply()
        with telemetry.model_call(self.name, self.provider, role) as observed:
            chunks = self.chat.astream([*map(_inert, messages)], cast(Any, config), **options)
            try:
                async with aclosing(cast(Any, chunks)) as stream:
                    while (chunk := await self._next(who, stream)) is not None:
                        meter.add(chunk)
                        observed.take(chunk)
                        if text := reply.take(chunk):
                            yield text
                if text := reply.rest():
                    yield text
            except ModelError:
                raise
            except Exception as error:
                # LangChain's words for a stream without a chunk.
                if not str(error).startswith("No generation"):
                    raise broken_error(who, error) from None
            observed.ended(reply.reason)
            if self.names_end and not reply.reason:
                raise ModelError(f"{who} stopped in mid-reply; try again", transient=True, wait=0)
            if wrong := reply.wrong(who):
                raise wrong

    async def _next(self, who: str, stream: AsyncIterator[AIMessageChunk]) -> AIMessageChunk | None:
        """The next chunk; None at the end."""
        try:
            async with asyncio.timeout(self.silence) as clock:
                return await anext(stream, None)
        except TimeoutError:
            if not clock.expired():
                raise
            remedy = "try again, raise model_timeout, or use another model"
            raise ModelError(
                f"{who} was silent for {self.silence:g} s; {remedy}", transient=True, wait=0
            ) from None

    def _extra_body(self, grammar: str | None) -> dict[str, Any]:
        if self.dialect == "vllm":
            return {"structured_outputs": {"grammar": grammar}} if grammar else {}
        return {"cache_prompt": True, **({"grammar": grammar} if grammar else {})}


class _Reply:
    """What came of a reply, and how it ended."""

    def __init__(self) -> None:
        self.reason = ""
        self._said = self._reasoned = False
        self._refusal: list[str] = []
        # Servers that escape JSON's characters can split a pair of surrogates between two chunks.
        self._characters = codecs.getincrementaldecoder("utf-16-le")("replace")

    def take(self, chunk: AIMessageChunk) -> str:
        """Take a chunk; return its text, without what no checkpoint holds."""
        more = chunk.additional_kwargs
        if refusal := more.get("refusal"):
            self._refusal.append(str(refusal))
        self._reasoned |= "reasoning_content" in more or "reasoning" in more
        if chunk.response_metadata:
            self.reason = _reason(chunk.response_metadata) or self.reason
        return self._whole(chunk.text)

    def rest(self) -> str:
        return self._whole("", final=True)

    def wrong(self, who: str) -> ModelError | None:
        refusal = clean("".join(self._refusal))
        return ending_error(
            who, self.reason, said=self._said, refusal=refusal, reasoned=self._reasoned
        )

    def _whole(self, text: str, *, final: bool = False) -> str:
        data = text.encode("utf-16-le", "surrogatepass")
        text = self._characters.decode(data, final).replace("\0", "\ufffd")
        self._said |= bool(text) and not text.isspace()
        return text


def _reason(metadata: dict[str, Any]) -> str:
    """Why a reply ended, in the words of its provider; '' if it has not."""
    incomplete = metadata.get("incomplete_details") or {}
    names = ("finish_reason", "stop_reason", "done_reason", "status")
    reasons = [incomplete.get("reason"), *(metadata.get(name) for name in names)]
    return next((str(reason).lower() for reason in reasons if reason), "")


# Servers read the marks of a chat template also where they stand in a message: a result could
# close the user's message and open one of the system's.
_MARKUP = re.compile(r"<(?=[|｜]|/?s>|(?:start|end)_of_turn>)|\[(?=/?INST\])")


def _inert(message: BaseMessage) -> BaseMessage:
    """A message without chat markup, lone surrogates and NUL."""
    if not isinstance(message.content, str):
        return message
    text = _MARKUP.sub(r"\g<0> ", clean(message.content)).replace("\0", "\ufffd")
    return message if text == message.content else message.model_copy(update={"content": text})


@dataclass
class Reader:
    """A model that reads texts for the tools (`tools.Reader`)."""

    model: Model
    meter: Meter

    @property
    def grammars(self) -> bool:
        return self.model.dialect is not None

    async def ask(
        self, system: str, user: str, *, grammar: str | None = None, max_tokens: int = 64
    ) -> str:
        """The model's reply, up to its length limit.

        Raises:
            ModelError: it has none, also after asking again.
        """
        messages = [SystemMessage(system), HumanMessage(user)]

        async def read() -> str:
            pieces = self.model.stream(
                messages, self.meter, role="reader", grammar=grammar, max_tokens=max_tokens
            )
            reply = ""
            try:
                async with aclosing(pieces):
                    async for piece in pieces:
                        reply += piece
                        if len(reply) > _LONGEST_READING:
                            break
            except CutOffError:
                pass
            return reply

        return await retrying()(read)
