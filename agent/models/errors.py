"""What can be wrong with a model's reply, and what a person is told about it.

    ModelError
    ├── EmptyReplyError   it ended without any usable text
    │   └── RefusedError  the model refused, or its provider's filter stopped it
    └── CutOffError       it was cut off; the text before that was passed on

Raise these `from None`: a server's message may quote the prompt or the key, and a traceback would
print it. It remains in `__context__` for a debugger.
"""

import re
import sysconfig
import traceback
from collections.abc import Iterator
from pathlib import Path

from llm_compiler.errors import ModelError
from llm_compiler.retries import is_transient, retry_after, status_of

_LIBRARIES = {sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")}
_NOT_THE_USERS = (str(Path(__file__).parents[1]), "<", *_LIBRARIES)
"""How the names of files begin that are Python's, of libraries, or ours."""


class EmptyReplyError(ModelError):
    """A model's reply ended without any usable text."""


class RefusedError(EmptyReplyError):
    """A model refused."""

    def __init__(self, message: str, said: str = "") -> None:
        super().__init__(message)
        self.said = said
        """The refusal in the model's own words; only the person may see it."""


class CutOffError(ModelError):
    """A reply reached the length limit, or a filter stopped it."""


class WebPageError(Exception):
    """A server sent a web page in place of a reply."""


class TooLongError(ValueError):
    """A server sent more in one event, or in one document, than is read."""


class NotAReplyError(Exception):
    """A Runnable answered with a value of this type, which is no message and no text."""


_LENGTH = {"length", "max_tokens", "max_output_tokens"}
_FILTER = {"content_filter", "refusal", "safety", "prohibited_content", "blocklist"}
_BROKE = {"RemoteProtocolError", "ReadError", "ConnectionResetError", "BrokenPipeError"}
_MAX_READ_CHARS = 20_000
"""Of what a server says is wrong."""
_TOO_LONG = (
    "context_length_exceeded",
    "context length",
    "context size",
    "context window",
    "prompt is too long",
    "maximum number of tokens",
    "too many tokens",
    "input is too long",
)
_PLAIN_NAME = re.compile(r"[a-z][a-z_.]{1,39}")
"""What a server may name: anything else could be a part of the prompt, or the key."""


def was_cut(reason: str) -> bool:
    """Whether a reply that ended for this reason is not whole."""
    return reason in _LENGTH or reason in _FILTER


def ending_error(
    who: str, reason: str, *, said: bool, refusal: str, reasoned: bool
) -> ModelError | None:
    """What is wrong with a reply whose stream ended without an error; None if nothing is.

    Args:
        who: The role and the name of the model.
        reason: The server's word for why the reply ended.
        said: Whether any text came.
        refusal: The text that came as a refusal.
        reasoned: Whether any reasoning came.
    """
    if refusal or (reason in _FILTER and not said):
        why = "refused" if refusal else "was stopped by its provider's content filter"
        return RefusedError(f"{who} {why}; rephrase the question, or use another model", refusal)
    if not said:
        if reason in _LENGTH:
            return EmptyReplyError(
                f"{who} reached its length limit before producing any text; use another model"
            )
        wrote = "only its reasoning" if reasoned else "nothing"
        return EmptyReplyError(f"{who} wrote {wrote}; use another model", transient=True, wait=0)
    if reason in _LENGTH:
        return CutOffError(f"{who} reached its length limit")
    if reason in _FILTER:
        return CutOffError(f"{who} was stopped by its provider's content filter")
    return None


def broken_error(who: str, error: BaseException) -> ModelError:
    """The error for a reply that broke off or never began, with a remedy."""
    text, kind = str(error)[:_MAX_READ_CHARS].casefold(), type(error).__name__
    broke = next((name for name in _kinds(error) if name in _BROKE), None)
    status, transient, wait = status_of(error), is_transient(error), retry_after(error)
    if status == 413 or any(sign in text for sign in _TOO_LONG):
        remedy = "shorten the question, lower max_result_chars, or use another model"
        return ModelError(f"{who}: the prompt is too long for it; {remedy}")
    if status in (401, 403):
        remedy = f"HTTP {status}: the key was refused; check OPENAI_API_KEY or the provider's key"
    elif status == 404:
        remedy = "HTTP 404: the server has no such model; check the name and OPENAI_BASE_URL"
    elif status == 429 and "insufficient_quota" in text:
        remedy, transient = "HTTP 429: the quota is used up; check the account", False
    elif status == 429:
        remedy = "HTTP 429: too many requests; wait, or use another model"
    elif status is not None and status >= 500:
        remedy = f"HTTP {status}: the server failed; try again, or use another model"
    elif status is not None and 300 <= status < 400:
        remedy = f"HTTP {status}: the server is at another address; check OPENAI_BASE_URL"
    elif status is not None:
        named = "".join(f", {what}" for what in (kind, *_named(error)))[2:]
        remedy = f"HTTP {status} ({named}): the request was refused; check the model and its limits"
    elif isinstance(error, WebPageError):
        remedy = "the server sent a web page in place of a reply; check OPENAI_BASE_URL"
    elif "TooLongError" in _kinds(error):
        remedy = "the server sent more than 1 MB in one piece, which is not read; use another model"
        transient = False
    elif isinstance(error, NotAReplyError):
        remedy = f"it answered with a {error}; it must answer with a message or a string"
    elif broke:
        remedy, wait = f"the connection broke off ({broke}); try again", 0
    elif kind in ("JSONDecodeError", "UnicodeDecodeError"):
        remedy, transient = f"the reply is not valid ({kind}); try again", True
    elif "Timeout" in kind:
        remedy = f"no answer in time ({kind}); try again, or use another model"
    elif "Connection" in kind or "Connect" in kind:
        remedy = f"no connection ({kind}); check the network and OPENAI_BASE_URL"
    else:
        remedy = f"{kind}{_raised_at(error)}; try again, or use another model"
    return ModelError(f"{who}: {remedy}", transient=transient, wait=wait)


def _raised_at(error: BaseException) -> str:
    """Where a model of the user's own has raised an error, whose text may quote the prompt."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [it for it in frames if not it.filename.startswith(_NOT_THE_USERS)]
    return f" in {Path(own[-1].filename).name}, line {own[-1].lineno}" if own else ""


def _named(error: BaseException) -> Iterator[str]:
    """The parameter and the code that a server gave with its error."""
    for name in ("param", "code"):
        said = getattr(error, name, None)
        if isinstance(said, str) and _PLAIN_NAME.fullmatch(said):
            yield f'{name} "{said}"'


def _kinds(error: BaseException | None) -> Iterator[str]:
    """The type names of an error and its causes, because clients wrap network errors."""
    while error is not None:
        yield type(error).__name__
        error = error.__cause__ or error.__context__
