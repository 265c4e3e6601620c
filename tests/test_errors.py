"""Errors: which may pass, how long to wait, and how they read."""

import httpx
import pytest
from langchain_core.tools import ToolException

from llm_compiler.errors import (
    LLMCompilerError,
    ModelError,
    PlanError,
    SetupError,
    ToolError,
    may_pass,
    one_line,
    retry_after,
    status_of,
)


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
    ("error", "passes"),
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
def test_errors_that_may_pass(error: Exception, passes: bool) -> None:
    assert may_pass(error) is passes


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


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("a\n  b\tc"), "ValueError: a b c"),
        (ValueError(), "ValueError"),
        (KeyError("name"), "KeyError: 'name'"),
        (ToolException("no such city"), "no such city"),
        (ToolError("no such city"), "no such city"),
        (ValueError("lone \ud800"), "ValueError: lone ?"),
        (ValueError("key sk-abcdefgh12345 refused"), "ValueError: key *** refused"),
        (ValueError("tvly-dev-abcdefgh12345"), "ValueError: ***"),
        (ValueError("Authorization: Bearer abc.def"), "ValueError: Authorization: Bearer ***"),
        (ValueError("http://ann:pass@host/x"), "ValueError: http://***@host/x"),
        (
            ValueError("for url 'https://host/x?q=K2&api_key=abc123&n=1'"),
            "ValueError: for url 'https://host/x?q=K2&api_key=***&n=1'",
        ),
        (
            ValueError("https://host/?access_token=abc123"),
            "ValueError: https://host/?access_token=***",
        ),
    ],
    ids=repr,
)
def test_error_reads_as_one_line_without_secrets(error: Exception, line: str) -> None:
    assert one_line(error) == line


def test_values_of_secret_variables_are_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEATHER_API_KEY", "plain words here")
    monkeypatch.setenv("db_password", "hunter22")
    monkeypatch.setenv("SHORT_KEY", "no")
    assert one_line(ToolError("plain words here, hunter22, no")) == "***, ***, no"


def test_long_error_is_cut() -> None:
    assert len(one_line(ToolError("x" * 1000))) == 300


def test_errors_are_split_by_whose_fault_they_are() -> None:
    assert all(
        issubclass(kind, LLMCompilerError)
        for kind in (PlanError, ToolError, ModelError, SetupError)
    )
