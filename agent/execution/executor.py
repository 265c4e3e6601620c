"""Runs one call: in the loop or in a thread, with its timeout, retries and errors.

Transient errors (connections, timeouts, 408, 425, 429 and 5xx) are retried by tenacity, after a
backoff or a server's Retry-After. Any other error fails the call at once.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from langchain_core.runnables import RunnableConfig
from langgraph.errors import GraphBubbleUp, GraphInterrupt, ParentCommand
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt

from llm_compiler.clock import SYSTEM_CLOCK, Clock
from llm_compiler.errors import ToolError
from llm_compiler.execution.injected import Surroundings, ToolCall
from llm_compiler.execution.time_limit import TimeLimit
from llm_compiler.execution.tool_call import CallableTool
from llm_compiler.execution.tool_result import Result
from llm_compiler.execution.tool_threads import LoopWork, Threads
from llm_compiler.language.tasks.task import Outcome
from llm_compiler.language.toolbox.fingerprints import fingerprint
from llm_compiler.language.toolbox.tool import Tool
from llm_compiler.language.toolbox.toolbox import Toolbox
from llm_compiler.observability import spans
from llm_compiler.redaction import one_line
from llm_compiler.retries import backoff, is_transient
from llm_compiler.round_messages import call_id
from llm_compiler.scheduling.facts import Returned
from llm_compiler.scheduling.orders import Launch
from llm_compiler.tools import arithmetic

Wait = Callable[[RetryCallState], float]
CANCEL_GRACE_SECONDS = 1.0
"""The time that a cancelled call has to end."""
_NOBODY_TO_ASK = "asking a person requires a checkpointer; compile the graph with one"
_NO_HANDOFF = "a graph inside it handed off to its parent; hand off with a tool of this graph's own"


def warm_up(tools: Toolbox) -> None:
    """If `math` is offered, import what it needs in a thread, before its first call."""
    if (offered := tools.get("math")) is not None and offered.base is arithmetic.math:
        arithmetic.warm_up()


@dataclass(frozen=True)
class Executor:
    """Runs the calls of a run."""

    tools: Toolbox
    threads: Threads
    timeout: float
    """Seconds per attempt; a tool's `metadata={"timeout": …}` overrides it."""
    retries: int
    """Attempts after the first; none for a destructive tool."""
    wait: Wait = backoff
    can_ask: bool = True
    """Whether the run can be resumed after a tool interrupts it."""
    clock: Clock = SYSTEM_CLOCK
    around: Surroundings = field(default_factory=Surroundings)
    """What tools may be given of the run."""
    _callables: dict[str, CallableTool] = field(default_factory=dict, init=False)
    """The tools that have been called, by name."""

    async def place(self, launch: Launch) -> tuple[str, str]:
        """The tool of a call, and what sets the call apart from all others, over all resumes."""
        args = await self.threads.where_it_fits(launch.args, lambda: fingerprint(launch.args))
        return launch.tool, f"{call_id(self.around.mark, launch.id)} {args}"

    async def run(
        self,
        launch: Launch,
        config: RunnableConfig,
        claim: Callable[[Launch], Awaitable[Outcome | None]] | None = None,
        give_up: Callable[[Returned], None] | None = None,
    ) -> Returned:
        """Run a launched call to its end.

        Control flow and cancellation are raised; all other errors are returned.

        Args:
            launch: The call.
            config: The config for its tool.
            claim: Awaited before a destructive call starts. If another run has started it, the
                call does not start, and the outcome that `claim` returns is its outcome.
            give_up: Called with the outcome if the call does not end after its timeout, because
                its tool ignores the cancellation. The caller abandons the call.
        """
        tool = self.tools[launch.tool]
        started_at = self.clock.now()
        attempts = 0

        def overdue(error: Exception) -> None:
            if give_up is not None:
                line = one_line(error)
                observed.failed(error, line)
                give_up(Returned(launch.call, None, line, started_at, self.clock.now(), attempts))

        async def attempt() -> Result:
            nonlocal attempts
            running = asyncio.current_task() if attempts else None
            if running is not None and running.cancelling():
                raise ToolError("it was cancelled")  # and its tool turned that into an error
            attempts += 1
            return await self._attempt(tool, launch, config, overdue)

        result, error = Result(None), None
        with spans.ToolCall(launch.id, launch.tool) as observed:
            try:
                destructive = launch.destructive or tool.destructive
                stands = await claim(launch) if claim is not None and destructive else None
                if stands is not None:
                    why = str(stands.error)
                    observed.failed(ToolError(why), why)
                    return Returned.again(launch.call, stands)
                retried = tool.retried and not destructive
                result = await self._tried(attempt, self.retries if retried else 0)
            except GraphBubbleUp as raised:
                if isinstance(raised, ParentCommand):
                    error = _NO_HANDOFF
                elif self.can_ask or not isinstance(raised, GraphInterrupt):
                    observed.status = "stopped"
                    raise
                else:
                    error = _NOBODY_TO_ASK
                observed.failed(raised, error)
            except asyncio.CancelledError:
                raise
            # The only place where any error of a tool becomes an outcome.
            except BaseException as raised:
                if _is_ctrl_c(raised):
                    raise
                error = one_line(raised)
                observed.failed(raised, error)
            observed.ended(attempts)
        when = started_at, self.clock.now()
        beside = result.artifact, result.command
        return Returned(launch.call, result.value, error, *when, attempts, *beside)

    async def _tried(self, attempt: Callable[[], Awaitable[Result]], retries: int) -> Result:
        try:
            return await attempt()
        except Exception as error:
            if not retries or not is_transient(error):
                raise
            failed: list[Exception] = [error]

        async def again() -> Result:
            # tenacity takes as long as a quick call, so it is used only after the first failure.
            if failed:
                raise failed.pop()
            return await attempt()

        retrying = AsyncRetrying(
            retry=retry_if_exception(is_transient),
            stop=stop_after_attempt(1 + retries),
            wait=self.wait,
            reraise=True,
        )
        return await retrying(again)

    async def _attempt(
        self,
        tool: Tool,
        launch: Launch,
        config: RunnableConfig,
        overdue: Callable[[Exception], None],
    ) -> Result:
        if tool.name not in self._callables:
            self._callables[tool.name] = CallableTool(tool)
        called = self._callables[tool.name]
        id = call_id(self.around.mark, launch.id)
        call = ToolCall(id, tool.name, launch.args, config, self.around)
        seconds = float(tool.hints.get("timeout", self.timeout))
        why = f"no result within {seconds:g} s (tool_timeout)"
        limit = TimeLimit(seconds, CANCEL_GRACE_SECONDS, lambda: overdue(TimeoutError(why)))
        try:
            with limit:
                if called.is_async:
                    result: Result = await called.acall(call, self.threads)
                else:
                    with LoopWork() as loop:
                        result = await self.threads.run(lambda: called.call(call, loop))
                return result
        except TimeoutError:
            if not limit.expired:
                raise
            # The thread of a sync tool keeps running: a second attempt would run at the same time.
            raise TimeoutError(why) if called.is_async else ToolError(why) from None


def _is_ctrl_c(error: BaseException) -> bool:
    """Whether a person has pressed Ctrl-C: Python raises that in the main thread alone."""
    is_main = threading.current_thread() is threading.main_thread()
    return is_main and isinstance(error, KeyboardInterrupt)
