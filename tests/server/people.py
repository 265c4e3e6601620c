"""Two people with bearer tokens, for tests of who may do what on a server."""

from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import httpx
from langgraph_sdk import get_client
from langgraph_sdk.client import LangGraphClient

# One client for all requests, because each client creates a TLS context. It keeps no connections.
_CLIENT: Final = httpx.Client(
    limits=httpx.Limits(max_keepalive_connections=0), timeout=30, trust_env=False
)
TOKENS: Final = {"alice": "alices-own-bearer-token", "bob": "bobs-own-bearer-token"}


def token_file(folder: Path) -> Path:
    """A file with both tokens: Alice's as it is, Bob's as its hash."""
    path = folder / "tokens"
    path.write_text(
        "# token owner\n\n"
        f"{TOKENS['alice']} alice\n"
        f"sha256:{sha256(TOKENS['bob'].encode()).hexdigest()}\tbob\n"
    )
    return path


def client(url: str, who: str) -> LangGraphClient:
    """The SDK's client with that person's token."""
    return get_client(url=url, headers={"Authorization": f"Bearer {TOKENS[who]}"})


def request(url: str, path: str, token: str | None = None, **given: Any) -> httpx.Response:
    """Send a request (POST unless `method` is given), with or without a token."""
    headers = dict(given.pop("headers", {}))
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    method = given.pop("method", "POST")
    return _CLIENT.request(method, url + path, headers=headers, **given)
