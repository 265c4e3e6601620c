"""The program `llm-compiler`: a question, or a command with its own options.

A question needs no quotes, so it may begin with the name of a command: `chat with me` is one. A
name is a command alone, before an option, or before what it takes.
"""

import sys
from collections.abc import Sequence
from contextlib import suppress

import typer

from llm_compiler.cli import ask, commands

_OF_THREADS = ("list", "show", "delete")


def main() -> None:
    """The program `llm-compiler`, and `python -m llm_compiler`."""
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        with suppress(AttributeError, ValueError):
            # What is no text, or cannot be shown, is "?" instead of ending the program.
            stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    app_for(sys.argv[1:])(prog_name="llm-compiler")


def app_for(arguments: Sequence[str]) -> typer.Typer:
    """What the arguments are for."""
    if not arguments or arguments[0] not in ask.COMMANDS:
        return ask.app
    name, *rest = arguments
    if not rest or rest[0].startswith("-"):
        return commands.app
    if name == "library" and (len(rest) == 1 or rest[1].startswith("-")):
        return commands.app
    # With few words it is rather a command that is misspelt: it is told, and costs nothing.
    if name == "threads" and (rest[0] in _OF_THREADS or len(rest) <= 2):
        return commands.app
    return ask.app
