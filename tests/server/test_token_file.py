"""The file of bearer tokens, line by line, and the rules that need no server."""

from hashlib import sha256
from pathlib import Path

import pytest

from llm_compiler.errors import SetupError
from llm_compiler.server.access import build_auth
from llm_compiler.server.ownership import namespace_label
from llm_compiler.server.token_file import TokenFile
from llm_compiler.server.verifier import TokenRefusedError

TOKEN = "a-token-that-is-long-enough"
DIGEST = sha256(TOKEN.encode()).hexdigest()


def read(folder: Path, text: str) -> TokenFile:
    path = folder / "tokens"
    path.write_text(text)
    return TokenFile.read(path)


async def test_comments_and_empty_lines_are_skipped(tmp_path: Path) -> None:
    tokens = read(tmp_path, f"# who\n\n  {TOKEN}\t alice  \n")
    assert await tokens.owner(TOKEN) == "alice"
    with pytest.raises(TokenRefusedError):
        await tokens.owner(TOKEN + "!")


async def test_hash_is_not_accepted_as_a_token(tmp_path: Path) -> None:
    tokens = read(tmp_path, f"sha256:{DIGEST.upper()} alice")
    assert await tokens.owner(TOKEN) == "alice"
    for guess in (DIGEST, f"sha256:{DIGEST}"):
        with pytest.raises(TokenRefusedError):
            await tokens.owner(guess)


def test_secrets_are_kept_only_as_hashes(tmp_path: Path) -> None:
    assert TOKEN not in repr(read(tmp_path, f"{TOKEN} alice"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no token"),
        ("# only this\n", "has no token"),
        (TOKEN, "line 1 .* has 1 words"),
        (f"{TOKEN} alice smith", "line 1 .* has 3 words"),
        ("\nshort alice", "line 2 .* has a token of 5 characters; use at least 16"),
        ("sha256:12ab alice", "write sha256: and 64 hexadecimal digits"),
        (f"{TOKEN} alice\nsha256:{DIGEST} bob", "line 2 .* repeats a token"),
    ],
)
def test_invalid_line_is_a_setup_error_without_the_secret(
    tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(SetupError, match=message) as raised:
        read(tmp_path, text)
    assert TOKEN not in str(raised.value)


def test_file_that_is_not_text_is_a_setup_error(tmp_path: Path) -> None:
    path = tmp_path / "tokens"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(SetupError, match="is not UTF-8 text"):
        TokenFile.read(path)


def test_only_langgraph_dev_is_open_without_a_setting() -> None:
    dev = {"LANGSMITH_LANGGRAPH_API_VARIANT": "local_dev"}
    for environment in ({}, {"LLM_COMPILER_AUTH": ""}, {"LANGSMITH_LANGGRAPH_API_VARIANT": "x"}):
        with pytest.raises(SetupError, match="set LLM_COMPILER_AUTH to file:PATH"):
            build_auth(environment)
    for environment in (dev, dev | {"LLM_COMPILER_AUTH": " "}, {"LLM_COMPILER_AUTH": "open"}):
        assert build_auth(environment)


def test_setting_that_may_be_a_token_is_not_quoted() -> None:
    with pytest.raises(SetupError) as raised:
        build_auth({"LLM_COMPILER_AUTH": TOKEN})
    assert TOKEN not in str(raised.value)


def test_no_two_owners_share_a_label() -> None:
    owners = ["a.b", "a%2Eb", "a b", "a/b", "a%b", "ä", "a@b", "auth0|7"]
    labels = {namespace_label(owner) for owner in owners}
    assert len(labels) == len(owners)
    assert not any("." in label for label in labels)
