"""The task-fetching unit: carries out the orders of one round's schedule.

One inbox: a planned task, a finished call and a passed deadline all come in as facts through
`tell`, and the resulting orders are carried out before it returns. Nothing polls.
"""

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast

from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import var_child_runnable_config
from langgraph.errors import GraphInterrupt

from llm_compiler.execution.computations import Computations
from llm_compiler.execution.executor import CANCEL_GRACE_SECONDS, Executor
from llm_compiler.execution.tool_interrupts import Asked, Asking
from llm_compiler.langgraph_private import in_call
from llm_compiler.language.tasks.task import Outcome
from llm_compiler.language.tasks.task_ids import TaskId
from llm_compiler.observability.stream_events import Events
from llm_compiler.scheduling.facts import Continued, DeadlinePassed, Fact, Returned
from llm_compiler.scheduling.orders import (
    Added,
    Ask,
    Cancel,
    Compute,
    Continue,
    Fill,
    Gather,
    Launch,
    Loops,
    Settle,
)
from llm_compiler.scheduling.schedule import Schedule


class TaskFetchingUnit:
    """Runs the calls of one round. It belongs to the run: `close` cancels what still runs."""

    def __init__(
        self, schedule: Schedule, executor: Executor, events: Events, config: RunnableConfig
    ) -> None:
        self.schedule = schedule
        self.asking: Ask | None = None
        """The calls that wait for a person's decision."""
        self.closed = False
        self.claim: Callable[[Launch], Awaitable[Outcome | None]] | None = None
        """Awaited before a destructive call begins; one that another run began is not repeated."""
        self.interrupted: dict[int, tuple[TaskId, GraphInterrupt]] = {}
        """By call: the tasks in which a graph interrupted, and with what. They will begin again."""
        self.on_settled: Callable[[Outcome], None] = lambda outcome: None
        """Told of each task that ends in this run."""
        self.on_loop: Callable[[TaskId, int], None] = lambda id, calls: None
        """Told of each loop that makes calls, and how many, before they begin."""
        self._executor = executor
        self._events = events
        self._config = config
        self._context = contextvars.copy_context()
        self._running: dict[int, asyncio.Task[Returned]] = {}
        self._ending: set[asyncio.Task[Returned]] = set()
        self._stopped = asyncio.Event()
        self._idle = asyncio.Event()
        self._caught_up = asyncio.Event()
        self._broken: BaseException | None = None
        self._questions: dict[TaskId, tuple[Launch, Asking, Asked]] = {}
        """The calls that have asked, and have to run again with the answer."""
        self._answers: dict[TaskId, list[Any]] = {}
        self._deadline: asyncio.TimerHandle | None = None
        self._computations = Computations(
            executor.tools, executor.clock, executor.threads, self._hear, self._break
        )

    def tell(self, fact: Fact) -> None:
        """Handle a fact and carry out the resulting orders."""
        if self.closed:
            return
        for order in self.schedule.handle(fact):
            match order:
                case Launch():
                    self._launch(order)
                case Compute() | Fill() | Gather():
                    self._computations.add(order)
                case Loops(id, calls):
                    self.on_loop(id, calls)
                case Added(task, known):
                    if not known:
                        self._events.plan_task(task)
                case Continue(id):
                    asyncio.get_running_loop().call_soon(self._hear, Continued(id))
                case Cancel(call):
                    self._cancel(call)
                case Settle(outcome):
                    self._events.task_finished(outcome)
                    self.on_settled(outcome)
                case Ask():
                    self.asking = order
                    self._stopped.set()
        self._check()

    def adopt(self, config: RunnableConfig, state: Mapping[str, Any]) -> None:
        """Continue in another node: later calls get its state, callbacks, metadata and context."""
        self._executor.around.state = state
        inherited = {"configurable", "tags"}
        own = {key: value for key, value in config.items() if key not in inherited}
        self._config = cast(RunnableConfig, {**self._config, **own})
        self._context = contextvars.copy_context()

    def expire_in(self, seconds: float, deadline: float) -> None:
        """Tell the schedule after `seconds` that the turn's deadline has passed; 0 is at once."""
        if self._deadline is not None:
            self._deadline.cancel()
        if seconds <= 0:
            self._expire(deadline)
        else:
            loop = asyncio.get_running_loop()
            self._deadline = loop.call_later(seconds, self._expire, deadline)

    def answer(self, id: TaskId, answer: Any) -> None:
        """Keep the answer to the next question of a task's call, for when it is run (again)."""
        self._answers.setdefault(id, []).append(answer)

    async def stopped(self) -> Ask | Asked | None:
        """Wait until every task has its outcome, or a person must decide or answer.

        A question is returned when nothing else can run, the one of the first task first. Calls
        that have been answered run again.

        Raises:
            GraphInterrupt: graphs inside tools interrupted, and nothing else can run.
        """
        for call, (launch, asking, question) in list(self._questions.items()):
            if len(self._answers.get(question.task, ())) > len(asking.answers):
                del self._questions[call]
                self._launch(launch)
        while True:
            await self._stopped.wait()
            if self._broken is not None:
                raise self._broken
            if self.schedule.finished:
                return None
            self._stopped.clear()
            if self.asking is not None:
                ask, self.asking = self.asking, None
                return ask
            if self._questions and not self._running:
                return min((it for *_, it in self._questions.values()), key=lambda it: it.task)
            if self.interrupted and not self._running:
                raise GraphInterrupt(
                    [one for _, it in self.interrupted.values() for one in it.args[0]]
                )

    async def idle(self) -> None:
        """Wait until everything has followed that follows from what is known, without any call."""
        while not (self.schedule.idle or self.closed or self._broken):
            self._idle.clear()
            await self._idle.wait()

    async def caught_up(self) -> None:
        """Wait until all that was told is handled: the schedule knows of it.

        Raises:
            BaseException: the round has broken meanwhile.
        """
        while self.schedule.behind and not self.closed:
            self._caught_up.clear()
            await self._caught_up.wait()
            if self._broken is not None:
                raise self._broken

    def fail(self, error: BaseException) -> None:
        """Make the node that waits raise an error now, whatever still runs."""
        self._broken = error
        self._wake()

    async def close(self) -> None:
        """Cancel the calls that still run, and wait until they have ended."""
        self.closed = True
        if self._deadline is not None:
            self._deadline.cancel()
        self._computations.close()
        for call in list(self._running):
            self._cancel(call)
        if ending := self._ending | self._computations.in_threads:
            # A tool that ignores its cancellation is not waited for any longer.
            await asyncio.wait(ending, timeout=CANCEL_GRACE_SECONDS)
        self._wake()

    def _wake(self) -> None:
        """Whatever is waited for, it is not waited for any longer."""
        for waited_for in (self._stopped, self._idle, self._caught_up):
            waited_for.set()

    def _check(self) -> None:
        if not self._idle.is_set() and (self.schedule.idle or self._broken is not None):
            self._idle.set()
        broken, behind = self._broken is not None, self.schedule.behind
        if broken or not behind:
            self._caught_up.set()
        waits = broken or (not behind and (self._questions or self.interrupted))
        if self.schedule.finished or (waits and not self._running):
            self._stopped.set()

    def _expire(self, deadline: float) -> None:
        self._hear(DeadlinePassed(deadline))

    def _launch(self, launch: Launch) -> None:
        if self._broken is not None:
            return
        self._events.task_started(launch)
        asking = Asking(tuple(self._answers.get(launch.id, ())))
        name = f"{launch.id} {launch.tool}"
        config: RunnableConfig = {**self._config, "run_name": name}
        task = asyncio.get_running_loop().create_task(
            self._run(launch, asking, config), name=name, context=self._context.copy()
        )
        self._running[launch.call] = task
        task.add_done_callback(lambda task: self._returned(launch, asking, task))

    async def _run(self, launch: Launch, asking: Asking, config: RunnableConfig) -> Returned:
        if self._executor.can_ask:  # else no answer ever comes
            place = await self._executor.place(launch)
            config = in_call(asking.into(config), *place)
            if (around := var_child_runnable_config.get()) is not None:
                var_child_runnable_config.set(in_call(asking.into(around), *place))
        return await self._executor.run(launch, config, self.claim, self._give_up)

    def _returned(self, launch: Launch, asking: Asking, task: "asyncio.Task[Returned]") -> None:
        if self._running.pop(launch.call, None) is None:
            return  # cancelled by us
        if task.cancelled():
            self._hear(Returned(launch.call, error="the call cancelled itself"))
        elif (error := task.exception()) is None:
            self._hear(task.result())
        elif (asked := asking.question(error)) is not None:
            question = Asked(asked.value, asked.response_schema, task=launch.id)
            self._questions[launch.call] = launch, asking, question
            self._check()
        elif isinstance(error, GraphInterrupt):
            self.interrupted[launch.call] = launch.id, error
            self._check()
        else:
            self._break(error)

    def _cancel(self, call: int) -> None:
        self._questions.pop(call, None)
        self.interrupted.pop(call, None)
        if (task := self._running.pop(call, None)) is not None:
            task.cancel()
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)

    def _give_up(self, returned: Returned) -> None:
        """Abandon a call that does not end though its time is up."""
        self._cancel(returned.call)
        self._hear(returned)

    def _hear(self, fact: Fact) -> None:
        """`tell` for callbacks of the loop, whose errors would otherwise be lost."""
        try:
            self.tell(fact)
        except Exception as error:
            self._break(error)

    def _break(self, error: BaseException) -> None:
        """Control flow of LangGraph, or an internal error: the waiting node raises it.

        Running calls continue to their end, so that they are journaled; nothing more starts.
        """
        self._broken = self._broken or error
        self._check()
