"""Replies without end, without text, or behind their end: each is bounded, and the loop turns."""

import asyncio
import itertools
import json
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

import httpx
import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessageChunk, HumanMessage
from langchain_core.outputs import ChatGenerationChunk

from llm_compiler import Context, build_graph
from llm_compiler.errors import ModelError
from llm_compiler.models import bounded_http
from llm_compiler.models.errors import CutOffError, EmptyReplyError, TooLongError
from llm_compiler.models.model import Meter, Model
from llm_compiler.models.profiles import ModelProfile
from llm_compiler.models.providers import OpenModels
from tests.support.loop_watch import LoopWatch
from tests.support.loopback import LoopbackServer
from tests.support.models import open_model
from tests.support.scripted import Ledger, ScriptedModel
from tests.support.streamed_model import StreamedModel

pytestmark = pytest.mark.timeout(60)

ASK: Any = {"messages": [HumanMessage("What?")]}
USAGE = {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2}


class Endless(StreamedModel):
    """Streams what it says at first, then the same chunk for ever."""

    first: list[Any] = []  # noqa: RUF012 - Pydantic copies it
    then: Callable[[], AIMessageChunk]
    pause: float = 0.0
    sent: int = 0

    async def _astream(self, *args: Any, **kwargs: Any) -> AsyncIterator[ChatGenerationChunk]:
        for text in self.first:
            yield ChatGenerationChunk(message=AIMessageChunk(content=text))
        for _ in itertools.count():
            self.sent += 1
            if self.pause:
                await asyncio.sleep(self.pause)
            yield ChatGenerationChunk(message=self.then())


def chunk(content: Any = "", **more: Any) -> Callable[[], AIMessageChunk]:
    return lambda: AIMessageChunk(content=content, **more)


NO_TEXT = {
    "nothing": chunk(),
    "roles": chunk(additional_kwargs={"role": "assistant"}),
    "usage": chunk(usage_metadata=USAGE),
    "reasoning": chunk(additional_kwargs={"reasoning_content": "Hm. " * 100}),
    "thinking": chunk([{"type": "thinking", "thinking": "Hm. " * 100, "index": 0}]),
    "refusals": chunk(additional_kwargs={"refusal": "No. " * 100}),
    "calls": chunk(tool_call_chunks=[{"name": "f", "args": "x" * 400, "id": "1", "index": 0}]),
    "blanks": chunk(" \n" * 200),
    "empty blocks": chunk([{"type": "text", "text": ""}]),
    "thoughts in parts": chunk(
        [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm. " * 100}], "index": 0}]
    ),
    "empty thoughts": chunk([{"type": "thinking", "thinking": "", "index": 0}]),
}


def model(chat: BaseChatModel, silence: float = 20.0) -> Model:
    return Model("endless", chat, ModelProfile(silence=silence))


async def read(model: Model, has_ended: Callable[[], bool] = lambda: False) -> str:
    pieces = model.stream([], Meter(), role="joiner", has_ended=has_ended)
    return "".join([piece async for piece in pieces])


@pytest.mark.parametrize("kind", NO_TEXT)
async def test_a_reply_of_no_text_ends(kind: str) -> None:
    with pytest.raises(EmptyReplyError, match="sent data other than text without end; use another"):
        await read(model(Endless(then=NO_TEXT[kind])))


@pytest.mark.parametrize("kind", NO_TEXT)
async def test_a_reply_that_goes_on_without_text_is_cut_off(kind: str) -> None:
    with pytest.raises(CutOffError, match="sent data other than text without end"):
        await read(model(Endless(first=["Ten."], then=NO_TEXT[kind])))


@pytest.mark.parametrize("kind", ["nothing", "roles", "usage", "blanks", "empty thoughts"])
async def test_what_says_nothing_breaks_no_silence(kind: str) -> None:
    with pytest.raises(ModelError, match=r"was silent for 0\.2 s; try again, raise model_timeout"):
        await read(model(Endless(then=NO_TEXT[kind], pause=0.02), silence=0.2))


async def test_a_model_that_reasons_is_not_silent_and_not_waited_for_for_ever() -> None:
    reasons = chunk(additional_kwargs={"reasoning_content": "Hm."})
    began = time.perf_counter()
    with pytest.raises(EmptyReplyError, match="wrote no text for 1 s"):
        await read(model(Endless(then=reasons, pause=0.02), silence=0.1))
    assert 1 <= time.perf_counter() - began < 5


async def test_after_the_end_that_the_server_names_little_is_waited_for() -> None:
    ends = AIMessageChunk(content="Ten.", response_metadata={"finish_reason": "stop"})
    told = iter([ends])
    chat = Endless(then=lambda: next(told, AIMessageChunk(content="")))
    assert await read(model(chat)) == "Ten."
    assert chat.sent < 25


async def test_a_server_that_names_an_end_with_every_chunk_is_read_to_its_end() -> None:
    words = iter(["word "] * 100)

    def said() -> AIMessageChunk:
        metadata = {"finish_reason": "stop"}
        return AIMessageChunk(content=next(words, ""), response_metadata=metadata)

    assert await read(model(Endless(then=said))) == "word " * 100


@pytest.mark.parametrize("pause", [0.0, 0.5])
@pytest.mark.parametrize("kind", [*NO_TEXT, "text"])
async def test_behind_the_end_of_a_plan_nothing_is_waited_for(kind: str, pause: float) -> None:
    ledger = Ledger()
    then = NO_TEXT.get(kind, chunk("echo(2)\n"))
    planner = Endless(first=["echo(1)\n", "answer('Done.')\n"], then=then, pause=pause)
    graph = build_graph(ledger.tools, planner=planner, joiner=ScriptedModel("Done."))
    began = time.perf_counter()
    state = await graph.ainvoke(ASK)
    assert time.perf_counter() - began < 10
    assert state["messages"][-1].text == "Done."
    assert ledger.begun == [1]


@pytest.mark.parametrize("kind", NO_TEXT)
async def test_the_loop_turns_however_fast_chunks_come(kind: str) -> None:
    async with LoopWatch() as watch:
        with pytest.raises(ModelError):
            await read(model(Endless(first=["Ten."], then=NO_TEXT[kind])))
    assert watch.busy < 0.05


# ── opening a model ───────────────────────────────────────────────────────────────────────────


class Models:
    """A server whose list of models never ends, or is none."""

    def __init__(self, kind: str) -> None:
        self.asked = 0
        self._closed = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked += 1
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.end_headers()
                try:
                    for piece in outer._pieces(kind):
                        self.wfile.write(piece)
                except OSError:
                    pass

            def do_POST(self) -> None:
                outer._closed.wait(50)

            def log_message(self, *args: Any) -> None: ...

        self._server = LoopbackServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def _pieces(self, kind: str) -> Iterator[bytes]:
        match kind:
            case "a byte a second":
                while not self._closed.wait(0.2):
                    yield b" "
            case "slow":
                self._closed.wait(0.2)
                yield json.dumps({"data": [{"owned_by": "llamacpp"}]}).encode()
            case "silence":
                self._closed.wait(50)
            case "1 GB":
                yield from itertools.repeat(b" " * 100_000, 10_000)
            case "deep":
                yield b'{"data":' + b"[" * 10_000 + b"]" * 10_000 + b"}"
            case "no JSON":
                yield b"<html>"
            case "odd":
                yield json.dumps({"data": [1, None, {"owned_by": {}}]}).encode()

    def __enter__(self) -> "Models":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/v1"


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Models]]:
    opened: list[Models] = []

    def start(kind: str) -> Models:
        opened.append(Models(kind).__enter__())
        monkeypatch.setenv("OPENAI_BASE_URL", opened[-1].url)
        monkeypatch.setenv("OPENAI_API_KEY", "none")
        return opened[-1]

    yield start
    for server in opened:
        server.__exit__()


