"""The calls of a session that are under way, and which of them a question of the server is from.

Over streamable HTTP, and of servers since the protocol of 2026-07-28, a question comes with its
call. Of older servers on stdio and SSE it does not: there it is from the one call that is under
way. If several are, it waits until the others have ended; from then on calls go one at a time. If
only calls that ask are left, each is begun again, alone.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mcp.types import ElicitRequestParams, ElicitResult, ErrorData


@dataclass(eq=False)
class Question:
    """What a server asks a person in the middle of a call."""

    params: "ElicitRequestParams"
    answer: "asyncio.Future[ElicitResult | ErrorData]"


@dataclass(eq=False)
class Call:
    """A call, as the transport and the server's questions know it."""

    sent: bool = False
    """Whether the server may have seen it."""
    status: int | None = None
    """The HTTP status of the server's answer, if it was an error."""
    asked: "asyncio.Queue[Question | None]" = field(default_factory=asyncio.Queue)
    """The server's questions; None to begin again, alone."""


CALL: ContextVar[Call | None] = ContextVar("the call that is being made", default=None)


class UnderWay:
    """The calls of a session that are under way."""

    def __init__(self) -> None:
        self._calls: list[Call] = []
        self._questions = 0
        """Those of which it is not known which call they are from."""
        self._one_at_a_time = False
        self._times_begun_again = 0
        self._changed = asyncio.Event()

    @asynccontextmanager
    async def of(self, call: Call) -> AsyncIterator[None]:
        """While `call` is under way; it begins when it may."""
        while self._one_at_a_time and self._calls:
            await self._change()
        self._calls.append(call)
        try:
            yield
        finally:
            self._calls.remove(call)
            self._tell()

    async def asker(self) -> Call | None:
        """The call that the server's question is from; None if the server will ask again."""
        if (call := CALL.get()) in self._calls:
            return call
        self._one_at_a_time = True
        self._questions += 1
        self._tell()
        times = self._times_begun_again
        try:
            while len(self._calls) > self._questions and times == self._times_begun_again:
                await self._change()
            if times != self._times_begun_again or not self._calls:
                return None
            if len(self._calls) == 1:
                return self._calls[0]
            self._times_begun_again += 1
            for call in self._calls:
                call.asked.put_nowait(None)
            return None
        finally:
            self._questions -= 1
            self._tell()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def _change(self) -> None:
        await self._changed.wait()
