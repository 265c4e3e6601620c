"""What a message has besides its text: pictures, recordings, videos and files, which models may
or may not take."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from langchain_core.messages import BaseMessage, HumanMessage

Block = dict[str, Any]

_KINDS = {"image": "picture", "audio": "recording", "video": "video", "file": "file"}
"""By the word in a block's type: `image_url`, `input_audio`, `file`, …"""
KINDS = frozenset(_KINDS.values())
_MAX_BLOCKS = 20
"""Of one message."""


def attachments(message: BaseMessage | None) -> list[Block]:
    """The blocks of a message that are attachments."""
    content = message.content if message is not None else ""
    blocks = content if isinstance(content, list) else []
    found = [block for block in blocks if isinstance(block, dict) and _kind(block)]
    return found[:_MAX_BLOCKS]


def kinds_of(messages: Iterable[BaseMessage]) -> list[str]:
    """The kinds of all attachments of the messages."""
    found = (_kind(block) for message in messages for block in attachments(message))
    return list(dict.fromkeys(filter(None, found)))


def asking(text: str, blocks: Sequence[Block]) -> HumanMessage:
    """A user's message with attachments."""
    if not blocks:
        return HumanMessage(text)
    said = [{"type": "text", "text": text}] if text else []
    return HumanMessage([*said, *blocks])


def without(message: BaseMessage, kinds: Collection[str]) -> BaseMessage:
    """A message in which words stand for the attachments of these kinds."""
    if not isinstance(message.content, list) or kinds_of([message]) == []:
        return message
    parts = [_words(part, kinds) for part in message.content]
    if all(part.get("type") == "text" for part in parts):
        text = "\n\n".join(str(part.get("text", "")) for part in parts)
        return message.model_copy(update={"content": text})
    return message.model_copy(update={"content": parts})


def _words(part: str | Block, kinds: Collection[str]) -> Block:
    if isinstance(part, str):
        return {"type": "text", "text": part}
    if (kind := _kind(part)) in kinds:
        return {"type": "text", "text": f"[a {kind} that you cannot read]"}
    return part


def _kind(block: Block) -> str | None:
    words = str(block.get("type")).split("_")
    return next((kind for word, kind in _KINDS.items() if word in words), None)
