"""The order of effects: a plan does what its lines would do one after another, only sooner.

- A write waits for every task written before it. It does not start if one of them failed, did not
  compile or was skipped: a program that raises does not go on. What a person rejected has not
  failed, nor has what a condition skipped.
- A read of a domain waits for the last write of that domain written before it.
- Other reads, and tasks that only compute, wait for their data alone.
- A loop counts as what its body does. Its instances, in the order of the iterations, wait for what
  the loop comes after and for one another.

What a task waits for in this way stands among its needs. It is told from its data by its arguments.
"""

import re
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, replace
from typing import Any

from llm_compiler.language.evaluation.each import bodies, referred
from llm_compiler.language.tasks.task import EACH, Refused, Task, is_call, is_pure
from llm_compiler.language.tasks.task_ids import TaskId
from llm_compiler.language.toolbox.tool_rules import ABSENT, ToolRules
from llm_compiler.scheduling.facts import Tools


def data_needs(task: Task) -> dict[TaskId, None]:
    """Those of a task's needs that its arguments refer to, in order; all others are for order, but
    for its condition."""
    if not task.needs:
        return {}
    needs = {*task.needs}
    return {id: None for id in referred(task.id, task.tool, task.args) if id in needs}


@dataclass(frozen=True, slots=True)
class Effects:
    """What a task reads and writes: the domains; a loop of many."""

    writes: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()

    @classmethod
    def of(cls, task: Task, tools: Tools) -> "Effects":
        if task.tool == EACH:
            found = [_NONE]
            found += (_of_rules(rules) for rules in body_rules(task, tools).values())
            return cls(
                tuple(dict.fromkeys(domain for it in found for domain in it.writes)),
                tuple(dict.fromkeys(domain for it in found for domain in it.reads)),
            )
        if not is_call(task.tool):
            return _NONE
        return _of_rules(tools.rules(task.tool).with_stored(task.rules))


def body_rules(task: Task, tools: Tools) -> Mapping[str, ToolRules]:
    """The rules of the calls in a loop's body, by tool: as they are now, and as they were when the
    loop was planned."""
    rules: dict[str, ToolRules] = {}
    for it in bodies(task.args):
        if is_call(it["tool"]):
            known = rules.get(it["tool"]) or tools.rules(it["tool"])
            rules[it["tool"]] = known.with_stored(it.get("rules", ()))
    return rules


def with_rules(task: Task | Refused, tools: Tools) -> Task | Refused:
    """A task that is planned now; if it is a loop, the tasks in its body get what rules their
    calls, since none of it is lifted for them later."""
    if task.tool != EACH or isinstance(task, Refused):
        return task
    return replace(task, args=_with_rules(task.args, tools))


def _with_rules(args: Mapping[str, Any], tools: Tools) -> dict[str, Any]:
    body = []
    for it in args["body"]:
        if it["tool"] == EACH:
            it = {**it, "args": _with_rules(it["args"], tools)}
        elif is_call(it["tool"]) and (rules := tools.rules(it["tool"])) is not ABSENT:
            it = {**it, "rules": rules.stored} if rules.stored else it
        body.append(it)
    return {**args, "body": body}


def _of_rules(rules: ToolRules) -> Effects:
    if rules.writes:
        return Effects(writes=(rules.domain,))
    return Effects(reads=(rules.domain,)) if rules.domain else _NONE


_NONE = Effects()


def may_skip(task: Task) -> bool:
    """Whether a task may end ok though what it names did not: an expression with branches."""
    return is_pure(task.tool) and _MAY_SKIP.search(str(task.args.get("expression"))) is not None


_MAY_SKIP = re.compile(r"\b(?:if|and|or|for)\b|[<>=!].*[<>=!]", re.DOTALL)


class LastWrites:
    """The last write of each domain, among the tasks so far."""

    def __init__(self, before: "LastWrites | None" = None) -> None:
        self._last: dict[str, TaskId] = {} if before is None else {**before._last}

    def add(self, id: TaskId, effects: Effects) -> list[TaskId]:
        """Count a task in; return the last write before it of each domain that it reads."""
        found = [self._last[domain] for domain in effects.reads if domain in self._last]
        for domain in effects.writes:
            self._last[domain] = id
        return found


class EffectOrder:
    """Gives the tasks of one plan, in the order in which they are written, what they wait for.

    Args:
        tools: Tells reads from writes.
        earlier: The ids of earlier rounds, all of whose tasks have ended: a plan does not wait for
            them, nor is it stopped by what failed there. Of the iterations of a loop: what is
            outside of it.
        since: What is written before the first task; the iterations of a loop come after it.
        last_of: The writes before the first task.
    """

    def __init__(
        self,
        tools: Tools,
        earlier: Iterable[TaskId] = (),
        *,
        since: Iterable[TaskId] = (),
        last_of: LastWrites | None = None,
    ) -> None:
        self._tools = tools
        self._known = {*earlier}
        self._unordered: set[TaskId] = set()
        """Tasks that wait for one which was not written yet, or for such a task. Nothing waits for
        them but for data, or there could be cycles."""
        self._last_of = LastWrites(last_of)
        self._last: TaskId | None = None
        self._since: dict[TaskId, None] = dict.fromkeys(since)
        """The tasks since the last write, without those that another of them waits for."""
        self._stood_for: dict[TaskId, list[TaskId]] = {}
        """By task of those, the ones that it waits for, which are not among them because of it."""
        self._outside = frozenset(since)
        """Those of before the first task, which may be ok though what they come after failed."""

    def forget(self, wasted: Set[TaskId]) -> None:
        """These reads were started early, and are only wasted: nothing comes after them."""
        waiting = [*(wasted & self._since.keys())]
        while waiting:
            id = waiting.pop()
            self._since.pop(id, None)
            for need in self._stood_for.pop(id, ()):
                self._since[need] = None
                waiting += [need] if need in wasted else []

    def ordered(self, task: Task | Refused) -> Task | Refused:
        """The next task of the plan, with what its effects wait for among its needs."""
        self._known.add(task.id)
        if isinstance(task, Refused):
            self._since[task.id] = None
            return task
        if not (self._known.issuperset(task.needs) and self._unordered.isdisjoint(task.needs)):
            self._unordered.add(task.id)
        counted = task.id not in self._unordered
        effects = Effects.of(task, self._tools)
        needs = dict.fromkeys(task.needs)
        if effects.writes:
            needs |= self._since
            if self._last is not None:
                needs[self._last] = None
            if counted:
                self._last = task.id
                self._since.clear()
                self._stood_for.clear()
                self._last_of.add(task.id, effects)
        else:
            needs |= dict.fromkeys(self._last_of.add(task.id, effects))
            if counted:
                # Other tasks may end before what they need has, or ok though it failed.
                pops = task.when is None and task.tool != EACH and not may_skip(task)
                for need in needs if pops else ():
                    if need in self._since and need not in self._outside:
                        del self._since[need]
                        self._stood_for.setdefault(task.id, []).append(need)
                self._since[task.id] = None
        return replace(task, needs=tuple(needs)) if len(needs) > len(task.needs) else task
