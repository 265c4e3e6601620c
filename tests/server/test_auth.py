"""Who gets in: a real server with a token file, and servers that must not start."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from llm_compiler.errors import SetupError
from llm_compiler.server.access import build_auth
from tests.server import process
from tests.server.people import TOKENS, client, request, token_file

pytestmark = pytest.mark.server

OPEN_TO_ALL = {"/ok", "/info", "/metrics", "/docs"}
LIMIT = 200_000


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    tokens = token_file(tmp_path_factory.mktemp("tokens"))
    settings = {
        "LLM_COMPILER_AUTH": f"file:{tokens}",
        "HTTP_MAX_REQUEST_BODY_BYTES": str(LIMIT),
        "OPENAI_API_KEY": "unused",
    }
    with process.server(environment=settings) as running:
        yield running.url


def routes(url: str) -> list[tuple[str, str]]:
    """Method and path of everything that the server offers, with an id that does not exist."""
    paths = request(url, "/openapi.json", method="GET").json()["paths"]
    found = [(method.upper(), path) for path, methods in paths.items() for method in methods]
    assert len(found) > 50
    found += [("POST", "/mcp"), ("GET", "/mcp"), ("GET", "/ui/llm_compiler")]
    nobody = "8d5a7f0e-0000-4000-8000-000000000000"
    return [(method, re.sub(r"\{[^}]*\}", nobody, path)) for method, path in found]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer not-one-of-the-tokens"},
        {"Authorization": f"Basic {TOKENS['alice']}"},
        {"Authorization": "Bearer"},
        {"Authorization": TOKENS["alice"]},
        {"x-api-key": TOKENS["alice"]},
        {"x-auth-scheme": "langsmith"},
    ],
    ids=["none", "wrong", "basic", "empty", "bare", "api-key", "studio"],
)
def test_only_health_and_docs_answer_without_a_token(url: str, headers: dict[str, str]) -> None:
    answers = {
        (method, path): request(url, path, method=method, headers=headers).status_code
        for method, path in routes(url)
        if path not in OPEN_TO_ALL and not path.startswith("/ui")
    }
    assert set(answers.values()) <= {401, 307}, answers
    assert all(path == "/mcp/" for (_, path), status in answers.items() if status == 307)


def test_token_that_is_not_text_is_refused(url: str) -> None:
    assert (
        httpx.post(
            f"{url}/threads", headers={b"Authorization": b"Bearer \xff\xfe"}, json={}
        ).status_code
        == 401
    )


def test_refusal_says_what_to_send_and_not_what_was_sent(url: str) -> None:
    assert "Authorization: Bearer TOKEN" in request(url, "/threads", json={}).text
    assert "a-guessed-token" not in request(url, "/threads", "a-guessed-token", json={}).text


@pytest.mark.parametrize("who", TOKENS)
async def test_both_owners_are_accepted(url: str, who: str) -> None:
    async with client(url, who) as person:
        thread: Any = await person.threads.create()
        assert thread["metadata"]["owner"] == who


def test_body_over_the_limit_is_refused_with_413(url: str) -> None:
    body = {"metadata": {"text": "x" * LIMIT}}
    refused = request(url, "/threads", TOKENS["alice"], json=body)
    assert refused.status_code == 413
    assert str(LIMIT) in refused.text
    # A stranger's body is not even read.
    assert request(url, "/threads", json=body).status_code == 401


def test_body_without_a_length_is_refused_too(url: str) -> None:
    pieces = (b" " * 10_000 for _ in range(LIMIT // 10_000 + 1))
    assert request(url, "/threads", TOKENS["alice"], content=pieces).status_code == 413


@pytest.mark.parametrize(
    "webhook",
    [
        "/threads",
        "https://127.0.0.1/hook",
        "https://localhost/hook",
        "https://[::1]/hook",
        "https://[::ffff:127.0.0.1]/hook",
        "https://10.0.0.1/hook",
        "https://192.168.1.1/hook",
        "https://169.254.169.254/latest/meta-data",
        "https://metadata.google.internal/",
        "http://93.184.215.14/hook",
        "file:///etc/passwd",
    ],
)
def test_webhook_into_a_private_network_is_refused(url: str, webhook: str) -> None:
    body = {"assistant_id": "llm_compiler", "input": {"messages": []}, "webhook": webhook}
    refused = request(url, "/runs", TOKENS["alice"], json=body)
    assert refused.status_code == 422, refused.text


def test_custom_route_needs_a_token_too(tmp_path: Path) -> None:
    ours = json.loads((process.ROOT / "langgraph.json").read_text())["http"]
    http = ours | {"app": "./tests/server/own_route.py:app"}
    setting = f"file:{token_file(tmp_path)}"
    with process.server(
        config={"http": http}, environment={"LLM_COMPILER_AUTH": setting}
    ) as running:
        assert request(running.url, "/whoami", method="GET").status_code == 401
        answer = request(running.url, "/whoami", TOKENS["bob"], method="GET")
    assert answer.text == "bob"


def test_without_the_variable_everything_is_open_and_has_no_owner() -> None:
    with process.server() as running:
        thread = request(running.url, "/threads", json={}).json()
        studio = request(
            running.url, "/threads/search", headers={"x-auth-scheme": "langsmith"}, json={}
        )
    assert "owner" not in thread["metadata"]
    assert [found["thread_id"] for found in studio.json()] == [thread["thread_id"]]


@pytest.mark.parametrize(
    ("setting", "remedy"),
    [
        ("file:", "set LLM_COMPILER_AUTH to file:PATH, jwt:https://ISSUER or open"),
        ("on", "set LLM_COMPILER_AUTH to file:PATH, jwt:https://ISSUER or open"),
        ("file:/nowhere/tokens", "/nowhere/tokens cannot be read: No such file or directory"),
        ("jwt:http://issuer.example", "write jwt:https://ISSUER"),
    ],
)
def test_wrong_setting_is_a_setup_error_with_its_remedy(setting: str, remedy: str) -> None:
    with pytest.raises(SetupError) as refused:
        build_auth({"LLM_COMPILER_AUTH": setting})
    assert remedy in str(refused.value)


def test_server_with_a_damaged_token_file_does_not_start(tmp_path: Path) -> None:
    tokens = token_file(tmp_path)
    tokens.write_text(tokens.read_text() + "a-token-without-its-owner\n")
    with (
        pytest.raises(process.ServerRefusedError) as refused,
        process.server(environment={"LLM_COMPILER_AUTH": f"file:{tokens}"}),
    ):
        pytest.fail("it is up")
    assert "line 5 of the token file" in str(refused.value)
    assert "write `token owner`" in str(refused.value)
    assert "a-token-without" not in str(refused.value)
