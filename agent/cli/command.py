"""Runs a question: chooses the display, handles Ctrl-C, and ends with an exit status."""

import asyncio
import importlib
import json
import os
import shlex
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

from llm_compiler.cli import wording
from llm_compiler.cli.display import Display, Lines, Quiet
from llm_compiler.cli.exit_status import (
    ANSWERED,
    NOT_ANSWERED,
    STOPPED,
    UNDECIDED,
    explained,
    say,
)
from llm_compiler.cli.keeping import tell_what_is_kept
from llm_compiler.cli.local_start import start_local_model
from llm_compiler.cli.report import Report
from llm_compiler.cli.tool_places import file_and_name
from llm_compiler.errors import SetupError
from llm_compiler.execution.tool_threads import Threads

_SHUTDOWN_SECONDS: Final = 0.8
"""The longest time after Ctrl-C for an orderly end."""


@dataclass(frozen=True, kw_only=True)
class Command:
    """What the command line asks for. `settings` are fields of the graph's Context."""

    question: str | None = None
    """None goes on with what a conversation has not finished."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    tools: Sequence[str] = ()
    """Where further tools are: FILE.py:NAME."""
    thread: str | None = None
    keep: float = 0.0
    """Seconds that a local model stays loaded after its last use."""
    timeline: Path | None = None
    plan_only: bool = False
    as_json: bool = False
    quiet: bool = False


def answer(command: Command) -> int:
    """Run a question; return the exit status. Errors are printed, not raised."""
    try:
        return asyncio.run(_ask(command))
    except KeyboardInterrupt:
        # Ctrl-C was pressed twice, or before the event loop existed.
        return STOPPED
    except BaseException as error:
        return explained(error)


def models(command: Command) -> int:
    """Print which model each role uses; return the exit status."""
    try:
        from llm_compiler.cli.models_report import models_report

        report = models_report(context_of(command))
        print(json.dumps(report.data(), indent=2) if command.as_json else report.text(), flush=True)
        return ANSWERED
    except Exception as error:
        return explained(error)


async def until_ctrl_c(
    display: Display, work: Awaitable[int], on_stop: Callable[[], object] = lambda: None
) -> int:
    """Await the work; on Ctrl-C free the screen and cancel it, and say for how long it ran."""
    began = time.perf_counter()
    task = asyncio.ensure_future(work)
    try:
        # Waited for, not awaited: Ctrl-C must reach this task first, to free the screen.
        await asyncio.wait({task})
    except asyncio.CancelledError:
        on_stop()
        with suppress(OSError):
            display.close()
        task.cancel()
        await asyncio.wait({task})
        if not task.cancelled():
            task.exception()  # an error here was caused by stopping
    else:
        # Ctrl-C may have been pressed while the work itself was asking the person.
        if not task.cancelled():
            return task.result()
    say(f"stopped after {wording.seconds(time.perf_counter() - began)}")
    return STOPPED


async def _ask(command: Command) -> int:
    display = display_for(command)
    return await until_ctrl_c(display, _carry_out(command, display), exit_soon)


async def _carry_out(command: Command, display: Display) -> int:
    display.begin("starting")
    for place in command.tools:  # before a model is started in vain
        file_and_name(place)
    if command.question is not None:
        start_local_model(command.settings, command.keep)
    try:
        sessions, deciding, store = await imported("session", "deciding", "store")
        thread = command.thread or store.new_name()
        async with opened(command, thread, stored=command.thread is not None) as session:
            if command.plan_only and command.question is not None:
                turn = await session.plan(command.question, display)
            else:
                if command.question is None:
                    await sessions.check_unfinished(session)
                turn = await session.ask(command.question, display, deciding.decide)
            display.end(turn.state.get("usage") or {})
            status = await undecided(command, session, turn)
    finally:
        display.close()
        tell_what_is_kept(command.keep)
        if command.timeline is not None and display.report.rounds:
            _draw(command.timeline, display.report)
    if command.as_json:
        print(json.dumps(_data(turn), indent=2, ensure_ascii=False), flush=True)
    if status is not None:
        return status
    is_answered = sessions.answered(turn.state, display, plan_only=command.plan_only)
    return ANSWERED if is_answered else NOT_ANSWERED


def opened(command: Command, thread: str, *, stored: bool) -> Any:
    """The conversation of a command, with its tools, models and settings.

    Raises:
        SetupError: one of them cannot be used.
    """
    from llm_compiler.cli.given_tools import tools_given
    from llm_compiler.cli.session import session
    from llm_compiler.models.local.server import LOCAL_SERVERS

    LOCAL_SERVERS.keep(command.keep)
    return session(context_of(command), tools_given(command.tools), thread, stored=stored)


async def imported(*names: str) -> list[Any]:
    """Import modules in a thread: LangGraph takes a second, and the display must keep moving."""
    threads = Threads()
    try:
        return [
            await threads.run(partial(importlib.import_module, f"llm_compiler.cli.{name}"))
            for name in names
        ]
    finally:
        threads.close()


async def undecided(command: Command, session: Any, turn: Any) -> int | None:
    """If a person must decide, store the turn and say how it goes on; return the exit status."""
    if not turn.undecided:
        return None
    from llm_compiler.cli.deciding import asked_about

    about = "; ".join(asked_about(asked.value) for asked in turn.undecided)
    stored = await session.store()
    how = f"run: {_resume(command, session.thread)}" if stored else "ask again"
    say(f"a person must decide on {about}; in a terminal, {how}")
    return UNDECIDED


def display_for(command: Command) -> Display:
    """A new display of one turn: live in a terminal, else lines; or the answer alone."""
    report = Report()
    if command.as_json:
        return Quiet(None, report)
    if command.quiet:
        return Quiet(sys.stdout, report, plan_only=command.plan_only)
    if sys.stdout.isatty():
        from rich.console import Console

        from llm_compiler.cli.terminal import Terminal

        console = Console(highlight=False, markup=False, emoji=False)
        if not console.is_dumb_terminal:
            return Terminal(console, report, plan_only=command.plan_only)
    return Lines(sys.stdout, report, plan_only=command.plan_only)


def context_of(command: Command) -> Any:
    """The graph's Context, from the settings and the environment."""
    from llm_compiler.context import Context

    return Context(**command.settings)


def _resume(command: Command, thread: str) -> str:
    """The command that goes on with a conversation."""
    words = ["llm-compiler", "--thread", thread]
    for name, value in command.settings.items():
        for one in value if isinstance(value, tuple) else (value,):
            words += [f"--{name.replace('_', '-')}", str(one)]
    for place in command.tools:
        words += ["--tools", place]
    return shlex.join(words)


def _data(turn: Any) -> dict[str, Any]:
    """The state as JSON data, with messages in the form that LangGraph Server uses."""
    messages = [message.model_dump(mode="json") for message in turn.state.get("messages", ())]
    asked = [{"id": it.id, "value": it.value} for it in turn.undecided]
    return {**turn.state, "messages": messages} | ({"interrupts": asked} if asked else {})


def _draw(path: Path, report: Report) -> None:
    from llm_compiler.cli.timeline_file import write

    try:
        write(path, report)
    except OSError as error:
        raise SetupError(f"--timeline {path}: {error.strerror}; choose another file") from error


def exit_soon(status: int = STOPPED, seconds: float = _SHUTDOWN_SECONDS) -> threading.Timer:
    """End the process even if something hangs: a DNS lookup, a tool that never returns."""
    timer = threading.Timer(seconds, os._exit, (status,))
    timer.daemon = True
    timer.start()
    return timer
