"""A scripted OpenAI-compatible model server on loopback, for benchmarks and tests of faults.

A request's life:
    received ─the script gives a Reply→ replying → sent      the whole reply was written
                                                 → cut       the reply broke off, as scripted
                                                 → left      the client closed the connection first
                                                 → stopped   the server was closed meanwhile

Token i of a reply is written at arrival + first_token + i / rate: an absolute schedule, so a late
token delays no later one. What follows the last token goes out with it. It is a bare
`asyncio.Protocol` with one timer a reply, because it shares its cores with what is measured.

    with ModelServer(by_role({"planner": "search(1)", "joiner": ["Paris."]})) as server:
        ChatOpenAI(base_url=server.base_url, api_key="x", model="m").invoke("Which city?")
    assert server.requests[0].ended.result() == "sent"

As a process, which prints its base URL: `python -m tests.bench.model_server --script file.json`.
"""

import argparse
import asyncio
import contextlib
import json
import math
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from http.client import responses
from itertools import cycle
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self, cast

CHARACTERS_PER_TOKEN = 4
TOKENS_PER_WRITE = 64  # the most written at once, so that a long reply lets others in between
SECRET_HEADERS = ("auth", "key", "cookie", "token", "secret")

Body = dict[str, Any]
Ending = Literal["sent", "cut", "left", "stopped"]


@dataclass(frozen=True)
class Reply:
    """What the model says to one request, and what goes wrong with it.

    `tool_calls` are (name, arguments) pairs; arguments given as a string are sent as they are.
    `usage` and `finish_reason` replace what would be computed. `first_token` (seconds) and `rate`
    (tokens a second, `math.inf` for all at once) replace the server's.

    Faults. A `status` other than 200 is sent at once as an error, with `text` as its message; 0
    breaks the connection before any response. After `cut_after` characters the connection breaks;
    after `stall_after` silence falls until the client leaves, or `ModelServer.resume`. Characters
    are those streamed; in a reply that is not streamed they are bytes of its JSON body.

    How it is streamed. `piece` is the characters of a token; a lone surrogate goes out as JSON's
    escape, so a pair can be split between two tokens. `bytewise` sends each byte in an HTTP chunk
    of its own. Without `ends` the response ends in order, but without finish reason and `[DONE]`.

    Other dialects. `body` is sent as it is, with `status` and `content_type`, in place of all this.
    """

    text: str = ""
    reasoning: str = ""
    refusal: str = ""
    tool_calls: Sequence[tuple[str, Mapping[str, Any] | str]] = ()
    usage: Mapping[str, Any] | None = None
    finish_reason: str | None = None
    first_token: float | None = None
    rate: float | None = None
    status: int = 200
    retry_after: float | None = None
    cut_after: int | None = None
    stall_after: int | None = None
    piece: int = CHARACTERS_PER_TOKEN
    bytewise: bool = False
    ends: bool = True
    body: str | None = None
    content_type: str = "text/event-stream"


Script = Callable[[Body], Reply] | Reply | str | Iterable[Reply | str]


@dataclass
class Request:
    """One request as the server saw it.

    `arrived` and `sent` are `time.perf_counter()`, `arrived_at` is epoch seconds. `sent` holds the
    time of every streamed token and then of the final chunk, so it zips with `tokens(text)`.
    `ended` settles with the ending: `.result(5)`, or `await asyncio.wrap_future(request.ended)`.
    """

    path: str
    headers: dict[str, str]
    body: Body
    arrived: float = field(default_factory=time.perf_counter)
    arrived_at: float = field(default_factory=time.time)
    sent: list[float] = field(default_factory=list)
    ended: "Future[Ending]" = field(default_factory=Future)

    def __post_init__(self) -> None:
        # A future that runs cannot be cancelled by a waiter that gives up.
        self.ended.set_running_or_notify_cancel()

    @property
    def disconnected(self) -> bool:
        """Whether the client left before its reply was whole."""
        return self.ended.done() and self.ended.result() == "left"

    @property
    def sent_at(self) -> list[float]:
        """`sent` in epoch seconds."""
        return [self.arrived_at + moment - self.arrived for moment in self.sent]

    def to_json(self) -> dict[str, Any]:
        fields = ("path", "headers", "body", "arrived", "arrived_at", "sent", "sent_at")
        ended = self.ended.result() if self.ended.done() else None
        return {name: getattr(self, name) for name in fields} | {"ended": ended}


