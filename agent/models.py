"""A model that is open: its reply streamed, metered, and read anew when it breaks off."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Literal, cast

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessageChunk, BaseMessage, HumanMessage, SystemMessage
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    stop_after_attempt,
    wait_chain,
    wait_exponential_jitter,
    wait_none,
)

from agent.errors import ModelError, may_pass, status_of
from agent.state import RoleUsage

Dialect = Literal["llama.cpp", "vllm"]
_HIDDEN = "nostream"
"""LangGraph's tag for models whose tokens must not show."""


class EmptyReplyError(ModelError):
    """A model ended without saying anything of use."""


_ATTEMPTS = 3
_later = wait_chain(wait_none(), wait_exponential_jitter(multiplier=1, max=8))


def retrying(
    *, allowed: Callable[[], bool] = lambda: True, anew: Callable[[], None] = lambda: None
) -> AsyncRetrying:
    """Reads a model's stream again, whole, when it broke off or was empty.

    The first time at once: what waiting helps against, the clients have waited for themselves.
    `allowed` is asked before, and `anew` is called.
    """

    def worth(error: BaseException) -> bool:
        if not isinstance(error, ModelError) or not allowed():
            return False
        return isinstance(error, EmptyReplyError) or may_pass(error.__cause__ or error)

    return AsyncRetrying(
        retry=retry_if_exception(worth),
        stop=stop_after_attempt(_ATTEMPTS),
        wait=lambda state: 0 if _was_empty(state) else _later(state),
        before_sleep=lambda _: anew(),
        reraise=True,
    )


def _was_empty(state: RetryCallState) -> bool:
    error = state.outcome.exception() if state.outcome else None
    return isinstance(error, EmptyReplyError)


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

    async def stream(
        self,
        messages: Sequence[BaseMessage],
        meter: Meter,
        *,
        role: str,
        grammar: str | None = None,
        max_tokens: int | None = None,
    ) -> AsyncGenerator[str]:
        """Yield the reply's text as it comes.

        Raises:
            ModelError: the model cannot be reached, refuses, or breaks off; `__cause__` says how.
        """
        options: dict[str, Any] = {}
        if self.dialect:
            options["extra_body"] = self._extra_body(grammar)
        if max_tokens is not None and self.local:
            options["max_tokens"] = max_tokens
        meter.begin()
        config = {"run_name": role, "tags": [_HIDDEN]}
        chunks = self.chat.astream(list(messages), cast(Any, config), **options)
        try:
            async with aclosing(cast(Any, chunks)) as stream:
                async for chunk in stream:
                    meter.add(chunk)
                    if text := chunk.text:
                        yield text
        except Exception as error:
            raise ModelError(f"the {role}'s model {self.name}: {_remedy(error)}") from error

    def _extra_body(self, grammar: str | None) -> dict[str, Any]:
        if self.dialect == "vllm":
            return {"structured_outputs": {"grammar": grammar}} if grammar else {}
        return {"cache_prompt": True, **({"grammar": grammar} if grammar else {})}


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
        messages = [SystemMessage(system), HumanMessage(user)]
        pieces = self.model.stream(
            messages, self.meter, role="reader", grammar=grammar, max_tokens=max_tokens
        )
        return "".join([piece async for piece in pieces])


def _remedy(error: BaseException) -> str:
    """What to do about a model's error. Its own text may hold the prompt, so it is left out."""
    status = status_of(error)
    kind = type(error).__name__
    if status in (401, 403):
        return f"HTTP {status}: the key was refused; check OPENAI_API_KEY or the provider's key"
    if status == 404:
        return "HTTP 404: no such model there; check the name and OPENAI_BASE_URL"
    if status == 429:
        return "HTTP 429: too many requests or no quota left; wait, or check the account"
    if status is not None and status >= 500:
        return f"HTTP {status}: the server failed; try again"
    if status is not None:
        return f"HTTP {status} ({kind}): the request was refused; check the model and its limits"
    if "Timeout" in kind or isinstance(error, TimeoutError):
        return f"no answer in time ({kind}); try again or use another model"
    if "Connection" in kind or isinstance(error, ConnectionError):
        return f"no connection ({kind}); check the network and OPENAI_BASE_URL"
    return f"{kind}; see the cause above it"
