"""Runs a command: chooses the display, handles Ctrl-C, and reports errors.

The exit status:

command ─→ answered 0
        ├→ not answered 1
        ├→ wrong use, missing setup 2
        └→ Ctrl-C 130
"""

import asyncio
import importlib
import json
import os
import sys
import threading
import time
import traceback
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

from llm_compiler.cli import wording
from llm_compiler.cli.display import Display, Lines, Quiet
from llm_compiler.cli.report import Report
from llm_compiler.execution.tool_threads import Threads

DEBUG: Final = "LLM_COMPILER_DEBUG"
ANSWERED, NOT_ANSWERED, WRONG_USE, STOPPED = 0, 1, 2, 130
_SHUTDOWN_SECONDS: Final = 0.8
"""The longest time after Ctrl-C for an orderly end."""


@dataclass(frozen=True, kw_only=True)
class Command:
    """What the command line asks for. `settings` are fields of the graph's Context."""

    question: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    thread: str | None = None
    timeline: Path | None = None
    plan_only: bool = False
    as_json: bool = False
    quiet: bool = False


def answer(command: Command) -> int:
    """Run a question; return the exit status. Errors are printed, not raised."""
    try:
        return asyncio.run(_until_ctrl_c(command))
    except KeyboardInterrupt:
        # Ctrl-C was pressed twice, or before the event loop existed.
        return STOPPED
    except BaseException as error:
        return explained(error)


def models(command: Command) -> int:
    """Print which model each role uses; return the exit status."""
    try:
        from llm_compiler.cli.models_report import models_report

        report = models_report(_context(command))
        print(json.dumps(report.data(), indent=2) if command.as_json else report.text(), flush=True)
        return ANSWERED
    except Exception as error:
        return explained(error)


def explained(error: BaseException) -> int:
    """Print an error as one line on stderr; return the exit status."""
    from pydantic import ValidationError

    from llm_compiler.errors import ModelError, SetupError
    from llm_compiler.redaction import one_line

    if isinstance(error, BrokenPipeError):
        # The reader has closed the pipe (`| head`). The interpreter flushes once more at exit.
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return NOT_ANSWERED
    if isinstance(error, ValidationError):
        refused = error.errors(include_url=False, include_context=False)[0]
        name = "--" + str(refused["loc"][0]).replace("_", "-") if refused["loc"] else "the settings"
        _say(f"{name} {refused['input']!r}: {refused['msg']}")
        return WRONG_USE
    if os.environ.get(DEBUG) == "1" and not isinstance(error, SetupError | ModelError):
        traceback.print_exception(error)
        return NOT_ANSWERED
    _say(one_line(error))
    return WRONG_USE if isinstance(error, SetupError) else NOT_ANSWERED


async def _until_ctrl_c(command: Command) -> int:
    began = time.perf_counter()
    display = _display(command)
    work = asyncio.create_task(_carry_out(command, display))
    try:
        # Waited for, not awaited: Ctrl-C must reach this task first, to free the screen.
        await asyncio.wait({work})
    except asyncio.CancelledError:
        _exit_after(_SHUTDOWN_SECONDS)
        with suppress(OSError):
            display.close()
        work.cancel()
        await asyncio.wait({work})
        if not work.cancelled():
            work.exception()  # an error here was caused by stopping
    else:
        # Ctrl-C may have been pressed while the work itself was asking the person.
        if not work.cancelled():
            return work.result()
    _say(f"stopped after {wording.seconds(time.perf_counter() - began)}")
    return STOPPED


async def _carry_out(command: Command, display: Display) -> int:
    try:
        display.begin("starting")
        session, deciding = await _imported("llm_compiler.cli.session", "llm_compiler.cli.deciding")
        request = session.Request(
            command.question, _context(command), command.thread, command.plan_only
        )
        state = await session.ask(request, display, deciding.decide)
        display.end(state.get("usage") or {})
    finally:
        display.close()
        if command.timeline is not None and display.report.rounds:
            _draw(command.timeline, display.report)
    if command.as_json:
        print(json.dumps(_data(state), indent=2, ensure_ascii=False), flush=True)
    return ANSWERED if session.answered(state, plan_only=command.plan_only) else NOT_ANSWERED


async def _imported(*names: str) -> list[Any]:
    """Import modules in a thread: LangGraph takes a second, and the display must keep moving."""
    threads = Threads()
    try:
        return [await threads.run(partial(importlib.import_module, name)) for name in names]
    finally:
        threads.close()


def _display(command: Command) -> Display:
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


def _context(command: Command) -> Any:
    from llm_compiler.context import Context

    return Context(**command.settings)


def _data(state: Mapping[str, Any]) -> dict[str, Any]:
    """The state as JSON data, with messages in the form that LangGraph Server uses."""
    messages = [message.model_dump(mode="json") for message in state.get("messages", ())]
    return {**state, "messages": messages}


def _draw(path: Path, report: Report) -> None:
    from llm_compiler.cli.timeline import drawn
    from llm_compiler.errors import SetupError

    try:
        path.write_text(drawn(report), "utf-8")
    except OSError as error:
        raise SetupError(f"--timeline {path}: {error.strerror}; choose another file") from error


def _exit_after(seconds: float) -> None:
    """End the process even if something hangs: a DNS lookup, a tool that never returns."""
    timer = threading.Timer(seconds, os._exit, (STOPPED,))
    timer.daemon = True
    timer.start()


def _say(line: str) -> None:
    with suppress(OSError):
        print(f"llm-compiler: {wording.one_line(line)}", file=sys.stderr, flush=True)
