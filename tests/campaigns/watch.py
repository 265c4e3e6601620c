"""Watches what Python itself does while an expression is computed, by its audit events.

Nothing is patched: the interpreter reports each text that is compiled, each code that is executed,
each file, import and process. A hook cannot be removed, so it only listens inside `watching`.
"""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

# What computing may cause: reading the tree, and numexpr's look at its caller's frame.
_HARMLESS = {"sys._getframe", "object.__getattr__", "cpython._PySys_ClearAuditHooks"}

_state = threading.local()
_installed = False


@contextmanager
def watching(allowed: frozenset[str]) -> Iterator[list[str]]:
    """A list that fills with what happens in this thread beyond compiling the `allowed` texts."""
    global _installed
    if not _installed:
        sys.addaudithook(_hook)
        _installed = True
    seen: list[str] = []
    _state.allowed, _state.seen = allowed, seen
    try:
        yield seen
    finally:
        _state.seen = None


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    seen: list[str] | None = getattr(_state, "seen", None)
    if seen is None or event in _HARMLESS:
        return
    if event == "compile" and _is_read_or_allowed(*arguments):
        return
    if event == "open" and arguments[0] == "<unknown>":
        return  # there Python looks for the line of a syntax error
    if event == "exec" and arguments[0].co_filename == "<expr>":
        return  # what numexpr compiled from one of the allowed texts
    seen.append(f"{event} {arguments!r:.200}")


def _is_read_or_allowed(source: Any, filename: Any) -> bool:
    if filename == "<expr>":  # numexpr's
        allowed: frozenset[str] = _state.allowed
        return bytes(source).decode() in allowed
    return bool(filename == "<unknown>")  # `ast.parse`, which executes nothing
