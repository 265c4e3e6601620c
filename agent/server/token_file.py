"""Bearer tokens from a file: a token and its owner on each line.

# one `token owner` per line; a token may be given as its SHA-256
k3Jv0mQ1xT8sWb5n  alice
sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08  bob
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from hmac import compare_digest
from pathlib import Path
from types import MappingProxyType
from typing import Final, Self

from llm_compiler.errors import SetupError
from llm_compiler.server.verifier import TokenRefusedError

MIN_TOKEN_CHARS: Final = 16
_HASH: Final = "sha256:"
_HEXADECIMAL: Final = re.compile(r"[0-9a-fA-F]{64}")


@dataclass(frozen=True)
class TokenFile:
    """The owners by the SHA-256 of their tokens; one owner may have several."""

    owners: Mapping[bytes, str]

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a token file. Raises `SetupError` if any line is invalid."""
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
            raise SetupError(
                f"the token file {path} cannot be read: {reason}; write `token owner` lines to it"
            ) from error
        owners: dict[bytes, str] = {}
        for number, line in enumerate(lines, start=1):
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            where = f"line {number} of the token file {path}"
            digest, owner = _entry(line, where)
            if digest in owners:
                raise SetupError(f"{where} repeats a token; give each token to one owner")
            owners[digest] = owner
        if not owners:
            raise SetupError(f"the token file {path} has no token; write `token owner` lines to it")
        return cls(MappingProxyType(owners))

    async def owner(self, token: str) -> str:
        """The owner of the token. Takes the same time for every token, known or not."""
        given = sha256(token.encode()).digest()
        found = [owner for digest, owner in self.owners.items() if compare_digest(digest, given)]
        if not found:
            raise TokenRefusedError("the bearer token is unknown; ask the operator for a valid one")
        return found[0]


def _entry(line: str, where: str) -> tuple[bytes, str]:
    # No message quotes the line: it contains a secret.
    words = line.split()
    if len(words) != 2:
        raise SetupError(f"{where} has {len(words)} words; write `token owner`")
    token, owner = words
    if not token.startswith(_HASH):
        if len(token) < MIN_TOKEN_CHARS:
            raise SetupError(
                f"{where} has a token of {len(token)} characters; use at least {MIN_TOKEN_CHARS}"
            )
        return sha256(token.encode()).digest(), owner
    digits = token.removeprefix(_HASH)
    if not _HEXADECIMAL.fullmatch(digits):
        raise SetupError(
            f"{where} has a hash of {len(digits)} characters; "
            f"write {_HASH} and 64 hexadecimal digits"
        )
    return bytes.fromhex(digits), owner
