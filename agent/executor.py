"""Runs one call: in the loop or in a thread, with its timeout, retries and errors.

Retried are errors that may pass: connections, timeouts, 408, 425, 429 and 5xx, with backoff and a
server's Retry-After (tenacity). Everything else is a failure at once.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from langchain_core.messages import ToolMessage
from langchain_core.runnables import RunnableConfig
from langgraph.errors import GraphBubbleUp
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    stop_after_attempt,
    wait_exponential_jitter,
)

from agent.data import as_data
from agent.errors import ToolError, may_pass, one_line, retry_after
from agent.facts import Launch, Returned
from agent.threads import Threads
from agent.toolbox import Tool, Toolbox

Wait = Callable[[RetryCallState], float]


def backoff(state: RetryCallState) -> float:
    """Seconds until the next attempt: about 0.5, 1, 2, … up to 8, or what the server asks for."""
    error = state.outcome.exception() if state.outcome else None
    asked = retry_after(error) if error else None
    return _exponential(state) if asked is None else asked


_exponential = wait_exponential_jitter(multiplier=0.5, max=8.0, jitter=0.25)


@dataclass(frozen=True)
class Executor:
    """Runs the calls of a run."""

    tools: Toolbox
    threads: Threads
    timeout: float
    """Seconds per attempt; a tool's `metadata={"timeout": …}` beats it."""
    retries: int
    """Attempts after the first; none for a destructive tool."""
    wait: Wait = backoff

    async def run(
        self,
        launch: Launch,
        config: RunnableConfig,
        before_destructive: Callable[[Launch], Awaitable[None]] | None = None,
    ) -> Returned:
        """Run a launched call to its end. Control flow and cancellation pass; errors do not."""
        tool = self.tools[launch.tool]
        started_at = time.time()
        attempts = 0

        async def attempt() -> Any:
            nonlocal attempts
            attempts += 1
            return as_data(_unwrapped(await self._attempt(tool, launch.args, config)))

        value, error = None, None
        try:
            if before_destructive is not None and tool.destructive:
                await before_destructive(launch)
            value = await self._tried(attempt, self.retries if tool.retried else 0)
        except GraphBubbleUp:
            raise
        # The one place where any error of a tool becomes an outcome.
        except (Exception, SystemExit) as raised:
            error = one_line(raised)
        return Returned(launch.call, value, error, started_at, time.time(), attempts)

    async def _tried(self, attempt: Callable[[], Awaitable[Any]], retries: int) -> Any:
        try:
            return await attempt()
        except Exception as error:
            if not retries or not may_pass(error):
                raise
            failed: list[Exception] = [error]

        async def again() -> Any:
            # tenacity costs as much as a quick call, so it comes in with the first failure.
            if failed:
                raise failed.pop()
            return await attempt()

        retrying = AsyncRetrying(
            retry=retry_if_exception(may_pass),
            stop=stop_after_attempt(1 + retries),
            wait=self.wait,
            reraise=True,
        )
        return await retrying(again)

    async def _attempt(self, tool: Tool, args: Mapping[str, Any], config: RunnableConfig) -> Any:
        seconds = float(tool.hints.get("timeout", self.timeout))
        try:
            async with asyncio.timeout(seconds) as clock:
                if tool.is_async:
                    return await tool.call(args, config)
                return await self.threads.run(lambda: tool.call(args, config))
        except TimeoutError:
            if not clock.expired():
                raise
            why = f"no result within {seconds:g} s (tool_timeout)"
            # The thread of a sync tool runs on: a second attempt would run beside it.
            raise TimeoutError(why) if tool.is_async else ToolError(why) from None


def _unwrapped(result: Any) -> Any:
    if isinstance(result, ToolMessage) and result.status == "error":
        raise ToolError(str(result.content))
    return result