def tokens(text: str, step: int = CHARACTERS_PER_TOKEN) -> list[str]:
    """Split a text into pieces of `step` characters; joined they are the text."""
    return [text[i : i + step] for i in range(0, len(text), step)]


def text_of(message: Mapping[str, Any]) -> str:
    """The text of a chat message, whose content is a string, a list of parts or nothing."""
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content)


def as_script(script: Script) -> Callable[[Body], Reply]:
    """A callable stays; one reply is given always; several in turn (`itertools.cycle` to repeat).

    Past the last reply the answer is an error 400, which no client retries.
    """
    if callable(script):
        return script
    turns = cycle([script]) if isinstance(script, Reply | str) else iter(script)

    def in_turn(body: Body) -> Reply:
        reply = next(turns, None)
        if reply is None:
            asked = text_of(body["messages"][-1])[:60] if body.get("messages") else ""
            return Reply(status=400, text=f"no reply is left for {asked!r}; add one to the script")
        return Reply(reply) if isinstance(reply, str) else reply

    return in_turn


def by_role(routes: Mapping[str, Script], default: Script = ()) -> Callable[[Body], Reply]:
    """Route each request to the first script whose key stands in its system message, in any case.

    `default` serves requests that match no key; without one they get an error 400.
    """
    scripts = {key.lower(): as_script(script) for key, script in routes.items()}
    fallback = as_script(default)

    def route(body: Body) -> Reply:
        said = [m for m in body.get("messages", ()) if m.get("role") in ("system", "developer")]
        system = "\n".join(map(text_of, said)).lower()
        return next((scripts[key] for key in scripts if key in system), fallback)(body)

    return route


def load_script(path: Path, repeat: bool = False) -> Script:
    """Read a script from JSON: a list of replies, or an object from role to reply or replies.

    A reply is a string or an object of `Reply`'s fields. `repeat` starts each list over at its end.
    """

    def replies(entry: Any) -> Script:
        if isinstance(entry, list):
            turns = [Reply(**one) if isinstance(one, dict) else Reply(one) for one in entry]
            return cycle(turns) if repeat else turns
        return Reply(**entry) if isinstance(entry, dict) else Reply(entry)

    script = json.loads(path.read_text("utf-8"))
    if isinstance(script, list):
        return replies(script)
    return by_role({role: replies(entry) for role, entry in script.items()})


def calls_of(reply: Reply) -> list[dict[str, Any]]:
    """The reply's tool calls as the protocol writes them, each with an id of its own."""
    return [
        {
            "id": f"call_{secrets.token_hex(6)}",
            "type": "function",
            "function": {
                "name": name,
                "arguments": arguments if isinstance(arguments, str) else _json(arguments).decode(),
            },
        }
        for name, arguments in reply.tool_calls
    ]


def deltas(reply: Reply) -> Iterator[dict[str, Any] | None]:
    """The reply as one delta a token; `None` stands where its fault strikes."""
    left = reply.cut_after if reply.cut_after is not None else reply.stall_after
    for head, wrap, text in _parts(reply):
        if head:
            yield head
        if left is not None and left < len(text):
            yield from map(wrap, tokens(text[:left], reply.piece))
            yield None
            text, left = text[left:], None
        elif left is not None:
            left -= len(text)
        yield from map(wrap, tokens(text, reply.piece))
    if left is not None:
        yield None


Part = tuple[dict[str, Any] | None, Callable[[str], dict[str, Any]], str]


def _parts(reply: Reply) -> Iterator[Part]:
    yield None, lambda token: {"reasoning_content": token}, reply.reasoning
    yield None, lambda token: {"content": token}, reply.text
    yield None, lambda token: {"refusal": token}, reply.refusal
    for index, call in enumerate(calls_of(reply)):
        named = call | {"function": {"name": call["function"]["name"], "arguments": ""}}
        yield {"tool_calls": [{"index": index} | named]}, partial(_more, index), _arguments(call)


