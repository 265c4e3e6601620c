"""A driver for `Schedule`: it carries orders out by hand, and checks each against the rules.

What a call gives back is told from its arguments alone, so that a plan's outcomes can be foreseen.
"""

import json
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from random import Random
from typing import Any

from llm_compiler.errors import PlanError
from llm_compiler.language.evaluation.references import references
from llm_compiler.language.tasks.task import EACH, Outcome, Task, is_call, is_pure
from llm_compiler.language.tasks.task_ids import TaskId, order_of, root_of
from llm_compiler.language.toolbox.tool_rules import ToolRules
from llm_compiler.scheduling.computing import gather
from llm_compiler.scheduling.effects import EffectOrder, data_needs
from llm_compiler.scheduling.facts import (
    Computed,
    Continued,
    DeadlinePassed,
    Decided,
    Decision,
    Fact,
    Filled,
    PlanBroke,
    PlanEnded,
    Planned,
    Prior,
    Returned,
    TakenOver,
)
from llm_compiler.scheduling.filling import IN_LINE, fill
from llm_compiler.scheduling.orders import (
    Added,
    Ask,
    Cancel,
    Compute,
    Continue,
    Fill,
    Gather,
    Launch,
    Order,
    Settle,
)
from llm_compiler.scheduling.schedule import Schedule
from llm_compiler.scheduling.task_record import State, TaskRecord

TOOLS: dict[str, ToolRules] = {
    "read": ToolRules(),
    "two": ToolRules(limits={"tool two": 2}),
    "alone": ToolRules(limits={"exclusive disk": 1}),
    "disk": ToolRules(limits={"tool disk": 2, "exclusive disk": 1}),
    "destroy": ToolRules(writes=True),
    "ask": ToolRules(asks=True),
    "ask_destroy": ToolRules(writes=True, asks=True),
    "open": ToolRules(untrusted=True),
    "guarded": ToolRules(writes=True, guarded=True),
    "look": ToolRules(domain="shelf"),
    "put": ToolRules(writes=True, domain="shelf"),
}
FAILS = 2
"""Calls with this `x` fail."""
REFUSED = 3
"""Arguments with this `x` the schema refuses."""


class FakeTools:
    """The tools as the rules see them: `named` by name, and the schema refuses an `x`."""

    def __init__(
        self, named: Mapping[str, ToolRules] = TOOLS, refused: int | None = REFUSED
    ) -> None:
        self._named = named
        self._refused = refused

    def rules(self, tool: str) -> ToolRules:
        return self._named[tool]

    def check(self, tool: str, args: Mapping[str, Any]) -> str:
        if args.get("x", ...) == self._refused:
            raise PlanError(f"{tool} refuses {self._refused}")
        return f"{tool} {json.dumps(args, sort_keys=True)}"


def drive(
    machine: Schedule,
    tasks: Iterable[Task],
    returns: Callable[[Task], bool],
    order: EffectOrder | None = None,
) -> Schedule:
    """Plan all tasks, and return each call as soon as it runs; a person approves what is asked.

    Args:
        machine: The schedule.
        tasks: The plan.
        returns: Whether a call returns when this task was planned.
        order: Gives the tasks what their effects wait for.
    """
    running: list[int] = []

    def tell(fact: Fact) -> None:
        # What follows is told one after another, as an event loop does: thousands of calls in each
        # other would cost more than what is measured.
        facts = deque([fact])
        while facts:
            for it in machine.handle(facts.popleft()):
                if isinstance(it, Launch):
                    running.append(it.call)
                elif isinstance(it, Fill):
                    facts.append(fill(it, FakeTools()))
                elif isinstance(it, Continue):
                    facts.append(Continued(it.id))
                elif isinstance(it, Ask):
                    facts.append(Decided(tuple(Decision(call.id) for call in it.calls)))

    for task in tasks:
        tell(Planned(task if order is None else order.ordered(task)))
        if running and returns(task):
            tell(Returned(running.pop()))
    tell(PlanEnded())
    tell(TakenOver())
    while running:
        tell(Returned(running.pop()))
    assert machine.finished
    return machine


def result(args: Mapping[str, Any]) -> tuple[Any, str | None]:
    """What a call returns, or its error. The value looks like a reference, and must not be one."""
    return (None, "it failed") if args["x"] == FAILS else (f"${args['x']} of {args['x']}", None)


def computed(order: Compute) -> tuple[Any, str | None]:
    """What an expression comes to, or its error: it is a list that begins with its `x`."""
    if order.expression.startswith(f"[{FAILS}"):
        return None, "it failed"
    return f"{order.expression} of {dict(order.results)}", None


