"""Asks the person at the terminal about calls that need approval.

`execution/approvals.py` describes the request and the decisions.
"""

import asyncio
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from llm_compiler.cli import wording

_NO_TERMINAL = "nobody could be asked: standard input or standard error is not a terminal"


def decide(request: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Show each call and ask. Without a terminal, every call is rejected.

    Raises:
        asyncio.CancelledError: the person pressed Ctrl-C.
    """
    calls = request["action_requests"]
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return [{"type": "reject", "message": _NO_TERMINAL} for _ in calls]
    with _ctrl_c_at_once():
        _forget_typed()
        return [_decision(call) for call in calls]


def _decision(call: Mapping[str, Any]) -> dict[str, Any]:
    # On stderr, because stdout may be a file. In full, because the person is responsible for it.
    print(f"\n{wording.call(call['name'], call['args'])}", file=sys.stderr)
    print(wording.one_line(call["description"]), file=sys.stderr)
    while True:
        print("Run it? y or n: ", end="", file=sys.stderr, flush=True)
        said = sys.stdin.readline()
        if said.strip().lower() in ("y", "yes"):
            return {"type": "approve"}
        # The end of the input is not consent.
        if said.strip().lower() in ("n", "no") or not said:
            return {"type": "reject", "message": "the person at the terminal said no"}


def _forget_typed() -> None:
    """Discard what was typed before the question was shown: it does not answer it."""
    with suppress(ImportError, OSError):  # no termios on Windows
        import termios

        termios.tcflush(sys.stdin, termios.TCIFLUSH)


@contextmanager
def _ctrl_c_at_once() -> Iterator[None]:
    """Raise at once on Ctrl-C: asyncio's own handler would wait until a line has been read."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    except KeyboardInterrupt:
        raise asyncio.CancelledError from None
    finally:
        signal.signal(signal.SIGINT, before)
