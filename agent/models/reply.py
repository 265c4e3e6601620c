"""A reply of a model as it streams: its text, how it ended, and how much came that is not text."""

import codecs
from typing import Any

from langchain_core.messages import AIMessageChunk

from llm_compiler.errors import ModelError
from llm_compiler.models.errors import CutOffError, EmptyReplyError, ending_error
from llm_compiler.text import clean

_MAX_EMPTY_CHUNKS = 5_000
"""Chunks of a reply that contain neither text nor reasoning."""
_MAX_OTHER_CHARS = 400_000
"""Of what no caller reads: reasoning, refusals, blanks. Callers bound the text."""
_MAX_KEPT_CHARS = 20_000
"""Of these that stay in the chunks, for a trace: LangChain puts all chunks together at the end of
a stream, at once and in quadratic time for what is not text."""

_CHARS_OF_A_CHUNK = 100
_OTHER = ("refusal", "reasoning_content", "reasoning", "thinking")
_OF_BLOCKS = ("type", "id", "index", "extras")


class StreamedReply:
    """The reply so far."""

    def __init__(self) -> None:
        self.reason = ""
        """Why it ended, in its provider's words; "" if no reason came."""
        self.has_text = False
        """Whether any text other than blanks came."""
        self.wrote = self.worked = False
        """Whether the last chunk had text but blanks, and whether it had that or reasoning."""
        self._has_reasoning = False
        self._refusal: list[str] = []
        self._empty_chunks = self._other_chars = 0
        # Servers that escape JSON's characters can split a surrogate pair between two chunks.
        self._decoder = codecs.getincrementaldecoder("utf-16-le")("replace")

    def take(self, chunk: AIMessageChunk) -> str:
        """Take a chunk; return its text, without characters that no checkpoint can store."""
        more = chunk.additional_kwargs
        if refusal := more.get("refusal"):
            self._refusal.append(str(refusal))
        self._has_reasoning |= "reasoning_content" in more or "reasoning" in more
        if chunk.response_metadata:
            self.reason = _reason(chunk.response_metadata) or self.reason
        text, other = self._decoded(chunk.text), _other_chars(chunk)
        self.wrote = bool(text) and not text.isspace()
        self.worked = self.wrote or other > 0
        self._other_chars += other if self.wrote else other + len(text)
        self._empty_chunks += not (text or other)
        if max(self._other_chars, _CHARS_OF_A_CHUNK * self._empty_chunks) > _MAX_KEPT_CHARS:
            _strip(chunk)
        return text

    def endless(self, who: str) -> ModelError | None:
        """The error if too much came that is not text; else None."""
        if self._empty_chunks <= _MAX_EMPTY_CHUNKS and self._other_chars <= _MAX_OTHER_CHARS:
            return None
        return self.without_end(who, "sent data other than text without end")

    def without_end(self, who: str, what: str) -> ModelError:
        """The error for a reply that is ended here: cut off after its text, or empty."""
        if self.has_text:
            return CutOffError(f"{who} {what}")
        return EmptyReplyError(f"{who} {what}; use another model")

    def rest(self) -> str:
        """The text that waited for its other half when the stream ended."""
        return self._decoded("", final=True)

    def wrong(self, who: str) -> ModelError | None:
        """What is wrong with the reply, now that it has ended; None if nothing is."""
        refusal = clean("".join(self._refusal))
        return ending_error(
            who, self.reason, said=self.has_text, refusal=refusal, reasoned=self._has_reasoning
        )

    def _decoded(self, text: str, *, final: bool = False) -> str:
        data = text.encode("utf-16-le", "surrogatepass")
        text = self._decoder.decode(data, final).replace("\0", "\ufffd")
        self.has_text |= bool(text) and not text.isspace()
        return text


def _other_chars(chunk: AIMessageChunk) -> int:
    """The characters of a chunk that are not text: reasoning, refusals, calls of tools."""
    blocks = chunk.content if isinstance(chunk.content, list) else ()
    parts: list[Any] = [chunk.additional_kwargs.get(name) for name in _OTHER]
    for block in blocks:
        if isinstance(block, dict) and block.get("type") != "text":
            parts += (value for name, value in block.items() if name not in _OF_BLOCKS)
    parts += (call.get("args") for call in chunk.tool_call_chunks)
    return sum(len(part) for part in parts if isinstance(part, str))


def _strip(chunk: AIMessageChunk) -> None:
    """Remove everything but the text from a chunk that was taken."""
    chunk.additional_kwargs.clear()
    chunk.tool_call_chunks = []
    if isinstance(chunk.content, list):
        chunk.content = chunk.text


def _reason(metadata: dict[str, Any]) -> str:
    """Why a reply ended, in the words of its provider; "" if it has not."""
    incomplete = metadata.get("incomplete_details") or {}
    names = ("finish_reason", "stop_reason", "done_reason", "status")
    reasons = [incomplete.get("reason"), *(metadata.get(name) for name in names)]
    return next((str(reason).lower() for reason in reasons if reason), "")
