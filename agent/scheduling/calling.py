"""Tasks that call a tool: when its needs have ended, each gets a call, a known one or its own."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from llm_compiler.language.tasks.task_ids import TaskId
from llm_compiler.language.toolbox.tool_rules import ToolRules
from llm_compiler.scheduling.asking import Asking
from llm_compiler.scheduling.facts import Prior
from llm_compiler.scheduling.filling import Filling
from llm_compiler.scheduling.shared_calls import Call, SharedCalls
from llm_compiler.scheduling.steps import Steps
from llm_compiler.scheduling.task_graph import TaskGraph
from llm_compiler.scheduling.task_record import TaskRecord


class Calling:
    """Finds or makes the calls of tasks.

    Args:
        graph: Settles the tasks that need no call of their own.
        calls: The calls that are known.
        asking: Knows which calls need a person.
        filling: Fills the arguments in.
        rules_of: What rules a task's call.
        reached: Which untrusted result reaches a task's arguments.
        admit: Lets a call start that needs no person.
    """

    def __init__(
        self,
        graph: TaskGraph,
        calls: SharedCalls,
        asking: Asking,
        filling: Filling,
        *,
        rules_of: Callable[[TaskId], ToolRules],
        reached: Callable[[TaskId], str],
        admit: Callable[[TaskRecord, Call], None],
    ) -> None:
        self._graph = graph
        self._calls = calls
        self._asking = asking
        self._filling = filling
        self._rules_of = rules_of
        self._reached = reached
        self._admit = admit

    def begin(self, record: TaskRecord, late: str | None) -> None:
        """All needs of a task have ended, those for data ok; so have its arguments been filled in
        if that was ordered.

        Args:
            record: The task.
            late: Why no call may start any more.
        """
        if (filled := self._filling.begin(record)) is None:
            record.move("filling")
            return
        record.filled, args = None, filled.args
        if args is None:
            self._graph.drop(record, "failed", str(filled.error))
            return
        if filled.prior is not None:
            self._recall(record, filled.prior, filled.key)
            return
        key, asked = filled.key, record.asked or record.id in self._asking
        if record.stopper is not None and (key is None or not asked):
            self._graph.stop(record, record.stopper, args)
            return
        if key is None:
            self._graph.drop(record, "failed", str(filled.error), args)
            return
        record.priors = ()
        call = self._equal(record, key)
        if late is not None and (call is None or not call.kept):
            self._graph.drop(record, "skipped", late, args)
        elif call is not None:
            self._share(record, call)
        else:
            call = self._add(record, args, key)
            if self._must_ask(record):
                record.move("asked")
            else:
                self._admit(record, call)

    def ask_in_advance(self) -> Steps:
        """Let a person decide on all calls whose arguments are known, though they come later.

        What would not become a call of its own is left to its turn.
        """
        for record in self._graph.waiting_in_order():
            yield
            if record is None or record.id in self._asking or not self._must_ask(record):
                continue
            if (filled := self._filling.begin(record)) is None:
                continue  # it is asked about as soon as they are filled in
            record.filled = filled
            if (key := filled.key) is None or filled.prior is not None:
                continue
            if self._calls.find(key, record.behind) is None:
                record.priors, record.filled = (), None
                self._add(record, filled.args, key)
                record.move("asked")

    def forget(self, forgotten: Mapping[TaskId, TaskRecord]) -> Iterator[TaskRecord | None]:
        """The plan of these tasks broke off; yield those that stand now where they stood: tasks of
        an earlier round that shared a call with one of them. Yield None for each other one."""
        yield from self._calls.disown(forgotten)
        for record in forgotten.values():
            call = record.call
            if call is not None and call.owners and record.state not in ("sharing", "settled"):
                heir = self._graph.records[call.owners[0]]
                heir.move(record.state)
                yield heir
            record.move("forgotten")
            yield None

    def _must_ask(self, record: TaskRecord) -> bool:
        id = record.id
        return self._asking.must_ask(record, self._rules_of(id), self._reached(id))

    def _add(self, record: TaskRecord, args: Mapping[str, Any], key: str) -> Call:
        tool, rules = record.task.tool, self._rules_of(record.id)
        record.call = call = self._calls.add(tool, args, key, rules, record.id, record.behind)
        return call

    def _equal(self, record: TaskRecord, key: str) -> Call | None:
        """The call that a task is to share or to take over."""
        if record.id in self._asking:  # it was asked about by itself
            return None
        call = self._calls.find(key, record.behind)
        if call is None or call.kept:
            return call
        first = self._graph.records[call.owners[0]]
        # What was asked about in advance may itself come after this task.
        return None if first.state == "asked" and first.unmet else call

    def _recall(self, record: TaskRecord, prior: Prior, key: str | None) -> None:
        """A task ended before and was not edited since; equal calls may share what came of it."""
        rules = self._rules_of(record.id)
        if key is None:  # its tool is gone, or takes other arguments now
            key = f"{prior.outcome.tool} of task {record.id}"
        record.call = self._calls.recall(prior, key, rules, record.behind)
        record.priors = ()
        self._graph.settle(record, prior.outcome, announce=False)

    def _share(self, record: TaskRecord, call: Call) -> None:
        """An equal call is known: wait for it, or take it over from a plan that broke off."""
        kept = call.kept
        record.call = call
        call.owners.append(record.id)
        if call.ended:
            self._graph.settle(record, call.outcome(record.id))
        else:
            record.move("running" if kept else "sharing")
