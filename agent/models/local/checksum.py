"""Checks a weights file by size and SHA-256, and remembers files that passed.

`checked.json` in the cache folder records the size, time and inode of each file that passed, so
that 1.1 GB are not hashed at every start.
"""

import hashlib
import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from llm_compiler.models.local.progress import Progress
from llm_compiler.models.local.weights import Weights

CHUNK: Final = 1 << 22
"""Bytes read at once."""


def fits(path: Path, weights: Weights) -> bool:
    """Whether the file exists and has the right size."""
    try:
        return path.is_file() and path.stat().st_size == weights.size
    except OSError:
        return False


def passed_before(path: Path, weights: Weights, folder: Path) -> bool:
    """Whether the file passed the check and has not changed since."""
    if not fits(path, weights):
        return False
    return _stamps(folder).get(str(path.resolve())) == _stamp(path, weights)


def is_right(path: Path, weights: Weights, folder: Path, report: Progress) -> bool:
    """Check size and hash. A file that passed before and has not changed is not read again."""
    if passed_before(path, weights, folder):
        return True
    if not fits(path, weights):
        return False
    digest, done = hashlib.sha256(), 0
    for chunk in read_chunks(path):
        digest.update(chunk)
        done += len(chunk)
        report(done, weights.size)
    if digest.hexdigest() != weights.sha256:
        return False
    remember(path, weights, folder)
    return True


def remember(path: Path, weights: Weights, folder: Path) -> None:
    """Note that a file passed the check."""
    stamps = _stamps(folder) | {str(path.resolve()): _stamp(path, weights)}
    fresh = folder / f"checked.{secrets.token_hex(4)}.tmp"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        fresh.write_text(json.dumps(stamps), "utf-8")
        fresh.replace(folder / "checked.json")
    except OSError:
        # Without a writable cache the file is hashed at every start; nothing else is lost.
        return


def read_chunks(path: Path) -> Iterator[bytes]:
    """Yield the contents of a file in chunks."""
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            yield chunk


def _stamp(path: Path, weights: Weights) -> list[int | str]:
    stat = path.stat()
    return [stat.st_size, stat.st_mtime_ns, stat.st_ino, weights.sha256]


def _stamps(folder: Path) -> dict[str, object]:
    try:
        stamps = json.loads((folder / "checked.json").read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return stamps if isinstance(stamps, dict) else {}
