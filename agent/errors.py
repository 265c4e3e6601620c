"""What can go wrong, split by whose fault it is.

LLMCompilerError
├── PlanError    the model wrote something that does not compile; the planner is told
├── ToolError    a call failed; its dependants are skipped
├── ModelError   a model could not be reached or broke off; the person is told which and what to do
└── SetupError   a key, file or setting is missing; the person is told what to set

Every message is one line, carries the value at fault and the nearest remedy, and never a key, a
prompt or a result.
"""

import math
import os
import re

from langchain_core.tools import ToolException


class LLMCompilerError(RuntimeError):
    """The root of this project's errors.

    Of other errors than a few of Python's own, LangGraph Server tells its clients the name alone,
    and whoever must set something up would not know what.
    """


class PlanError(LLMCompilerError):
    """A task of a plan does not compile."""


class ToolError(LLMCompilerError):
    """A tool call failed."""


class ModelError(LLMCompilerError):
    """A model gave no usable reply. What its server said is left out: it may quote the prompt."""

    def __init__(self, message: str, *, passing: bool = False, wait: float | None = None) -> None:
        super().__init__(message)
        self.passing = passing
        """Whether asking again may help."""
        self.wait = wait
        """Seconds to wait before, if it is known."""


class SetupError(LLMCompilerError):
    """Something that a person must set up is missing or damaged."""


_MAY_PASS_STATUS = {408, 425, 429, 500, 502, 503, 504, 529}
_MAY_PASS_NAMES = {
    "APIConnectionError",
    "APIError",
    "ClientConnectionError",
    "Timeout",
    "TransportError",
}
_SECRET_NAME = re.compile(r"KEY|TOKEN|SECRET|PASSWORD", re.IGNORECASE)
_SECRET_TEXT = re.compile(
    r"\b(?:sk|tvly|ls|pk|ghp|hf)[-_][\w-]{8,}|(?<=://)[^\s/@:]+:[^\s/@]+(?=@)|(?<=Bearer )\S+"
)
_SECRET_IN_URL = re.compile(
    r"([?&][\w-]*(?:key|token|secret|password|auth|signature)[\w-]*=)[^&\s'\"]+", re.IGNORECASE
)
_LONGEST = 300


def may_pass(error: BaseException) -> bool:
    """Whether trying again may help: connections, timeouts, 408, 425, 429 and 5xx."""
    if isinstance(error, ConnectionError | TimeoutError):
        return True
    if (status := status_of(error)) is not None:
        return status in _MAY_PASS_STATUS
    # The HTTP libraries share no base class; their names are what they have in common.
    return any(kind.__name__ in _MAY_PASS_NAMES for kind in type(error).__mro__)


def retry_after(error: BaseException | None) -> float | None:
    """The seconds that a server asks to wait, if it does; at most 60."""
    headers = getattr(getattr(error, "response", None), "headers", None) or {}
    for name, unit in (("retry-after-ms", 1000), ("retry-after", 1)):
        try:
            seconds = float(headers.get(name, "")) / unit
        except (TypeError, ValueError, AttributeError):
            continue
        if not math.isnan(seconds):
            return min(60.0, max(0.0, seconds))
    return None


def one_line(error: BaseException) -> str:
    """An error as one short line without secrets, for an outcome or a person."""
    # A lone surrogate would break the checkpoint that holds the outcome.
    text = masked(" ".join(str(error).encode(errors="replace").decode().split()))
    if not isinstance(error, LLMCompilerError | ToolException):
        name = type(error).__name__
        text = f"{name}: {text}" if text else name
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


def masked(text: str) -> str:
    """A text without what looks like a key, and without the values of the environment's own."""
    for name, value in os.environ.items():
        if len(value) >= 8 and _SECRET_NAME.search(name):
            text = text.replace(value, "***")
    return _SECRET_IN_URL.sub(r"\1***", _SECRET_TEXT.sub("***", text))


def status_of(error: BaseException) -> int | None:
    """The HTTP status that an error carries, if it does."""
    for holder in (error, getattr(error, "response", None)):
        status = getattr(holder, "status_code", None) or getattr(holder, "status", None)
        if isinstance(status, int):
            return status
    return None