def _more(index: int, token: str) -> dict[str, Any]:
    return {"tool_calls": [{"index": index, "function": {"arguments": token}}]}


def _arguments(call: dict[str, Any]) -> str:
    return str(call["function"]["arguments"])


def usage_of(reply: Reply, body: Body) -> dict[str, Any]:
    """The reply's usage; if it gives none, a token for every four characters begun."""
    if reply.usage is not None:
        return dict(reply.usage)
    written = len(reply.reasoning) + len(reply.text) + len(reply.refusal)
    written += sum(len(_arguments(call)) for call in calls_of(reply))
    read = sum(len(text_of(message)) for message in body.get("messages", ()))
    came, went = (-(-characters // CHARACTERS_PER_TOKEN) for characters in (read, written))
    return {"prompt_tokens": came, "completion_tokens": went, "total_tokens": came + went}


class Frame(NamedTuple):
    """Bytes to write `due` seconds after the request arrived; none of them means the fault."""

    due: float
    data: bytes | None


def stream(reply: Reply, body: Body, first_token: float, rate: float) -> Iterator[Frame]:
    """The frames of a reply streamed as server-sent events, after the response's head."""
    head = _completion_head(body) | {"object": "chat.completion.chunk"}
    role: dict[str, Any] = {"role": "assistant"}
    due = first_token
    written = 0
    for delta in deltas(reply):
        if delta is None:
            yield Frame(due, None)
            continue
        due = first_token + written / rate
        choice = {"index": 0, "delta": role | delta, "finish_reason": None}
        yield Frame(due, _event(head | {"choices": [choice]}, reply.bytewise))
        role = {}
        written += 1
    if not reply.ends:
        yield Frame(due, b"0\r\n\r\n")
        return
    last = {"index": 0, "delta": role, "finish_reason": _finish_reason(reply)}
    tail = _event(head | {"choices": [last]})
    if (body.get("stream_options") or {}).get("include_usage"):
        tail += _event(head | {"choices": [], "usage": usage_of(reply, body)})
    yield Frame(due, tail + _chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n")


def whole(reply: Reply, body: Body, first_token: float, rate: float) -> Iterator[Frame]:
    """The frames of a reply sent in one response, when its last token would have been streamed."""
    written = sum(delta is not None for delta in deltas(reply))
    due = first_token + max(written - 1, 0) / rate
    message: dict[str, Any] = {"role": "assistant", "content": reply.text or None}
    message["refusal"] = reply.refusal or None
    if reply.reasoning:
        message["reasoning_content"] = reply.reasoning
    if reply.tool_calls:
        message["tool_calls"] = calls_of(reply)
    choice = {"index": 0, "message": message, "finish_reason": _finish_reason(reply)}
    payload = _completion_head(body) | {"object": "chat.completion", "choices": [choice]}
    data = response(200, payload | {"usage": usage_of(reply, body)})
    fault = reply.cut_after if reply.cut_after is not None else reply.stall_after
    if fault is not None:
        # Never the last byte, or the client would have its reply and notice nothing.
        reached = min(data.index(b"\r\n\r\n") + 4 + fault, len(data) - 1)
        yield Frame(due, data[:reached])
        yield Frame(due, None)
        data = data[reached:]
    yield Frame(due, data)


def response(status: int, payload: Mapping[str, Any], headers: str = "") -> bytes:
    """A whole HTTP response with a JSON body; `headers` are further lines, each with its end."""
    data = _json(payload)
    head = f"HTTP/1.1 {status} {responses.get(status, '')}\r\ncontent-type: application/json\r\n"
    return f"{head}content-length: {len(data)}\r\n{headers}\r\n".encode() + data


def verbatim(reply: Reply) -> bytes:
    """A whole HTTP response whose body is the reply's `body`."""
    data = (reply.body or "").encode()
    head = f"HTTP/1.1 {reply.status} {responses.get(reply.status, '')}\r\n"
    head += f"content-type: {reply.content_type}\r\ncontent-length: {len(data)}\r\n"
    if reply.retry_after is not None:
        head += f"retry-after: {reply.retry_after:g}\r\n"
    return f"{head}\r\n".encode() + data


def error(status: int, message: str, retry_after: float | None = None) -> bytes:
    """An error response in OpenAI's shape."""
    headers = "" if retry_after is None else f"retry-after: {retry_after:g}\r\n"
    kind = responses.get(status, "scripted").lower().replace(" ", "_")
    payload = {"message": message, "type": kind, "param": None, "code": kind}
    return response(status, {"error": payload}, headers)


def _completion_head(body: Body) -> dict[str, Any]:
    name, created = f"chatcmpl-{secrets.token_hex(6)}", int(time.time())
    return {"id": name, "created": created, "model": body.get("model", "")}


def _finish_reason(reply: Reply) -> str:
    return reply.finish_reason or ("tool_calls" if reply.tool_calls else "stop")


def _json(value: Any) -> bytes:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.encode(errors="backslashreplace")


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _event(payload: Mapping[str, Any], bytewise: bool = False) -> bytes:
    data = b"data: " + _json(payload) + b"\n\n"
    return b"".join(_chunk(data[i : i + 1]) for i in range(len(data))) if bytewise else _chunk(data)


STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n"
    b"cache-control: no-cache\r\ntransfer-encoding: chunked\r\n\r\n"
)


class _Connection(asyncio.Protocol):
    """One client's connection: takes one request at a time and writes its reply on schedule."""

    def __init__(self, server: "ModelServer") -> None:
        self._server = server
        self._loop = asyncio.get_running_loop()
        self._buffer = bytearray()
        self._request: Request | None = None
        self._frames: Iterator[Frame] = iter(())
        self._next: Frame | None = None
        self._cut = False
        self._start = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._paused = False
        self._stalled = False
        self.gone: asyncio.Future[None] = self._loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._server.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._end("left")
        self._server.connections.discard(self)
        self.gone.set_result(None)

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        self._write_what_is_due()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self._request is None:
            self._take_request()

    def close(self) -> None:
        """Close at once, whatever is under way."""
        self._end("stopped")
        self._transport.abort()

    def resume(self) -> None:
        """Go on with a stalled reply; its rest is overdue, so it comes at once."""
        if self._stalled:
            self._stalled = False
            self._next = next(self._frames)
            self._write_what_is_due()

    def _take_request(self) -> None:
        """Answer the first request in the buffer, if it is there whole."""
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        first, *lines = self._buffer[:end].decode("latin-1").split("\r\n")
        pairs = (line.partition(":") for line in lines)
        headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
        size = end + 4 + int(headers.get("content-length", 0))
        if len(self._buffer) < size:
            return
        data = bytes(self._buffer[end + 4 : size])
        del self._buffer[:size]
        method, path, _ = first.split(" ")
        if (method, path) == ("GET", "/requests"):
            recorded = [request.to_json() for request in self._server.requests]
            self._transport.write(response(200, {"requests": recorded}))
            return
        self._start = self._loop.time()
        shown = {k: "***" if any(s in k for s in SECRET_HEADERS) else v for k, v in headers.items()}
        self._request = Request(path, shown, json.loads(data or b"{}"))
        self._server.requests.append(self._request)
        self._frames = self._answer(method, path, self._request.body)
        self._next = next(self._frames, None)
        self._write_what_is_due()

    def _answer(self, method: str, path: str, body: Body) -> Iterator[Frame]:
        if self._server.loading:
            return iter([Frame(0, error(503, "loading"))])
        if (method, path) == ("GET", "/v1/models"):
            return iter([Frame(0, response(200, self._server.models()))])
        if (method, path) != ("POST", "/v1/chat/completions"):
            return iter([Frame(0, error(404, f"no route {method} {path}"))])
        reply = self._server.script(body)
        if reply.body is not None:
            return iter([Frame(0, verbatim(reply))])
        self._cut = reply.cut_after is not None or not reply.status
        if not reply.status:
            return iter([Frame(0, None)])
        if reply.status != 200:
            message = reply.text or f"scripted {reply.status}"
            return iter([Frame(0, error(reply.status, message, reply.retry_after))])
        first_token = self._server.first_token if reply.first_token is None else reply.first_token
        rate = self._server.rate if reply.rate is None else reply.rate
        if body.get("stream"):
            self._transport.write(STREAM_HEAD)
            return stream(reply, body, first_token, rate)
        return whole(reply, body, first_token, rate)

    def _write_what_is_due(self) -> None:
        """Write the frames whose time has come; then wait for the next, strike or end."""
        request = self._request
        if request is None or self._paused:
            return
        now = self._loop.time() - self._start
        batch: list[bytes] = []
        while (frame := self._next) and frame.data is not None and frame.due <= now:
            if len(batch) == TOKENS_PER_WRITE:
                break
            batch.append(frame.data)
            self._next = next(self._frames, None)
        if batch:
            request.sent += [time.perf_counter()] * len(batch)
            self._transport.write(b"".join(batch))
        if frame is None:
            self._end("sent")
            if request.headers.get("connection") == "close":
                self._transport.close()
            self._take_request()
        elif frame.data is not None or frame.due > now:
            self._timer = self._loop.call_at(self._start + frame.due, self._write_what_is_due)
        elif self._cut:
            self._end("cut")
            self._transport.close()
        else:
            self._stalled = True

    def _end(self, ending: Ending) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._request is not None:
            self._request.ended.set_result(ending)
            self._request = self._next = None
            self._stalled = False


class ModelServer:
    """Serves a script on a free port of 127.0.0.1.

    `async with` serves on the running loop, `with` on a thread that has its own loop. `first_token`
    is in seconds, `rate` in tokens a second, `None` for all at once. `requests` are all requests in
    the order of their arrival. A callable script runs on the server's loop and must not block.
    While `loading` is set all is answered with an error 503, as llama.cpp does before it is ready.
    """

    def __init__(
        self,
        script: Script,
        *,
        first_token: float = 0.3,
        rate: float | None = 50.0,
        port: int = 0,
        models: Sequence[str] = ("scripted",),
        owned_by: str = "tests",
    ) -> None:
        self.script = as_script(script)
        self.first_token = first_token
        self.rate = math.inf if rate is None else rate
        self.requests: list[Request] = []
        self.connections: set[_Connection] = set()
        self.base_url = ""
        self.loading = False
        self._port = port
        self._models = tuple(models)
        self._owned_by = owned_by

    def models(self) -> dict[str, Any]:
        """The payload of `/v1/models`."""
        shared = {"object": "model", "created": 0, "owned_by": self._owned_by}
        return {"object": "list", "data": [{"id": name} | shared for name in self._models]}

    def resume(self) -> None:
        """Let every reply that is stalled now go on, its rest at once; callable from any thread."""
        for connection in list(self.connections):
            self._loop.call_soon_threadsafe(connection.resume)

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._listener = await self._loop.create_server(
            lambda: _Connection(self), "127.0.0.1", self._port
        )
        port = self._listener.sockets[0].getsockname()[1]
        self.base_url = f"http://127.0.0.1:{port}/v1"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._listener.close()
        open_ones = list(self.connections)
        for connection in open_ones:
            connection.close()
        # Each future settles when its socket is closed, so nothing outlives the server.
        await asyncio.gather(*(connection.gone for connection in open_ones))

    def __enter__(self) -> Self:
        loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=loop.run_forever, name="model-server", daemon=True)
        self._thread.start()
        return asyncio.run_coroutine_threadsafe(self.__aenter__(), loop).result()

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self.__aexit__(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def serve(server: ModelServer) -> None:
    """Print the server's base URL and serve until cancelled."""
    async with server:
        print(server.base_url, flush=True)
        await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser(description="Serve a scripted model; print its base URL.")
    parser.add_argument("--script", type=Path, required=True, help="JSON file of replies")
    parser.add_argument("--repeat", action="store_true", help="start each list over at its end")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--first-token", type=float, default=0.3, help="seconds")
    parser.add_argument("--rate", type=float, default=50.0, help="tokens a second; inf: at once")
    parser.add_argument("--owned-by", default="tests", help="the owner that /v1/models names")
    args = parser.parse_args()
    server = ModelServer(
        load_script(args.script, args.repeat),
        first_token=args.first_token,
        rate=args.rate,
        port=args.port,
        owned_by=args.owned_by,
    )
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(server))


if __name__ == "__main__":
    main()
