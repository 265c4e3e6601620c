"""JSON Web Tokens of an issuer (OpenID Connect), checked with the keys that it publishes.

When the issuer's keys are fetched:
    none ─first token─► fresh ─after KEY_TTL_SECONDS─► fetched again ─► fresh
                              ─a token names an unknown key─► fetched again
    At least MIN_FETCH_INTERVAL_SECONDS pass between two fetches. If a fetch fails, the known keys
    stay in use until MAX_KEY_AGE_SECONDS. While keys are fetched again, a token with a known key
    waits for MAX_WAIT_SECONDS at most, and only the first such token does.
"""

import asyncio
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self
from urllib.parse import parse_qs, urlsplit

import httpx
import jwt

from llm_compiler.errors import SetupError
from llm_compiler.models.bounded_http import get_json
from llm_compiler.server.verifier import IssuerUnreachableError, TokenRefusedError

KEY_TTL_SECONDS: Final = 600.0
MIN_FETCH_INTERVAL_SECONDS: Final = 30.0
MAX_KEY_AGE_SECONDS: Final = 3600.0
CLOCK_LEEWAY_SECONDS: Final = 10.0
MAX_WAIT_SECONDS: Final = 0.5
_FETCH_TIMEOUT_SECONDS: Final = 10.0
# Only signatures that the issuer alone can make: no shared secrets, and never `none`.
_ALGORITHMS: Final[Mapping[str, tuple[str, ...]]] = {
    "RSA": ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    "EC": ("ES256", "ES384", "ES512"),
    "OKP": ("EdDSA",),
}
_REMEDY: Final = "write jwt:https://ISSUER or jwt:https://ISSUER?audience=NAME"

Keys = Mapping[str | None, Mapping[str, Any]]


@dataclass(frozen=True)
class IssuerAddress:
    """The issuer as its tokens name it, and the audience that tokens must name, if any."""

    issuer: str
    audience: str | None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `https://ISSUER[?audience=NAME]`. Raises `SetupError`."""
        url, _, query = text.partition("?")
        if not _trustworthy(url):
            raise SetupError(f"{url!r} is not an issuer's https address; {_REMEDY}")
        names = parse_qs(query, keep_blank_values=True)
        audience = names.pop("audience", [None])
        if names or len(audience) != 1 or audience == [""] or ("?" in text and not query):
            raise SetupError(f"{query!r} after the issuer is invalid; {_REMEDY}")
        return cls(url, audience[0])


class Issuer:
    """Checks an issuer's tokens (signature, `iss`, `exp`, `nbf`, `aud`); the owner is `sub`.

    A token that names an audience is refused unless it names the audience given: otherwise it was
    made for another service.
    """

    def __init__(
        self, address: IssuerAddress, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._address = address
        self._clock = clock
        self._keys: Keys = {}
        self._fetched = self._asked = float("-inf")
        self._asking: asyncio.Task[None] | None = None
        self._failed: BaseException | None = None
        # Certificates are files: they are read here, not on the server's loop.
        self._tls = ssl.create_default_context()

    async def owner(self, token: str) -> str:
        """The owner of the token. Raises `TokenRefusedError` or `IssuerUnreachableError`."""
        try:
            header = jwt.get_unverified_header(token)
            key = await self._key(header.get("kid"))
            allowed = _ALGORITHMS[key["kty"]]
            if header.get("alg") not in allowed:
                raise TokenRefusedError("the token's algorithm does not match the issuer's key")
            claims = jwt.decode(
                token,
                jwt.PyJWK(dict(key), key.get("alg") or header["alg"]),
                algorithms=allowed,
                audience=self._address.audience,
                issuer=self._address.issuer,
                leeway=CLOCK_LEEWAY_SECONDS,
                options={"require": ["exp", "iss", "sub"], "enforce_minimum_key_length": True},
            )
        except jwt.PyJWTError as error:
            raise TokenRefusedError(f"the token is refused ({type(error).__name__})") from error
        subject = claims["sub"]
        if not isinstance(subject, str) or not subject.strip():
            raise TokenRefusedError("the token has no subject")
        return subject

    async def _key(self, kid: object) -> Mapping[str, Any]:
        name, now = kid if isinstance(kid, str) else None, self._clock()
        usable = name in self._keys and now - self._fetched <= MAX_KEY_AGE_SECONDS
        if not usable or now - self._fetched > KEY_TTL_SECONDS:
            await self._refresh(now, MAX_WAIT_SECONDS if usable else None)
        if now - self._fetched > MAX_KEY_AGE_SECONDS:
            raise IssuerUnreachableError(
                f"the keys of {self._address.issuer} could not be fetched;"
                f" try again in {MIN_FETCH_INTERVAL_SECONDS:.0f} s"
            ) from self._failed
        if name not in self._keys:
            raise TokenRefusedError("the token's key is not one of the issuer's keys")
        return self._keys[name]

    async def _refresh(self, now: float, wait: float | None) -> None:
        """Ask for the keys, or wait for who asks: `wait` seconds, or (None) until they are there.

        Strangers' tokens must not flood the issuer, so it is not asked again at once.
        """
        asking = self._asking
        if asking is None or asking.done():
            if now - self._asked <= MIN_FETCH_INTERVAL_SECONDS:
                return
            self._asked = now
            asking = self._asking = asyncio.create_task(self._ask(now))
        elif wait is not None:
            return
        await asyncio.wait({asking}, timeout=wait)

    async def _ask(self, now: float) -> None:
        try:
            self._keys, self._fetched = await self._fetch(), now
            self._failed = None
        except (httpx.HTTPError, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            self._failed = error

    async def _fetch(self) -> Keys:
        base = self._address.issuer.rstrip("/")
        # A proxy set in the environment is for outgoing requests, not for this machine.
        outside = urlsplit(base).scheme == "https"
        async with httpx.AsyncClient(
            timeout=_FETCH_TIMEOUT_SECONDS, verify=self._tls, trust_env=outside
        ) as client:
            try:
                found = await self._json(client, f"{base}/.well-known/openid-configuration")
                address = self._keys_address(found)
            except httpx.HTTPStatusError as error:
                if error.response.status_code != httpx.codes.NOT_FOUND:
                    raise
                address = f"{base}/.well-known/jwks.json"
            published = (await self._json(client, address))["keys"]
        usable = [k for k in published if k.get("kty") in _ALGORITHMS and k.get("use") != "enc"]
        keys: dict[str | None, Mapping[str, Any]] = {key.get("kid"): key for key in usable}
        # If there is only one key, a token need not name it.
        return keys | {None: usable[0]} if len(usable) == 1 else keys

    async def _json(self, client: httpx.AsyncClient, url: str) -> Any:
        return await get_json(client, url, seconds=_FETCH_TIMEOUT_SECONDS)

    def _keys_address(self, document: Mapping[str, Any]) -> str:
        if document["issuer"] != self._address.issuer:
            raise ValueError(f"it calls itself {document['issuer']!r}")
        address: str = document["jwks_uri"]
        if not _trustworthy(address):
            raise ValueError(f"its keys are at {address!r}, which is not https")
        return address


def _trustworthy(address: str) -> bool:
    """Whether keys from this address can be trusted: https, or http on this machine."""
    try:
        url = urlsplit(address)
    except ValueError:  # brackets without an address in them
        return False
    if url.username or url.fragment or not url.hostname:
        return False
    return url.scheme == "https" or (
        url.scheme == "http" and url.hostname in {"127.0.0.1", "::1", "localhost"}
    )
