"""JSON Web Tokens of an issuer (OpenID Connect), checked with the keys that it publishes.

The life of the issuer's keys here:
    none ─first token─► fresh ─LIFETIME─► asked for again ─► fresh
                              ─a token names an unknown key, PAUSE since the last time─► asked again
    A failed request leaves the keys that are there in use until LONGEST. While they are asked for
    again, a token with a key that is there waits WAIT at most, and only the first one does.
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

LIFETIME: Final = 600.0
PAUSE: Final = 30.0
LONGEST: Final = 3600.0
LEEWAY: Final = 10.0
WAIT: Final = 0.5
_PATIENCE: Final = 10.0
_MAX_BYTES: Final = 1_000_000
# Only signatures that the issuer alone can make: no shared secrets, and never `none`.
_ALGORITHMS: Final[Mapping[str, tuple[str, ...]]] = {
    "RSA": ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    "EC": ("ES256", "ES384", "ES512"),
    "OKP": ("EdDSA",),
}
_FORM: Final = "write jwt:https://ISSUER or jwt:https://ISSUER?audience=NAME"

Keys = Mapping[str | None, Mapping[str, Any]]


@dataclass(frozen=True)
class IssuerAddress:
    """The issuer as its tokens name it, and the audience that they must name, if any."""

    issuer: str
    audience: str | None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `https://ISSUER[?audience=NAME]`. Raises `SetupError`."""
        url, _, query = text.partition("?")
        if not _trustworthy(url):
            raise SetupError(f"{url!r} is no https address of an issuer; {_FORM}")
        names = parse_qs(query, keep_blank_values=True)
        audience = names.pop("audience", [None])
        if names or len(audience) != 1 or audience == [""] or ("?" in text and not query):
            raise SetupError(f"{query!r} is not understood after the issuer; {_FORM}")
        return cls(url, audience[0])


class Issuer:
    """Knows the owners (`sub`) of an issuer's tokens: signature, `iss`, `exp`, `nbf` and `aud`.

    A token that names an audience is refused unless it is the one given: it was made for another
    service.
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
        """Whose the token is. Raises `TokenRefusedError` or `IssuerUnreachableError`."""
        try:
            header = jwt.get_unverified_header(token)
            key = await self._key(header.get("kid"))
            allowed = _ALGORITHMS[key["kty"]]
            if header.get("alg") not in allowed:
                raise TokenRefusedError("the token's algorithm does not fit the issuer's key")
            claims = jwt.decode(
                token,
                jwt.PyJWK(dict(key), key.get("alg") or header["alg"]),
                algorithms=allowed,
                audience=self._address.audience,
                issuer=self._address.issuer,
                leeway=LEEWAY,
                options={"require": ["exp", "iss", "sub"], "enforce_minimum_key_length": True},
            )
        except jwt.PyJWTError as error:
            raise TokenRefusedError(f"the token is refused ({type(error).__name__})") from error
        subject = claims["sub"]
        if not isinstance(subject, str) or not subject.strip():
            raise TokenRefusedError("the token names no subject")
        return subject

    async def _key(self, kid: object) -> Mapping[str, Any]:
        name, now = kid if isinstance(kid, str) else None, self._clock()
        usable = name in self._keys and now - self._fetched <= LONGEST
        if not usable or now - self._fetched > LIFETIME:
            await self._refresh(now, WAIT if usable else None)
        if now - self._fetched > LONGEST:
            raise IssuerUnreachableError(
                f"the keys of {self._address.issuer} could not be had; try again in {PAUSE:.0f} s"
            ) from self._failed
        if name not in self._keys:
            raise TokenRefusedError("the token's key is not one of its issuer's")
        return self._keys[name]

    async def _refresh(self, now: float, wait: float | None) -> None:
        """Ask for the keys, or wait for who asks: `wait` seconds, or (None) until they are there.

        Strangers' tokens must not flood the issuer, so it is not asked again at once.
        """
        asking = self._asking
        if asking is None or asking.done():
            if now - self._asked <= PAUSE:
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
        # A proxy of the environment is for the way out, not for this machine.
        outside = urlsplit(base).scheme == "https"
        async with httpx.AsyncClient(
            timeout=_PATIENCE, verify=self._tls, trust_env=outside
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
        # A token need not name the only key there is.
        return keys | {None: usable[0]} if len(usable) == 1 else keys

    async def _json(self, client: httpx.AsyncClient, url: str) -> Any:
        return await get_json(client, url, seconds=_PATIENCE, max_bytes=_MAX_BYTES)

    def _keys_address(self, document: Mapping[str, Any]) -> str:
        if document["issuer"] != self._address.issuer:
            raise ValueError(f"it calls itself {document['issuer']!r}")
        address: str = document["jwks_uri"]
        if not _trustworthy(address):
            raise ValueError(f"its keys are at {address!r}, which is not https")
        return address


def _trustworthy(address: str) -> bool:
    """Keys that came over plain HTTP could be anyone's, except from this machine itself."""
    try:
        url = urlsplit(address)
    except ValueError:  # brackets without an address between them
        return False
    if url.username or url.fragment or not url.hostname:
        return False
    return url.scheme == "https" or (
        url.scheme == "http" and url.hostname in {"127.0.0.1", "::1", "localhost"}
    )
