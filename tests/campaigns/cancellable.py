"""A turn that holds something of each kind at any moment: calls, threads, sockets, files."""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGenerationChunk
from langchain_core.tools import BaseTool, tool

from tests.support.streamed_model import StreamedModel

PLAN = """\
a = hold(1)
b = rest(2)
c = block(3)
d = hold(b)
e = wipe(c + 2)
f = block(d)
g = rest(e)
fail(8)
rest(e + 4)"""
_PIECE = 12


class Slow(StreamedModel):
    """Writes its reply in pieces, a millisecond each; `open` counts its unfinished streams."""

    reply: str
    open: int = 0

    async def _astream(
        self, messages: list[BaseMessage], *args: Any, **kwargs: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        self.open += 1
        try:
            for at in range(0, len(self.reply), _PIECE):
                yield ChatGenerationChunk(
                    message=AIMessageChunk(content=self.reply[at : at + _PIECE])
                )
                await asyncio.sleep(0.001)
        finally:
            self.open -= 1


@asynccontextmanager
async def silent_server() -> AsyncIterator[int]:
    """A server on loopback that never answers: its port."""

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            await reader.read()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


class Work:
    """The tools. `running` counts the calls that have begun and not ended."""

    def __init__(self, port: int) -> None:
        self.running = 0
        self._port = port

    async def hold(self, of: int) -> int:
        """Hold a connection and a temporary file."""
        self.running += 1
        try:
            with tempfile.NamedTemporaryFile():
                _, writer = await asyncio.open_connection("127.0.0.1", self._port)
                try:
                    await asyncio.sleep(0.02)
                finally:
                    writer.close()
        finally:
            self.running -= 1
        return of

    async def rest(self, of: int) -> int:
        """Rest."""
        self.running += 1
        try:
            await asyncio.sleep(0.01)
        finally:
            self.running -= 1
        return of

    def block(self, of: int) -> int:
        """Block a thread, which holds a temporary file."""
        with tempfile.TemporaryFile():
            time.sleep(0.01)
        return of

    async def wipe(self, of: int) -> int:
        """Wipe."""
        return await self.rest(of)

    async def fail(self, of: int) -> int:
        """Fail."""
        raise ValueError(of)

    @property
    def tools(self) -> list[BaseTool | Callable[..., Any]]:
        wipe = tool(self.wipe)
        wipe.metadata = {"destructiveHint": True}
        return [self.hold, self.rest, self.block, self.fail, wipe]
