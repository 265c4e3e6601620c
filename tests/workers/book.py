"""A ledger on loopback, for calls in other processes: a call continues once its line is written.

A call's life:
    begin ─held, until release()─► … ─► end
          ─not held──────────────► …
    A killed process writes nothing more.

To record something, a process sends one JSON line on a new connection and waits for an empty line.
PostgreSQL stores what the agent knows about a call; the ledger stores what happened.
"""

import asyncio
import contextlib
import json
import threading
import time
from collections.abc import Callable
from typing import Any, Self

Line = dict[str, Any]
Held = Callable[[Line], bool]


async def note(port: int, **line: Any) -> None:
    """Write a line into the ledger at that port; return when it is written and not held."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(json.dumps(line).encode() + b"\n")
        if not await reader.readline():
            raise ConnectionError("the book is closed; it must outlive the server")
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


class Book:
    """Serves on its own thread. `lines` are in order of arrival."""

    def __init__(self, held: Held = lambda line: False) -> None:
        self.port = 0
        self.lines: list[Line] = []
        self._held = held
        self._changed = threading.Condition()

    def note(self, *lines: Line) -> None:
        """Write lines from this process."""
        with self._changed:
            self.lines += [{**line, "at": time.time()} for line in lines]
            self._changed.notify_all()

    def read(self, since: int, done: Callable[[Line], bool], seconds: float) -> bool:
        """Read line by line from number `since` on, those that come too, until one is `done`.

        Returns whether one was within that time.
        """
        end = time.monotonic() + seconds
        with self._changed:
            while True:
                for line in self.lines[since:]:
                    if done(line):
                        return True
                since = len(self.lines)
                if not self._changed.wait(end - time.monotonic()):
                    return False

    def release(self) -> None:
        """Let the calls go on that are held, and hold none from now on."""
        self._loop.call_soon_threadsafe(self._released.set)

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._released = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_forever, name="book", daemon=True)
        self._thread.start()
        listening = asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=512)
        self._listener = asyncio.run_coroutine_threadsafe(listening, self._loop).result()
        self.port = self._listener.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _close(self) -> None:
        self._listener.close()
        self._released.set()
        # Its clients are gone: it is closed behind the server whose tools they are.
        await asyncio.gather(*(asyncio.all_tasks() - {asyncio.current_task()}))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A process that is killed closes its connections.
        with contextlib.suppress(ConnectionError):
            if said := await reader.readline():
                line = json.loads(said)
                self.note(line)
                if self._held(line):
                    await self._released.wait()
                writer.write(b"\n")
                await writer.drain()
        with contextlib.suppress(ConnectionError):
            writer.close()
            await writer.wait_closed()
