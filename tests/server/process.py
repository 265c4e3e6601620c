"""A real `langgraph dev` process of this application, for tests that use it as its users do.

with server(environment={"OPENAI_BASE_URL": models.base_url, …}) as process:
    client = get_client(url=process.url)
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx

ROOT: Final = Path(__file__).parents[2]
SETTINGS: Final[dict[str, Any]] = json.loads((ROOT / "langgraph.json").read_text())
"""The project's own `langgraph.json`."""
_LISTENING: Final = "Uvicorn running on"
_STOP_SECONDS: Final = 20.0


class ServerRefusedError(Exception):
    """The process ended before it listened; the text is all that it wrote."""


class Server:
    """A running server: its address, and what it has written so far."""

    def __init__(self, process: "subprocess.Popen[str]", url: str) -> None:
        self.url = url
        self.process = process
        self._lines: list[str] = []
        self._changed = threading.Condition()
        self._ended = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def log(self) -> str:
        """All that the process has written, errors too."""
        return "".join(self._lines)

    def wait_until_up(self, seconds: float) -> None:
        """Return when `/ok` answers. Raises `ServerRefusedError` if the process ends before."""
        self.wait_until_written(_LISTENING, 1, seconds)
        httpx.get(f"{self.url}/ok", timeout=seconds, trust_env=False).raise_for_status()

    def wait_until_written(self, text: str, lines: int, seconds: float) -> None:
        """Return when so many lines have this text. Raises `ServerRefusedError` if they do not."""

        def written() -> bool:
            return sum(text in line for line in self._lines) >= lines

        with self._changed:
            self._changed.wait_for(lambda: written() or self._ended, seconds)
        if not written():
            raise ServerRefusedError(self.log)

    def stop(self) -> None:
        """End the process and all its children, politely first."""
        # The session is the process's own, so its group holds its children and nothing else.
        for ask in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self.process.pid, ask)
                self.process.wait(_STOP_SECONDS)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                continue
        self.process.wait(_STOP_SECONDS)
        self._reader.join(_STOP_SECONDS)

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as output:
            for line in output:
                with self._changed:
                    self._lines.append(line)
                    self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()


@contextmanager
def server(
    *,
    config: Mapping[str, Any] | None = None,
    jobs: int = 10,
    startup: float = 60.0,
    blocking: bool = False,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Server]:
    """A `langgraph dev` process on a free port of loopback; up on entry, gone on exit.

    `environment` is added to this process's, less any setting of ours, `config` replaces keys of
    `langgraph.json`, `jobs` runs go at once. It works in a folder of its own, so no `.env` is read
    and no state is left or found. Raises `ServerRefusedError` if it does not come up within
    `startup` seconds, and `AssertionError` on exit if it reported a blocking call, unless
    `blocking`.
    """
    folder = Path(tempfile.mkdtemp(prefix="llm-compiler-server-"))
    try:
        lay_out(folder, config or {})
        started = _start(folder, jobs, environment or {})
        try:
            started.wait_until_up(startup)
            yield started
        finally:
            started.stop()
        assert blocking or "Blocking call" not in started.log, started.log
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def lay_out(folder: Path, config: Mapping[str, Any]) -> None:
    """Make a folder like the project's, without its hidden files; `config` replaces settings."""
    for entry in ROOT.iterdir():
        if not entry.name.startswith(".") and entry.name != "langgraph.json":
            (folder / entry.name).symlink_to(entry, entry.is_dir())
    (folder / "langgraph.json").write_text(json.dumps({**SETTINGS, **config}))


def start(
    command: Sequence[str], folder: Path, settings: Mapping[str, str]
) -> "tuple[subprocess.Popen[str], str]":
    """Start a server's command with a free port; returns its process and its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("LLM_COMPILER_")}
    always = {
        "PYTHONUNBUFFERED": "1",
        "LOG_COLOR": "false",
        "LANGSMITH_TRACING": "false",
        "LANGGRAPH_NO_VERSION_CHECK": "true",
    }
    process = subprocess.Popen(
        [*command, "--port", str(port)],
        cwd=folder,
        env=inherited | always | dict(settings),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    return process, f"http://127.0.0.1:{port}"


def _start(folder: Path, jobs: int, environment: Mapping[str, str]) -> Server:
    command = ["langgraph", "dev", "--no-browser", "--no-reload"]
    # The level lets uvicorn say when it listens, so nothing has to ask again and again.
    command += ["--n-jobs-per-worker", str(jobs), "--server-log-level", "INFO"]
    settings = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "LANGGRAPH_CLI_NO_ANALYTICS": "1",
    }
    return Server(*start(command, folder, settings | dict(environment)))
