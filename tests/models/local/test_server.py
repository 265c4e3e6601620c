"""The embedded model: the real server with the real weights."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from llm_compiler.errors import SetupError
from llm_compiler.models.local.server import LOCAL_SERVER, Endpoint, LocalServer
from llm_compiler.models.local.server_settings import (
    SLOT_TOKENS,
    SLOTS,
    launch_settings,
    library,
)
from llm_compiler.models.local.weights import VARIABLE

pytestmark = pytest.mark.local
ROOT = Path(__file__).parents[3]
PLAN = r'root ::= "search(\"" [a-zA-Z0-9 ]+ "\")\n"'


@pytest.fixture(scope="module")
def served() -> Iterator[Endpoint]:
    yield LOCAL_SERVER.endpoint()
    LOCAL_SERVER.stop()


@pytest.fixture
async def client(served: Endpoint) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"Authorization": f"Bearer {served.api_key}"}
    async with httpx.AsyncClient(
        base_url=served.base_url, headers=headers, timeout=60
    ) as connected:
        yield connected


async def ask(client: httpx.AsyncClient, system: str, text: str, **body: Any) -> dict[str, Any]:
    messages = [{"role": "system", "content": system}, {"role": "user", "content": text}]
    defaults = {"messages": messages, "temperature": 0, "max_tokens": 8, "cache_prompt": True}
    reply = await client.post("/chat/completions", json=defaults | body)
    answer: dict[str, Any] = reply.json()
    return answer


def test_one_server_for_every_caller(served: Endpoint) -> None:
    async def starts() -> list[Endpoint]:
        return await asyncio.gather(*(LOCAL_SERVER.start() for _ in range(8)))

    assert set(asyncio.run(starts())) == {served}
    assert LOCAL_SERVER.endpoint() == served


def test_only_loopback_and_only_with_the_key(served: Endpoint) -> None:
    assert served.base_url.startswith("http://127.0.0.1:")
    assert served.api_key not in repr(served)
    body = {"messages": [{"role": "user", "content": "hi"}]}
    assert httpx.post(f"{served.base_url}/chat/completions", json=body).status_code == 401
    assert httpx.get(served.base_url.removesuffix("/v1") + "/").status_code in (401, 404)


async def test_chat_model_streams_a_plan_under_a_grammar(served: Endpoint) -> None:
    from langchain_openai import ChatOpenAI
    from pydantic import SecretStr

    model = ChatOpenAI(
        model="local",
        base_url=served.base_url,
        api_key=SecretStr(served.api_key),
        temperature=0,
        stream_usage=True,
        extra_body={"grammar": PLAN, "cache_prompt": True},
    )
    chunks = [chunk async for chunk in model.astream("How tall is K2?")]
    text = "".join(str(chunk.content) for chunk in chunks)
    assert text.startswith('search("')
    assert text.endswith('")\n')
    assert len(chunks) > 5
    (usage,) = [chunk.usage_metadata for chunk in chunks if chunk.usage_metadata]
    assert usage["input_tokens"] > 0
    assert usage["output_tokens"] > 5


@pytest.mark.parametrize("grammar", ["root ::= nothing", 'root ::= "a', 'root ::= root "a"'])
async def test_bad_grammar_is_an_error_and_the_server_lives(
    client: httpx.AsyncClient, grammar: str
) -> None:
    answer = await ask(client, "Be brief.", "hi", grammar=grammar)
    assert answer["error"]["code"] == 400
    assert "grammar" in answer["error"]["message"]
    assert "choices" in await ask(client, "Be brief.", "hi", max_tokens=1)


async def test_prompt_too_long_is_an_error(client: httpx.AsyncClient) -> None:
    answer = await ask(client, "Be brief.", "word " * (SLOT_TOKENS + 1))
    assert answer["error"]["code"] == 400
    assert "context size" in answer["error"]["message"]


async def test_two_requests_run_at_once(client: httpx.AsyncClient) -> None:
    order: list[str] = []

    async def run(name: str, tokens: int, begun: asyncio.Event, gate: asyncio.Event) -> None:
        await gate.wait()
        messages = [{"role": "user", "content": f"Count for {name}: 1, 2, 3, 4, 5 and so on."}]
        body = {"messages": messages, "stream": True, "max_tokens": tokens, "ignore_eos": True}
        async with client.stream("POST", "/chat/completions", json=body) as reply:
            async for line in reply.aiter_lines():
                if '"content"' in line:
                    begun.set()
        order.append(name)

    now, long_begun, short_begun = asyncio.Event(), asyncio.Event(), asyncio.Event()
    now.set()
    await asyncio.gather(
        run("long", 30, long_begun, now),
        run("short", 4, short_begun, long_begun),
    )
    assert order == ["short", "long"]


async def test_long_prefix_stays_cached_while_other_prompts_come_between(
    client: httpx.AsyncClient,
) -> None:
    rules = "Plan with tool calls. " + "Rule: never repeat a call that was made before. " * 10
    first = await ask(client, rules, "How tall is K2?", max_tokens=2)
    for number in range(3):
        await ask(client, f"Other work {number}: pick a number.", f"{number} m?", max_tokens=1)
    second = await ask(client, rules, "How old is Rome?", max_tokens=2)
    assert first["timings"]["prompt_n"] > 100
    assert second["timings"]["cache_n"] > 100
    assert second["timings"]["prompt_n"] < 30


async def test_cancelled_stream_frees_its_slot(client: httpx.AsyncClient) -> None:
    async def endless(begun: asyncio.Event) -> None:
        messages = [{"role": "user", "content": "Write a long poem."}]
        body = {"messages": messages, "stream": True, "max_tokens": 4000, "ignore_eos": True}
        async with client.stream("POST", "/chat/completions", json=body) as reply:
            async for line in reply.aiter_lines():
                if '"content"' in line:
                    begun.set()

    for _ in range(SLOTS):
        begun = asyncio.Event()
        running = asyncio.create_task(endless(begun))
        await begun.wait()
        running.cancel()
    # 4000 tokens would take minutes: this answers only because both slots are free again.
    async with asyncio.timeout(20):
        answers = await asyncio.gather(*(ask(client, "Be brief.", f"hi {n}") for n in range(2)))
    assert all("choices" in answer for answer in answers)


async def test_server_that_died_is_started_again_and_stop_stops_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("server", "prompt_cache"):
        monkeypatch.setattr(f"llm_compiler.models.local.{module}.folder", lambda: tmp_path)
    beginning = [{"role": "system", "content": "Be brief. Never repeat a word. " * 5}]
    server = LocalServer()
    first = await server.start()
    await server.read_ahead(beginning)
    process = server._process
    assert process
    process.kill()
    process.wait()
    second = await server.start()
    assert second != first
    await server.read_ahead(beginning)
    headers = {"Authorization": f"Bearer {second.api_key}"}
    async with httpx.AsyncClient(base_url=second.base_url, headers=headers, timeout=60) as client:
        said = {"messages": [*beginning, {"role": "user", "content": "hi"}], "max_tokens": 1}
        reply = await client.post("/chat/completions", json=said)
        # The second has not read what the first has read, but what that has written.
        assert reply.json()["timings"]["cache_n"] > 25
        assert reply.json()["timings"]["prompt_n"] < 15
        server.stop()
        with pytest.raises(httpx.ConnectError):
            await client.get("/health")
    server.stop()


def test_missing_weights_are_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "absent.gguf"))
    with pytest.raises(SetupError, match=r"absent\.gguf"):
        LocalServer().endpoint()


def test_missing_library_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    # None in sys.modules is how Python itself marks a module that cannot be imported.
    monkeypatch.delitem(sys.modules, "xllamacpp", raising=False)
    monkeypatch.setattr(sys, "path", [str(ROOT)])
    with pytest.raises(SetupError, match="run: pip install xllamacpp"):
        LocalServer().endpoint()


def test_model_that_does_not_load_is_reported(tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"not a model")
    server = LocalServer()
    with pytest.raises(SetupError, match=r"broken.gguf did not start .*LLM_COMPILER_LOCAL_LOG"):
        server._start(launch_settings(library(), broken), broken)


GENERATING = """
import os, sys, threading
import httpx
from llm_compiler.models.local.server import LOCAL_SERVER

