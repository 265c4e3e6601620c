"""A reply as message chunks, from any Runnable: streamed where it can be."""

import json
import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any, cast

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.runnables import (
    Runnable,
    RunnableBinding,
    RunnableConfig,
    RunnableWithFallbacks,
)

from llm_compiler.langgraph_private import is_empty_stream
from llm_compiler.models.errors import NotAReplyError, TooLongError
from llm_compiler.models.refused_parameters import STATUSES
from llm_compiler.retries import status_of

_STREAM = re.compile(r"(?<![\w.])stream(?:s|ed|ing)?(?!\w)")
_ATTACHMENTS = re.compile(
    r"image|picture|vision|audio|video|multi-?modal|\bfiles?\b|\bpdf\b|unsupported content"
    r"|content.{0,40}(?:string|text|part|type)|expected a string"
)
_MAX_CHARS = 2000


async def streamed(
    model: Runnable[Any, Any],
    messages: Sequence[BaseMessage],
    config: RunnableConfig,
    options: dict[str, Any],
) -> AsyncGenerator[AIMessageChunk]:
    """Yield the chunks of a model's reply.

    Raises:
        NotAReplyError: it answered with something else than messages and texts.
    """
    chunks = cast(AsyncGenerator[Any], model.astream(messages, config, **options))
    async with aclosing(chunks) as stream:
        async for item in stream:
            yield as_chunk(item)


async def at_once(
    model: Runnable[Any, Any],
    messages: Sequence[BaseMessage],
    config: RunnableConfig,
    options: dict[str, Any],
) -> AIMessageChunk:
    """The whole reply of a model whose server does not stream."""
    return as_chunk(await _unstreamed(model).ainvoke(messages, config, **options))


def refuses_to_stream(error: Exception) -> bool:
    """Whether a stream failed because the server does not stream: it says so, or sent nothing."""
    if is_empty_stream(error):
        return True
    said = str(error)[:_MAX_CHARS].casefold()
    return status_of(error) in STATUSES and _STREAM.search(said) is not None


def refuses_attachments(error: Exception) -> bool:
    """Whether a prompt with attachments was refused because of them: the server says so, or the
    model's client cannot put them into a request."""
    if isinstance(error, ValueError | TypeError | KeyError | NotImplementedError):
        return not (is_empty_stream(error) or isinstance(error, TooLongError))
    said = str(error)[:_MAX_CHARS].casefold()
    return status_of(error) in STATUSES and _ATTACHMENTS.search(said) is not None


def as_chunk(item: object) -> AIMessageChunk:
    """A part of a reply, or a whole one, as a chunk."""
    if isinstance(item, AIMessageChunk):
        return item
    if isinstance(item, str):
        return AIMessageChunk(content=item)
    if isinstance(item, AIMessage):
        calls = [
            tool_call_chunk(
                name=call["name"], args=json.dumps(call["args"]), id=call["id"], index=index
            )
            for index, call in enumerate(item.tool_calls)
        ]
        return AIMessageChunk(
            content=item.content,
            additional_kwargs=item.additional_kwargs,
            response_metadata=item.response_metadata,
            usage_metadata=item.usage_metadata,
            tool_call_chunks=calls,
        )
    if isinstance(item, BaseMessage):
        return AIMessageChunk(content=item.content)
    raise NotAReplyError(type(item).__name__)


def _unstreamed(model: Runnable[Any, Any]) -> Runnable[Any, Any]:
    """The model, told not to stream: LangChain would, because LangGraph listens."""
    if isinstance(model, BaseChatModel):
        return model.model_copy(update={"disable_streaming": True})
    if isinstance(model, RunnableBinding):
        return model.model_copy(update={"bound": _unstreamed(model.bound)})
    if isinstance(model, RunnableWithFallbacks):
        fallbacks = [_unstreamed(it) for it in model.fallbacks]
        return model.model_copy(
            update={"runnable": _unstreamed(model.runnable), "fallbacks": fallbacks}
        )
    return model
