"""The body of a streamed reply: server-sent events in, JSON documents out.

Servers that call themselves compatible also send the whole reply as one JSON document, events
without a blank line between them, or a web page; each is recognized by how it begins.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any, Final

from llm_compiler.models.errors import TooLongError, WebPageError

END: Final = "[DONE]"
_MAX_CHARS = 1_000_000
"""Of a document, as bounded_http.py has it for what is not compressed."""
_DRAIN_SECONDS = 0.2
"""For what follows the end: a connection can be used again only if all was read from it."""


async def documents(body: AsyncIterator[bytes]) -> AsyncGenerator[Any]:
    """Yield each document of a body; last `END`, if the body says that it is whole.

    Raises:
        WebPageError: it is a web page.
        TooLongError: a document is.
        ValueError: a document is no JSON, or nested too deeply.
    """
    event = _Event()
    async with aclosing(_lines(body)) as lines:
        async for line in lines:
            if line.startswith("data:"):
                data = line[5:].removeprefix(" ")
                if event.lines and data.startswith(("{", END)) and event.is_complete():
                    yield event.document()
                if data.startswith(END):
                    yield END
                    await _drain(lines)
                    return
                event.add(data)
            elif not line and event.lines:
                yield event.document()
            elif line.startswith(("{", "[")):
                event.add(line)
                async for more in lines:
                    event.add(more)
                yield event.document()
                yield END
                return
            elif line.startswith("<"):
                raise WebPageError
    if event.lines:
        yield event.document()


class _Event:
    """The lines of one document."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._length = 0
        self._goes_on = False

    def add(self, line: str) -> None:
        self.lines.append(line)
        self._length += len(line) + 1
        if self._length > _MAX_CHARS:
            raise _too_long()

    def is_complete(self) -> bool:
        """Whether its lines are a document, and no part of one. Only the first try is made, so
        that many lines take linear time."""
        if not self._goes_on:
            try:
                _json("\n".join(self.lines))
            except ValueError:
                self._goes_on = True
        return not self._goes_on

    def document(self) -> Any:
        text, self.lines, self._length, self._goes_on = "\n".join(self.lines), [], 0, False
        return _json(text)


def _too_long() -> TooLongError:
    return TooLongError(f"more than {_MAX_CHARS} characters in one document")


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except RecursionError:
        raise json.JSONDecodeError("nested too deeply", "", 0) from None


async def _lines(body: AsyncIterator[bytes]) -> AsyncGenerator[str]:
    buffer = bytearray()
    async for piece in body:
        start = len(buffer)
        buffer += piece
        if start > _MAX_CHARS:
            raise _too_long()
        if buffer.find(b"\n", start) >= 0:
            *lines, buffer = buffer.split(b"\n")
            for line in lines:
                yield _text(line)
    if buffer:
        yield _text(buffer)


def _text(line: bytearray) -> str:
    return line.decode("utf-8", "replace").removesuffix("\r").removeprefix("\ufeff")


async def _drain(lines: AsyncIterator[str]) -> None:
    try:
        async with asyncio.timeout(_DRAIN_SECONDS):
            async for _ in lines:
                pass
    except TimeoutError:
        return
