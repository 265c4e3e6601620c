"""A session with one MCP server.

    opening ─ready─► open ─┬─close──────────────────► gone
       └─────no answer─────┴─server gone, loop ends─► gone

It is opened by its first use, shared by all runs of the event loop, and closed when the loop ends,
which ends the server's process. A stdio server takes half a second and more to start, so a call
has no session of its own. One task enters and leaves it, as anyio's scopes demand.
"""

import asyncio
import contextvars
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from mcp import Client, MCPError
from mcp.client.session import ClientRequestContext
from mcp.client.subscriptions import SubscriptionLost
from mcp.types import (
    INVALID_REQUEST,
    ElicitRequestParams,
    ElicitResult,
    ErrorData,
    Implementation,
    ToolListChangedNotification,
)

from llm_compiler.mcp.config import Server
from llm_compiler.mcp.elicitation import Ask, addresses_visited
from llm_compiler.mcp.failures import GoneError, RefusedError, innermost, meaning, refusal_of
from llm_compiler.mcp.stderr import Stderr
from llm_compiler.mcp.transports import connected
from llm_compiler.mcp.under_way import CALL, Call, Question, UnderWay
from llm_compiler.redaction import one_line

_T = TypeVar("_T")

_OPEN_SECONDS = 60.0
"""How long a server may take to start and answer the first message."""
_CLOSE_SECONDS = 5.0
"""How long a server may take to end."""
_LISTEN_AGAIN_SECONDS = 30.0
_CLOSED = "the session was closed"
_DISCOVERED = {"result_type", "ttl_ms", "cache_scope"}
"""What servers since the protocol of 2026-07-28 answer; MCP's client makes up what is not there."""
_CLIENT = Implementation(name="llm-compiler", version="1")


