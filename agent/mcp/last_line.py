"""Keeps the last line that a process wrote to its standard error: often it says why it ended."""

import asyncio
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

_READ_REST_SECONDS = 0.3
_MAX_LINE_CHARS = 200


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
