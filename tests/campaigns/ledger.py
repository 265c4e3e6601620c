"""A ledger in a file: each line is on disk before the process continues."""

import json
import os
import time
from pathlib import Path
from typing import Any

Line = dict[str, Any]


class Ledger:
    """Appends one JSON line at a time, from any process and any thread."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def note(self, what: str, **more: Any) -> None:
        line = json.dumps({"what": what, "at": time.time(), "process": os.getpid(), **more})
        # One system call: SIGKILL leaves a whole line or none.
        os.write(self._file, line.encode() + b"\n")
        os.fsync(self._file)

    def close(self) -> None:
        os.close(self._file)


def read(path: Path) -> list[Line]:
    """All lines, in the order in which they were written."""
    return [json.loads(line) for line in path.read_text().splitlines()]
