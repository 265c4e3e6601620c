"""A loopback HTTP server whose paths are gates: a test sees each call begin, and lets it pass.

A call's life:
    begun ─the gate is open, or opens─► passed
          ─the caller disconnects─────► left

It records the calls of the tools in probes.py, which run in another process, and stores the bodies
of POST requests, for webhooks.

    with Gates() as gates:
        gates.hold("a")
        await gates.seen("begun", "a")
        gates.open("a")
"""

import asyncio
import contextlib
import json
import threading
from typing import Any, Literal, Self

Event = tuple[Literal["begun", "passed", "left", "posted"], str]
_WAIT_SECONDS = 20.0


class Gates:
    """Serves on its own thread. Each path is the name of a gate; gates are open unless held."""

    def __init__(self) -> None:
        self.url = ""
        self.ledger: list[Event] = []
        self.posted: dict[str, Any] = {}
        """By path: the JSON that was last POSTed to it."""
        self._held: dict[str, asyncio.Event] = {}
        self._changed = threading.Condition()

    def hold(self, *names: str) -> None:
        """Calls at these gates wait from now on."""
        for name in names:
            self._held[name] = asyncio.Event()

    def open(self, *names: str) -> None:
        """Let the calls at these gates pass, now and later."""
        for name in names:
            self._loop.call_soon_threadsafe(self._held.setdefault(name, asyncio.Event()).set)

    def of(self, name: str) -> list[str]:
        """What happened at a gate, in order."""
        return [kind for kind, at in self.ledger if at == name]

    async def seen(self, kind: str, *names: str) -> None:
        """Wait until this has happened at each of these gates.

        Raises:
            AssertionError: not within 20 seconds.
        """

        def wait() -> bool:
            with self._changed:
                return self._changed.wait_for(
                    lambda: all(kind in self.of(name) for name in names), _WAIT_SECONDS
                )

        assert await asyncio.to_thread(wait), f"no {kind!r} at {names}: {self.ledger}"

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="gates", daemon=True)
        self._thread.start()
        listening = asyncio.start_server(self._serve, "127.0.0.1", 0)
        self._listener = asyncio.run_coroutine_threadsafe(listening, self._loop).result()
        self.url = f"http://127.0.0.1:{self._listener.sockets[0].getsockname()[1]}"
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _close(self) -> None:
        self._listener.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request, then close the connection."""
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
            method, path, _ = head.split(" ", 2)
            name = path.strip("/")
            if method == "post":
                size = int(head.partition("content-length:")[2].split("\r\n", 1)[0] or 0)
                self.posted[name] = json.loads(await reader.readexactly(size))
                self._note("posted", name)
            else:
                await self._pass(name, reader)
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            with contextlib.suppress(ConnectionError):
                writer.close()
                await writer.wait_closed()

    async def _pass(self, name: str, reader: asyncio.StreamReader) -> None:
        self._note("begun", name)
        opened = asyncio.ensure_future(self._held[name].wait()) if name in self._held else None
        if opened is not None:
            gone = asyncio.ensure_future(reader.read())
            try:
                await asyncio.wait({opened, gone}, return_when=asyncio.FIRST_COMPLETED)
                if not opened.done():
                    self._note("left", name)
                    raise ConnectionError
            finally:
                opened.cancel()
                gone.cancel()
        self._note("passed", name)

    def _note(self, kind: Any, name: str) -> None:
        with self._changed:
            self.ledger.append((kind, name))
            self._changed.notify_all()
