"""`llm-compiler chat`: one conversation, one question a line. The model stays loaded meanwhile.

    line ─→ turn ─→ answered, stopped by Ctrl-C, or an error ─→ next line ─→ … ─Ctrl-D→ the end

Ctrl-C stops a turn and not the chat. Without a terminal, each line of standard input is a question.
"""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from llm_compiler.cli import wording
from llm_compiler.cli.command import (
    Command,
    display_for,
    exit_soon,
    imported,
    opened,
    undecided,
    until_ctrl_c,
)
from llm_compiler.cli.exit_status import ANSWERED, STOPPED, UNDECIDED, explained
from llm_compiler.cli.keeping import tell_what_is_kept
from llm_compiler.cli.local_start import start_local_model

_PROMPT: Final = "› "
_LEAVE: Final = ("exit", "quit", "/exit", "/quit", "/bye")
_LEAVE_SECONDS: Final = 5.0
"""The longest time for an orderly end."""
_MAX_LINES: Final = 1000
"""Of earlier questions that the arrow keys bring back."""


def chat(command: Command) -> int:
    """Answer questions until there are no more; return the exit status."""
    try:
        with asyncio.Runner() as runner:
            try:
                status = _converse(command, runner)
            except KeyboardInterrupt:
                exit_soon()
                raise
            # A thread of a turn that was stopped may still hang.
            leaving = exit_soon(status, _LEAVE_SECONDS)
        leaving.cancel()
        return status
    except KeyboardInterrupt:
        return STOPPED
    except BaseException as error:
        return explained(error)


def _converse(command: Command, runner: asyncio.Runner) -> int:
    async def begin() -> tuple[Any, Any, bool]:
        display = display_for(command)
        display.begin("starting")
        start_local_model(command.settings, command.keep)
        try:
            store, _ = await imported("store", "session")
            thread = command.thread or store.new_name()
            session = await stack.enter_async_context(opened(command, thread, stored=True))
            session.graph.prepare(session.context)  # it reads while the person still types
            snapshot = await session.snapshot()
            return session, snapshot, store.unfinished(snapshot)
        finally:
            display.close()

    stack = AsyncExitStack()
    try:
        session, snapshot, unfinished = runner.run(begin())
        asked = _introduce(session, snapshot)
        status = ANSWERED
        if unfinished:
            status = _turn(command, runner, session, None)
        with _line_editing() as line:
            while status != UNDECIDED and (question := line()) is not None:
                if question:
                    status = _turn(command, runner, session, question)
                    asked = True
        if asked and session.stored and sys.stdin.isatty():
            _note(f"Continue this conversation with: llm-compiler chat --thread {session.thread}")
        return UNDECIDED if status == UNDECIDED else ANSWERED
    finally:
        runner.run(stack.aclose())
        tell_what_is_kept(command.keep)


def _turn(command: Command, runner: asyncio.Runner, session: Any, question: str | None) -> int:
    """Run one turn. Whatever comes of it, the chat can go on, unless nobody can be asked."""
    from llm_compiler.cli.deciding import decide

    display = display_for(command)

    async def work() -> int:
        display.begin("starting")
        try:
            turn = await session.ask(question, display, decide)
            display.end(turn.state.get("usage") or {})
        finally:
            display.close()
        return await undecided(command, session, turn) or ANSWERED

    try:
        return runner.run(until_ctrl_c(display, work()))
    except BrokenPipeError:
        raise
    except Exception as error:
        return explained(error)


def _introduce(session: Any, snapshot: Any) -> bool:
    """Say how to leave, and which conversation goes on; return whether one does."""
    turns = sum(message.type == "human" for message in snapshot.values.get("messages", ()))
    if sys.stdin.isatty():
        told = (
            f"Continuing thread {session.thread!r} after {wording.counted(turns, 'question')}. "
            if turns
            else ""
        )
        _note(f"{told}Ctrl-C stops an answer, Ctrl-D leaves.")
    return bool(turns)


def _note(line: str) -> None:
    from rich.console import Console
    from rich.text import Text

    Console(stderr=True, highlight=False).print(Text(line, "dim"), soft_wrap=True)


@contextmanager
def _line_editing() -> "Iterator[Any]":
    """Yield what reads the next question: stripped, "" for none, and None at the end."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        yield _read_line
        return
    try:
        import readline
    except ImportError:  # Windows edits lines by itself
        yield _ask_line
        return
    from llm_compiler.cli.store import history_file

    if file := history_file():
        with suppress(OSError):
            readline.read_history_file(file)
    readline.set_history_length(_MAX_LINES)
    try:
        yield _ask_line
    finally:
        if file:
            with suppress(OSError):
                Path(file).touch(mode=0o600)
                readline.write_history_file(file)


def _ask_line() -> str | None:
    while True:
        try:
            said = input(_PROMPT).strip()
        except EOFError:
            print()
            return None
        except KeyboardInterrupt:
            print()  # what was typed is dropped, as in a shell
            continue
        return None if said in _LEAVE else said


def _read_line() -> str | None:
    return said.strip() if (said := sys.stdin.readline()) else None
