"""Opens a model by its name.

A model's name is `"openai:NAME"`, `"provider:NAME"` (if `langchain` is installed), `"local"`, or
`"local:FILE.gguf"` or `"local:OWNER/NAME"` for another model that llama.cpp runs.
"""

import asyncio
import importlib
import importlib.util
import os
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

from langchain_core.language_models import BaseChatModel

from llm_compiler.errors import SetupError
from llm_compiler.models.choice import LOCAL
from llm_compiler.models.given import check_name
from llm_compiler.models.model import Model
from llm_compiler.models.profiles import (
    DEFAULT_PROFILE,
    LOCAL_PROFILE,
    OPENAI_PROFILE,
    Dialect,
    ModelProfile,
    profile_of,
    with_inputs,
)
from llm_compiler.redaction import one_line
from llm_compiler.retries import is_transient

if TYPE_CHECKING:
    import httpx

    from llm_compiler.models.local.server import Endpoint, LocalServer, LocalServers

_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_ASK_SECONDS = 5.0
"""What a server has to say which models it has."""
_ASK_AGAIN_SECONDS = 60.0
_CLIENT = "llm_compiler.models.openai_compatible"
_VARIABLES = ("OPENAI_API_KEY", "OPENAI_BASE_URL")


@dataclass
class _OpenModel:
    """A model, and its server if that has not yet said whether it decodes under a grammar."""

    model: Model
    unasked: tuple[str, str] | None = None
    """Its base URL and key."""

    again_at: float = float("-inf")
    """When it may be asked again, if it took long not to answer."""

    asking: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def ask(self) -> None:
        """Ask the server. One that cannot answer now is asked again the next time; one that gives
        no answer, or is not waited for, after a minute."""
        async with self.asking:
            if not self.unasked or time.monotonic() < self.again_at:
                return
            self.again_at = time.monotonic() + _ASK_AGAIN_SECONDS
            try:
                owners = await _owners(*self.unasked)
            except TimeoutError:
                return
            self.again_at = float("-inf")
            if owners is None:
                return
            profile = replace(self.model.profile, grammar=_dialect(owners))
            self.model = replace(self.model, profile=profile)
            self.unasked = None


class OpenModels:
    """The open models by name, for each event loop: pooled connections die with their loop."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget all models; each is opened again at its next use."""
        self._of_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[object, _OpenModel]] = (
            WeakKeyDictionary()
        )

    async def get(self, name: str) -> Model:
        """The model with this name, opened at its first use in this loop."""
        models = self._of_loop.setdefault(asyncio.get_running_loop(), {})
        # The local server may have restarted on another port; a variable may have changed.
        provider, _, rest = name.partition(":")
        endpoint = server = None
        if provider == LOCAL:
            server = (await asyncio.to_thread(_local_servers)).of(rest)
            # The client takes as long to import as the server to start.
            client = asyncio.to_thread(importlib.import_module, _CLIENT)
            endpoint, _ = await asyncio.gather(server.start(), client)
        key = (name, endpoint, *(os.environ.get(variable) for variable in _VARIABLES))
        if key not in models:
            models.setdefault(
                key, await _open(name, endpoint, server)
            )  # another run may have been quicker
        await models[key].ask()
        return models[key].model


OPEN_MODELS: Final = OpenModels()
"""One per process."""


def known_profile(name: str) -> ModelProfile:
    """A model's profile as far as it is known before its server was asked: without a grammar."""
    provider = name.partition(":")[0]
    if provider == LOCAL:
        return LOCAL_PROFILE
    return profile_of(name, OPENAI_PROFILE if provider == "openai" else DEFAULT_PROFILE)


def _local_servers() -> "LocalServers":
    # In a thread, and only where a model is local: what fetches weights and runs a server.
    from llm_compiler.models.local.server import LOCAL_SERVERS

    return LOCAL_SERVERS


async def _open(name: str, endpoint: "Endpoint | None", server: "LocalServer | None") -> _OpenModel:
    if endpoint is not None and server is not None:
        chat = await asyncio.to_thread(
            _openai, name, endpoint.base_url, endpoint.api_key, temperature=0
        )
        profile = known_profile(name)
        return _OpenModel(Model(name, chat, profile, adapts=True, read_ahead=server.read_ahead))
    check_name(name)
    provider, _, rest = name.partition(":")
    if provider == "openai":
        base_url = os.environ.get("OPENAI_BASE_URL") or None
        key = os.environ.get("OPENAI_API_KEY") or ("none" if base_url else None)
        if key is None:
            raise SetupError(f"{name} needs OPENAI_API_KEY or OPENAI_BASE_URL; or use 'local'")
        chat = await asyncio.to_thread(_openai, rest, base_url, key)
        unasked = (base_url, key) if base_url else None
        profile = with_inputs(known_profile(name), chat.profile)
        return _OpenModel(Model(name, chat, profile, adapts=True), unasked)
    if importlib.util.find_spec("langchain") is None:
        raise SetupError(
            f"{name} needs LangChain; run: pip install langchain langchain-{provider},"
            " or use 'openai:…'"
        )
    from langchain.chat_models import init_chat_model

    try:
        chat = await asyncio.to_thread(init_chat_model, name)
    except (ImportError, ValueError) as error:
        raise SetupError(f"{name}: {one_line(error)}") from None
    return _OpenModel(Model(name, chat, with_inputs(known_profile(name), chat.profile)))


def _openai(name: str, base_url: str | None, key: str, **options: Any) -> BaseChatModel:
    from pydantic import SecretStr

    from llm_compiler.models.openai_compatible import OpenAIChat

    return OpenAIChat(
        model=name,
        base_url=base_url,
        api_key=SecretStr(key),
        stream_usage=True,
        http_async_client=_client(base_url),
        # `model.py` handles retries and the limit on silence.
        max_retries=0,
        stream_chunk_timeout=None,
        **options,
    )


def _client(base_url: str | None) -> "httpx.AsyncClient":
    """A new client for this loop. It keeps no connections to this machine: new ones are cheap."""
    import httpx

    from llm_compiler.models.bounded_http import bound

    try:
        here = base_url is not None and httpx.URL(base_url).host in _LOOPBACK
    except httpx.InvalidURL:
        # The address may contain a password, so it is not shown.
        raise SetupError("OPENAI_BASE_URL is not a URL; write http://host:port/v1") from None
    limits = httpx.Limits(max_keepalive_connections=0 if here else 20)
    return httpx.AsyncClient(
        limits=limits,
        timeout=httpx.Timeout(None, connect=10),
        event_hooks={"response": [bound]},
    )


async def _owners(base_url: str, key: str) -> set[str] | None:
    """The `owned_by` of a server's models; None if it may still answer later.

    Raises:
        TimeoutError: it did not answer in time.
    """
    import httpx

    from llm_compiler.models.bounded_http import get_json

    try:
        async with await asyncio.to_thread(_client, base_url) as client:
            models = await get_json(
                client,
                f"{base_url.rstrip('/')}/models",
                seconds=_ASK_SECONDS,
                headers={"Authorization": f"Bearer {key}"},
            )
        return {str(entry.get("owned_by")) for entry in models.get("data", [])}
    except (httpx.HTTPError, ValueError, AttributeError, TypeError) as error:
        # The model's own call reports what is wrong.
        return None if is_transient(error) else set()


def _dialect(owners: set[str]) -> Dialect | None:
    """How a server accepts a grammar: llama.cpp and vLLM decode under one."""
    return "llama.cpp" if "llamacpp" in owners else "vllm" if "vllm" in owners else None
