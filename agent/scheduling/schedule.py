"""Every rule of scheduling, without I/O: facts go in, orders come out.

    planned ─needs met→ ready ─slot free→ running ─→ ok | failed
       │                  ├─ equal call known ────→ its outcome, reused
       │                  └─ needs a person → asked ─→ running | rejected
       ├─ need not ok, or deadline ───────────────→ skipped
       └─ unknown reference, cycle, bad arguments ─→ failed

`Schedule` tracks one turn. The task-fetching unit feeds it and carries its orders out. In the
manner of dask/distributed's worker state machine; the life of a task is drawn above and ruled
here only.
"""

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from heapq import heappop, heappush
from itertools import count, islice
from typing import Any

from llm_compiler.errors import PlanError
from llm_compiler.language.references import substitute
from llm_compiler.language.task import Outcome, Refused, Task
from llm_compiler.scheduling.critical_path import Heights, circle
from llm_compiler.scheduling.facts import (
    Ask,
    Cancel,
    DeadlinePassed,
    Decided,
    Decision,
    Fact,
    Launch,
    Order,
    PlanBroke,
    PlanEnded,
    Planned,
    Returned,
    Settle,
    TakenOver,
    Tools,
)
from llm_compiler.scheduling.taint import EARLIER_TURN, Trust


@dataclass(slots=True)
class _Call:
    """A call that is known, and the tasks that it is for."""

    tool: str
    args: Mapping[str, Any]
    key: str
    owners: list[int]
    launched_for: int | None = None
    returned: Returned | None = None
    rejected: str | None = None
    edited: bool = False
    """A person gave it other arguments than were planned."""
    earlier: bool = False
    """It ran in an earlier round."""


