"""JSON Web Tokens of an issuer (OpenID Connect), checked with the keys that it publishes.

The life of the issuer's keys here:
    none ─first token─► fresh ─LIFETIME─► asked for again ─► fresh
                              ─a token names an unknown key, PAUSE since the last time─► asked again
    A failed request leaves the keys that are there in use until LONGEST.
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
from llm_compiler.server.verifier import IssuerUnreachableError, TokenRefusedError

LIFETIME: Final = 600.0
PAUSE: Final = 30.0
LONGEST: Final = 3600.0
LEEWAY: Final = 10.0
_PATIENCE: Final = 10.0
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
        self._asking = asyncio.Lock()
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
        name = kid if isinstance(kid, str) else None
        if self._wants(name, self._clock()):
            async with self._asking:
                await self._refresh(name)
        if name not in self._keys:
            raise TokenRefusedError("the token's key is not one of its issuer's")
        return self._keys[name]

    async def _refresh(self, name: str | None) -> None:
        now = self._clock()
        failed: Exception | None = None
        # Another token may have asked while this one waited, and strangers' must not flood it.
        if self._wants(name, now) and now - self._asked > PAUSE:
            self._asked = now
            try:
                self._keys, self._fetched = await self._fetch(), now
            except (httpx.HTTPError, ValueError, KeyError, TypeError, AttributeError) as error:
                failed = error
        if now - self._fetched > LONGEST:
            raise IssuerUnreachableError(
                f"the keys of {self._address.issuer} could not be had; try again in {PAUSE:.0f} s"
            ) from failed

    def _wants(self, name: str | None, now: float) -> bool:
        return name not in self._keys or now - self._fetched > LIFETIME

    async def _fetch(self) -> Keys:
        base = self._address.issuer.rstrip("/")
        # A proxy of the environment is for the way out, not for this machine.
        outside = urlsplit(base).scheme == "https"
        async with httpx.AsyncClient(
            timeout=_PATIENCE, verify=self._tls, trust_env=outside
        ) as client:
            found = await client.get(f"{base}/.well-known/openid-configuration")
            if found.status_code == httpx.codes.NOT_FOUND:
                address = f"{base}/.well-known/jwks.json"
            else:
                address = self._keys_address(found.raise_for_status().json())
            published = (await client.get(address)).raise_for_status().json()["keys"]
        usable = [k for k in published if k.get("kty") in _ALGORITHMS and k.get("use") != "enc"]
        keys: dict[str | None, Mapping[str, Any]] = {key.get("kid"): key for key in usable}
        # A token need not name the only key there is.
        return keys | {None: usable[0]} if len(usable) == 1 else keys

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
