"""The executor: one call with its timeout, its retries and its errors."""

import asyncio
import contextvars
import io
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any, ClassVar

import httpx
import pytest
from langchain_core.messages import ToolMessage
from langchain_core.tools import StructuredTool, ToolException
from langgraph.errors import GraphInterrupt
from tenacity import RetryCallState, wait_none

from llm_compiler.errors import ToolError
from llm_compiler.execution.executor import Executor
from llm_compiler.execution.tool_threads import Threads
from llm_compiler.language.toolbox.toolbox import Toolbox
from llm_compiler.retries import backoff
from llm_compiler.scheduling.facts import Returned
from llm_compiler.scheduling.orders import Launch
from tests.support.loopback import LoopbackServer

WHO = contextvars.ContextVar("who", default="nobody")


def executor(
    threads: Threads,
    function: Callable[..., Any],
    *,
    timeout: float = 30,
    retries: int = 2,
    wait: Any = None,
    **hints: Any,
) -> Executor:
    is_async = asyncio.iscoroutinefunction(function)
    made = StructuredTool.from_function(
        func=None if is_async else function,
        coroutine=function if is_async else None,
        name="it",
        description="A tool.",
        metadata=hints.get("metadata", hints),
    )
    return Executor(Toolbox.of([made]), threads, timeout, retries, wait or wait_none())


async def run(machine: Executor, before: Any = None, **args: Any) -> Returned:
    return await machine.run(Launch(7, 3, "it", args), {}, before)


# ── results ───────────────────────────────────────────────────────────────────────────────────


async def test_result_of_an_async_tool(threads: Threads) -> None:
    async def it(a: int) -> tuple[int, ...]:
        return a, a + 1

    returned = await run(executor(threads, it), a=1)
    assert (returned.call, returned.value, returned.error, returned.attempts) == (
        7,
        [1, 2],
        None,
        1,
    )
    assert returned.started_at is not None
    assert returned.ended_at is not None
    assert returned.started_at <= returned.ended_at


async def test_sync_tool_runs_in_a_daemon_thread_with_the_context(threads: Threads) -> None:
    def it() -> list[Any]:
        thread = threading.current_thread()
        return [thread.daemon, thread is threading.main_thread(), WHO.get()]

    WHO.set("the caller")
    assert (await run(executor(threads, it))).value == [True, False, "the caller"]


async def test_more_sync_tools_run_at_once_than_the_default_pool_has_threads(
    threads: Threads,
) -> None:
    barrier = threading.Barrier(40)

    def it() -> int:
        return barrier.wait()

    machine = executor(threads, it)
    returned = await asyncio.gather(*(run(machine) for _ in range(40)))
    assert sorted(one.value for one in returned) == list(range(40))


# ── errors ────────────────────────────────────────────────────────────────────────────────────


class Unprintable(Exception):  # noqa: N818
    pass


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("no\nsuch city"), "ValueError: no such city"),
        (ToolException("no such city"), "no such city"),
        (ToolError("no such city"), "no such city"),
        (Unprintable(), "Unprintable"),
        (SystemExit(3), "SystemExit: 3"),
        (AssertionError("key sk-abcdefgh12345"), "AssertionError: key ***"),
        (RecursionError("deep"), "RecursionError: deep"),
    ],
    ids=repr,
)
@pytest.mark.parametrize("is_async", [False, True])
async def test_any_error_is_a_failure_in_one_line(
    threads: Threads, error: BaseException, line: str, is_async: bool
) -> None:
    def it() -> None:
        raise error

    async def it_async() -> None:
        raise error

    returned = await run(executor(threads, it_async if is_async else it))
    assert (returned.error, returned.value, returned.attempts) == (line, None, 1)


async def test_error_message_of_langchain_is_a_failure(threads: Threads) -> None:
    async def it() -> ToolMessage:
        return ToolMessage("no such city", tool_call_id="1", status="error")

    assert (await run(executor(threads, it))).error == "no such city"


