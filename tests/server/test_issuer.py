"""Tokens of an issuer: its rules with a clock of ours, and a real server that trusts one."""

import asyncio
import base64
import json
import time
from collections.abc import Iterator
from typing import Any

import jwt
import pytest

from llm_compiler.errors import SetupError
from llm_compiler.server.issuer import LIFETIME, LONGEST, PAUSE, WAIT, Issuer, IssuerAddress
from llm_compiler.server.verifier import IssuerUnreachableError, TokenRefusedError
from tests.server import process
from tests.server.jwt_issuer import JwtIssuer, Key
from tests.server.people import request


class Clock:
    """Seconds that pass when the test says so."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def issuer() -> Iterator[JwtIssuer]:
    with JwtIssuer() as running:
        yield running


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def trusted(issuer: JwtIssuer, clock: Clock) -> Issuer:
    return Issuer(IssuerAddress.parse(issuer.url), clock=clock)


def unsigned(issuer: JwtIssuer) -> str:
    claims = {"iss": issuer.url, "sub": "alice", "exp": time.time() + 3600}
    return jwt.encode(claims, "", algorithm="none", headers={"kid": issuer.keys[0].kid})


def signed_with_the_public_key(issuer: JwtIssuer) -> str:
    """HS256 with what everyone knows as its secret: the classic confusion."""

    def part(data: Any) -> bytes:
        return base64.urlsafe_b64encode(json.dumps(data).encode()).rstrip(b"=")

    header = {"alg": "HS256", "typ": "JWT", "kid": issuer.keys[0].kid}
    claims = {"iss": issuer.url, "sub": "alice", "exp": time.time() + 3600}
    body = part(header) + b"." + part(claims)
    secret = json.dumps(issuer.keys[0].published()).encode()
    signature = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256).sign(body, secret)
    return (body + b"." + base64.urlsafe_b64encode(signature).rstrip(b"=")).decode()


async def test_owner_is_the_subject(issuer: JwtIssuer, trusted: Issuer) -> None:
    assert await trusted.owner(issuer.token(sub="auth0|42")) == "auth0|42"


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": time.time() - 3600},
        {"exp": None},
        {"nbf": time.time() + 3600},
        {"iss": "http://127.0.0.1:1"},
        {"iss": None},
        {"sub": None},
        {"sub": " "},
        {"sub": 7},
        {"aud": "another-service"},
    ],
    ids=["past", "no end", "early", "issuer", "no issuer", "nobody", "blank", "number", "audience"],
)
async def test_token_with_a_wrong_claim_is_refused(
    issuer: JwtIssuer, trusted: Issuer, claims: dict[str, Any]
) -> None:
    with pytest.raises(TokenRefusedError):
        await trusted.owner(issuer.token(**claims))


async def test_token_that_the_issuer_did_not_sign_is_refused(
    issuer: JwtIssuer, trusted: Issuer
) -> None:
    good = issuer.token()
    for token in (
        issuer.token(Key("first")),
        issuer.token(Key("stranger")),
        unsigned(issuer),
        signed_with_the_public_key(issuer),
        good[:-8] + "AAAAAAAA",
        "not.a.token",
        "é",
        "",
    ):
        with pytest.raises(TokenRefusedError):
            await trusted.owner(token)
    assert await trusted.owner(good) == "alice"


async def test_audience_that_is_set_must_be_named(issuer: JwtIssuer) -> None:
    trusted = Issuer(IssuerAddress.parse(f"{issuer.url}?audience=llm-compiler"))
    assert await trusted.owner(issuer.token(aud=["other", "llm-compiler"])) == "alice"
    for audience in (None, "other"):
        with pytest.raises(TokenRefusedError):
            await trusted.owner(issuer.token(aud=audience))


async def test_issuer_without_discovery_publishes_its_keys_beside_it(clock: Clock) -> None:
    with JwtIssuer(discovery=False) as issuer:
        trusted = Issuer(IssuerAddress.parse(issuer.url), clock=clock)
        assert await trusted.owner(issuer.token()) == "alice"


async def test_keys_are_asked_for_once_and_again_when_they_are_old(
    issuer: JwtIssuer, trusted: Issuer, clock: Clock
) -> None:
    for _ in range(3):
        await trusted.owner(issuer.token())
    assert issuer.asked.count("/keys") == 1
    clock.now += LIFETIME + 1
    await trusted.owner(issuer.token())
    assert issuer.asked.count("/keys") == 2


async def test_new_key_is_found_and_strangers_keys_do_not_flood_the_issuer(
    issuer: JwtIssuer, trusted: Issuer, clock: Clock
) -> None:
    await trusted.owner(issuer.token())
    clock.now += PAUSE + 1
    issuer.keys.append(Key("second"))
    assert await trusted.owner(issuer.token(issuer.keys[1], sub="bob")) == "bob"
    stranger = issuer.token(Key("stranger"))
    for _ in range(5):
        with pytest.raises(TokenRefusedError):
            await trusted.owner(stranger)
    assert issuer.asked.count("/keys") == 2


async def test_withdrawn_key_is_refused_once_the_keys_are_old(
    issuer: JwtIssuer, trusted: Issuer, clock: Clock
) -> None:
    withdrawn = issuer.token()
    await trusted.owner(withdrawn)
    issuer.keys = [Key("second")]
    clock.now += LIFETIME + 1
    with pytest.raises(TokenRefusedError):
        await trusted.owner(withdrawn)


async def test_issuer_that_is_down_is_not_waited_for_until_its_keys_are_too_old(
    issuer: JwtIssuer, trusted: Issuer, clock: Clock
) -> None:
    issuer.down = True
    with pytest.raises(IssuerUnreachableError, match="try again in 30 s"):
        await trusted.owner(issuer.token())
    issuer.down = False
    clock.now += PAUSE + 1
    assert await trusted.owner(issuer.token()) == "alice"
    issuer.down = True
    clock.now += LIFETIME + 1
    assert await trusted.owner(issuer.token()) == "alice"
    clock.now += LONGEST
    with pytest.raises(IssuerUnreachableError):
        await trusted.owner(issuer.token())


async def test_old_keys_serve_while_new_ones_are_fetched(
    issuer: JwtIssuer, trusted: Issuer, clock: Clock
) -> None:
    await trusted.owner(issuer.token())
    issuer.keys.append(Key("second"))
    clock.now += LIFETIME + 1
    issuer.slow.clear()
    began = time.perf_counter()
    owners = [await trusted.owner(issuer.token(sub=str(number))) for number in range(20)]
    # The first one waits a moment.
    assert time.perf_counter() - began < WAIT + 1
    assert owners == [str(number) for number in range(20)]
    new = asyncio.create_task(trusted.owner(issuer.token(issuer.keys[1], sub="bob")))
    await asyncio.sleep(0.05)
    assert not new.done()
    issuer.slow.set()
    assert await new == "bob"
    assert issuer.asked.count("/keys") == 2


async def test_issuer_that_never_answers_is_given_up(
    issuer: JwtIssuer, trusted: Issuer, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llm_compiler.server.issuer._PATIENCE", 0.2)
    issuer.slow.clear()
    with pytest.raises(IssuerUnreachableError):
        await trusted.owner(issuer.token())


@pytest.mark.parametrize(
    "text",
    [
        "issuer.example",
        "http://issuer.example",
        "ftp://issuer.example",
        "https://[::1",
        "https://",
        "https://user:secret@issuer.example",
        "https://issuer.example#part",
        "https://issuer.example?",
        "https://issuer.example?aud=x",
        "https://issuer.example?audience=",
        "https://issuer.example?audience=a&audience=b",
    ],
)
def test_address_that_cannot_be_trusted_is_a_setup_error(text: str) -> None:
    with pytest.raises(SetupError, match="write jwt:https://ISSUER"):
        IssuerAddress.parse(text)


@pytest.mark.server
def test_server_lets_in_whom_the_issuer_names() -> None:
    with JwtIssuer() as issuer:
        with process.server(environment={"LLM_COMPILER_AUTH": f"jwt:{issuer.url}"}) as running:

            def status(token: str | None) -> int:
                return request(running.url, "/threads/search", token, json={}).status_code

            issuer.down = True
            assert status(issuer.token()) == 503
        issuer.down = False
        with process.server(environment={"LLM_COMPILER_AUTH": f"jwt:{issuer.url}"}) as running:
            thread = request(running.url, "/threads", issuer.token(), json={}).json()
            assert thread["metadata"]["owner"] == "alice"
            bob = request(running.url, "/threads/search", issuer.token(sub="bob"), json={})
            assert (bob.status_code, bob.json()) == (200, [])
            for token in (
                None,
                unsigned(issuer),
                signed_with_the_public_key(issuer),
                issuer.token(Key("first")),
                issuer.token(exp=time.time() - 3600),
                issuer.token(iss="https://issuer.example"),
            ):
                assert status(token) == 401
