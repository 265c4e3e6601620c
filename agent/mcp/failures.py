"""What the errors of MCP's client stand for: it tells some of what it noticed only in words."""

from http import HTTPStatus

import httpx2
from mcp import MCPError
from mcp.types import CONNECTION_CLOSED, INTERNAL_ERROR, INVALID_REQUEST, METHOD_NOT_FOUND

from llm_compiler.mcp.under_way import Call

_CLOSED = (CONNECTION_CLOSED, "Connection closed")
_TERMINATED = (INVALID_REQUEST, "Session terminated")
"""For HTTP 404: the server no longer knows the session."""
_HTTP_ERRORS = (
    (INTERNAL_ERROR, "Server returned an error response"),
    (METHOD_NOT_FOUND, "Not Found"),
)
"""For any other HTTP error, without its status."""
_STREAM_ENDED = "SSE stream "
"""How it begins when the stream of one answer breaks off."""


class GoneError(Exception):
    """The server went away, or was never reached."""

    def __init__(self, why: str, *, sent: bool, with_session: bool = True) -> None:
        super().__init__(why)
        self.sent = sent
        """Whether it may have seen the request."""
        self.with_session = with_session
        """Whether the session ends with it, and not this one answer alone."""


class RefusedError(Exception):
    """The server answered with an HTTP error."""

    def __init__(self, status: int) -> None:
        super().__init__(_named(status))
        self.status = status


def meaning(error: MCPError, call: Call) -> Exception:
    """What an error of a call stands for; the error itself if it is the server's own."""
    match error.code, error.message:
        case said if said == _TERMINATED:
            return GoneError(error.message, sent=False)
        case said if said == _CLOSED:
            return GoneError(error.message, sent=call.sent)
        case said if said in _HTTP_ERRORS and call.status is not None:
            return RefusedError(call.status)
        case code, message if code == CONNECTION_CLOSED and message.startswith(_STREAM_ENDED):
            return GoneError(message, sent=True, with_session=False)
    return error


def refusal_of(error: BaseException, opening: Call) -> int | None:
    """The HTTP status with which a server refused to open a session, if it did."""
    error = innermost(error)
    if isinstance(error, httpx2.HTTPStatusError):
        return error.response.status_code
    own = isinstance(error, MCPError) and (error.code, error.message) in _HTTP_ERRORS
    return opening.status if own else None


def innermost(error: BaseException) -> BaseException:
    """An error out of groups within groups."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _named(status: int) -> str:
    try:
        return f"HTTP {status} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"HTTP {status}"