@pytest.mark.parametrize(
    "value", [object(), io.BytesIO(), {"a": {1: object()}}], ids=["object", "file", "nested"]
)
async def test_result_that_json_cannot_express_is_a_failure(threads: Threads, value: Any) -> None:
    async def it() -> Any:
        return value

    returned = await run(executor(threads, it))
    assert returned.error is not None
    assert returned.error.startswith("it returned a")


async def test_result_that_contains_itself_is_a_failure(threads: Threads) -> None:
    async def it() -> Any:
        value: list[Any] = []
        value.append(value)
        return value

    error = (await run(executor(threads, it))).error
    assert error == "it returned data nested more than 100 levels deep; return flatter data"


async def test_control_flow_of_langgraph_passes(threads: Threads) -> None:
    async def it() -> None:
        raise GraphInterrupt

    with pytest.raises(GraphInterrupt):
        await run(executor(threads, it))


# ── timeouts and cancellation ─────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("is_async", [False, True])
async def test_timeout_is_per_attempt(threads: Threads, is_async: bool) -> None:
    go = threading.Event()

    def it() -> None:
        go.wait()

    async def it_async() -> None:
        await asyncio.Event().wait()

    machine = executor(threads, it_async if is_async else it, timeout=0.02)
    returned = await run(machine)
    go.set()
    assert returned.error is not None
    assert returned.error.endswith("no result within 0.02 s (tool_timeout)")
    # The thread of a sync tool runs on, and a second attempt would run beside it.
    assert returned.attempts == (3 if is_async else 1)


async def test_timeout_of_the_tool_overrides_that_of_the_run(threads: Threads) -> None:
    async def it() -> None:
        await asyncio.Event().wait()

    machine = executor(threads, it, timeout=30, retries=0, metadata={"timeout": 0.01})
    assert (await run(machine)).error == "TimeoutError: no result within 0.01 s (tool_timeout)"


async def test_cancel_stops_an_async_tool_and_drops_the_result_of_a_thread(
    threads: Threads,
) -> None:
    begun, go = threading.Event(), threading.Event()
    stopped: list[str] = []

    def it() -> str:
        begun.set()
        go.wait()
        stopped.append("thread")
        return "too late"

    async def it_async() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            stopped.append("async")

    calls = [asyncio.create_task(run(executor(threads, tool))) for tool in (it, it_async)]
    await asyncio.to_thread(begun.wait)
    for call in calls:
        call.cancel()
    ended = await asyncio.gather(*calls, return_exceptions=True)
    assert all(isinstance(one, asyncio.CancelledError) for one in ended)
    assert stopped == ["async"]
    go.set()


# ── retries ───────────────────────────────────────────────────────────────────────────────────


