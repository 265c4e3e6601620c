"""Which errors are transient, and how long to wait."""

import httpx
import pytest
from langchain_core.tools import ToolException
from tenacity import Future, RetryCallState, Retrying

from llm_compiler.errors import ModelError, ToolError
from llm_compiler.retries import backoff, is_transient, retry_after, status_of


def http(status: int, **headers: str) -> httpx.HTTPStatusError:
    request = httpx.Request("GET", "http://host/")
    response = httpx.Response(status, headers=headers, request=request)
    return httpx.HTTPStatusError("no", request=request, response=response)


class StatusError(Exception):
    """As some libraries have it."""

    def __init__(self, status: int) -> None:
        super().__init__("no")
        self.status = status


class APIConnectionError(Exception):
    """As openai and anthropic call it."""


class Timeout(Exception):  # noqa: N818
    """As requests calls it."""


class ReadTimeout(Timeout):
    """Its child."""


@pytest.mark.parametrize(
    ("error", "transient"),
    [
        (ConnectionRefusedError(), True),
        (TimeoutError(), True),
        (httpx.ConnectError("no"), True),
        (httpx.ReadTimeout("no"), True),
        (APIConnectionError(), True),
        (ReadTimeout(), True),
        *((http(status), True) for status in (408, 425, 429, 500, 502, 503, 504, 529)),
        *((http(status), False) for status in (400, 401, 403, 404, 409, 422, 501)),
        (StatusError(429), True),
        (StatusError(404), False),
        (ValueError("429"), False),
        (OSError("disk"), False),
        (ToolError("no"), False),
        (ToolException("no"), False),
    ],
    ids=repr,
)
def test_connections_timeouts_and_some_statuses_are_transient(
    error: Exception, transient: bool
) -> None:
    assert is_transient(error) is transient


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (http(429, **{"Retry-After": "7"}), 7.0),
        (http(429, **{"retry-after": "0.5"}), 0.5),
        (http(429, **{"retry-after": "3600"}), 60.0),
        (http(429, **{"retry-after": "-1"}), 0.0),
        (http(429, **{"retry-after": "nan"}), None),
        (http(429, **{"retry-after-ms": "1500", "retry-after": "2"}), 1.5),
        (http(429, **{"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}), None),
        (
            http(
                429,
                **{
                    "retry-after": "Wed, 21 Oct 2026 07:28:07 GMT",
                    "date": "Wed, 21 Oct 2026 07:28:00 GMT",
                },
            ),
            7.0,
        ),
        (http(429), None),
        (ValueError(), None),
    ],
    ids=repr,
)
def test_seconds_that_a_server_asks_to_wait(error: Exception, seconds: float | None) -> None:
    assert retry_after(error) == seconds


def test_status_is_found_on_the_error_or_on_its_response() -> None:
    assert [status_of(http(503)), status_of(StatusError(404)), status_of(ValueError())] == [
        503,
        404,
        None,
    ]


def failed(error: Exception, attempt: int) -> RetryCallState:
    """As tenacity hands it to a waiting time: the attempt of this number ended in `error`."""
    state = RetryCallState(Retrying(), None, (), {})
    state.outcome = Future(attempt)
    state.outcome.set_exception(error)
    state.attempt_number = attempt
    return state


@pytest.mark.parametrize(
    ("attempt", "seconds"), [(1, 0.5), (2, 1.0), (3, 2.0), (4, 4.0), (5, 8.0), (9, 8.0)]
)
def test_backoff_doubles_up_to_eight_seconds(attempt: int, seconds: float) -> None:
    assert seconds <= backoff(failed(http(500), attempt)) <= min(seconds + 0.25, 8.0)


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (http(429, **{"retry-after": "7"}), 7.0),
        (ModelError("no", wait=3.0), 3.0),
        (ModelError("no", wait=0), 0),
    ],
    ids=repr,
)
def test_retry_after_overrides_the_backoff(error: Exception, seconds: float) -> None:
    assert backoff(failed(error, 3)) == seconds
