"""Plans with effects: run by the schedule in any order of events, and line after line."""

import json
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Any

from llm_compiler.language.evaluation.budget import ComputeError, MissingError
from llm_compiler.language.evaluation.compute import evaluate
from llm_compiler.language.evaluation.references import substitute
from llm_compiler.language.tasks.task import Outcome, Refused, Task, is_call, is_pure
from llm_compiler.language.tasks.task_ids import TaskId
from llm_compiler.language.toolbox.tool_rules import ToolRules
from llm_compiler.scheduling.computing import gather
from llm_compiler.scheduling.effects import EffectOrder
from llm_compiler.scheduling.facts import (
    Computed,
    Continued,
    Decided,
    Decision,
    Fact,
    Known,
    PlanBroke,
    PlanEnded,
    Planned,
    Prior,
    Returned,
    TakenOver,
)
from llm_compiler.scheduling.filling import IN_LINE, fill
from llm_compiler.scheduling.orders import Ask, Compute, Continue, Fill, Gather, Launch, Settle
from llm_compiler.scheduling.schedule import Schedule
from llm_compiler.scheduling.steps import STEPS
from tests.support.turn import FakeTools

RULES = {
    "see": ToolRules(),
    "look": ToolRules(domain="shop"),
    "peek": ToolRules(domain="club"),
    "buy": ToolRules(writes=True, domain="shop"),
    "join": ToolRules(writes=True, domain="club"),
    "mail": ToolRules(writes=True),
    "pay": ToolRules(writes=True, asks=True),
    "check": ToolRules(asks=True, domain="shop"),
}
FAILS = 3
"""Calls with this `x` fail."""
REJECTED = 2
"""Calls with this `x` are rejected, if a person is asked."""


def tools() -> FakeTools:
    """The tools as the rules see them."""
    return FakeTools(RULES, refused=None)


def task(id: int, tool: str, *data: int, x: int = 0) -> Task:
    """A task that refers to the results of others; an expression fails if its `x` says so."""
    if is_pure(tool):
        fails = "[9]" if x == FAILS else ""
        written = f"[{', '.join(f'${it}' for it in data)}]{fails}"
        return Task(id, tool, {"expression": written}, data)
    return Task(id, tool, {"x": x or 100 + id, "from": [f"${it}" for it in data]}, data)


@dataclass
class World:
    """What the tools read and write."""

    effects: list[str] = field(default_factory=list)

    def call(self, tool: str, args: Mapping[str, Any]) -> tuple[Any, str | None]:
        """What a call returns, or its error: a read of a domain tells what was written there."""
        # What is passed on and on must not grow.
        rules, call = RULES[tool], f"{tool} {zlib.crc32(json.dumps(args).encode()):x}"
        if rules.writes:
            self.effects.append(call)
        if args["x"] == FAILS:
            return None, "it failed"
        domain = rules.domain
        there = [it for it in self.effects if domain and RULES[it.split()[0]].domain == domain]
        return f"{call} {len(there)}", None


def computed(expression: str, results: Mapping[TaskId, Any]) -> tuple[Any, str | None]:
    """What an expression comes to, or its error."""
    try:
        return evaluate(expression, results.__getitem__), None
    except ComputeError as error:
        return None, str(error)


def in_lines(plan: Sequence[Task | Refused]) -> tuple[dict[TaskId, tuple[str, Any]], list[str]]:
    """The reference: how tasks end that run one after another, and their effects."""
    world, ended, stopped = World(), dict[TaskId, tuple[str, Any]](), False
    last_write: dict[str, TaskId] = {}
    for it in plan:
        if isinstance(it, Refused):
            ended[it.id], stopped = ("failed", None), True
            continue
        rules = ToolRules() if is_pure(it.tool) else RULES[it.tool]
        behind = last_write.get(rules.domain) if rules.domain and not rules.writes else None
        raised = rules.writes and stopped
        raised |= behind is not None and ended[behind][0] not in ("ok", "rejected")
        if raised or any(ended[need][0] != "ok" for need in it.needs):
            ended[it.id] = "skipped", None
        elif rules.asks and it.args["x"] == REJECTED:
            ended[it.id] = "rejected", None
        else:
            values = {id: value for id, (_, value) in ended.items()}
            if is_pure(it.tool):
                value, error = computed(it.args["expression"], values)
            else:
                args = substitute(it.args, values.__getitem__, lambda id: True)
                value, error = world.call(it.tool, args)
            ended[it.id] = ("ok", value) if error is None else ("failed", None)
        stopped = stopped or ended[it.id][0] in ("failed", "skipped")
        if rules.writes:
            last_write[rules.domain] = it.id
    return ended, world.effects


