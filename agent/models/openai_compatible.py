"""A chat model for OpenAI's protocol that keeps the refusals and reasoning that LangChain's drops.

It is not in `providers.py`, because importing the client takes longer than everything else.
"""

from typing import Any, Self

from langchain_core.outputs import ChatGenerationChunk
from langchain_openai import ChatOpenAI
from openai import AsyncOpenAI, AsyncStream
from pydantic import model_validator

_OF_THE_CLIENT = {"extra_headers", "extra_query", "timeout"}
_KEPT = ("refusal", "reasoning_content", "reasoning")


class OpenAIChat(ChatOpenAI):
    """A `ChatOpenAI` with `refusal` and `reasoning_content` in its chunks' `additional_kwargs`."""

    @model_validator(mode="after")
    def _stream_plain_data(self) -> Self:
        self.async_client = _PlainData(self.root_async_client)
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


class _PlainData:
    """Chat completions whose streamed chunks are the JSON data as received.

    OpenAI's client would make an object of each chunk, which LangChain turns into data again. That
    takes nearly a fifth of a turn's processor time on a server under load.
    """

    def __init__(self, client: AsyncOpenAI) -> None:
        self._client = client

    async def create(self, *, extra_body: Any = None, **body: Any) -> Any:
        # The client turns these into headers, a query and a timeout.
        if not body.get("stream") or not _OF_THE_CLIENT.isdisjoint(body):
            return await self._client.chat.completions.create(extra_body=extra_body, **body)
        options: Any = {"extra_json": extra_body} if extra_body else {}
        return await self._client.post(
            "/chat/completions",
            cast_to=object,
            body=body,
            options=options,
            stream=True,
            stream_cls=AsyncStream[object],
        )

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client.chat.completions, name)
