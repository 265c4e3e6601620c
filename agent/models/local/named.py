"""Finds the weights that a name such as `local:FILE.gguf` or `local:OWNER/NAME` means.

A file is used where it is. A repository of the Hugging Face hub is asked once for the size and the
SHA-256 of its file, which are remembered beside it in the cache; from then on no network is needed.
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import httpx

from llm_compiler.errors import SetupError
from llm_compiler.models.local.assembly import hub_endpoint, hub_headers
from llm_compiler.models.local.obtain import ensure
from llm_compiler.models.local.progress import Progress
from llm_compiler.models.local.weights import Weights, cache_folder

_MAGIC: Final = b"GGUF"
_PREFERRED: Final = "q4_k_m"
"""The quantization that is taken if a repository has several."""
_SECONDS: Final = 30.0


def weights_named(name: str, progress: Progress | None = None, cache: Path | None = None) -> Path:
    """The checked file of a model, fetched first if necessary.

    Args:
        name: The path of a GGUF file, `OWNER/NAME` of the hub, or `OWNER/NAME/FILE.gguf`.
        progress: Told of the bytes done and in all.
        cache: The folder to keep it in.

    Raises:
        SetupError: there is no such file, or it cannot be fetched.
    """
    if name.startswith(("/", ".", "~")) or Path(name).is_file():
        return _file(Path(name).expanduser())
    owner, _, rest = name.partition("/")
    repository, _, file = rest.partition("/")
    if not owner or not repository:
        raise SetupError(
            f"the model 'local:{name}' is neither a GGUF file nor OWNER/NAME of the hub"
        )
    folder = (cache or cache_folder()) / f"{owner}--{repository}"
    return ensure(progress, weights=_known(f"{owner}/{repository}", file, folder), cache=folder)


def _file(path: Path) -> Path:
    try:
        with path.open("rb") as file:
            begins = file.read(len(_MAGIC))
    except OSError as error:
        raise SetupError(f"cannot read the model {path} ({error.strerror})") from error
    if begins != _MAGIC:
        raise SetupError(f"{path} is not a model in the GGUF format")
    return path.resolve()


def _known(repository: str, file: str, folder: Path) -> Weights:
    """The file of a repository, as it was remembered or as the hub describes it."""
    remembered = folder / f"{file or 'model'}.json"
    try:
        known: dict[str, Any] = json.loads(remembered.read_text(encoding="utf-8"))
        return Weights(**known)
    except (OSError, ValueError, TypeError):
        weights = _asked(repository, file)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        remembered.write_text(json.dumps(asdict(weights)), encoding="utf-8")
    except OSError as error:
        raise SetupError(f"cannot write into {folder} ({error.strerror})") from error
    return weights


def _asked(repository: str, file: str) -> Weights:
    url = f"{hub_endpoint()}/api/models/{repository}?blobs=true"
    try:
        reply = httpx.get(url, headers=hub_headers(), follow_redirects=True, timeout=_SECONDS)
        reply.raise_for_status()
        entries = {str(it["rfilename"]): it for it in reply.json()["siblings"]}
    except httpx.HTTPStatusError as error:
        code = error.response.status_code
        raise SetupError(f"the hub answers {code} for {repository}; check its name") from error
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, TypeError, KeyError) as error:
        raise SetupError(f"cannot ask {url} ({type(error).__name__})") from error
    files = [name for name in entries if name.lower().endswith(".gguf") and ".." not in name]
    if file:
        files = [name for name in files if name == file]
    elif preferred := [name for name in files if _PREFERRED in name.lower()]:
        files = preferred
    if len(files) != 1:
        there = ", ".join(sorted(name for name in entries if name.lower().endswith(".gguf")))
        raise SetupError(
            f"name one file of {repository}, such as 'local:{repository}/FILE.gguf';"
            f" it has {there or 'no GGUF file'}"
        )
    try:
        blob = entries[files[0]]["lfs"]
        size, sha256 = int(blob["size"]), str(blob["sha256"])
    except (KeyError, TypeError, ValueError):
        raise SetupError(f"the hub does not tell the SHA-256 of {files[0]}") from None
    return Weights(name=files[0], size=size, sha256=sha256, parts=0, repo=repository)
