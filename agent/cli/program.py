"""The program `llm-compiler`: a question, or a command with its own options."""

import atexit
import os
import sys
from collections.abc import Sequence
from contextlib import suppress

import typer

from llm_compiler.cli import ask, commands
from llm_compiler.cli.command_names import is_command


def main() -> None:
    """The program `llm-compiler`, and `python -m llm_compiler`."""
    open_what_is_closed()
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        with suppress(AttributeError, ValueError):
            # What is no text, or cannot be shown, is "?" instead of ending the program.
            stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    end = _QuickEnd()
    atexit.register(end)  # the first to be registered is the last to be called
    try:
        app_for(sys.argv[1:])(prog_name="llm-compiler")
    except SystemExit as ended:
        end.status = ended.code if isinstance(ended.code, int) else None
        raise


def open_what_is_closed() -> None:
    """A shell can close a stream (`<&-`); the next file that is opened would take its place."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115


class _QuickEnd:
    """Ends the process behind all other `atexit` functions. Python would then free thousands of
    objects one by one, which takes a third of a second, and longer on a busy machine."""

    def __init__(self) -> None:
        self.status: int | None = None
        """None if the program failed in an unforeseen way."""

    def __call__(self) -> None:
        if self.status is not None:
            for stream in (sys.stdout, sys.stderr):
                with suppress(AttributeError, ValueError, OSError):
                    stream.flush()
            os._exit(self.status)


def app_for(arguments: Sequence[str]) -> typer.Typer:
    """What the arguments are for."""
    return commands.app if is_command(arguments) else ask.app