served = LOCAL_SERVER.endpoint()
begun = threading.Event()

def generate():
    text = "Write a poem." if sys.argv[1] != "prefill" else "many words " * 2000
    body = {"messages": [{"role": "user", "content": text}], "stream": True, "max_tokens": 4000}
    headers = {"Authorization": f"Bearer {served.api_key}"}
    url = f"{served.base_url}/chat/completions"
    try:
        with httpx.stream("POST", url, json=body, headers=headers, timeout=60) as reply:
            begun.set()
            for line in reply.iter_lines():
                pass
    except httpx.HTTPError:
        print("broken off", flush=True)

threading.Thread(target=generate, daemon=True).start()
if sys.argv[1] == "prefill":
    # The reply begins only when the prompt is read, so being connected is all one can wait for.
    begun.wait(0.5)
else:
    begun.wait()
if sys.argv[1] == "fork":
    child = os.fork()
    if child == 0:
        sys.exit(7)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    assert LOCAL_SERVER.endpoint() == served
    assert httpx.get(f"{served.base_url}/health").status_code == 200
try:
    print(LOCAL_SERVER._process.pid, flush=True)
    if sys.argv[1] == "wait":
        threading.Event().wait()
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


def generating(how: str) -> "subprocess.Popen[str]":
    # Under a test runner in the background SIGINT may be ignored, which children inherit.
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", GENERATING, how],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler) and None,
    )


def gone(pid: int) -> bool:
    """Wait until a process that is not ours to wait for has ended; the timeout bounds it."""
    while True:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.01)


@pytest.mark.alone
@pytest.mark.parametrize("how", ["prefill", "fork"])
def test_exit_is_prompt_and_silent_whatever_the_server_does(how: str) -> None:
    with generating(how) as process:
        assert process.stdout
        assert process.stderr
        pid = int(process.stdout.readline())
        begun = time.monotonic()
        assert process.wait() == 0
        assert time.monotonic() - begun < 1
        assert process.stderr.read() == ""
    assert gone(pid)


@pytest.mark.alone
def test_ctrl_c_reaches_python_and_ends_the_server() -> None:
    with generating("wait") as process:
        assert process.stdout
        pid = int(process.stdout.readline())
        process.send_signal(signal.SIGINT)
        begun = time.monotonic()
        assert process.stdout.readline() == "interrupted\n"
        assert process.wait() == 0
        assert time.monotonic() - begun < 1
    assert gone(pid)


def test_server_ends_when_its_parent_is_killed() -> None:
    with generating("wait") as process:
        assert process.stdout
        pid = int(process.stdout.readline())
        process.kill()
    assert gone(pid)