@pytest.mark.parametrize("kind", ["1 GB", "deep", "no JSON", "odd"])
async def test_a_list_of_models_that_is_none_names_no_dialect(serve: Any, kind: str) -> None:
    server, models = serve(kind), OpenModels()
    for _ in range(2):
        assert (await models.get("openai:scripted")).profile.grammar is None
    assert server.asked == 1


@pytest.mark.parametrize("kind", ["a byte a second", "silence"])
async def test_a_list_of_models_that_does_not_come_is_waited_for_once(
    serve: Any, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llm_compiler.models.providers._ASK_SECONDS", 0.5)
    serve("no JSON")
    await open_model("openai:scripted")  # the client's import is not measured
    server, models = serve(kind), OpenModels()
    began = time.perf_counter()
    for _ in range(3):
        assert (await models.get("openai:scripted")).profile.grammar is None
    assert 0.4 < time.perf_counter() - began < 1.4
    assert server.asked == 1


async def test_runs_that_open_a_model_at_once_wait_for_one_question(serve: Any) -> None:
    server, models = serve("slow"), OpenModels()
    opened = await asyncio.gather(*(models.get("openai:scripted") for _ in range(3)))
    assert [it.profile.grammar for it in opened] == ["llama.cpp"] * 3
    assert server.asked == 1


@pytest.mark.parametrize("role", ["planner", "joiner"])
async def test_opening_a_model_counts_towards_the_deadline(serve: Any, role: str) -> None:
    serve("no JSON")
    await open_model("openai:scripted")  # a deadline in a test must not count the client's import
    serve("a byte a second")
    given: dict[str, Any] = {
        "planner": ScriptedModel("echo(1)"),
        "joiner": ScriptedModel("Too late."),
    }
    graph = build_graph(Ledger().tools, **{**given, role: "openai:scripted"})
    began = time.perf_counter()
    state = await graph.ainvoke(ASK, context=Context(deadline=0.5, model_timeout=0.5))
    assert time.perf_counter() - began < 4
    answer = "Too late." if role == "planner" else "was cut off at the deadline"
    assert answer in state["messages"][-1].text


class EndlessLine(httpx.AsyncByteStream):
    """Sends a piece again and again, and counts them."""

    def __init__(self, piece: bytes) -> None:
        self.piece, self.sent = piece, 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while self.sent < 100_000:
            self.sent += len(self.piece)
            yield self.piece


def answer(kind: str, piece: bytes) -> tuple[httpx.Response, EndlessLine]:
    stream = EndlessLine(piece)
    return httpx.Response(200, headers={"content-type": kind}, stream=stream), stream


@pytest.mark.parametrize(
    ("kind", "piece"), [("text/event-stream", b"x" * 1000), ("application/json", b"{}\n" * 100)]
)
async def test_an_answer_without_end_of_line_is_broken_off(
    monkeypatch: pytest.MonkeyPatch, kind: str, piece: bytes
) -> None:
    monkeypatch.setattr(bounded_http, "_MAX_BYTES", 10_000)
    response, stream = answer(kind, piece)
    await bounded_http.bound(response)
    with pytest.raises(TooLongError, match="more than 10000 bytes in one piece"):
        await response.aread()
    assert stream.sent <= 11_000


async def test_a_stream_of_many_events_is_read_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded_http, "_MAX_BYTES", 10_000)
    response, stream = answer("text/event-stream", b"data: {}\n\n" * 100)
    await bounded_http.bound(response)
    assert len(await response.aread()) == stream.sent == 100_000
