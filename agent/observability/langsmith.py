"""LangSmith's tracer, with keys and passwords masked in all traces."""

import logging
import re
from functools import cache
from typing import Any

from langchain_core.callbacks import BaseCallbackManager
from langchain_core.runnables import RunnableConfig
from langchain_core.tracers.context import tracing_v2_callback_var
from langchain_core.tracers.langchain import LangChainTracer
from langsmith import Client
from langsmith.run_helpers import get_tracing_context
from langsmith.utils import tracing_is_enabled

from llm_compiler.redaction import masked, one_line
from llm_compiler.text import truncated

_MAX_TEXT_CHARS = 20_000
"""Of one text in a trace: masking blocks the event loop, and longer texts take longer."""


def with_tracer(config: RunnableConfig, bound: RunnableConfig | None = None) -> RunnableConfig:
    """The config with a tracer in its callbacks, if LangSmith is on and there is no tracer yet.

    A tracer or client that the application brings is left unchanged, with its own masking. `bound`
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
    """Also masks a model's settings, which contain its server's address. The client does not."""

    def on_chat_model_start(self, serialized: dict[str, Any], *args: Any, **more: Any) -> Any:
        if settings := more.get("invocation_params"):
            more["invocation_params"] = _mask(settings)
        return super().on_chat_model_start(_mask(serialized), *args, **more)


@cache
def _client() -> Client | None:
    """The client; None if LangSmith's settings are wrong. Turns then run without traces."""
    try:
        return Client(anonymizer=_mask)
    except Exception as error:
        logging.getLogger(__name__).error("no traces; check LANGSMITH_…: %s", one_line(error))
        return None


def _mask(data: Any) -> Any:
    """The same data with all its texts masked, including keys: by LangSmith's rules, then ours."""
    if isinstance(data, str):
        return _masked_text(data)
    if isinstance(data, dict):
        return {_mask(key): _mask(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_mask(value) for value in data]
    return data


def _masked_text(text: str) -> str:
    text = truncated(text, _MAX_TEXT_CHARS)
    for pattern, instead in _rules():
        text = pattern.sub(instead, text)
    return masked(text)


@cache
def _rules() -> list[tuple[re.Pattern[str], str]]:
    """LangSmith's rules. Two are changed, because they take quadratic time on text without blanks.

    They leave what precedes a name's keyword or an address's `://` unmasked anyway, so they may as
    well start matching there.
    """
    from langsmith.anonymizer import DEFAULT_SECRET_RULES

    rules = []
    for rule in DEFAULT_SECRET_RULES:
        given = rule["pattern"]
        source = given.pattern.replace(r"\b([A-Za-z0-9_.-]*(?:API", "((?:API")
        source = source.replace("(?:[_.-][A-Za-z0-9]+)*", "(?:[_.-][A-Za-z0-9]{1,200}){0,8}")
        source = source.replace(r"\b([a-z][a-z0-9+.-]*://", "(://")
        rules.append((re.compile(source, given.flags), rule["replace"] or "***"))
    return rules
