"""Processes of `mcp_server.py`, and the file that tells of its calls."""

import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

SERVER = Path(__file__).parent / "mcp_server.py"
Configure = Callable[..., None]
"""Writes the file of servers: each by its name."""


def stdio(ledger: Path, *options: str, **more: Any) -> dict[str, Any]:
    """The configuration of a server on stdio, whose annotations are believed."""
    args = [str(SERVER), str(ledger), *options]
    return {"command": sys.executable, "args": args, "trust_annotations": True, **more}


def lines(ledger: Path) -> list[str]:
    """The calls that the servers wrote down."""
    return [line for line in ledger.read_text().splitlines() if not line.startswith("pid")]


def pids(ledger: Path) -> list[int]:
    """The servers' processes."""
    return [int(line[4:]) for line in ledger.read_text().splitlines() if line.startswith("pid")]


class HttpServer:
    """A server process on streamable HTTP or SSE, which can be ended and begun again."""

    def __init__(self, ledger: Path, *options: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        path = "sse" if "--sse" in options else "mcp"
        self.url = f"http://127.0.0.1:{self.port}/{path}"
        self._options = options
        self._ledger = ledger
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.stop()
        command = [sys.executable, str(SERVER), str(self._ledger), str(self.port), *self._options]
        self.process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        self._wait_until_up()

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def _wait_until_up(self) -> None:
        assert self.process is not None
        while self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return
            except OSError:
                time.sleep(0.01)  # the server needs the processor
        raise AssertionError("the server ended")
