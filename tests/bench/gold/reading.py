"""Reads the files of benchmarks."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def json_file(path: Path) -> Any:
    """One JSON value."""
    return json.loads(path.read_text("utf-8"))


def json_lines(path: Path) -> Iterator[Any]:
    """A JSON value a line, or all of them as one list."""
    text = path.read_text("utf-8")
    if text.lstrip().startswith("["):
        yield from json.loads(text)
        return
    yield from (json.loads(line) for line in text.splitlines() if line.strip())
