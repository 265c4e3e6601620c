"""A reply of a model as it streams: its text, and how it ended."""

import codecs
from typing import Any

from langchain_core.messages import AIMessageChunk

from llm_compiler.errors import ModelError
from llm_compiler.models.errors import ending_error
from llm_compiler.text import clean


class StreamedReply:
    """What has come of a reply."""

    def __init__(self) -> None:
        self.reason = ""
        """Why it ended, in its provider's word; "" if no reason came."""
        self._has_text = self._has_reasoning = False
        self._refusal: list[str] = []
        # Servers that escape JSON's characters can split a surrogate pair between two chunks.
        self._decoder = codecs.getincrementaldecoder("utf-16-le")("replace")

    def take(self, chunk: AIMessageChunk) -> str:
        """Take a chunk; return its text, without characters that no checkpoint can hold."""
        more = chunk.additional_kwargs
        if refusal := more.get("refusal"):
            self._refusal.append(str(refusal))
        self._has_reasoning |= "reasoning_content" in more or "reasoning" in more
        if chunk.response_metadata:
            self.reason = _reason(chunk.response_metadata) or self.reason
        return self._decoded(chunk.text)

    def rest(self) -> str:
        """The text that waited for its other half when the stream ended."""
        return self._decoded("", final=True)

    def wrong(self, who: str) -> ModelError | None:
        """What is wrong with the reply, now that it has ended; None if nothing is."""
        refusal = clean("".join(self._refusal))
        return ending_error(
            who, self.reason, said=self._has_text, refusal=refusal, reasoned=self._has_reasoning
        )

    def _decoded(self, text: str, *, final: bool = False) -> str:
        data = text.encode("utf-16-le", "surrogatepass")
        text = self._decoder.decode(data, final).replace("\0", "\ufffd")
        self._has_text |= bool(text) and not text.isspace()
        return text


def _reason(metadata: dict[str, Any]) -> str:
    """Why a reply ended, in the words of its provider; "" if it has not."""
    incomplete = metadata.get("incomplete_details") or {}
    names = ("finish_reason", "stop_reason", "done_reason", "status")
    reasons = [incomplete.get("reason"), *(metadata.get(name) for name in names)]
    return next((str(reason).lower() for reason in reasons if reason), "")
