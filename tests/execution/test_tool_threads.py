"""Threads for sync tools: daemons, reused, with the caller's context."""

import asyncio
import contextvars
import threading

import pytest

from llm_compiler.execution.tool_threads import Threads

WHO = contextvars.ContextVar("who", default="nobody")


async def test_function_runs_in_a_daemon_thread_of_ours(threads: Threads) -> None:
    thread = await threads.run(threading.current_thread)
    assert thread.daemon
    assert thread.name == "llm-compiler tool"
    assert thread is not threading.current_thread()


async def test_threads_are_reused(threads: Threads) -> None:
    first = await threads.run(threading.get_ident)
    assert await threads.run(threading.get_ident) == first


async def test_many_run_at_once(threads: Threads) -> None:
    barrier = threading.Barrier(20)
    await asyncio.gather(*(threads.run(barrier.wait) for _ in range(20)))


async def test_function_sees_the_context_of_its_caller_and_changes_only_a_copy(
    threads: Threads,
) -> None:
    def change() -> str:
        seen = WHO.get()
        WHO.set("the tool")
        return seen

    WHO.set("the caller")
    assert await threads.run(change) == "the caller"
    assert WHO.get() == "the caller"


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit(3), KeyError("x")], ids=repr)
async def test_error_is_raised_where_it_is_awaited(threads: Threads, error: BaseException) -> None:
    def fail() -> None:
        raise error

    with pytest.raises(type(error)) as raised:
        await threads.run(fail)
    assert raised.value is error


async def test_stop_iteration_becomes_an_error_that_a_future_can_hold(threads: Threads) -> None:
    with pytest.raises(RuntimeError, match="the tool raised StopIteration"):
        await threads.run(iter([]).__next__)


async def test_result_that_comes_after_a_cancel_is_dropped(threads: Threads) -> None:
    begun, go = threading.Event(), threading.Event()

    def wait() -> str:
        begun.set()
        go.wait()
        return "too late"

    call = asyncio.create_task(threads.run(wait))
    await asyncio.to_thread(begun.wait)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    go.set()
    # The thread is free again, and gives the next caller its own result.
    assert await threads.run(lambda: 1) == 1
    assert await threads.run(lambda: 2) == 2


async def test_closed_threads_end(threads: Threads) -> None:
    thread = await threads.run(threading.current_thread)
    threads.close()
    await asyncio.to_thread(thread.join)
    assert not thread.is_alive()


async def test_busy_thread_ends_when_its_function_returns(threads: Threads) -> None:
    begun, go = threading.Event(), threading.Event()

    def wait() -> threading.Thread:
        begun.set()
        go.wait()
        return threading.current_thread()

    call = asyncio.create_task(threads.run(wait))
    await asyncio.to_thread(begun.wait)
    threads.close()
    go.set()
    thread = await call
    await asyncio.to_thread(thread.join)


def test_thread_whose_loop_was_closed_ends() -> None:
    threads, begun, go = Threads(), threading.Event(), threading.Event()
    found: list[threading.Thread] = []

    def wait() -> None:
        found.append(threading.current_thread())
        begun.set()
        go.wait()

    async def leave() -> asyncio.Task[None]:
        call = asyncio.create_task(threads.run(wait))
        await asyncio.to_thread(begun.wait)
        return call

    assert asyncio.run(leave()).cancelled()
    go.set()
    found[0].join()