class Session:
    """One session, opened at once in a task of its own.

    Args:
        server: The server.
        changed: Told when the server's tools have changed.
        opens_within: The seconds that it may take to open; by default a minute.
    """

    def __init__(
        self,
        server: Server,
        changed: Callable[[], None] = lambda: None,
        opens_within: float | None = None,
    ) -> None:
        loop = asyncio.get_running_loop()
        seconds = _OPEN_SECONDS if opens_within is None else opens_within
        self.silent = False
        """Whether the server was reached, and has not answered in time."""
        self._refused: int | None = None
        """The HTTP status with which the server refused to open it."""
        self._server = server
        self._changed = changed
        self._ready: asyncio.Future[Client] = loop.create_future()
        self._gone: asyncio.Future[str] = loop.create_future()
        self._leave = asyncio.Event()
        self._stderr = Stderr()
        self._slow = loop.call_later(seconds, self._give_up, seconds)
        self._under_way = UnderWay()
        self._opening = Call()
        self._ending: set[asyncio.Future[Any]] = set()
        # An empty context: it outlives the run that opens it.
        self._task = loop.create_task(self._live(), context=contextvars.Context())

    @property
    def gone(self) -> bool:
        return self._gone.done()

    @property
    def ended(self) -> bool:
        """Whether it has been left, and its process has ended."""
        return self._task.done()

    async def request(self, make: Callable[[Client], Coroutine[Any, Any, _T]]) -> _T:
        """Await what `make` asks of the server, as long as the session lives.

        Raises:
            GoneError: the server cannot be reached, or went away before it answered.
            RefusedError: it answered with an HTTP error.
            MCPError: it answered with an error.
        """
        return await self._answer(await self._opened(), make, Call(), None)

    async def call(self, make: Callable[[Client], Coroutine[Any, Any, _T]], ask: Ask) -> _T:
        """Await a call of a tool like `request`; `ask` answers what the server asks meanwhile.

        What `ask` raises ends the call, which the server is told.
        """
        client = await self._opened()
        while True:
            call = Call()
            async with self._under_way.of(call):
                try:
                    return await self._answer(client, make, call, ask)
                except _AgainError:
                    pass
                except MCPError as error:
                    if not addresses_visited(error, ask):
                        raise

    async def close(self) -> None:
        """Leave the session; a process that does not end on its own is killed."""
        self._lose(_CLOSED)
        await asyncio.wait({self._task}, timeout=_CLOSE_SECONDS)

    async def _opened(self) -> Client:
        await _any_of(self._ready, self._gone)
        if not self._gone.done():
            return self._ready.result()
        if self._refused is not None:
            raise RefusedError(self._refused)
        raise GoneError(self._gone.result(), sent=False)

    async def _answer(
        self,
        client: Client,
        make: Callable[[Client], Coroutine[Any, Any, _T]],
        call: Call,
        ask: Ask | None,
    ) -> _T:
        work = asyncio.ensure_future(_as(call, make, client))
        work.add_done_callback(_retrieve)
        question = asyncio.ensure_future(call.asked.get())
        open_questions = []
        try:
            while True:
                await _any_of(work, self._gone, question)
                if work.done():
                    return work.result()
                if self._gone.done():
                    raise GoneError(self._gone.result(), sent=call.sent)
                if (asked := question.result()) is None or ask is None:
                    raise _AgainError
                open_questions.append(asked)
                answer = ask(asked.params)
                if not asked.answer.done():  # the server may have withdrawn it
                    asked.answer.set_result(answer)
                question = asyncio.ensure_future(call.asked.get())
        except MCPError as error:
            found = meaning(error, call)
            if isinstance(found, GoneError) and found.with_session:
                self._lose(str(found))
                raise GoneError(self._gone.result(), sent=found.sent) from None
            raise found from None
        finally:
            question.cancel()
            if not work.done():
                # The client tells the server; its own end is not waited for.
                work.cancel()
                self._ending.add(work)
                work.add_done_callback(self._ending.discard)
            for asked in open_questions:
                if not asked.answer.done():
                    asked.answer.set_result(_refusal("the call was cancelled"))

    async def _live(self) -> None:
        CALL.set(self._opening)
        try:
            try:
                await self._lived(self._client("legacy" if self._server.is_sse else "auto"))
            except Exception as error:
                cause = innermost(error)
                # Some older servers end at a request that is none of their protocol's.
                died = isinstance(cause, MCPError) and self._server.command is not None
                if self._ready.done() or not (died or isinstance(cause, _OlderError)):
                    raise
                await self._lived(self._client("legacy"))
        # Whatever a transport raises when its server is gone, in groups within groups.
        except Exception as error:
            await self._stderr.ended()
            if not self._ready.done():
                self._refused = refusal_of(error, self._opening)
            self._lose(one_line(innermost(error)))
        finally:
            self._lose(_CLOSED)

    async def _lived(self, opening: Client) -> None:
        async with opening as client:
            found = client.session.discover_result
            if found is not None and not found.model_fields_set >= _DISCOVERED:
                raise _OlderError
            client.session.validate_tool_result = _unchecked  # type: ignore[method-assign]
            self._slow.cancel()
            self._ready.set_result(client)
            listening = asyncio.create_task(self._listen(client))
            await self._leave.wait()
            listening.cancel()
            await asyncio.wait({listening})

    def _client(self, mode: str) -> Client:
        return Client(
            connected(self._server, self._stderr),
            mode=mode,
            elicitation_callback=self._asked,
            message_handler=self._told,
            client_info=_CLIENT,
        )

    async def _asked(
        self, context: ClientRequestContext, params: ElicitRequestParams
    ) -> ElicitResult | ErrorData:
        call = await self._under_way.asker()
        if call is None:
            return _refusal("the call begins again")
        question = Question(params, asyncio.get_running_loop().create_future())
        call.asked.put_nowait(question)
        return await question.answer

    async def _told(self, message: object) -> None:
        if isinstance(message, ToolListChangedNotification):
            self._changed()

    async def _listen(self, client: Client) -> None:
        """Servers since the protocol of 2026-07-28 tell of changes only those that listen."""
        tools = client.server_capabilities.tools
        if client.session.discover_result is None or tools is None or not tools.list_changed:
            return
        while True:
            try:
                async with client.listen(tools_list_changed=True) as changes:
                    async for _ in changes:
                        pass  # `_told` is told of the same
                return  # as the server wishes
            except SubscriptionLost:
                await asyncio.sleep(_LISTEN_AGAIN_SECONDS)
                self._changed()  # maybe unheard
            except MCPError:
                return

    def _give_up(self, seconds: float) -> None:
        self.silent = True
        self._lose(f"no answer within {seconds:g} s")

    def _lose(self, why: str) -> None:
        """The server is gone: notify those that wait, and leave."""
        self._slow.cancel()
        if self._gone.done():
            return
        said = self._stderr.reason
        self._gone.set_result(f"{why} (its last output: {said!r})" if said else why)
        self._leave.set()
        if not self._ready.done():
            self._task.cancel()


class _OlderError(Exception):
    """The server answers newer clients' first request, but not as their protocol demands.

    Nor would it answer the next ones so.
    """


class _AgainError(Exception):
    """The call has to begin again."""


async def _as(call: Call, make: Callable[[Client], Coroutine[Any, Any, _T]], client: Client) -> _T:
    CALL.set(call)
    return await make(client)


def _retrieve(work: "asyncio.Future[Any]") -> None:
    """Look at the error of a call that nobody waits for any more, or asyncio reports it."""
    if not work.cancelled():
        work.exception()


async def _any_of(*futures: "asyncio.Future[Any]") -> None:
    await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)


async def _unchecked(name: str, result: object) -> None:
    """Check no result against its server's own schema, whose patterns may take forever."""


def _refusal(why: str) -> ErrorData:
    return ErrorData(code=INVALID_REQUEST, message=why)
