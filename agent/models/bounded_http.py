"""What a server may send, bounded: one JSON document, or the pieces of a stream.

Not in `providers.py`, because importing httpx takes longer than what a turn without it needs.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any, cast

import httpx

from llm_compiler.models.errors import TooLongError

_MAX_BYTES = 1_000_000
"""Of a document, or of a line in a stream of events: clients gather a line, and read it at once."""


async def get_json(
    client: httpx.AsyncClient,
    url: str,
    *,
    seconds: float,
    headers: Mapping[str, str] | None = None,
) -> Any:
    """The JSON document at `url`.

    Args:
        client: Asks for it.
        url: Where it is.
        seconds: For all of it: a server may send a byte a second.
        headers: Of the request.

    Raises:
        TimeoutError: it did not come in time.
        httpx.HTTPError: it could not be had.
        ValueError: it is too long or nested too deeply, or no JSON.
    """
    # Compressed, a few bytes could stand for very many.
    plain = {**(headers or {}), "Accept-Encoding": "identity"}
    async with asyncio.timeout(seconds), client.stream("GET", url, headers=plain) as answer:
        answer.raise_for_status()
        body = b""
        async for piece in answer.aiter_raw():
            body += piece
            if len(body) > _MAX_BYTES:
                raise TooLongError(f"more than {_MAX_BYTES} bytes in one document")
    try:
        return json.loads(body)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


async def bound(response: httpx.Response) -> None:
    """A hook for httpx, before a response is read: an endless line, or body, breaks it off."""
    kind: str = response.headers.get("content-type", "").lower()
    # Some servers call a stream text, or nothing. An error is read as a whole, whatever it is.
    of_events = response.is_success and not ("json" in kind or "html" in kind)
    response.stream = _Bounded(cast(httpx.AsyncByteStream, response.stream), of_events)


class _Bounded(httpx.AsyncByteStream):
    def __init__(self, stream: httpx.AsyncByteStream, of_events: bool) -> None:
        self._stream = stream
        self._of_events = of_events

    async def __aiter__(self) -> AsyncIterator[bytes]:
        length = 0
        async for piece in self._stream:
            end = piece.rfind(b"\n") if self._of_events else -1
            length = length + len(piece) if end < 0 else len(piece) - end
            if length > _MAX_BYTES:
                raise TooLongError(f"more than {_MAX_BYTES} bytes in one piece")
            yield piece

    async def aclose(self) -> None:
        await self._stream.aclose()
