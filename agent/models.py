"""The models: which one a role gets, how it is opened, and how its reply is streamed and metered.

A model is a text: `"openai:NAME"`, `"provider:NAME"` (with `langchain` installed), or `"local"`.
"""

import asyncio
import importlib.util
import os
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast
from weakref import WeakKeyDictionary

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

from agent import local
from agent.context import Context
from agent.errors import ModelError, SetupError, may_pass, status_of
from agent.state import RoleUsage

if TYPE_CHECKING:
    import httpx

Role = Literal["planner", "joiner", "tools"]
Dialect = Literal["llama.cpp", "vllm"]
LOCAL = "local"
DEFAULT = "openai:gpt-4.1-mini"
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


def chosen(context: Context, role: Role) -> tuple[str, str]:
    """The name of the model that a role gets, and why."""
    own = {"planner": context.planner_model, "joiner": context.joiner_model}.get(role)
    if own:
        return own, f"{role}_model is set"
    if context.model:
        return context.model, "model is set"
    if os.environ.get("OPENAI_API_KEY"):
        return DEFAULT, "OPENAI_API_KEY is set"
    return LOCAL, "no model is chosen and OPENAI_API_KEY is not set"


# Pooled connections die with their loop, so each loop has models of its own.
_OPEN: "WeakKeyDictionary[asyncio.AbstractEventLoop, dict[object, Model]]" = WeakKeyDictionary()
_VARIABLES = ("OPENAI_API_KEY", "OPENAI_BASE_URL")


async def open_model(model: BaseChatModel | str) -> Model:
    """Open a model by name, once per loop; a chat model is taken as it is.

    Raises:
        SetupError: a package, a key or the weights are missing, or the name is none.
    """
    if isinstance(model, BaseChatModel):
        name = getattr(model, "model_name", None) or getattr(model, "model", None)
        return Model(str(name or type(model).__name__), model)
    opened = _OPEN.setdefault(asyncio.get_running_loop(), {})
    # The local server may have ended and come back elsewhere; a variable may have changed.
    endpoint = await local.start() if model == LOCAL else None
    key = (model, endpoint, *(os.environ.get(name) for name in _VARIABLES))
    if key not in opened:
        opened[key] = await _open(model, endpoint)
    return opened[key]


async def _open(name: str, endpoint: local.Endpoint | None) -> Model:
    if endpoint is not None:
        chat = await asyncio.to_thread(
            _openai, LOCAL, endpoint.base_url, endpoint.api_key, temperature=0, timeout=600
        )
        return Model(LOCAL, chat, "llama.cpp", local=True)
    provider, colon, rest = name.partition(":")
    if not colon or not rest:
        raise SetupError(f"the model {name!r} names no provider; write 'openai:{name}' or 'local'")
    if provider == "openai":
        base_url = os.environ.get("OPENAI_BASE_URL") or None
        key = os.environ.get("OPENAI_API_KEY") or ("none" if base_url else None)
        if key is None:
            raise SetupError(f"{name} needs OPENAI_API_KEY (or OPENAI_BASE_URL); or use 'local'")
        chat = await asyncio.to_thread(_openai, rest, base_url, key)
        return Model(name, chat, await _dialect(base_url, key) if base_url else None)
    if importlib.util.find_spec("langchain") is None:
        raise SetupError(f"{name}: pip install langchain langchain-{provider}, or use 'openai:…'")
    from langchain.chat_models import init_chat_model

    try:
        return Model(name, await asyncio.to_thread(init_chat_model, name))
    except (ImportError, ValueError) as error:
        raise SetupError(f"{name}: {str(error).splitlines()[0]}") from error


def _openai(name: str, base_url: str | None, key: str, **options: Any) -> BaseChatModel:
    from langchain_openai import ChatOpenAI
    from pydantic import SecretStr

    return ChatOpenAI(
        model=name,
        base_url=base_url,
        api_key=SecretStr(key),
        stream_usage=True,
        http_async_client=_client(base_url),
        **options,
    )


def _client(base_url: str | None) -> "httpx.AsyncClient":
    """A client of this loop's own. To this machine no connection is kept: a new one is cheap."""
    import httpx

    here = base_url is not None and httpx.URL(base_url).host in ("127.0.0.1", "localhost", "::1")
    limits = httpx.Limits(max_keepalive_connections=0 if here else 20)
    return httpx.AsyncClient(limits=limits, timeout=httpx.Timeout(600, connect=10))


async def _dialect(base_url: str, key: str) -> Dialect | None:
    """Whether the server says that it is llama.cpp or vLLM, which decode under a grammar."""
    import httpx

    try:
        async with _client(base_url) as client:
            answer = await client.get(
                f"{base_url.rstrip('/')}/models",
                headers={"Authorization": f"Bearer {key}"},
                timeout=5,
            )
        owners = {str(entry.get("owned_by")) for entry in answer.json().get("data", [])}
    except (httpx.HTTPError, ValueError, AttributeError, TypeError):
        return None  # the model's own call will say what is wrong
    return "llama.cpp" if "llamacpp" in owners else "vllm" if "vllm" in owners else None


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