class Server(LoopbackServer):
    """Answers with the statuses given, then with 200. A `Retry-After` goes with each 429."""

    daemon_threads = True
    statuses: ClassVar[list[int]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            statuses = Server.statuses
            status = statuses.pop(0) if statuses else 200
            self.send_response(status)
            if status == 429:
                self.send_header("Retry-After", "7")
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"hi")

        def log_message(self, *_: Any) -> None:
            """Say nothing."""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    server = Server(("127.0.0.1", 0), Server.Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/?api_key=abcdefgh"
    server.shutdown()
    server.server_close()
    thread.join()


async def fetch(url: str) -> str:
    """Fetch a page."""
    async with httpx.AsyncClient(trust_env=False) as client:
        return (await client.get(url)).raise_for_status().text


def fetch_in_thread(url: str) -> str:
    """Fetch a page."""
    return httpx.get(url, trust_env=False).raise_for_status().text


@pytest.mark.parametrize("function", [fetch, fetch_in_thread])
@pytest.mark.parametrize("statuses", [[500], [429], [503, 502]], ids=repr)
async def test_transient_errors_are_retried(
    threads: Threads, url: str, function: Callable[..., Any], statuses: list[int]
) -> None:
    Server.statuses[:] = statuses
    attempts = len(statuses) + 1
    returned = await run(executor(threads, function), url=url)
    assert (returned.value, returned.error, returned.attempts) == ("hi", None, attempts)


async def test_last_error_is_the_outcome_without_the_key_in_its_url(
    threads: Threads, url: str
) -> None:
    Server.statuses[:] = [500, 500, 500]
    returned = await run(executor(threads, fetch), url=url)
    assert returned.attempts == 3
    assert str(returned.error).startswith("HTTPStatusError: Server error '500")
    assert "abcdefgh" not in str(returned.error)


@pytest.mark.parametrize("status", [400, 401, 404])
async def test_other_errors_are_not_retried(threads: Threads, url: str, status: int) -> None:
    Server.statuses[:] = [status]
    returned = await run(executor(threads, fetch), url=url)
    assert returned.attempts == 1
    assert str(status) in str(returned.error)


async def test_unreachable_server_may_come_back(threads: Threads) -> None:
    returned = await run(executor(threads, fetch), url="http://127.0.0.1:1/")
    assert returned.attempts == 3
    assert str(returned.error).startswith("ConnectError")


async def test_destructive_call_is_never_retried(threads: Threads, url: str) -> None:
    Server.statuses[:] = [500]
    returned = await run(executor(threads, fetch, destructiveHint=True), url=url)
    assert (returned.attempts, returned.value) == (1, None)


async def test_without_retries_there_is_one_attempt(threads: Threads, url: str) -> None:
    Server.statuses[:] = [500]
    assert (await run(executor(threads, fetch, retries=0), url=url)).attempts == 1


async def test_server_says_how_long_to_wait(threads: Threads, url: str) -> None:
    waits: list[float] = []

    def wait(state: RetryCallState) -> float:
        waits.append(backoff(state))
        return 0

    Server.statuses[:] = [429, 500]
    returned = await run(executor(threads, fetch, wait=wait), url=url)
    assert returned.value == "hi"
    assert waits[0] == 7.0
    assert 1.0 <= waits[1] <= 1.25


# ── before a destructive call ─────────────────────────────────────────────────────────────────


async def test_destructive_call_waits_for_its_claim(threads: Threads) -> None:
    order: list[str] = []

    async def it() -> None:
        order.append("called")

    async def claim(launch: Launch) -> None:
        order.append(f"claimed {launch.id}")

    await run(executor(threads, it, destructiveHint=True), claim)
    await run(executor(threads, it), claim)
    assert order == ["claimed 3", "called", "called"]


async def test_destructive_call_without_its_claim_does_not_run(threads: Threads) -> None:
    async def it() -> None:
        raise AssertionError

    async def claim(_: Launch) -> None:
        raise ToolError("not run: its claim could not be confirmed")

    returned = await run(executor(threads, it, destructiveHint=True), claim)
    assert returned.error == "not run: its claim could not be confirmed"
    assert returned.attempts == 0


FIRST_EXPRESSION = """
import asyncio, sys, threading
from llm_compiler import build_graph
from llm_compiler.retries import backoff
from llm_compiler.tools.arithmetic import math
from tests.support.scripted import ScriptedModel, until

async def main():
    begun = asyncio.Event()
    planner = ScriptedModel([begun, "math('1.5 + 1')"])
    graph = build_graph([math], planner=planner, joiner=ScriptedModel("Done."))
    assert "numpy" not in sys.modules
    running = asyncio.ensure_future(graph.ainvoke({"messages": [("user", "?")]}))
    await until(lambda: planner.seen)
    threads = [thread for thread in threading.enumerate() if thread.name == "math warm-up"]
    [await asyncio.to_thread(thread.join) for thread in threads]
    assert "numexpr" in sys.modules
    begun.set()
    outcome = (await running)["outcomes"]["1"]
    assert outcome["value"] == 2.5
    print(outcome["ended_at"] - outcome["started_at"])

asyncio.run(main())
"""


def test_the_first_expression_does_not_wait_for_an_import() -> None:
    """It has come while the planner wrote."""
    command = [sys.executable, "-c", FIRST_EXPRESSION]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert float(ran.stdout) < 0.05
