"""Every rule of scheduling, without I/O: facts go in, orders come out.

`Schedule` tracks one turn. The task-fetching unit feeds it and carries its orders out. In the
manner of dask/distributed's worker state machine: each task has a record, and the life of a task
is drawn and ruled in task_record.py.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from llm_compiler.language.evaluation.references import Room
from llm_compiler.language.tasks.task import EACH, Outcome, Refused, Task, is_pure
from llm_compiler.language.tasks.task_ids import TaskId
from llm_compiler.scheduling import invariants
from llm_compiler.scheduling.asking import Asking
from llm_compiler.scheduling.binding import Binding
from llm_compiler.scheduling.calling import Calling
from llm_compiler.scheduling.computing import Computing
from llm_compiler.scheduling.effects import Effects, LastWrites
from llm_compiler.scheduling.facts import (
    Computed,
    Continued,
    DeadlinePassed,
    Decided,
    Fact,
    Filled,
    Known,
    PlanBroke,
    PlanEnded,
    Planned,
    Returned,
    TakenOver,
    Tools,
)
from llm_compiler.scheduling.filling import IN_LINE, Filling
from llm_compiler.scheduling.iterations import SLICE, Iterations
from llm_compiler.scheduling.orders import Continue, Launch, Order
from llm_compiler.scheduling.ready_queue import ReadyQueue
from llm_compiler.scheduling.results import Results
from llm_compiler.scheduling.running import Running
from llm_compiler.scheduling.shared_calls import Call, SharedCalls
from llm_compiler.scheduling.steps import EVERY, STEPS, Backlog, Steps
from llm_compiler.scheduling.taint import Taint
from llm_compiler.scheduling.task_graph import TaskGraph
from llm_compiler.scheduling.task_record import Column, TaskRecord


class Schedule:
    """Tracks the tasks of a turn through one round, from planned to settled.

    The tasks of earlier rounds and runs are planned again with how they ended as `priors`; those
    that were not edited since settle at once, whatever has become of their tools.
    """

    def __init__(
        self,
        tools: Tools,
        *,
        max_parallel: int,
        early_start: bool = True,
        read_untrusted: bool = False,
        max_tasks: int | None = None,
        in_line: int = IN_LINE,
        steps: int = STEPS,
    ) -> None:
        self._orders: list[Order] = []
        self._graph = TaskGraph(self._orders)
        self._queue = ReadyQueue(max_parallel, self._graph.heights)
        self._calls = SharedCalls()
        self._running = Running(self._graph, self._queue, self._calls, self._orders)
        self._backlog = Backlog(self._handle, steps)
        self._in_line = in_line
        self._room = Room(in_line)
        self._computing = Computing(self._graph, self._orders, self._room)
        self._last_writes = LastWrites()
        self.taint = Taint(tools, read=read_untrusted)
        self._tools = tools
        self._early_start = early_start
        self._taken_over = self._ended = False
        self._late: str | None = None
        """Why no call may start any more: the deadline has passed."""
        self.records: Mapping[TaskId, TaskRecord] = self._graph.records
        self.tasks: Mapping[TaskId, Task | Refused] = Column(self.records, lambda it: it.task)
        """Those that turned out not to compile are `Refused`."""
        self.outcomes: Mapping[TaskId, Outcome] = Column(self.records, lambda it: it.outcome)
        self.binding = Binding(self.records, tools, self.taint)
        self._results = Results(self.records)
        self._filling = Filling(self._results, tools, self._orders, self._room)
        self.loops = Iterations(
            self._graph, tools, self._filling, self._orders, max_tasks, self._plan_instance
        )
        self._asking = Asking(self._graph, self._calls, self._admit)
        self._calling = Calling(
            self._graph,
            self._calls,
            self._asking,
            self._filling,
            rules_of=self.binding.rules,
            reached=self.taint.of_args,
            admit=self._admit,
        )

    @property
    def finished(self) -> bool:
        """The plan has ended and every task has its outcome."""
        return self._ended and not self._graph.unsettled and not self.behind

    @property
    def behind(self) -> bool:
        """Facts have come that are not handled to their end: `Continue` was ordered."""
        return self._backlog.behind

    @property
    def idle(self) -> bool:
        """Nothing runs, is computed or is filled in, and nothing more can start as it stands."""
        return not self.behind and self._at_rest

    @property
    def unclaimed(self) -> list[Launch]:
        """The calls of a plan that broke off; the next plan's task with the same call takes it."""
        return self._calls.unclaimed

    def planned_args(self, id: TaskId) -> Mapping[str, Any] | None:
        """The arguments that a task was planned with, filled in, if a person gave it others."""
        call = self.records[id].call
        return call.planned if call is not None else None

    def handle(self, fact: Fact) -> list[Order]:
        """Advance by one fact; return what is to be done, in order.

        If much follows from it, some of that is ordered now, and the rest, and what follows from
        later facts, after `Continue(None)`.
        """
        goes_on = isinstance(fact, Continued) and fact.id is None
        if not goes_on:
            self._backlog.add(fact)
        if goes_on or not self.behind:
            self._room.left, self.loops.room = self._in_line, SLICE
            self._backlog.go_on()
            if self.behind:
                self._orders.append(Continue(None))
        orders, self._orders[:] = [*self._orders], []
        return orders

    def _handle(self, fact: Fact) -> Iterator[None]:
        match fact:
            case Planned():
                self._plan(fact)
            case Continued(id) if id is not None:
                self.loops.go_on(self.records.get(id))
            case Returned():
                yield from self._running.end(fact)
            case Computed():
                self._computing.end(self.records.get(fact.id), fact)
            case Filled():
                for record in self._filling.end(self.records.get(fact.id), fact):
                    yield from self._begin(record)
            case PlanBroke():
                yield from self._break()
            case PlanEnded():
                yield from self._end()
            case TakenOver():
                yield from self._take_over()
            case Decided(decisions):
                due = yield from self._asking.decide(decisions)
                for record in due if self._taken_over else ():
                    yield from self._asking.carry_out(record)
            case DeadlinePassed(seconds):
                yield from self._expire(seconds)
        for met in self._graph.met():
            if met is not None:
                yield from self._begin(met)
            yield
        self._graph.heights.complete = self._ended and self.loops.idle
        yield from self._running.launch()
        yield from self._ask()

    def _plan(self, planned: Planned) -> None:
        task = self.loops.note(planned)
        self._add(Known(task, planned.priors, planned.asked), self._last_writes)

    def _plan_instance(self, task: Task | Refused, known: Known, loop: TaskRecord) -> None:
        assert loop.last_writes is not None
        self._add(replace(known, task=task), loop.last_writes, loop)
        self._graph.heights.put_behind(task.id, loop.id)

    def _add(self, it: Known, last_writes: LastWrites, loop: TaskRecord | None = None) -> None:
        """Take a task in; `last_writes` are those before it."""
        assert it.task is not None
        record = self._graph.add(it.task, it.priors, it.asked, loop)
        if isinstance(it.task, Task):
            self.taint.add(
                it.task, record.data, earlier=record.earlier, loop=loop.id if loop else None
            )
            if record.task.tool == EACH:
                record.last_writes = LastWrites(last_writes)
            effects = Effects.of(it.task, self._tools)
            record.order = last_writes.add(record.id, effects)
            record.writes = bool(effects.writes)
        if self._late is not None and not it.priors and record.needs:
            self._graph.drop(record, "skipped", self._late)
        else:
            self._graph.connect(record)

    def _end(self) -> Steps:
        self._ended = True
        yield from self._graph.end()
        self._running.stop_kept()

    def _break(self) -> Steps:
        """Forget the plan of this round, but keep its launched calls for the plan that follows."""
        forgotten = yield from self._graph.forget_plan()
        self._queue.forget(forgotten)
        for id in forgotten:
            self.taint.forget(id)
            yield
        for heir in self._calling.forget(forgotten):
            if heir is not None and heir.state == "ready":
                self._running.enqueue(heir)
            yield
        self.loops.forget_plan()
        self._last_writes = LastWrites()
        for record in self.records.values():
            if isinstance(record.task, Task) and isinstance(record.id, int):
                self._last_writes.add(record.id, Effects.of(record.task, self._tools))
            yield

    def _begin(self, record: TaskRecord) -> Steps:
        """All needs of a task have ended, those for data ok."""
        if record.untaken:
            self._graph.skip_untaken(record)
        elif is_pure(record.task.tool):
            if record.stopper is not None:
                self._graph.stop(record, record.stopper, record.task.args)
            else:
                self._computing.begin(record, self._results)
        elif record.loop is not None:
            self._computing.gather(record, self._results)
        elif record.task.tool == EACH:
            self.loops.begin(record)
        else:
            if record.state != "asked":
                self._calling.begin(record, self._late)
            if record.state == "asked" and self._taken_over:
                return self._asking.carry_out(record)
        return ()

    def _admit(self, record: TaskRecord, call: Call) -> None:
        """Let a call start: at once, or when the scheduler has taken over."""
        if self._taken_over or (self._early_start and call.rules.early_start):
            record.move("ready")
            self._running.enqueue(record)
        else:
            record.move("held")

    def _take_over(self) -> Steps:
        self._taken_over = True
        for number, record in enumerate(self.records.values()):
            if record.state == "held":
                self._admit(record, record.known_call)
            elif record.state == "asked":
                yield from self._asking.carry_out(record)
            if number % EVERY == EVERY - 1:
                yield

    def _ask(self) -> Steps:
        """Ask about all calls that need a person at once, after everything else has run."""
        if not (self._ended and self._taken_over and self._graph.unsettled and self._at_rest):
            return
        yield from self._calling.ask_in_advance()
        if self._filling.idle and (question := (yield from self._asking.question())) is not None:
            self._orders.append(question)

    @property
    def _at_rest(self) -> bool:
        return all(it.idle for it in (self._queue, self._computing, self.loops, self._filling))

    def _expire(self, seconds: float) -> Steps:
        self._late = why = f"the turn's deadline of {seconds:g} s passed"
        yield from self._running.expire(why)
        self.loops.clear()
        for record in self.records.values():
            if record.state != "settled":
                self._graph.drop(record, "skipped", why)
                yield
        self._ended = True

    def validate(self) -> None:
        """Raises AssertionError if an invariant does not hold. It costs a walk over all tasks."""
        if self.behind:
            return  # they hold when what has come is handled to its end
        self._graph.validate()
        self._queue.validate()
        self._calls.validate()
        invariants.validate(self.records, self._queue, self._calls)
