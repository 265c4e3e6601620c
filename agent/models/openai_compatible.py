"""A chat model for any server that speaks OpenAI's protocol, as far as it does.

It is not in `providers.py`, because importing the client takes longer than everything else.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from typing import Any, Self

import openai
from langchain_core.outputs import ChatGenerationChunk
from langchain_openai import ChatOpenAI
from openai import AsyncOpenAI, AsyncStream
from pydantic import model_validator

from llm_compiler.models.event_stream import documents
from llm_compiler.models.received_chunks import chunks
from llm_compiler.models.refused_parameters import STATUSES, Body, refused, without

_OF_THE_CLIENT = {"extra_headers", "extra_query", "timeout"}
_KEPT = ("refusal", "reasoning_content")
_MAX_REFUSALS = 6
"""Of one request."""


class OpenAIChat(ChatOpenAI):
    """A `ChatOpenAI` with `refusal` and `reasoning_content` in its chunks' `additional_kwargs`.

    What its server refuses of a request is left out of that request and the later ones.
    """

    @model_validator(mode="after")
    def _talk_to_any_server(self) -> Self:
        self.async_client = _Completions(self.root_async_client)
        return self

    # LangChain provides this method for overrides that read other providers' fields.
    def _convert_chunk_to_generation_chunk(
        self,
        chunk: dict[str, Any],
        default_chunk_class: type,
        base_generation_info: dict[str, Any] | None,
    ) -> ChatGenerationChunk | None:
        made = super()._convert_chunk_to_generation_chunk(
            chunk, default_chunk_class, base_generation_info
        )
        if made is not None and (choices := chunk.get("choices")):
            delta = choices[0].get("delta") or {}
            for name in _KEPT:
                if text := delta.get(name):
                    made.message.additional_kwargs[name] = text
        return made


class _Completions:
    """Chat completions whose streamed chunks are plain data.

    OpenAI's client would make an object of each chunk, which LangChain turns into data again. That
    takes nearly a fifth of a turn's processor time on a server under load.
    """

    def __init__(self, client: AsyncOpenAI) -> None:
        self._client = client
        self._refused: list[str] = []
        """What its server refused of earlier requests."""

    async def create(self, *, extra_body: Any = None, **body: Any) -> Any:
        # The client turns these into headers, a query and a timeout.
        if not body.get("stream") or not _OF_THE_CLIENT.isdisjoint(body):
            return await self._client.chat.completions.create(extra_body=extra_body, **body)
        return self._streamed({**body, **(extra_body or {})})

    @asynccontextmanager
    async def _streamed(self, body: Body) -> AsyncGenerator[AsyncGenerator[dict[str, Any]]]:
        """The chunks of a reply, asked for again without what the server refuses."""
        tried: list[str] = []
        while True:
            sent = without(body, [*self._refused, *tried])
            async with aclosing(self._chunks(sent)) as received:
                try:
                    first = await anext(received, None)
                except openai.APIError as error:
                    name = refused(sent, error.body, error.message) if _refuses(error) else None
                    if name is None or len(tried) == _MAX_REFUSALS:
                        raise
                    tried.append(name)
                    continue
                # Only now it is known that these were the reason.
                self._refused += [name for name in tried if name not in self._refused]
                async with aclosing(_all(first, received)) as whole:
                    yield whole
                return

    async def _chunks(self, body: Body) -> AsyncGenerator[dict[str, Any]]:
        stream = await self._client.post(
            "/chat/completions",
            cast_to=object,
            body=body,
            stream=True,
            stream_cls=AsyncStream[object],
        )
        response = stream.response
        try:
            async with (
                aclosing(documents(response.aiter_bytes())) as found,
                aclosing(chunks(found, response.request)) as received,
            ):
                async for chunk in received:
                    yield chunk
        finally:
            await response.aclose()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client.chat.completions, name)


def _refuses(error: openai.APIError) -> bool:
    return getattr(error, "status_code", None) in STATUSES


async def _all(
    first: dict[str, Any] | None, others: AsyncGenerator[dict[str, Any]]
) -> AsyncGenerator[dict[str, Any]]:
    if first is not None:
        yield first
        async for chunk in others:
            yield chunk
