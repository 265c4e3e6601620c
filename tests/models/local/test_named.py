"""Other models that llama.cpp runs: by file, or by their name on the hub."""

import hashlib
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from llm_compiler import Context, build_graph
from llm_compiler.errors import SetupError
from llm_compiler.models.local.named import weights_named
from llm_compiler.models.local.obtain import ensure
from llm_compiler.models.local.server import LOCAL_SERVERS
from tests.support.loopback import loopback

WHOLE = b"GGUF" + b"weights" * 100
BLOB = {"size": len(WHOLE), "sha256": hashlib.sha256(WHOLE).hexdigest()}


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """A hub on loopback that lists `files` and hands out `WHOLE`; it notes the paths asked for."""
    seen: dict[str, Any] = {"files": {"big-q4_k_m.gguf": BLOB, "big-q8_0.gguf": BLOB}, "paths": []}

    class Hub(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen["paths"].append(self.path)
            body, status = WHOLE, 200
            if self.path.startswith("/api/"):
                siblings = [{"rfilename": name, "lfs": b} for name, b in seen["files"].items()]
                body = json.dumps({"siblings": siblings}).encode()
                status = 200 if "/some/" in self.path else 404
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with loopback(Hub) as address:
        monkeypatch.setenv("HF_ENDPOINT", address)
        yield seen


def test_a_repository_is_asked_once_and_then_known(tmp_path: Path, hub: dict[str, Any]) -> None:
    path = weights_named("some/model", cache=tmp_path)
    assert path.read_bytes() == WHOLE
    assert path.name == "big-q4_k_m.gguf"
    assert hub["paths"] == [
        "/api/models/some/model?blobs=true",
        "/some/model/resolve/main/big-q4_k_m.gguf",
    ]
    assert weights_named("some/model", cache=tmp_path) == path
    assert len(hub["paths"]) == 2


def test_a_file_of_a_repository_is_taken_by_its_name(tmp_path: Path, hub: dict[str, Any]) -> None:
    assert weights_named("some/model/big-q8_0.gguf", cache=tmp_path).name == "big-q8_0.gguf"


@pytest.mark.parametrize(
    ("name", "files", "said"),
    [
        ("some/model", {"a.gguf": BLOB, "b.gguf": BLOB}, "name one file .* it has a.gguf, b.gguf"),
        ("some/model", {"readme.md": BLOB}, "it has no GGUF file"),
        ("some/model/c.gguf", {"a.gguf": BLOB}, "it has a.gguf"),
        ("some/model", {"a.gguf": None}, "does not tell the SHA-256 of a.gguf"),
        ("no/model", {}, "the hub answers 404 for no/model"),
        ("some/model", {"a.gguf": {**BLOB, "sha256": "0"}}, "is not the expected file"),
        ("model", {}, "'local:model' is neither a GGUF file nor OWNER/NAME of the hub"),
    ],
)
def test_what_is_wrong_is_said(
    tmp_path: Path, hub: dict[str, Any], name: str, files: dict[str, Any], said: str
) -> None:
    hub["files"] = files
    with pytest.raises(SetupError, match=said):
        weights_named(name, cache=tmp_path)


def test_a_file_is_used_where_it_is(tmp_path: Path) -> None:
    (tmp_path / "own.gguf").write_bytes(WHOLE)
    assert weights_named(str(tmp_path / "own.gguf")) == tmp_path / "own.gguf"
    (tmp_path / "text.gguf").write_text("weights")
    with pytest.raises(SetupError, match="is not a model in the GGUF format"):
        weights_named(str(tmp_path / "text.gguf"))
    with pytest.raises(SetupError, match=r"cannot read the model .*none\.gguf"):
        weights_named(str(tmp_path / "none.gguf"))


@pytest.mark.local
async def test_a_model_is_a_string() -> None:
    name = f"local:{ensure()}"

    def height(mountain: str) -> int:
        """The height of a mountain in m."""
        return {"K2": 8611}[mountain]

    state = await build_graph([height]).ainvoke(
        {"messages": [("user", "How high is K2 in m?")]}, context=Context(model=name)
    )
    LOCAL_SERVERS.of(name.removeprefix("local:")).stop()
    assert "8611" in state["messages"][-1].text.replace(",", "")
