"""Keeps the end of what a process wrote to its standard error: often it says why it ended."""

import asyncio
import os
import re
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TextIO

_READ_REST_SECONDS = 0.3
_MAX_LINES = 40
_MAX_LINE_CHARS = 200
_SHOWN_LINES = 3
_SHOWN_CHARS = 300
_ERROR = re.compile(r"error\b|exception\b|\bfatal\b|\bpanic\b|\bERR!", re.IGNORECASE)
_FRAME = re.compile(r"at |Node\.js v|Traceback ")
"""How lines begin that say where, or in what, an error was raised."""


class Stderr:
    """The standard error of a process."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque(maxlen=_MAX_LINES)
        self._ended: asyncio.Event | None = None

    @property
    def reason(self) -> str:
        """Why the process ended, as far as it said."""
        return reason_in([*self._lines])

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
                if line := line.rstrip()[:_MAX_LINE_CHARS]:
                    self._lines.append(line)
        with suppress(RuntimeError):  # the loop has been closed
            loop.call_soon_threadsafe(ended.set)


def reason_in(lines: Sequence[str]) -> str:
    """The last error that these lines tell of, with what explains it; else the last line.

    Behind the error stand its details, in Python and others, or where it was raised, in Node. An
    error of npm is several lines. What is indented belongs to a line before it.
    """
    telling = [line for line in lines if not _FRAME.match(line.lstrip())]
    errors = [not line[:1].isspace() and bool(_ERROR.search(line)) for line in telling]
    begin = len(telling) - 1
    if any(errors):
        while not errors[begin]:
            begin -= 1
        while begin > 0 and errors[begin - 1]:
            begin -= 1
    shown = map(str.strip, telling[max(begin, 0) :][:_SHOWN_LINES])
    return " / ".join(shown)[:_SHOWN_CHARS]
