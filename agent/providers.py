"""Which model a role gets, and how it is opened.

A model is a text: `"openai:NAME"`, `"provider:NAME"` (with `langchain` installed), or `"local"`.
"""

import asyncio
import importlib.util
import os
from typing import TYPE_CHECKING, Any, Literal
from weakref import WeakKeyDictionary

from langchain_core.language_models import BaseChatModel

from agent import local
from agent.context import Context
from agent.errors import SetupError
from agent.models import Dialect, Model

if TYPE_CHECKING:
    import httpx

Role = Literal["planner", "joiner", "tools"]
LOCAL = "local"
DEFAULT = "openai:gpt-4.1-mini"


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