@dataclass
class Turn:
    """One turn, driven in any order of events. Its plan is ordered by its effects."""

    plan: list[Task]
    max_parallel: int
    random: Random
    early_start: bool = True
    breaks: int = 0
    deadline: bool = False
    priors: Mapping[TaskId, Outcome] = field(default_factory=dict)
    """The outcomes of the tasks of earlier rounds, which come first in the plan."""
    planned: dict[TaskId, Task] = field(default_factory=dict)
    """The tasks with all their needs."""
    running: dict[int, Launch] = field(default_factory=dict)
    computing: dict[int, Compute | Gather] = field(default_factory=dict)
    filling: dict[int, Fill] = field(default_factory=dict)
    launches: list[Launch] = field(default_factory=list)
    settled: dict[TaskId, Outcome] = field(default_factory=dict)
    decided: dict[TaskId, Decision] = field(default_factory=dict)
    asking: Ask | None = None

    def __post_init__(self) -> None:
        self.schedule = Schedule(
            FakeTools(),
            max_parallel=self.max_parallel,
            early_start=self.early_start,
            in_line=self.random.choice((0, IN_LINE)),
        )
        self.unplanned = list(self.plan)
        self._order = EffectOrder(FakeTools(), self.priors)
        self.ended = self.taken_over = self.expired = False
        self.cancelled: set[int] = set()
        self.records: list[TaskRecord] = []
        """Those of all tasks, also of plans that broke off."""

    @property
    def transitions(self) -> set[tuple[State, State]]:
        """All that its tasks have taken."""
        return {step for record in self.records for step in pairwise(record.life)}

    def run(self) -> None:
        """Until nothing is left to happen."""
        for task in self.plan[: len(self.priors)]:
            self.tell(Planned(task, (Prior.of(self.priors[task.id]),)))
        while facts := self._possible():
            self.tell(self.random.choice(facts))
        assert self.schedule.finished
        assert self.schedule.outcomes == self.settled
        assert not self.running
        roots = [id for id in self.schedule.tasks if isinstance(id, int)]
        assert roots == [task.id for task in self.plan]

    def _possible(self) -> list[Fact]:
        facts: list[Fact] = [
            Returned(call, *result(launch.args), started_at=1.0, ended_at=2.0)
            for call, launch in self.running.items()
        ]
        facts += [
            gather(it) if isinstance(it, Gather) else Computed(it.number, it.id, *computed(it))
            for it in self.computing.values()
        ]
        facts += [fill(it, FakeTools()) for it in self.filling.values()]
        if self.unplanned:
            facts += [Planned(self.unplanned[0])] * 3
        elif not self.ended:
            facts.append(PlanEnded())
        if self.breaks and not self.ended:
            facts.append(PlanBroke())
        if self.ended and not self.taken_over:
            facts.append(TakenOver())
        if self.asking is not None:
            facts.append(Decided(tuple(map(self._decision, self.asking.calls))))
        if self.deadline and not self.expired and not (self.taken_over and self.schedule.finished):
            facts.append(DeadlinePassed(5))
        return facts

    def _decision(self, call: Launch) -> Decision:
        kind = self.random.choice(["approve", "edit", "reject"])
        if kind == "edit":
            return Decision(call.id, args={**call.args, "x": 1})
        return Decision(call.id, rejected="no" if kind == "reject" else None)

    def tell(self, fact: Fact) -> None:
        match fact:
            case Planned(task=Task() as task):
                self.unplanned.pop(0)
                if task.id not in self.priors:
                    ordered = self._order.ordered(task)
                    assert isinstance(ordered, Task)
                    fact = replace(fact, task=ordered)
                    task = ordered
                self.planned[task.id] = task
            case PlanBroke():
                self.breaks -= 1
                self._order = EffectOrder(FakeTools(), self.priors)
                earlier, new = self.plan[: len(self.priors)], self.plan[len(self.priors) :]
                self.unplanned = [task for task in new if self.random.random() < 0.7]
                self.plan = earlier + self.unplanned
                self.unplanned = list(self.unplanned)
            case PlanEnded():
                self.ended = True
            case TakenOver():
                self.taken_over = True
            case DeadlinePassed():
                self.expired = True
            case Returned(call):
                del self.running[call]
            case Computed(number):
                del self.computing[number]
            case Filled(number):
                del self.filling[number]
            case Decided(decisions):
                self.asking = None
                self.decided |= {decision.id: decision for decision in decisions}
        orders = self.schedule.handle(fact)
        self.schedule.validate()
        if isinstance(fact, Planned):
            self.records.append(self.schedule.records[fact.task.id])
        # What ended as it did before is not announced.
        outcomes = self.schedule.outcomes
        as_before = {id: it for id, it in self.priors.items() if outcomes.get(id) is it}
        self.settled |= as_before
        self._carry_out(orders)
        if isinstance(fact, PlanBroke):
            kept = (it for it in self.settled.items() if root_of(it[0])[0] in self.priors)
            self.settled = dict(kept)
        self._check_nothing_is_idle()

    def _carry_out(self, orders: list[Order]) -> None:
        for order in orders:
            match order:
                case Launch():
                    self._check_launch(order)
                    self.running[order.call] = order
                    self.launches.append(order)
                case Added(task=Task() as task):
                    self.planned[task.id] = task
                    self.records.append(self.schedule.records[task.id])
                case Compute():
                    self._check_needs(order.id)
                    self.computing[order.number] = order
                case Gather():
                    self.computing[order.number] = order
                case Fill():
                    self.filling[order.number] = order
                case Cancel(call):
                    del self.running[call]
                    self.cancelled.add(call)
                case Settle(outcome):
                    assert outcome.id not in self.settled, "a task settled twice"
                    self.settled[outcome.id] = outcome
                case Ask(calls):
                    ids = [call.id for call in calls]
                    assert ids == sorted(ids, key=order_of)
                    assert not self.running, "asked before all else had run"
                    assert not self.computing, "asked before all else was computed"
                    assert not self.filling, "asked before all arguments were known"
                    assert self.ended
                    assert self.taken_over
                    self.asking = order
        if self.expired:
            self.asking = None
            assert not self.running, "a call outlived the deadline"

    def _check_launch(self, launch: Launch) -> None:
        task, rules = self.schedule.tasks[launch.id], TOOLS[launch.tool]
        assert isinstance(task, Task)
        assert not self.expired, "a call began after the deadline"
        assert launch.id not in self.settled
        self._check_needs(launch.id)
        assert rules.early_start or self.taken_over
        assert self.early_start or self.taken_over
        assert not self.needs_person(task) or launch.id in self.decided
        assert launch.call not in (other.call for other in self.launches)
        if not rules.writes and launch.id not in self.decided:
            behind = {id: record.behind for id, record in self.schedule.records.items()}
            assert all(
                (launch.tool, launch.args) != (other.tool, other.args)
                or behind[launch.id] != behind.get(other.id)
                for other in self.launches
                if other.id not in self.decided and other.call not in self.cancelled
            ), "an equal call ran twice"
        assert len(self.running) < self.max_parallel
        used = self._used()
        assert all(used[name] < most for name, most in rules.limits.items())

    def _check_needs(self, id: TaskId) -> None:
        task = self.planned[id]
        # A task of an earlier round outlives a need whose plan broke off.
        needs = [
            it
            for it in task.needs
            if it in self.schedule.records and (it in self.settled or id not in self.priors)
        ]
        assert all(self.is_met(task, need) for need in needs), "it began before its needs"

    def is_met(self, task: Task, need: TaskId) -> bool:
        """Whether a need of a task has ended so that the task may go on."""
        if need not in self.settled:
            return False
        return self.settled[need].ok if need in data_needs(task) else not self.stops(need)

    def stops(self, id: TaskId) -> bool:
        """Whether what comes after a task that has ended must not start."""
        if self.settled[id].status in ("failed", "skipped"):
            return True
        task = self.planned[id]
        order = {need for need in task.needs if need in self.settled} - {*data_needs(task)}
        return any(map(self.stops, order))

    def _used(self) -> Counter[str]:
        return Counter(
            name for launch in self.running.values() for name in TOOLS[launch.tool].limits
        )

    def _check_nothing_is_idle(self) -> None:
        """A slot is free only if no task that could run waits for one."""
        if len(self.running) == self.max_parallel or self.expired:
            return
        used = self._used()
        owned = {(launch.tool, json.dumps(launch.args)) for launch in self.running.values()}
        for id, task in self.schedule.tasks.items():
            if id in self.settled or not isinstance(task, Task):
                continue
            ready = all(self.is_met(self.planned[id], need) for need in task.needs)
            if id in (it.task.id for it in self.filling.values()):
                continue
            if task.tool == EACH:
                continue  # it takes no slot
            if is_pure(task.tool):
                assert not ready or id in (it.id for it in self.computing.values())
                continue
            rules = TOOLS[task.tool]
            held = not self.taken_over and not (rules.early_start and self.early_start)
            full = any(used[name] >= most for name, most in rules.limits.items())
            shares = any(task.tool == tool for tool, _ in owned)
            waits = held or full or shares or self.needs_person(task)
            assert not ready or waits, f"task {id} waits idly"

    def needs_person(self, task: Task) -> bool:
        """Whether a task is asked about."""
        rules = TOOLS[task.tool] if is_call(task.tool) else ToolRules()
        return rules.asks or (rules.guarded and self._reached(task))

    def _reached(self, task: Task) -> bool:
        """Whether an untrusted result reaches the arguments of a task."""
        needs = [self.schedule.tasks.get(reference.id) for reference in references(task.args)]
        known = [need for need in needs if isinstance(need, Task)]
        return any(
            (is_call(need.tool) and TOOLS[need.tool].untrusted) or self._reached(need)
            for need in known
        )
