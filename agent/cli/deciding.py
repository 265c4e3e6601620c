"""Asks the person at the terminal about calls that need approval, and what tools ask.

`execution/approvals.py` describes the request and the decisions.
"""

import asyncio
import json
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final

from llm_compiler.cli import wording

_CHOICES: Final = {"approve": "y", "reject": "n", "edit": "e (edit the arguments)"}
_ELICITATION: Final = "mcp_elicitation"
_SAID_NO: Final = "the person at the terminal said no"


def decide(request: Any) -> Any:
    """Show what is asked, and read the answer; None without a terminal.

    Raises:
        asyncio.CancelledError: the person pressed Ctrl-C.
    """
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return None
    with _ctrl_c_at_once():
        _forget_typed()
        if not (calls := _calls(request)):
            # On stderr, because stdout may be a file.
            _tell(f"\n{wording.visible(_text(request))}")
            return _read("Your answer: ") or ""
        if error := request.get("error"):
            _tell(wording.one_line(f"\nThe last decision was refused: {error}"))
        allowed = {it["action_name"]: it["allowed_decisions"] for it in request["review_configs"]}
        question = "Accept?" if request.get("type") == _ELICITATION else "Run it?"
        decisions = []
        for number, call in enumerate(calls, 1):
            _tell(f"\n{number} of {len(calls)}:" if len(calls) > 1 else "")
            decisions.append(_decision(call, allowed[call["name"]], question))
        return {"decisions": decisions}


def asked_about(request: Any) -> str:
    """What a request asks about, on one line."""
    if calls := _calls(request):
        return ", ".join(wording.call(call["name"], call["args"]) for call in calls)
    return wording.one_line(_text(request))


def _calls(request: Any) -> Sequence[Mapping[str, Any]]:
    found = request.get("action_requests") if isinstance(request, Mapping) else None
    return found if isinstance(found, Sequence) else ()


def _text(request: Any) -> str:
    return request if isinstance(request, str) else json.dumps(request, ensure_ascii=False)


def _decision(call: Mapping[str, Any], allowed: Sequence[str], question: str) -> dict[str, Any]:
    # In full, because the person is responsible for it.
    _tell(wording.call(call["name"], call["args"]))
    _tell(wording.one_line(call["description"]))
    *others, last = [shown for kind, shown in _CHOICES.items() if kind in allowed]
    while True:
        said = _read(f"{question} {', '.join(others)} or {last}: ")
        word = (said or "").strip().lower()
        if word in ("y", "yes"):
            return {"type": "approve"}
        # The end of the input is not consent.
        if word in ("n", "no") or said is None:
            return {"type": "reject", "message": _SAID_NO}
        if word in ("e", "edit") and "edit" in allowed and (args := _edited(call)) is not None:
            return {"type": "edit", "edited_action": {"name": call["name"], "args": args}}


def _edited(call: Mapping[str, Any]) -> dict[str, Any] | None:
    """The arguments that the person writes; None if they leave them as they are."""
    _tell(wording.visible(json.dumps(call["args"], ensure_ascii=False)))
    while True:
        said = (_read("New arguments, as JSON like that (Enter: do not edit): ") or "").strip()
        if not said:
            return None
        try:
            args = json.loads(said)
        except ValueError as error:
            _tell(f"That is not JSON: {wording.one_line(str(error))}")
            continue
        if isinstance(args, dict):
            return args
        _tell("That is not an object: write {…}")


def _tell(line: str) -> None:
    print(line, file=sys.stderr)


def _read(prompt: str) -> str | None:
    """A line from the terminal; None at the end of the input."""
    print(prompt, end="", file=sys.stderr, flush=True)
    return said.rstrip("\n") if (said := sys.stdin.readline()) else None


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
