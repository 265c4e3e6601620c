"""A prompt's messages as they may be sent to a model."""

import re
from collections.abc import Collection, Iterable
from typing import Any

from langchain_core.messages import BaseMessage

from llm_compiler.prompting.attachments import without
from llm_compiler.text import clean

# Servers read the marks of a chat template also inside a message: a result could
# close the user's message and open one of the system's.
_MARKUP = re.compile(r"<(?=[|｜]|/?s>|(?:start|end)_of_turn>)|\[(?=/?INST\])")


def sendable(messages: Iterable[BaseMessage], refused: Collection[str]) -> list[BaseMessage]:
    """Messages without chat markup, lone surrogates, NUL, and attachments of refused kinds."""
    return [_inert(without(message, refused)) for message in messages]


def _inert(message: BaseMessage) -> BaseMessage:
    content = message.content
    if isinstance(content, str):
        text = _text(content)
        return message if text == content else message.model_copy(update={"content": text})
    return message.model_copy(update={"content": [_part(part) for part in content]})


def _part(part: Any) -> Any:
    if isinstance(part, dict) and isinstance(text := part.get("text"), str):
        return {**part, "text": _text(text)}
    return part


def _text(text: str) -> str:
    return _MARKUP.sub(r"\g<0> ", clean(text)).replace("\0", "\ufffd")
