"""Notices what MCP's client ignores: a stream that breaks off, and why a process ended."""

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TextIO, cast

import httpx

_READ_REST_SECONDS = 0.3
_MAX_LINE_CHARS = 200


class Watched:
    """Reports a response stream that ends before its answer.

    MCP's client does not report that, and the request would wait for the answer forever.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell

    async def watch(self, response: httpx.Response) -> None:
        """A hook that httpx calls before a response is read."""
        if response.request.method == "POST" and _is_stream(response):
            stream = cast(httpx.AsyncByteStream, response.stream)
            response.stream = _WatchedStream(stream, self._tell)


class _WatchedStream(httpx.AsyncByteStream):
    def __init__(self, stream: httpx.AsyncByteStream, tell: Callable[[str], None]) -> None:
        self._stream = stream
        self._tell = tell

    async def __aiter__(self) -> AsyncIterator[bytes]:
        resumable = False
        try:
            async for chunk in self._stream:
                # If events have ids, the client reconnects for the rest.
                resumable = resumable or chunk.startswith(b"id:") or b"\nid:" in chunk
                yield chunk
        except httpx.TransportError as error:
            self._tell(f"the connection broke off: {error}")
            raise
        # The client stops reading once it has its answer, so here the stream ended without one.
        if not resumable:
            self._tell("the connection ended before the answer")

    async def aclose(self) -> None:
        await self._stream.aclose()


class LastLine:
    """The last line that a process wrote to its standard error."""

    def __init__(self) -> None:
        self.text = ""
        self._ended: asyncio.Event | None = None

    @contextmanager
    def opened(self) -> Iterator[TextIO]:
        """A file for the process to write to. A thread reads it, which works on every system."""
        reading, writing = os.pipe()
        loop, self._ended = asyncio.get_running_loop(), asyncio.Event()
        name = "llm-compiler mcp"
        args = (reading, loop, self._ended)
        threading.Thread(target=self._read, args=args, name=name, daemon=True).start()
        with os.fdopen(writing, "w") as file:
            yield file

    async def ended(self) -> None:
        """Wait briefly until everything is read, if the process has ended."""
        if self._ended is not None:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._ended.wait(), _READ_REST_SECONDS)

    def _read(self, reading: int, loop: asyncio.AbstractEventLoop, ended: asyncio.Event) -> None:
        with os.fdopen(reading, errors="replace") as lines:
            for line in lines:
                self.text = line.strip()[:_MAX_LINE_CHARS] or self.text
        with suppress(RuntimeError):  # the loop has been closed
            loop.call_soon_threadsafe(ended.set)


def _is_stream(response: httpx.Response) -> bool:
    kind: str = response.headers.get("content-type", "")
    return kind.lower().startswith("text/event-stream")