class Running:
    """A plan that runs in a random order of events; it may break off, be killed, and go on."""

    def __init__(self, plan: Sequence[Task | Refused], random: Random, kills: int) -> None:
        self.world = World()
        self._plan, self._random, self._kills = plan, random, kills
        self._breaks = random.randrange(2)
        self._decided: dict[TaskId, Decision] = {}
        self._journal: dict[TaskId, Outcome] = {}
        self._ended = self._taken_over = False
        self._begin(early_start=random.random() < 0.8)
        self._begin_plan()

    def run(self) -> None:
        while possible := self._possible():
            self._random.choice(possible)()
        assert self.schedule.finished

    def said_no(self, id: TaskId) -> bool:
        """Whether a person rejected a task's call."""
        return id in self._decided and self._decided[id].rejected is not None

    def _begin(self, *, early_start: bool) -> None:
        parallel = self._random.randint(1, 4)
        in_line = self._random.choice((0, IN_LINE))
        self.schedule = Schedule(
            tools(),
            max_parallel=parallel,
            early_start=early_start,
            in_line=in_line,
            steps=self._random.choice((1, 3, STEPS)),
        )
        self._calls: dict[int, Launch] = {}
        self._returned: dict[int, Returned] = {}
        """Of calls that have had their effect, and have not returned."""
        self._computing: dict[int, Compute | Gather] = {}
        self._filling: dict[int, Fill] = {}
        self._looping: list[TaskId | None] = []
        self._asking: Ask | None = None

    def _begin_plan(self) -> None:
        self._order = EffectOrder(tools())
        self._unplanned = list(self._plan)

    def _possible(self) -> list[Callable[[], None]]:
        """What may happen next."""
        possible: list[Callable[[], None]] = [
            *(partial(self._return, call) for call in self._calls),
            *(partial(self._compute, number) for number in self._computing),
            *(partial(self._fill, number) for number in self._filling),
            *(partial(self._continue, id) for id in self._looping),
        ]
        if self._unplanned:
            possible += [self._plan_next] * 3
        elif not self._ended:
            possible.append(self._end)
        elif not self._taken_over:
            possible.append(self._take_over)
        if self._breaks and not self._ended:
            possible.append(self._break)
        if self._asking is not None:
            possible.append(self._decide)
        # A write that was cut off may have had its effect: claims.py sees to those.
        writing = any(RULES[launch.tool].writes for launch in self._calls.values())
        busy = self.schedule.behind or self.schedule.finished
        if self._kills and self._taken_over and not writing and not busy:
            possible.append(self._kill)
        return possible

    def _tell(self, fact: Fact) -> None:
        orders = self.schedule.handle(fact)
        self.schedule.validate()
        for order in orders:
            match order:
                case Launch():
                    self._calls[order.call] = order
                    if self._random.random() < 0.5:
                        self._act(order.call)
                case Compute() | Gather():
                    self._computing[order.number] = order
                case Fill():
                    self._filling[order.number] = order
                case Continue(id):
                    self._looping.append(id)
                case Ask():
                    self._asking = order
                case Settle(outcome) if outcome.status != "skipped" and is_call(outcome.tool):
                    self._journal[outcome.id] = outcome

    def _act(self, call: int) -> None:
        launch = self._calls[call]
        self._returned[call] = Returned(call, *self.world.call(launch.tool, launch.args))

    def _return(self, call: int) -> None:
        if call not in self._returned:
            self._act(call)
        del self._calls[call]
        self._tell(self._returned.pop(call))

    def _compute(self, number: int) -> None:
        order = self._computing.pop(number)
        if isinstance(order, Gather):
            self._tell(gather(order))
            return
        try:
            value, error, skipped = (
                evaluate(order.expression, order.results.__getitem__),
                None,
                False,
            )
        except ComputeError as raised:
            value, error = None, str(raised)
            skipped = isinstance(raised, MissingError) and raised.skips
        self._tell(Computed(number, order.id, value, error, skipped=skipped))

    def _fill(self, number: int) -> None:
        self._tell(fill(self._filling.pop(number), tools()))

    def _continue(self, id: TaskId | None) -> None:
        self._looping.remove(id)
        self._tell(Continued(id))

    def _plan_next(self) -> None:
        self._tell(Planned(self._order.ordered(self._unplanned.pop(0))))

    def _end(self) -> None:
        self._ended = True
        self._tell(PlanEnded())

    def _take_over(self) -> None:
        self._taken_over = True
        self._tell(TakenOver())

    def _break(self) -> None:
        self._breaks -= 1
        self._tell(PlanBroke())
        self._journal.clear()
        self._begin_plan()

    def _decide(self) -> None:
        assert self._asking is not None
        calls, self._asking = self._asking.calls, None
        assert not {call.id for call in calls} & self._decided.keys(), "asked twice"
        made = {call.id: self._decision(call) for call in calls}
        self._decided |= made
        self._tell(Decided(tuple(made.values())))

    def _priors(self, id: TaskId) -> tuple[Prior, ...]:
        return (Prior.of(self._journal[id]),) if id in self._journal else ()

    @staticmethod
    def _decision(call: Launch) -> Decision:
        rejected = "no" if call.args["x"] == REJECTED else None
        return Decision(call.id, rejected=rejected, asked=(call.tool, call.args))

    def _kill(self) -> None:
        """Only the plan, what a person decided and the calls that returned are stored."""
        self._kills -= 1
        before = self.schedule
        self._begin(early_start=False)
        known: dict[TaskId, Known] = {
            id: Known(None, self._priors(id), id in self._decided)
            for id in {*self._journal, *self._decided}
            if isinstance(id, str)
        }
        for it in before.tasks.values():
            if isinstance(it.id, int):
                asked = it.id in self._decided
                self._tell(Planned(it, self._priors(it.id), asked, known))
        self._tell(PlanEnded())
        self._tell(Decided(tuple(self._decided.values())))
        self._tell(TakenOver())
