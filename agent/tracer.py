"""LangSmith's tracer, so made that no key or password leaves with a trace."""

from functools import cache
from typing import Any

from langchain_core.callbacks import BaseCallbackManager
from langchain_core.runnables import RunnableConfig
from langchain_core.tracers.langchain import LangChainTracer
from langsmith import Client
from langsmith.run_helpers import get_tracing_context
from langsmith.utils import tracing_is_enabled

from agent.errors import masked


def with_tracer(config: RunnableConfig) -> RunnableConfig:
    """The config with a tracer in its callbacks, where LangSmith is on and has none there yet.

    A tracer or a client of the application's own stays: what it masks is its own affair.
    """
    if not tracing_is_enabled():
        return config
    around = get_tracing_context()
    callbacks = config.get("callbacks")
    given = callbacks.handlers if isinstance(callbacks, BaseCallbackManager) else callbacks or []
    own = around["parent"] or around["client"]
    if own or any(isinstance(handler, LangChainTracer) for handler in given):
        return config
    tracer = _MaskingTracer(
        project_name=around["project_name"],
        client=_client(),
        tags=around["tags"],
        metadata=around["metadata"],
    )
    if not isinstance(callbacks, BaseCallbackManager):
        return {**config, "callbacks": [*given, tracer]}
    callbacks = callbacks.copy()
    callbacks.add_handler(tracer)
    return {**config, "callbacks": callbacks}


class _MaskingTracer(LangChainTracer):
    """Masks what its client does not: a model's settings, with the address of its server."""

    def on_chat_model_start(self, serialized: dict[str, Any], *args: Any, **more: Any) -> Any:
        return super().on_chat_model_start(_mask()(serialized), *args, **more)


@cache
def _client() -> Client:
    return Client(anonymizer=_mask())


@cache
def _mask() -> Any:
    """Masks all texts in JSON data, in place: LangSmith's rules, then ours."""
    from langsmith.anonymizer import create_anonymizer, create_secret_anonymizer

    usual = create_secret_anonymizer()
    ours = create_anonymizer(lambda text, path: masked(text), max_depth=24)
    return lambda data: ours(usual(data))
