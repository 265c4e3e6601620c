"""What a server has read of a prompt's beginning, kept on disk.

All questions of a day begin with the same few hundred tokens, which take a small machine as long
to read as the model takes to load. A server that has just started restores them instead:

    the file of this beginning is there ─yes─► restored
         └─no─► the newest file restored ─► what differs from it is read ─► written

llama.cpp compares a prompt with what its slot holds, and goes on behind the part that is equal.
"""

import hashlib
import http.client
import json
import os
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from llm_compiler.models.local import kept

Beginning = Sequence[Mapping[str, Any]]
"""Messages as OpenAI's protocol has them."""

_SLOT: Final = 0
_SECONDS: Final = 5.0
"""For a file of some megabytes; on a quiet machine it takes 0.02 s."""
_READ_SECONDS: Final = 600.0
_MAX_FILES: Final = 4
_MAX_CHARS: Final = 8_000
"""Of a beginning that is kept: a token of it takes 28 KB."""


def folder() -> Path | None:
    """Where the files are; None if nothing can be kept that no other user reaches."""
    try:
        return kept.private_folder("prompts")
    except kept.NotKeptError:
        return None


@dataclass(frozen=True)
class PromptCache:
    """The files of one kind of server.

    Args:
        folder: Where they are; None keeps none.
        served: What is served and how: another model's or version's files are of no use.
    """

    folder: Path | None
    served: str

    def read(self, base_url: str, api_key: str, beginning: Beginning) -> None:
        """Have a server know how its prompts begin.

        If it cannot, that costs time and nothing else: it reads each prompt whole.
        """
        text = json.dumps(beginning)
        if self.folder is None or len(text) > _MAX_CHARS:
            return
        host = urlsplit(base_url).netloc
        name = hashlib.sha256(text.encode()).hexdigest()[:16]
        file = self.folder / f"{self.served}-{name}.bin"
        with suppress(OSError, http.client.HTTPException):
            known = file if file.exists() else next(iter(self._newest_first()), None)
            if known is not None:
                if _post(host, api_key, f"/slots/{_SLOT}?action=restore", {"filename": known.name}):
                    os.utime(known)
                    if known == file:
                        return
                else:
                    known.unlink(missing_ok=True)
            body = {
                "messages": beginning,
                "max_tokens": 1,
                "cache_prompt": True,
                "id_slot": _SLOT,
            }
            if _post(host, api_key, "/v1/chat/completions", body, _READ_SECONDS):
                self._write(host, api_key, file)

    def _write(self, host: str, api_key: str, file: Path) -> None:
        fresh = file.with_suffix(f".{os.getpid()}.tmp")
        if _post(host, api_key, f"/slots/{_SLOT}?action=save", {"filename": fresh.name}):
            fresh.replace(file)
        fresh.unlink(missing_ok=True)
        for old in [*file.parent.glob("*.tmp"), *_by_age(file.parent)[_MAX_FILES:]]:
            if old.suffix == ".bin" or old.stat().st_mtime < file.stat().st_mtime - _READ_SECONDS:
                old.unlink(missing_ok=True)

    def _newest_first(self) -> list[Path]:
        assert self.folder
        return [it for it in _by_age(self.folder) if it.name.startswith(f"{self.served}-")]


def _by_age(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.bin"), key=lambda file: -file.stat().st_mtime)


def _post(host: str, api_key: str, path: str, body: Any, seconds: float = _SECONDS) -> bool:
    """Whether the server did what was asked."""
    headers = {"Authorization": f"Bearer {api_key}", "Content-Type": "application/json"}
    with closing(http.client.HTTPConnection(host, timeout=seconds)) as connection:
        connection.request("POST", path, json.dumps(body), headers)
        return connection.getresponse().status == http.client.OK
