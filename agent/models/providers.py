"""Which model a role gets, and how it is opened.

A model is a text: `"openai:NAME"`, `"provider:NAME"` (with `langchain` installed), or `"local"`.
"""

import asyncio
import importlib.util
import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal
from weakref import WeakKeyDictionary

from langchain_core.language_models import BaseChatModel

from llm_compiler.context import Context
from llm_compiler.errors import SetupError
from llm_compiler.models.local import server as local
from llm_compiler.models.model import Dialect, Model
from llm_compiler.redaction import one_line
from llm_compiler.retries import is_transient

if TYPE_CHECKING:
    import httpx

Role = Literal["planner", "joiner"]
LOCAL = "local"
DEFAULT = "openai:gpt-4.1-mini"
_HERE = ("127.0.0.1", "localhost", "::1")
_LOCAL_SILENCE = 600.0
"""Seconds: on a busy machine the local model reads a full prompt for minutes."""


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


@dataclass
class _Opened:
    """A model, and the server that has yet to say whether it decodes under a grammar."""

    model: Model
    unasked: tuple[str, str] | None = None
    """Its base URL and key."""

    async def ask(self) -> None:
        """Ask the server; one that gives no answer now is asked again the next time."""
        if self.unasked and (owners := await _owners(*self.unasked)) is not None:
            self.model = replace(self.model, dialect=_dialect(owners))
            self.unasked = None


# Pooled connections die with their loop, so each loop has models of its own.
_OPEN: "WeakKeyDictionary[asyncio.AbstractEventLoop, dict[object, _Opened]]" = WeakKeyDictionary()
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
    await opened[key].ask()
    return opened[key].model


async def _open(name: str, endpoint: local.Endpoint | None) -> _Opened:
    if endpoint is not None:
        chat = await asyncio.to_thread(
            _openai, LOCAL, endpoint.base_url, endpoint.api_key, temperature=0
        )
        return _Opened(
            Model(LOCAL, chat, "llama.cpp", local=True, silence=_LOCAL_SILENCE, names_end=True)
        )
    provider, colon, rest = name.partition(":")
    if not colon or not rest:
        raise SetupError(f"the model {name!r} names no provider; write 'openai:{name}' or 'local'")
    if provider == "openai":
        base_url = os.environ.get("OPENAI_BASE_URL") or None
        key = os.environ.get("OPENAI_API_KEY") or ("none" if base_url else None)
        if key is None:
            raise SetupError(f"{name} needs OPENAI_API_KEY (or OPENAI_BASE_URL); or use 'local'")
        chat = await asyncio.to_thread(_openai, rest, base_url, key)
        return _Opened(Model(name, chat, names_end=True), (base_url, key) if base_url else None)
    if importlib.util.find_spec("langchain") is None:
        raise SetupError(f"{name}: pip install langchain langchain-{provider}, or use 'openai:…'")
    from langchain.chat_models import init_chat_model

    try:
        return _Opened(Model(name, await asyncio.to_thread(init_chat_model, name)))
    except (ImportError, ValueError) as error:
        raise SetupError(f"{name}: {one_line(error)}") from None


def _openai(name: str, base_url: str | None, key: str, **options: Any) -> BaseChatModel:
    from pydantic import SecretStr

    from llm_compiler.models.openai_compatible import OpenAIChat

    return OpenAIChat(
        model=name,
        base_url=base_url,
        api_key=SecretStr(key),
        stream_usage=True,
        http_async_client=_client(base_url),
        # Who asks again, and how long silence may last, is ruled in one place: `models.py`.
        max_retries=0,
        stream_chunk_timeout=None,
        **options,
    )


def _client(base_url: str | None) -> "httpx.AsyncClient":
    """A client of this loop's own. To this machine no connection is kept: a new one is cheap."""
    import httpx

    try:
        here = base_url is not None and httpx.URL(base_url).host in _HERE
    except httpx.InvalidURL:
        # It may hold a password, so it is not shown.
        raise SetupError("OPENAI_BASE_URL is no address; write http://host:port/v1") from None
    limits = httpx.Limits(max_keepalive_connections=0 if here else 20)
    return httpx.AsyncClient(limits=limits, timeout=httpx.Timeout(None, connect=10))


async def _owners(base_url: str, key: str) -> set[str] | None:
    """Who owns a server's models, as it says; None if it may only not have said so yet."""
    import httpx

    try:
        async with _client(base_url) as client:
            answer = await client.get(
                f"{base_url.rstrip('/')}/models",
                headers={"Authorization": f"Bearer {key}"},
                timeout=5,
            )
        answer.raise_for_status()
        return {str(entry.get("owned_by")) for entry in answer.json().get("data", [])}
    except (httpx.HTTPError, ValueError, AttributeError, TypeError) as error:
        # The model's own call will say what is wrong.
        return None if is_transient(error) else set()


def _dialect(owners: set[str]) -> Dialect | None:
    """How a server takes a grammar: llama.cpp and vLLM decode under one."""
    return "llama.cpp" if "llamacpp" in owners else "vllm" if "vllm" in owners else None
