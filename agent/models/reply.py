"""A reply of a model as it streams: its text without its thoughts, how it ended, and how much came
that is not text."""

import codecs
from typing import Any

from langchain_core.messages import AIMessageChunk

from llm_compiler.errors import ModelError
from llm_compiler.language.toolbox.native_calls import Call
from llm_compiler.models.errors import CutOffError, EmptyReplyError, ending_error, was_cut
from llm_compiler.models.inline_reasoning import InlineReasoning
from llm_compiler.text import clean

_MAX_EMPTY_CHUNKS = 5_000
"""Chunks of a reply that contain neither text nor reasoning."""
_MAX_OTHER_CHARS = 400_000
"""Of what no caller reads: reasoning, refusals, blanks. Callers bound the text."""
_MAX_KEPT_CHARS = 20_000
"""Of these that stay in the chunks, for a trace: LangChain puts all chunks together at the end of
a stream, at once and in quadratic time for what is not text."""

_CHARS_OF_A_CHUNK = 100
_MAX_DEPTH = 4
_OTHER = ("refusal", "reasoning_content", "reasoning", "thinking")
_OF_BLOCKS = ("type", "id", "index", "extras")


class StreamedReply:
    """The reply so far.

    Args:
        thinks: Whether its model is known to think in its text without an opening tag.
    """

    def __init__(self, *, thinks: bool = False) -> None:
        self.reason = ""
        """Why it ended, in its provider's words; "" if no reason came."""
        self.has_text = False
        """Whether any text other than blanks came."""
        self.wrote = self.worked = False
        """Whether the last chunk had text but blanks, and whether it had that or reasoning."""
        self.began_anew = False
        """Whether all text that was returned before the last call is a thought."""
        self._reasoning = InlineReasoning(thinks=thinks)
        self._has_reasoning = False
        self._refusal: list[str] = []
        self._calls: dict[Any, tuple[list[str], list[str]]] = {}
        """The pieces of the names and arguments of native calls, by index."""
        self._empty_chunks = self._other_chars = 0
        # Servers that escape JSON's characters can split a surrogate pair between two chunks.
        self._decoder = codecs.getincrementaldecoder("utf-16-le")("replace")

    def take(self, chunk: AIMessageChunk) -> str:
        """Take a chunk; return the text that is known by now, without thoughts and without
        characters that no checkpoint can store."""
        more = chunk.additional_kwargs
        if refusal := more.get("refusal"):
            self._refusal.append(str(refusal))
        for call in chunk.tool_call_chunks:
            name, args = self._calls.setdefault(call["index"], ([], []))
            name.append(call["name"] or "")
            args.append(call["args"] or "")
        self._has_reasoning |= "reasoning_content" in more or "reasoning" in more
        if chunk.response_metadata:
            self.reason = _reason(chunk.response_metadata) or self.reason
        came, other = self._decoded(chunk.text), _other_chars(chunk)
        if other and not came:
            self._reasoning.comes_apart()
        text = self._returned(self._reasoning.feed(came))
        self.wrote = bool(text) and not text.isspace()
        self.worked = bool(came.strip()) or other > 0
        self._other_chars += other if self.wrote else other + len(text)
        self._empty_chunks += not (came or other)
        if max(self._uncounted, _CHARS_OF_A_CHUNK * self._empty_chunks) > _MAX_KEPT_CHARS:
            _strip(chunk)
        return text

    def endless(self, who: str) -> ModelError | None:
        """The error if too much came that is not text; else None."""
        if self._empty_chunks <= _MAX_EMPTY_CHUNKS and self._uncounted <= _MAX_OTHER_CHARS:
            return None
        return self.without_end(who, "sent data other than text without end")

    def without_end(self, who: str, what: str) -> ModelError:
        """The error for a reply that is ended here: cut off after its text, or empty."""
        if self.has_text:
            return CutOffError(f"{who} {what}")
        return EmptyReplyError(f"{who} {what}; use another model")

    @property
    def may_be_thought(self) -> bool:
        """Whether a closing tag may still show that this text is a thought."""
        return self._reasoning.may_be_thought

    def rest(self, *, broke_off: bool = False) -> str:
        """The text that was held back when the stream ended."""
        text = self._reasoning.feed(self._decoded("", final=True))
        cut = broke_off or was_cut(self.reason)
        return self._returned(text + self._reasoning.close(cut=cut))

    def calls(self) -> list[Call]:
        """The calls that came beside the text, or in a channel of their own."""
        native = (("".join(name), "".join(args)) for name, args in self._calls.values())
        marked = ((name, "".join(args)) for name, args in self._reasoning.calls)
        return [call for call in (*native, *marked) if call[0]]

    def wrong(self, who: str) -> ModelError | None:
        """What is wrong with the reply, now that it has ended; None if nothing is."""
        refusal = clean("".join(self._refusal))
        reasoned = self._has_reasoning or self._reasoning.thought
        said = self.has_text or bool(self.calls())
        return ending_error(who, self.reason, said=said, refusal=refusal, reasoned=reasoned)

    @property
    def _uncounted(self) -> int:
        """The characters that no caller counts."""
        return self._other_chars + self._reasoning.withheld

    def _decoded(self, text: str, *, final: bool = False) -> str:
        data = text.encode("utf-16-le", "surrogatepass")
        return self._decoder.decode(data, final).replace("\0", "\ufffd")

    def _returned(self, text: str) -> str:
        self.began_anew = self._reasoning.began_anew
        self.has_text &= not self.began_anew
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
    return sum(map(_length, parts))


def _length(part: Any, depth: int = 0) -> int:
    """The characters of a part; Mistral's thoughts are a list of parts in a part."""
    if isinstance(part, str):
        return len(part)
    if isinstance(part, list | dict) and depth < _MAX_DEPTH:
        values = part.values() if isinstance(part, dict) else part
        return sum(_length(value, depth + 1) for value in values)
    return 0


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
