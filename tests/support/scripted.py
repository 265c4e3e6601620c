"""A chat model that streams scripted replies, and tools with gates: fakes instead of patches."""

import asyncio
from collections.abc import AsyncIterator, Callable
from itertools import count
from typing import Any

from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGenerationChunk
from langchain_core.tools import BaseTool, tool
from pydantic import ConfigDict

from tests.support.streamed_model import StreamedModel

Piece = str | asyncio.Event | Exception | Callable[[], Any]
"""Text to stream, a gate to wait at, an error to break off with, or something to do."""


class ScriptedModel(StreamedModel):
    """Streams its replies in turn; each is a text or a list of pieces."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    replies: list[Any]
    seen: list[list[BaseMessage]]
    at: int = 0

    def __init__(self, *replies: str | list[Piece], **options: Any) -> None:
        super().__init__(replies=list(replies), seen=[], **options)

    async def _astream(
        self, messages: list[BaseMessage], *args: Any, **kwargs: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        self.seen.append(messages)
        assert self.at < len(self.replies), "the scripted model was asked once too often"
        reply = self.replies[self.at]
        self.at += 1
        for piece in [reply] if isinstance(reply, str) else reply:
            if isinstance(piece, asyncio.Event):
                await piece.wait()
            elif isinstance(piece, Exception):
                raise piece
            elif callable(piece):
                piece()
            else:
                for at in range(0, len(piece), 5):
                    yield _chunk(piece[at : at + 5])
        yield _chunk("", {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15})

    @property
    def prompts(self) -> list[str]:
        """The text of each prompt that it was sent."""
        return ["\n".join(message.text for message in messages) for messages in self.seen]


def _chunk(text: str, usage: Any = None) -> ChatGenerationChunk:
    return ChatGenerationChunk(message=AIMessageChunk(content=text, usage_metadata=usage))


class Ledger:
    """Tools that write down each call before and after it acts."""

    def __init__(self) -> None:
        self.begun: list[Any] = []
        self.ended: list[Any] = []
        self.cancelled: list[Any] = []
        self.gates: dict[Any, asyncio.Event] = {}

    def gate(self, name: Any) -> asyncio.Event:
        return self.gates.setdefault(name, asyncio.Event())

    async def echo(self, value: Any) -> Any:
        """Give the value back."""
        self.begun.append(value)
        try:
            if value in self.gates if isinstance(value, str) else False:
                await self.gates[value].wait()
        except asyncio.CancelledError:
            self.cancelled.append(value)
            raise
        self.ended.append(value)
        return value

    async def add(self, a: int, b: int) -> int:
        """Add two numbers."""
        self.begun.append((a, b))
        self.ended.append((a, b))
        return a + b

    async def fail(self, why: str) -> str:
        """Fail."""
        self.begun.append(why)
        raise ValueError(why)

    @property
    def tools(self) -> list[Any]:
        return [self.echo, self.add, self.fail]


def wiping(note: Callable[[str], object]) -> BaseTool:
    """The tool `wipe`, which is destructive and records each call when it starts."""

    @tool
    async def wipe(what: str) -> str:
        """Wipe it."""
        note(what)
        return what

    wipe.metadata = {"destructiveHint": True}
    return wipe


_FREE_TURNS = 100


async def until(true: Callable[[], bool]) -> None:
    """Let the loop turn until something is true; the test's timeout is the limit.

    What takes more than a few turns is done by a thread or a process, which needs the processor.
    """
    for turn in count():
        if true():
            return
        await asyncio.sleep(0 if turn < _FREE_TURNS else 0.001)
