"""`search`: which source is asked, and what comes back from each."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import httpx
import pytest
from langchain_core.tools import ToolException

from llm_compiler.tools.search import LIBRARY, search
from tests.support.loopback import loopback
from tests.tools.scripted_reader import with_resources

KEY = "tvly-secret-key"


@dataclass
class Tavily:
    """A server on loopback that speaks Tavily's API, with the reply that a test sets."""

    status: int = 200
    body: str = "{}"
    hangs_up: bool = False
    requests: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    url: str = ""

    def says(self, reply: object) -> None:
        self.body = json.dumps(reply)


@pytest.fixture
def tavily(monkeypatch: pytest.MonkeyPatch) -> Iterator[Tavily]:
    script = Tavily()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            size = int(self.headers["Content-Length"])
            script.requests.append(json.loads(self.rfile.read(size)))
            script.keys.append(self.headers["Authorization"])
            if script.hangs_up:
                self.close_connection = True
                return
            self.send_response(script.status)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(script.body.encode())

        def log_message(self, format: str, *args: object) -> None:
            pass

    with loopback(Handler) as script.url:
        monkeypatch.setenv("TAVILY_API_KEY", KEY)
        monkeypatch.setenv("TAVILY_BASE_URL", script.url)
        yield script


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TAVILY_API_KEY", raising=False)
    monkeypatch.delenv("TAVILY_BASE_URL", raising=False)


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    (tmp_path / "k2.md").write_text("# K2\n\n- Height: 8,611 m")
    return tmp_path


async def web(query: str = "K2") -> str:
    result = await search.ainvoke({"query": query}, {})
    assert isinstance(result, str)
    return result


async def test_documents_folder_is_searched_before_the_web(documents: Path, tavily: Tavily) -> None:
    found = await search.ainvoke({"query": "K2"}, with_resources(documents=documents))
    assert found == "k2.md: K2\n- Height: 8,611 m"
    assert tavily.requests == []


async def test_without_folder_and_key_the_library_is_searched() -> None:
    if not LIBRARY.is_dir():
        pytest.skip("the library is not here")
    assert (await web("height of Mount Everest")).startswith("mount-everest.md: Mount Everest\n")


async def test_nothing_found_names_what_was_searched(documents: Path) -> None:
    told = f"nothing found on \"quux\": the folder '{documents.name}' has no page about it"
    with pytest.raises(ToolException, match=told):
        await search.ainvoke({"query": "quux"}, with_resources(documents=documents))


async def test_missing_folder_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ToolException, match=r"the folder 'gone' does not exist.*documents"):
        await search.ainvoke({"query": "x"}, with_resources(documents=tmp_path / "gone"))


async def test_empty_query_is_refused() -> None:
    with pytest.raises(ToolException, match="query is empty"):
        await web("  ")


async def test_web_result_is_title_address_and_content_best_first(tavily: Tavily) -> None:
    tavily.says(
        {
            "answer": "8,611 m",
            "results": [
                {"title": "K2", "url": "https://a.example", "content": "The height is 8,611 m."},
                {"title": "Peaks", "url": "https://b.example", "content": None},
            ],
        }
    )
    assert await web() == (
        "8,611 m\n\nK2\nhttps://a.example\nThe height is 8,611 m.\n\nPeaks\nhttps://b.example"
    )
    assert tavily.requests[0]["query"] == "K2"
    assert tavily.keys == [f"Bearer {KEY}"]


async def test_searches_at_once_and_in_new_loops_leave_no_socket_open(tavily: Tavily) -> None:
    tavily.says({"results": [{"title": "K2", "url": "u", "content": "c"}]})
    assert [*await asyncio.gather(web(), web())] == ["K2\nu\nc"] * 2
    assert await asyncio.to_thread(lambda: asyncio.run(web())) == "K2\nu\nc"


@pytest.mark.parametrize("reply", [{}, {"results": []}, {"results": None}, {"results": ["x"]}])
async def test_web_without_results_is_an_error(tavily: Tavily, reply: object) -> None:
    tavily.says(reply)
    with pytest.raises(ToolException, match='nothing found on "K2" on the web'):
        await web()


@pytest.mark.parametrize("status", [401, 403, 432])
async def test_refused_key_is_reported_without_the_key(tavily: Tavily, status: int) -> None:
    tavily.status = status
    tavily.says({"detail": {"error": f"bad key {KEY}"}})
    with pytest.raises(ToolException, match="check TAVILY_API_KEY") as refused:
        await web()
    assert KEY not in str(refused.value)


async def test_refused_query_is_reported(tavily: Tavily) -> None:
    tavily.status = 400
    with pytest.raises(ToolException, match="refused the query 'K2'"):
        await web()


async def test_too_many_requests_is_transient(tavily: Tavily) -> None:
    tavily.status = 429
    tavily.says({"detail": {"error": f"slow down {KEY}"}})
    with pytest.raises(ConnectionError) as refused:
        await web()
    assert getattr(refused.value, "status_code", None) == 429
    assert KEY not in str(refused.value)


@pytest.mark.parametrize("status", [500, 502, 503])
async def test_server_error_is_transient(tavily: Tavily, status: int) -> None:
    tavily.status = status
    with pytest.raises(httpx.HTTPStatusError) as failed:
        await web()
    assert failed.value.response.status_code == status


@pytest.mark.parametrize("status", [404, 204])
async def test_other_status_is_permanent(tavily: Tavily, status: int) -> None:
    tavily.status, tavily.body = status, ""
    with pytest.raises(ToolException, match="check TAVILY_BASE_URL"):
        await web()


async def test_broken_connection_is_transient(tavily: Tavily) -> None:
    tavily.hangs_up = True
    with pytest.raises(httpx.TransportError):
        await web()


@pytest.mark.parametrize("body", ["{", "<html>", "[]", '"text"', "null", "1"])
async def test_malformed_reply_is_an_error(tavily: Tavily, body: str) -> None:
    tavily.body = body
    with pytest.raises(ToolException, match="is not valid"):
        await web()