class Schedule:
    """Tracks the tasks of a turn through one round, from planned to settled.

    The tasks of earlier rounds are planned again with their outcomes as `prior`; those that were
    not edited since settle at once.
    """

    def __init__(
        self,
        tools: Tools,
        *,
        max_parallel: int,
        early_start: bool = True,
        untrusted_conversation: bool = False,
    ) -> None:
        self.tasks: dict[int, Task | Refused] = {}
        """In the order of planning. Those that turned out not to compile are `Refused`."""
        self.outcomes: dict[int, Outcome] = {}
        self.edited: set[int] = set()
        """The tasks whose arguments are a person's, and no longer those of the plan."""
        self._tools = tools
        self._free = max_parallel
        self._early_start = early_start
        self._taken_over = False
        self._ended = False
        self._late: str | None = None
        """Why nothing starts any more: the deadline has passed."""
        self._orders: list[Order] = []
        self._prior: dict[int, Outcome] = {}
        self._earlier: set[int] = set()
        self._planned: list[int] = []
        # Waiting tasks: how many needs each still has, and who waits for whom.
        self._unmet: dict[int, int] = {}
        self._dependants: defaultdict[int, list[int]] = defaultdict(list)
        self._settled: deque[Outcome] = deque()
        # Calls, under the numbers of their orders.
        self._numbers = count()
        self._calls: dict[int, _Call] = {}
        self._by_key: dict[str, int] = {}
        self._not_yet: list[int] = []
        self._asked: dict[int, int] = {}
        self._trust = Trust(conversation=untrusted_conversation)
        self._why: dict[int, str] = {}
        # Calls that wait for a slot, by the task that they are launched for.
        self._startable: dict[int, int] = {}
        self._running: set[int] = set()
        # A heap of (-height, id, number). An entry is stale when its call has started.
        self._ready: list[tuple[int, int, int]] = []
        self._heights = Heights(self._waiting_needs, self.outcomes)
        self._used: defaultdict[str, int] = defaultdict(int)
        self._parked: defaultdict[str, list[tuple[int, int, int]]] = defaultdict(list)

    @property
    def finished(self) -> bool:
        """The plan has ended and every task has its outcome."""
        return self._ended and len(self.outcomes) == len(self.tasks)

    @property
    def unclaimed(self) -> list[Launch]:
        """The calls of a plan that broke off which no task of the next plan has, or not yet.

        A task that is planned with the tool and the arguments of one takes it over.
        """
        return [
            Launch(number, call.launched_for, call.tool, call.args)
            for number, call in self._calls.items()
            if call.launched_for is not None and not call.owners
        ]

    def handle(self, fact: Fact) -> list[Order]:
        """Advance by one fact; return what is to be done, in order."""
        match fact:
            case Planned(task, prior):
                self._plan(task, prior)
            case Returned():
                self._return(fact)
            case PlanBroke():
                self._break()
            case PlanEnded():
                self._end()
            case TakenOver():
                self._take_over()
            case Decided(decisions):
                self._decide(decisions)
            case DeadlinePassed(seconds, known):
                self._expire(seconds, known)
        self._propagate()
        self._launch()
        self._ask()
        orders, self._orders = self._orders, []
        return orders

    # ── planning ──────────────────────────────────────────────────────────────────────────────

    def _plan(self, task: Task | Refused, prior: Outcome | None) -> None:
        self.tasks[task.id] = task
        self._planned.append(task.id)
        if prior is not None:
            self._prior[task.id] = prior
            self._earlier.add(task.id)
        if isinstance(task, Refused):
            self._settle(Outcome(task.id, task.tool, "failed", error=task.error))
            return
        if self._late is not None and prior is None and task.needs:
            self._settle(Outcome(task.id, task.tool, "skipped", task.args, error=self._late))
            return
        awaited = task.id in self._dependants or task.id in task.needs
        if awaited and (cycle := circle(task, self._waiting_needs, self._dependants_of)):
            drawn = " → ".join(map(str, cycle))
            for id in cycle[:-1]:
                self._uncompiled(id, f"tasks wait for each other in a circle: {drawn}")
            return
        unmet = 0
        for need in task.needs:
            outcome = self.outcomes.get(need)
            if outcome is None:
                unmet += 1
                self._dependants[need].append(task.id)
            elif not outcome.ok:
                self._skip(task, outcome)
                return
        self._unmet[task.id] = unmet
        self._heights.add(task)
        if not unmet:
            self._ready_to_run(task)

    def _uncompiled(self, id: int, error: str) -> None:
        """A task that parsed turns out not to compile with the others."""
        task = self.tasks[id]
        assert isinstance(task, Task)
        self.tasks[id] = Refused(id, task.tool, error, task.text, task.thought)
        self._settle(Outcome(id, task.tool, "failed", error=error))

    def _waiting_needs(self, id: int) -> tuple[int, ...]:
        task = self.tasks.get(id)
        return task.needs if isinstance(task, Task) and id not in self.outcomes else ()

    def _dependants_of(self, id: int) -> Iterator[int]:
        return (waiting for waiting in self._dependants.get(id, ()) if waiting not in self.outcomes)

    def _end(self) -> None:
        self._ended = True
        for id in self._planned:
            task = self.tasks[id]
            if id in self.outcomes or not isinstance(task, Task):
                continue
            unknown = [need for need in task.needs if need not in self.tasks]
            if certain := [need for need in unknown if need not in task.maybe]:
                known = ", ".join(map(str, islice(self.tasks, 20)))
                self._uncompiled(id, f"no task has the id {certain[0]}; there are {known}")
            elif unknown:
                # "a $5 bill", and no task 5: it was plain text after all.
                needs = tuple(need for need in task.needs if need in self.tasks)
                self.tasks[id] = task = replace(task, needs=needs)
                self._unmet[id] -= len(unknown)
                if not self._unmet[id]:
                    self._ready_to_run(task)
        self._planned = []
        for number in [n for n in self._running if not self._calls[n].owners]:
            self._stop(number)

    def _break(self) -> None:
        """Forget the plan of this round, but keep its launched calls for the plan that follows."""
        forgotten = set(self._planned) - self._earlier
        for id in forgotten:
            task = self.tasks.pop(id)
            self._unmet.pop(id, None)
            self._trust.forget(id)
            self._why.pop(id, None)
            if self.outcomes.pop(id, None) is None:
                why = "the planner's stream broke off; its plan is written anew"
                self._orders.append(Settle(Outcome(id, task.tool, "skipped", error=why)))
        for number, call in list(self._calls.items()):
            call.owners = [id for id in call.owners if id not in forgotten]
            launched = number in self._running or call.returned is not None
            if not call.owners and not launched:
                self._forget(number)
        self._startable = self._known(self._startable.values())
        self._asked = self._known(self._asked.values())
        self._not_yet = list(self._known(self._not_yet).values())
        # What is left is of earlier rounds: edited tasks, which may still wait for each other.
        self._planned = [id for id in self._planned if id in self._earlier]
        for need, waiting in list(self._dependants.items()):
            self._dependants[need] = [id for id in waiting if id not in forgotten]
        self._heights.forget(forgotten)

    def _known(self, numbers: Iterable[int]) -> dict[int, int]:
        """Those of the calls that were not forgotten, by the task that they are launched for."""
        return {self._calls[n].owners[0]: n for n in numbers if n in self._calls}

    def _forget(self, number: int) -> None:
        call = self._calls.pop(number)
        if self._by_key.get(call.key) == number:
            del self._by_key[call.key]

    # ── from planned to ready ─────────────────────────────────────────────────────────────────

    def _ready_to_run(self, task: Task) -> None:
        """All needs ended ok: fill the references in, and find or make the call."""
        prior = self._prior.pop(task.id, None)
        rules = self._tools.rules(task.tool)
        earlier = task.id in self._earlier
        source = self._trust.trace(task, untrusted=rules.untrusted, earlier=earlier)
        try:
            args = substitute(
                task.args, lambda id: self.outcomes[id].value, lambda id: id in task.needs
            )
            key = self._tools.check(task.tool, args)
        except PlanError as error:
            self._settle(Outcome(task.id, task.tool, "failed", task.args, error=str(error)))
            return
        asks = rules.asks or (rules.guarded and source is not None)
        if prior is not None and self._still_holds(prior, task, args):
            self._recall(prior, key)
            return
        number = self._by_key.get(key)
        if number is not None and not self._may_share(number):
            number = None
        if self._late is not None and (number is None or self._calls[number].owners):
            self._settle(Outcome(task.id, task.tool, "skipped", args, error=self._late))
            return
        if number is not None:
            call = self._calls[number]
            call.owners.append(task.id)
            if call.returned is not None or call.rejected is not None:
                self._settle_owner(call, task.id)
            return
        number = next(self._numbers)
        self._calls[number] = _Call(task.tool, args, key, [task.id])
        self._by_key[key] = number
        if asks:
            self._asked[task.id] = number
            if source is not None and not rules.asks:
                self._why[task.id] = self._reached_from(source)
        else:
            self._admit(number)

    def _reached_from(self, source: int) -> str:
        if source == EARLIER_TURN:
            return "an untrusted result of an earlier turn may have reached it"
        return f"the untrusted result of task {source} ({self.tasks[source].tool}) reaches it"

    @staticmethod
    def _still_holds(prior: Outcome, task: Task, args: Mapping[str, Any]) -> bool:
        """Whether a task was not edited since it ended, nor was what it waited for."""
        return prior.args == args and prior.tool == task.tool and prior.status != "skipped"

    def _may_share(self, number: int) -> bool:
        call = self._calls[number]
        if call.rejected is not None or not call.owners:
            return True
        # What failed in an earlier round was planned again to be tried again.
        failed_earlier = call.earlier and call.returned is not None and call.returned.error
        return self._tools.rules(call.tool).shared and not failed_earlier

    def _recall(self, prior: Outcome, key: str) -> None:
        """Settle a task with its outcome from an earlier round, which equal calls may share."""
        number = next(self._numbers)
        call = _Call(prior.tool, prior.args, key, [prior.id], earlier=True)
        if prior.status == "rejected":
            call.rejected = prior.error
        else:
            call.returned = Returned.again(number, prior)
        self._calls[number] = call
        self._by_key[key] = number
        self._settle(prior, announce=False)

    def _admit(self, number: int) -> None:
        """Let a call start: at once, or when the scheduler has taken over."""
        call = self._calls[number]
        early = self._early_start and self._tools.rules(call.tool).early_start
        if early or self._taken_over:
            self._startable[call.owners[0]] = number
            self._push(call.owners[0])
        else:
            self._not_yet.append(number)

    def _take_over(self) -> None:
        self._taken_over = True
        waiting, self._not_yet = self._not_yet, []
        for number in waiting:
            self._admit(number)

    # ── from ready to running ─────────────────────────────────────────────────────────────────

    def _launch(self) -> None:
        """Fill the free slots, the call with the longest path of waiting tasks behind it first."""
        crowded = len(self._startable) > self._free > 0 or any(self._parked.values())
        if crowded:
            for id in self._heights.rank() & self._startable.keys():
                self._push(id)
        while self._free and self._ready:
            entry = heappop(self._ready)
            if self._is_stale(entry):
                continue
            _, id, number = entry
            call = self._calls[number]
            limits = self._tools.rules(call.tool).limits
            full = next((name for name, most in limits.items() if self._used[name] >= most), None)
            if full is not None:
                heappush(self._parked[full], entry)
                continue
            del self._startable[id]
            call.launched_for = id
            self._running.add(number)
            self._free -= 1
            for name in limits:
                self._used[name] += 1
            self._orders.append(Launch(number, id, call.tool, call.args))

    def _push(self, id: int) -> None:
        heappush(self._ready, (-self._heights[id], id, self._startable[id]))

    def _is_stale(self, entry: tuple[int, int, int]) -> bool:
        return self._startable.get(entry[1]) != entry[2]

    def _ask(self) -> None:
        """Ask about all calls that need a person at once, after everything else has run."""
        idle = not self._running and not self._startable
        if self._asked and self._ended and self._taken_over and idle:
            asked = [
                (id, number, self._calls[number]) for id, number in sorted(self._asked.items())
            ]
            calls = tuple(Launch(number, id, call.tool, call.args) for id, number, call in asked)
            why = {call.id: self._why[call.id] for call in calls if call.id in self._why}
            self._orders.append(Ask(calls, why))

    def _decide(self, decisions: tuple[Decision, ...]) -> None:
        for decision in decisions:
            number = self._asked.pop(decision.id, None)
            if number is None:
                continue  # the deadline passed while the person was deciding
            call = self._calls[number]
            if decision.rejected is not None:
                call.rejected = decision.rejected
                self._settle_owners(call)
                continue
            if decision.args is not None:
                # An equal call shares what the person made of it.
                call.args, call.edited = decision.args, True
            self._admit(number)

    def _return(self, returned: Returned) -> None:
        if returned.call in self._running:
            self._release(returned.call)
            call = self._calls[returned.call]
            call.returned = returned
            self._settle_owners(call)

    def _release(self, number: int) -> None:
        self._running.discard(number)
        self._free += 1
        for name in self._tools.rules(self._calls[number].tool).limits:
            self._used[name] -= 1
            parked = self._parked[name]
            # A stale entry wakes nobody, and those behind it would wait for ever.
            while parked and self._is_stale(parked[0]):
                heappop(parked)
            if parked:
                heappush(self._ready, heappop(parked))

    def _stop(self, number: int, *, keep: bool = False) -> None:
        self._release(number)
        self._orders.append(Cancel(number))
        if not keep:
            self._forget(number)

    # ── settling ──────────────────────────────────────────────────────────────────────────────

    def _settle(self, outcome: Outcome, *, announce: bool = True) -> None:
        prior = self._prior.pop(outcome.id, None)
        if prior is not None and prior.status == outcome.status:
            outcome, announce = prior, False
        self.outcomes[outcome.id] = outcome
        self._settled.append(outcome)
        if announce:
            self._orders.append(Settle(outcome))

    def _propagate(self) -> None:
        """Tell the tasks that waited. Skipping one can strand another, so until nothing moves."""
        while self._settled:
            outcome = self._settled.popleft()
            for id in self._dependants.pop(outcome.id, ()):
                task = self.tasks[id]
                if not isinstance(task, Task) or id in self.outcomes:
                    continue
                if not outcome.ok:
                    self._skip(task, outcome)
                    continue
                self._unmet[id] -= 1
                if not self._unmet[id]:
                    self._ready_to_run(task)

    def _skip(self, task: Task, need: Outcome) -> None:
        how = "failed" if need.status == "failed" else f"was {need.status}"
        why = f"needs {need.id}, which {how}"
        self._settle(Outcome(task.id, task.tool, "skipped", task.args, error=why))

    def _settle_owners(self, call: _Call) -> None:
        for id in call.owners:
            self._settle_owner(call, id)

    def _settle_owner(self, call: _Call, id: int) -> None:
        """Give a task the outcome of the call that it waits for."""
        if call.edited:
            self.edited.add(id)
        outcome = Outcome(id, call.tool, "rejected", call.args, error=call.rejected)
        if (it := call.returned) is not None:
            outcome = Outcome(
                id,
                call.tool,
                "ok" if it.error is None else "failed",
                call.args,
                it.value,
                it.error,
                it.started_at,
                it.ended_at,
                it.attempts,
                reused=id != call.owners[0],
            )
        self._settle(outcome)

    def _expire(self, seconds: float, known: tuple[Outcome, ...]) -> None:
        self._late = why = f"the turn's deadline of {seconds:g} s passed"
        ended = {outcome.id: outcome for outcome in known if outcome.id in self.tasks}
        for number in list(self._running):
            call = self._calls[number]
            before = next((ended[id] for id in call.owners if id in ended), None)
            late = Returned(number, error=why)
            call.returned = Returned.again(number, before) if before is not None else late
            self._settle_owners(call)
            self._stop(number, keep=not call.owners)
        for id, outcome in ended.items():
            if id not in self.outcomes:
                self._settle(outcome)
        for id, task in self.tasks.items():
            if id not in self.outcomes:
                args = task.args if isinstance(task, Task) else {}
                self._settle(Outcome(id, task.tool, "skipped", args, error=why))
        self._ended = True
        self._startable.clear()
        self._not_yet.clear()
        self._asked.clear()
