"""The calls of a turn, each with the tasks that it is for: equal calls run once.

Two calls are equal when their keys are: the tool, and the arguments with references and defaults
filled in. Equal reads run once if no write of their domain stands between them: both are behind the
same one. Launched calls of a plan that broke off are kept, without a task, for the plan that
follows: the first of its tasks with an equal call takes it over.
"""

from collections.abc import Container, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any

from llm_compiler.language.tasks.task import Outcome
from llm_compiler.language.tasks.task_ids import TaskId
from llm_compiler.language.toolbox.tool_rules import ToolRules
from llm_compiler.scheduling.facts import Prior, Returned
from llm_compiler.scheduling.orders import Launch
from llm_compiler.scheduling.steps import EVERY, Steps


@dataclass(slots=True, eq=False)
class Call:
    """A call that is known, and the tasks that it is for."""

    number: int
    """The name under which it returns."""
    tool: str
    args: Mapping[str, Any]
    key: str
    rules: ToolRules
    behind: TaskId | None
    """The last write of the domain that it reads, written before it."""
    owners: list[TaskId]
    """The first is the one that it was launched for, or that took it over; the others share it."""
    earlier: bool = False
    """It ran in an earlier round."""
    launched_for: TaskId | None = None
    planned: Mapping[str, Any] | None = None
    """The arguments that it was planned with, if a person gave it others."""
    returned: Returned | None = None
    rejected: str | None = None

    @property
    def ended(self) -> bool:
        return self.returned is not None or self.rejected is not None

    @property
    def kept(self) -> bool:
        """It was launched for a plan that broke off, and no task has taken it over."""
        return not self.owners

    @property
    def open_to_others(self) -> bool:
        """Whether a task with an equal call may have this one's outcome."""
        if self.rejected is not None or self.kept:
            return True
        # What failed in an earlier round was planned again to be tried again.
        failed_earlier = self.earlier and self.returned is not None and self.returned.error
        return not self.rules.writes and not failed_earlier

    def launch(self, id: TaskId) -> Launch:
        """The order to start it for one of its tasks."""
        return Launch(self.number, id, self.tool, self.args, self.rules.destructive)

    def outcome(self, id: TaskId) -> Outcome:
        """How one of its tasks ended. The call must have ended."""
        if (it := self.returned) is None:
            return Outcome(id, self.tool, "rejected", self.args, error=self.rejected)
        return Outcome(
            id,
            self.tool,
            "ok" if it.error is None else "failed",
            self.args,
            it.value,
            it.error,
            it.started_at,
            it.ended_at,
            it.attempts,
            reused=id != self.owners[0],
            artifact=it.artifact,
            # It is carried out once.
            command=it.command if id == self.owners[0] else None,
        )


class SharedCalls:
    """The calls that are known, by number and by what they are."""

    def __init__(self) -> None:
        self.known: dict[int, Call] = {}
        self._numbers = count()
        self._by_key: dict[tuple[str, TaskId | None], Call] = {}
        self._rejected: dict[str, Call] = {}

    @property
    def unclaimed(self) -> list[Launch]:
        """The calls of a plan that broke off which no task of the next plan has taken over."""
        return [
            call.launch(call.launched_for)
            for call in self.known.values()
            if call.kept and call.launched_for is not None
        ]

    def find(self, key: str, behind: TaskId | None = None) -> Call | None:
        """The call that a task with an equal one is to share or to take over.

        A rejected one is found whatever was written since: it is not proposed again.
        """
        call = self._rejected.get(key) or self._by_key.get((key, behind))
        return call if call is not None and call.open_to_others else None

    def add(
        self,
        tool: str,
        args: Mapping[str, Any],
        key: str,
        rules: ToolRules,
        owner: TaskId,
        behind: TaskId | None = None,
    ) -> Call:
        """A new call. It is the one that equal calls are compared with from now on."""
        call = Call(next(self._numbers), tool, args, key, rules, behind, [owner])
        self.known[call.number] = self._by_key[key, behind] = call
        return call

    def reject(self, call: Call, why: str) -> None:
        """A person rejected a call."""
        call.rejected = why
        self._rejected[call.key] = call

    def recall(
        self, prior: Prior, key: str, rules: ToolRules, behind: TaskId | None = None
    ) -> Call:
        """A call that ended in an earlier run or round, for equal calls of this one."""
        outcome = prior.outcome
        call = self.add(outcome.tool, outcome.args, key, rules, outcome.id, behind)
        call.earlier = True
        if outcome.args != prior.planned:
            call.planned = prior.planned
        if outcome.status == "rejected":
            self.reject(call, outcome.error or "")
        else:
            call.returned = Returned.again(call.number, outcome)
        return call

    def forget(self, call: Call) -> None:
        del self.known[call.number]
        if self._by_key.get((call.key, call.behind)) is call:
            del self._by_key[call.key, call.behind]

    def disown(self, ids: Container[TaskId]) -> Steps:
        """Take calls from tasks that are forgotten; keep those that were launched."""
        for number, call in enumerate([*self.known.values()]):
            if number % EVERY == EVERY - 1:
                yield
            call.owners = [id for id in call.owners if id not in ids]
            if call.kept and call.launched_for is None:
                self.forget(call)

    def validate(self) -> None:
        """Raises AssertionError if calls and keys disagree."""
        for number, call in self.known.items():
            assert call.number == number, f"call {call.number} is stored under {number}"
            assert call.owners or call.launched_for is not None, f"call {number} has no owner"
            assert len(set(call.owners)) == len(call.owners), f"call {number} has an owner twice"
            assert call.returned is None or call.rejected is None, f"call {number} ended twice"
        for key, call in self._by_key.items():
            assert (call.key, call.behind) == key, (
                f"call {call.number} is stored under another's key"
            )
            assert self.known.get(call.number) is call, f"key of the forgotten call {call.number}"
