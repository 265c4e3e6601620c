"""Functions that are async, or yield their items, without being `async def`; and what they raise
that is no Exception: one row a case, each run through the whole graph, sync as a script would."""

import asyncio
import functools
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.runnables import RunnableConfig

from llm_compiler import Context, build_graph
from llm_compiler.execution.tool_threads import LoopWork, Threads
from tests.support.scripted import ScriptedModel


def passed_on(function: Callable[..., Any]) -> Callable[..., Any]:
    """Somebody's decorator, which knows nothing of async functions."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return call


@passed_on
async def later(n: int) -> int:
    """Async behind a decorator that is not."""
    await asyncio.sleep(0)
    return n + 1


def counted(n: int) -> Iterator[int]:
    """Yield numbers."""
    yield from range(n)


async def streamed(n: int) -> AsyncIterator[int]:
    """Yield numbers as they come."""
    for i in range(n):
        await asyncio.sleep(0)
        yield i


def listed(n: int, *rest: int, last: int = 9) -> list[int]:
    """Give the numbers back."""
    return [n, *rest, last]


def mapped(n: int) -> Any:
    """Give an iterator."""
    return map(str, range(n))


def outcome(
    tool: Callable[..., Any], plan: str, config: RunnableConfig | None = None
) -> tuple[str, Any]:
    graph = build_graph([tool], planner=ScriptedModel(plan), joiner=ScriptedModel("Done."))
    context = Context(tool_retries=0, max_rounds=1)
    state = graph.invoke({"messages": [("user", "?")]}, config, context=context)
    first = state["outcomes"]["1"]
    return first["status"], first["value"] if first["status"] == "ok" else first["error"]


CALLBACKS: RunnableConfig = {"callbacks": [BaseCallbackHandler()]}


@pytest.mark.parametrize("config", [{}, CALLBACKS], ids=["directly", "with callbacks"])
@pytest.mark.parametrize(
    ("tool", "plan", "value"),
    [
        (later, "later(2)", 3),
        (counted, "counted(2)", [0, 1]),
        (streamed, "streamed(2)", [0, 1]),
        (mapped, "mapped(2)", ["0", "1"]),
        (listed, "listed(1)", [1, 9]),
        (listed, "listed(1, ['2', 3], last=4)", [1, 2, 3, 4]),
    ],
)
def test_what_is_async_or_yields_is_taken(
    tool: Any, plan: str, value: Any, config: RunnableConfig
) -> None:
    assert outcome(tool, plan, config) == ("ok", value)


class Mute(Exception):  # noqa: N818
    def __str__(self) -> str:
        raise RuntimeError("no words")


@pytest.mark.parametrize("is_async", [True, False], ids=["async", "sync"])
@pytest.mark.parametrize(
    ("error", "said"),
    [
        (SystemExit(3), "SystemExit: 3"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
        (GeneratorExit(), "GeneratorExit"),
        (BaseException("odd"), "BaseException: odd"),
        (Mute(), "Mute"),
        (ExceptionGroup("two", [ValueError("a"), KeyError("b")]), "ValueError: a (and 1 more)"),
        (BaseExceptionGroup("one", [KeyboardInterrupt()]), "KeyboardInterrupt"),
    ],
    ids=lambda it: type(it).__name__ if isinstance(it, BaseException) else "",
)
def test_whatever_a_tool_raises_fails_its_call_alone(
    error: BaseException, said: str, is_async: bool
) -> None:
    def fails() -> None:
        """Fail."""
        raise error

    async def fails_async() -> None:
        """Fail."""
        raise error

    tool = fails_async if is_async else fails
    status, found = outcome(tool, f"{tool.__name__}()")
    assert (status, said in found) == ("failed", True)


async def test_what_a_thread_left_to_the_loop_is_cancelled_with_its_call() -> None:
    ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    begun, threads = asyncio.Event(), Threads()

    async def work() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set_result("cancelled")

    with LoopWork() as loop:
        call = asyncio.ensure_future(threads.run(lambda: loop.wait(work())))
        await begun.wait()
        call.cancel()
    assert await ended == "cancelled"
    threads.close()
