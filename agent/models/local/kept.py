"""Local servers that outlive the command that started them, so that the next one finds them warm.

Each has a file in the user's cache folder, which only the user can read: `server_process.py` writes
it. Its name says what is served and how, so a server of another model or version is never found.
A file whose server is gone, or whose port is another program's by now, counts for nothing.
"""

import hashlib
import hmac
import json
import os
import secrets
import socket
import stat
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from filelock import FileLock, Timeout

from llm_compiler.models.local.server_process import proof
from llm_compiler.models.local.weights import cache_folder

_SECONDS: Final = 5.0
"""What a server has to show that it is ours: it does nothing else meanwhile."""
_START_SECONDS: Final = 60.0
"""How long another command may take to start the server that this one waits for."""
_MAX_BYTES: Final = 4096


class NotKeptError(Exception):
    """Nothing can be kept here, so a server ends with its command."""


@dataclass
class Visit:
    """A connection to a kept server. While it is open, the server knows that it is used."""

    file: Path
    pid: int
    base_url: str
    api_key: str = field(repr=False)
    guests: int
    """How many others used it when the visit began."""
    seconds: float
    """How long it stays, if nobody uses it."""
    connection: socket.socket = field(repr=False)

    def alive(self) -> bool:
        """Whether the server is still there: it says nothing while it is."""
        try:
            self.connection.setblocking(False)
            return self.connection.recv(1, socket.MSG_PEEK) != b""
        except BlockingIOError:
            return True
        except OSError:
            return False

    def close(self) -> None:
        self.connection.close()


def file_for(served: Mapping[str, Any]) -> Path:
    """The file of a server, by what it serves and how.

    Raises:
        NotKeptError: the folder is not ours, or cannot be written.
    """
    return private_folder("servers") / f"{digest(served)}.json"


def digest(served: Mapping[str, Any]) -> str:
    """What is served and how, in a file's name."""
    told = json.dumps({**served, "host": socket.gethostname()}, sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()[:16]


@contextmanager
def starting(file: Path) -> Iterator[None]:
    """Hold the right to start this server: of two commands, the second waits and finds it."""
    try:
        with FileLock(file.with_suffix(".lock"), timeout=_START_SECONDS):
            yield
    except (OSError, Timeout) as error:
        raise NotKeptError(str(error)) from error


def visit(file: Path, do: Literal["use", "look", "stop"], seconds: float = 0.0) -> Visit | None:
    """Connect to a kept server; None if it is not there, or has not what shows that it is ours.

    Args:
        do: "use" it until the visit is closed, "look" at it, or "stop" it.
        seconds: How long it is kept after it was used.
    """
    found = _read(file)
    if found is None:
        return None
    pid, port, key = found
    connection = None
    try:
        connection = socket.create_connection(("127.0.0.1", port), _SECONDS)
        with connection.makefile("rwb", buffering=0) as talk:
            state = _greet(talk, key.encode(), {"do": do, "seconds": seconds})
        base_url = f"{state['address']}/v1"
        return Visit(file, pid, base_url, key, state["guests"], state["seconds"], connection)
    except (OSError, ValueError, KeyError, TypeError):
        if connection is not None:
            connection.close()
        return None


def keep(process: "subprocess.Popen[bytes]", file: Path, seconds: float) -> None:
    """Have a server that this process started outlive it.

    Raises:
        NotKeptError: it cannot; it ends with this process.
    """
    assert process.stdin
    assert process.stdout
    try:
        wish = json.dumps({"file": str(file), "seconds": seconds})
        process.stdin.write(wish.encode() + b"\n")
        reply = json.loads(process.stdout.readline())
    except (OSError, ValueError) as error:
        raise NotKeptError(str(error)) from error
    if "error" in reply:
        raise NotKeptError(reply["error"])


def kept_servers() -> Iterator[Visit]:
    """Look at each kept server that is there; a file without its server is deleted."""
    for file in sorted(_files()):
        if found := visit(file, "look"):
            found.close()
            yield found
        else:
            file.unlink(missing_ok=True)


def stop_kept() -> list[int]:
    """End each kept server; return their process ids."""
    stopped = []
    for server in kept_servers():
        # It ends without an answer, whatever it is doing.
        visit(server.file, "stop")
        stopped.append(server.pid)
    return stopped


def _greet(talk: Any, key: bytes, wish: dict[str, Any]) -> dict[str, Any]:
    """Have the server show that it knows the key, then show it as well and say what is wanted."""
    nonce = secrets.token_hex(16)
    talk.write(json.dumps({"nonce": nonce}).encode() + b"\n")
    shown = json.loads(talk.readline(_MAX_BYTES))
    if not hmac.compare_digest(shown["proof"], proof(key, "server", nonce)):
        raise ValueError("another program has its port")
    wish = {**wish, "proof": proof(key, "guest", shown["nonce"])}
    talk.write(json.dumps(wish).encode() + b"\n")
    state: dict[str, Any] = json.loads(talk.readline(_MAX_BYTES))
    return state


def _read(file: Path) -> tuple[int, int, str] | None:
    """What a file says, if nobody else can have written or read it."""
    try:
        with file.open("rb") as opened:
            if not _private(os.fstat(opened.fileno())):
                return None
            found = json.loads(opened.read(_MAX_BYTES))
        return int(found["pid"]), int(found["port"]), str(found["key"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _private(found: os.stat_result) -> bool:
    """Whether only this user can reach it. Windows keeps a user's folders private by itself."""
    if not hasattr(os, "getuid"):
        return True
    return found.st_uid == os.getuid() and not found.st_mode & (stat.S_IRWXG | stat.S_IRWXO)


def _files() -> list[Path]:
    try:
        return [*private_folder("servers").glob("*.json")]
    except (NotKeptError, OSError):
        return []


def private_folder(name: str) -> Path:
    """A folder in the user's cache that only the user can reach, made if it is not there.

    Raises:
        NotKeptError: others can reach it, or it cannot be made.
    """
    folder = cache_folder() / name
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not _private(folder.stat()):
            raise NotKeptError(f"others can reach {folder}")
    except OSError as error:
        raise NotKeptError(str(error)) from error
    return folder
