"""OpenAI's client, which keeps what LangChain's own drops: refusals, and that a model reasons.

Apart from `providers.py`, because importing the client takes longer than all else.
"""

from typing import Any

from langchain_core.outputs import ChatGenerationChunk
from langchain_openai import ChatOpenAI

_KEPT = ("refusal", "reasoning_content", "reasoning")


class OpenAIChat(ChatOpenAI):
    """`ChatOpenAI` whose chunks carry `refusal` and `reasoning_content` in `additional_kwargs`."""

    # LangChain names this method as the place for fields of other providers.
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
