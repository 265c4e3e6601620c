"""The command line as tests run it: its scripted model, and a terminal (pty) of its own."""

import codecs
import io
import os
import pty
import re
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, suppress
from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from llm_compiler.prompting.templates import PLANNER
from tests.bench.model_server import Body, Reply, text_of

ROOT = Path(__file__).parents[2]
PLAN = """# one page, and how long its first words are
k2 = search("K2")
thirty = len(k2[:30])
answer(thirty)
"""
ANSWER = "It is 30."
Run = Callable[..., Result]


class Model:
    """What the scripted model says to planner and joiner, and what it was asked."""

    def __init__(self) -> None:
        self.plan: Reply | str = PLAN
        self.answer: Reply | str = ANSWER
        self.asked: list[list[dict[str, Any]]] = []

    def __call__(self, body: Body) -> Reply:
        self.asked.append(body["messages"])
        planning = text_of(body["messages"][0]).startswith(PLANNER.partition("{")[0])
        said = self.plan if planning else self.answer
        return said if isinstance(said, Reply) else Reply(said)


class Runner(CliRunner):
    """Runs a command in this process. Its stderr has what the command's own thread prints: threads
    that other tests have left may print too."""

    @contextmanager
    def isolation(self, *given: Any, **named: Any) -> Iterator[Any]:
        with super().isolation(*given, **named) as streams, redirect_stderr(OfThread(sys.stderr)):
            yield streams


class OfThread(io.TextIOBase):
    """Passes on what the thread that made it writes, and nothing else."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._thread = threading.get_ident()

    def write(self, text: str) -> int:
        if threading.get_ident() == self._thread:
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        self._stream.flush()


def told(done: Result) -> str:
    """The one line that a command printed on stderr."""
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    return lines[0]


def of_ours(name: str) -> bool:
    return name.startswith(("LLM_COMPILER", "OPENAI", "TAVILY", "LANG", "XDG")) or name in (
        "NO_COLOR",
        "FORCE_COLOR",
        "COLUMNS",
        "LINES",
    )


class Screen:
    """A program in a terminal of its own."""

    def __init__(self, environment: dict[str, str], *arguments: str) -> None:
        self.text = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._pid, self._terminal = pty.fork()
        if not self._pid:
            os.chdir(ROOT)
            environment = environment | {"COLUMNS": "100", "LINES": "30"}
            program = [sys.executable, "-m", "llm_compiler", *arguments]
            os.execve(sys.executable, program, environment)

    @property
    def plain(self) -> str:
        """Its text without what moves the cursor and sets colours."""
        return re.sub(r"\x1b\[[\d;?]*\w", "", self.text)

    def read_until(self, pattern: str, within: float = 20.0) -> None:
        """Read on until the pattern has been on the screen."""
        ends = time.monotonic() + within
        while not re.search(pattern, self.plain):
            left = ends - time.monotonic()
            assert left > 0, f"no {pattern!r} in {self.text!r}"
            if not self._read(left):
                assert re.search(pattern, self.plain), f"no {pattern!r} in {self.text!r}"

    def interrupt_prompt(self, pattern: str) -> None:
        """Press Ctrl-C at a prompt until the pattern is on the screen, as a person does.

        CPython's `input` does not hear one that comes just before it begins to wait for keys.
        """
        for _ in range(9):
            self.type("\x03")
            with suppress(AssertionError):
                return self.read_until(pattern, within=2.0)
        raise AssertionError(f"no {pattern!r} in {self.text!r}")

    def type(self, text: str) -> None:
        os.write(self._terminal, text.encode())

    def end(self) -> int:
        """Read to the end; return the exit status."""
        while self._read(20.0):
            pass
        os.close(self._terminal)
        _, status = os.waitpid(self._pid, 0)
        return os.waitstatus_to_exitcode(status)

    def interrupt(self) -> tuple[int, float]:
        """Press Ctrl-C; return the exit status and the seconds that it took."""
        began = time.monotonic()
        self.type("\x03")
        status = self.end()
        return status, time.monotonic() - began

    def kill(self) -> None:
        try:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
        except (ProcessLookupError, ChildProcessError):
            pass

    def _read(self, seconds: float) -> bool:
        if not select.select([self._terminal], [], [], seconds)[0]:
            return False
        try:
            data = os.read(self._terminal, 65536)
        except OSError:  # how Linux tells that the other side is closed
            return False
        self.text += self._decoder.decode(data)
        return bool(data)
