"""LangSmith's tracer, with keys and passwords masked in every trace."""

import logging
import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from langchain_core.callbacks import BaseCallbackManager
from langchain_core.runnables import RunnableConfig
from langchain_core.tracers.context import tracing_v2_callback_var
from langchain_core.tracers.langchain import LangChainTracer
from langsmith import Client
from langsmith.run_helpers import get_tracing_context
from langsmith.utils import tracing_is_enabled

from llm_compiler.redaction import masked, one_line, secret_values
from llm_compiler.text import truncated

_MAX_TEXT_CHARS = 20_000
"""Of one text in a trace."""
_MAX_DATA_CHARS = 40_000
"""Of all texts of a run's inputs, or its outputs: masking blocks the event loop. What is behind
them is left out of the trace."""
_LEFT_OUT = "… left out of the trace"
_CHARS_OF_AN_ITEM = 20
"""What a value, a list or an object counts besides its texts."""


def with_tracer(config: RunnableConfig, bound: RunnableConfig | None = None) -> RunnableConfig:
    """The config with a tracer in its callbacks, if LangSmith is on and no tracer is there yet.

    A tracer or a client of the application's own stays as it is, and masks what it masks. `bound`
    is the config that the graph has from `with_config`.
    """
    if not tracing_is_enabled():
        return config
    around = get_tracing_context()
    callbacks = config.get("callbacks")
    given = _handlers(callbacks)
    own = around["parent"] or around["client"] or tracing_v2_callback_var.get()
    known = [*given, *_handlers((bound or {}).get("callbacks"))]
    if own or any(isinstance(handler, LangChainTracer) for handler in known):
        return config
    if (client := _client()) is None:
        return config
    tracer = _MaskingTracer(
        project_name=around["project_name"],
        client=client,
        tags=around["tags"],
        metadata=around["metadata"],
    )
    if not isinstance(callbacks, BaseCallbackManager):
        return {**config, "callbacks": [*given, tracer]}
    callbacks = callbacks.copy()
    callbacks.add_handler(tracer)
    return {**config, "callbacks": callbacks}


def _handlers(callbacks: Any) -> list[Any]:
    return list(
        callbacks.handlers if isinstance(callbacks, BaseCallbackManager) else callbacks or []
    )


class _MaskingTracer(LangChainTracer):
    """Masks what its client does not: a model's settings, which hold its server's address."""

    def on_chat_model_start(self, serialized: dict[str, Any], *args: Any, **more: Any) -> Any:
        if settings := more.get("invocation_params"):
            more["invocation_params"] = _mask(settings)
        return super().on_chat_model_start(_mask(serialized), *args, **more)


@cache
def _client() -> Client | None:
    """The client; None if LangSmith's settings are wrong: turns run without traces then."""
    try:
        return Client(anonymizer=_mask)
    except Exception as error:
        logging.getLogger(__name__).error("no traces, check LANGSMITH_…: %s", one_line(error))
        return None


def _mask(data: Any) -> Any:
    """The same data with all its texts masked, keys too: by LangSmith's rules, then by ours."""
    return _Masking().masked(data)


class _Masking:
    """Masks the texts of one value, as far as they may go."""

    def __init__(self) -> None:
        self._left = _MAX_DATA_CHARS
        self._secrets = secret_values()
        self._known: dict[str, str] = {}
        """Texts that were masked before: the names of fields come again and again."""

    def masked(self, data: Any) -> Any:
        if isinstance(data, str) and data in self._known:
            self._left -= 1
            return self._known[data]
        self._left -= _CHARS_OF_AN_ITEM
        if isinstance(data, str):
            self._known[data] = self._text(data)
            return self._known[data]
        if isinstance(data, dict):
            return dict(self._entries(data))
        if isinstance(data, list | tuple):
            return list(self._items(data))
        return data

    def _entries(self, data: dict[Any, Any]) -> Iterator[tuple[Any, Any]]:
        for number, (key, value) in enumerate(data.items()):
            if self._left <= 0:
                yield _LEFT_OUT, len(data) - number
                return
            yield self.masked(key), self.masked(value)

    def _items(self, data: Sequence[Any]) -> Iterator[Any]:
        for number, value in enumerate(data):
            if self._left <= 0:
                yield f"{_LEFT_OUT}: {len(data) - number}"
                return
            yield self.masked(value)

    def _text(self, text: str) -> str:
        whole = text
        text = truncated(text, min(max(self._left, 0), _MAX_TEXT_CHARS))
        self._left -= min(len(whole), len(text))
        for pattern, instead in _rules():
            text = pattern.sub(instead, text)
        return masked(text, self._secrets)


@cache
def _rules() -> list[tuple[re.Pattern[str], str]]:
    """LangSmith's rules, changed where some take quadratic time on text without blanks.

    What two of them allow before a name or an address is kept unmasked, so they may as well begin
    at the name's keyword, and at the address's `://`. A token does not begin within another. Those
    for private keys and for headers are left out: ours do more, and leave prose as it is.
    """
    from langsmith.anonymizer import DEFAULT_SECRET_RULES

    rules = []
    for rule in DEFAULT_SECRET_RULES:
        given = rule["pattern"]
        if any(word in given.pattern for word in ("-----BEGIN", "(authorization|", "(Bearer")):
            continue
        source = given.pattern.replace(r"\b([A-Za-z0-9_.-]*(?:API", "((?:API")
        source = source.replace("(?:[_.-][A-Za-z0-9]+)*", "(?:[_.-][A-Za-z0-9]{1,200}){0,8}")
        source = source.replace(r"\b([a-z][a-z0-9+.-]*://", "(://")
        source = source.replace("eyJ[A-Za-z0-9_-]+", "(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]+", 1)
        rules.append((re.compile(source, given.flags), rule["replace"] or "***"))
    return rules
