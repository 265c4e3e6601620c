"""Which errors are transient, and how long to wait before retrying a call or a model's stream."""

import math
from email.utils import parsedate_to_datetime

from tenacity import RetryCallState, wait_exponential_jitter

from llm_compiler.errors import ModelError

_TRANSIENT_STATUS = {408, 425, 429, 500, 502, 503, 504, 529}
_TRANSIENT_NAMES = {
    "APIConnectionError",
    "APIError",
    "ClientConnectionError",
    "Timeout",
    "TransportError",
}
_MAX_WAIT_SECONDS = 60.0
_exponential = wait_exponential_jitter(multiplier=0.5, max=8.0, jitter=0.25)


def is_transient(error: BaseException) -> bool:
    """Whether a retry may help: broken connections, timeouts, 408, 425, 429 and 5xx."""
    if isinstance(error, BaseExceptionGroup):
        return all(map(is_transient, error.exceptions))
    if isinstance(error, ConnectionError | TimeoutError):
        return True
    if (status := status_of(error)) is not None:
        return status in _TRANSIENT_STATUS
    # The HTTP libraries' errors share no base class, but they do share names.
    return any(kind.__name__ in _TRANSIENT_NAMES for kind in type(error).__mro__)


def status_of(error: BaseException) -> int | None:
    """The HTTP status of an error, if it has one."""
    for holder in (error, getattr(error, "response", None)):
        status = getattr(holder, "status_code", None) or getattr(holder, "status", None)
        if isinstance(status, int):
            return status
    return None


def retry_after(error: BaseException | None) -> float | None:
    """The seconds that the server asked to wait, at most 60; None if it did not ask."""
    headers = getattr(getattr(error, "response", None), "headers", None) or {}
    for name, unit in (("retry-after-ms", 1000), ("retry-after", 1)):
        try:
            seconds = float(headers.get(name, "")) / unit
        except (TypeError, ValueError, AttributeError):
            continue
        if not math.isnan(seconds):
            return min(_MAX_WAIT_SECONDS, max(0.0, seconds))
    try:  # an HTTP date, by the server's own clock
        until, now = (parsedate_to_datetime(headers[name]) for name in ("retry-after", "date"))
        return min(_MAX_WAIT_SECONDS, max(0.0, (until - now).total_seconds()))
    except (LookupError, TypeError, ValueError):
        return None


def backoff(state: RetryCallState) -> float:
    """Seconds until the next attempt: about 0.5, 1, 2, … up to 8, or what the server asked for."""
    error = state.outcome.exception() if state.outcome else None
    asked = error.wait if isinstance(error, ModelError) else retry_after(error)
    return _exponential(state) if asked is None else asked
