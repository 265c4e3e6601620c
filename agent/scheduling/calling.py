"""Tasks that call a tool: when its needs have ended, each gets a call, a known one or its own."""

from collections.abc import Callable, Mapping
from typing import Any

from llm_compiler.errors import PlanError
from llm_compiler.language.references import substitute
from llm_compiler.language.task import Task
from llm_compiler.language.task_ids import TaskId
from llm_compiler.language.tool_rules import ToolRules
from llm_compiler.scheduling.asking import Asking
from llm_compiler.scheduling.facts import Prior, Tools
from llm_compiler.scheduling.results import Results
from llm_compiler.scheduling.shared_calls import Call, SharedCalls
from llm_compiler.scheduling.task_graph import TaskGraph
from llm_compiler.scheduling.task_record import TaskRecord


class Calling:
    """Fills the arguments of tasks in, and finds or makes their calls.

    Args:
        graph: Settles the tasks that need no call of their own.
        calls: The calls that are known.
        asking: Knows which calls need a person.
        tools: Check the arguments.
        rules_of: What rules a task's call.
        reached: Which untrusted result reaches a task's arguments.
        results: What references refer to.
        admit: Lets a call start that needs no person.
    """

    def __init__(
        self,
        graph: TaskGraph,
        calls: SharedCalls,
        asking: Asking,
        tools: Tools,
        *,
        rules_of: Callable[[TaskId], ToolRules],
        reached: Callable[[TaskId], str],
        results: Results,
        admit: Callable[[TaskRecord, Call], None],
    ) -> None:
        self._graph = graph
        self._calls = calls
        self._asking = asking
        self._tools = tools
        self._rules_of = rules_of
        self._reached = reached
        self._results = results
        self._admit = admit

    def begin(self, record: TaskRecord, late: str | None) -> None:
        """All needs of a task have ended, those for data ok.

        Args:
            record: The task.
            late: Why no call may start any more.
        """
        task, args = record.task, None
        assert isinstance(task, Task)
        try:
            args = self._filled(task)
            if (prior := record.holding(args)) is not None:
                self._recall(record, prior)
                return
            if record.stopper is not None and not (record.asked or record.id in self._asking):
                self._graph.stop(record, record.stopper, args)
                return
            key = self._tools.check(task.tool, args)
        except PlanError as error:
            self._graph.drop(record, "failed", str(error), args)
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

    def ask_in_advance(self) -> None:
        """Let a person decide on all calls whose arguments are known, though they come later.

        What would not become a call of its own is left to its turn.
        """
        for record in self._graph.waiting_in_order():
            task = record.task
            assert isinstance(task, Task)
            if record.id in self._asking or not self._must_ask(record):
                continue
            try:
                args = self._filled(task)
                key = self._tools.check(task.tool, args)
            except PlanError:
                continue
            if record.holding(args) is None and self._calls.find(key, record.behind) is None:
                record.priors = ()
                self._add(record, args, key)
                record.move("asked")

    def _filled(self, task: Task) -> Mapping[str, Any]:
        """The arguments of a task, with the results that they refer to.

        Raises:
            PlanError: they cannot be filled in.
        """
        filled: Mapping[str, Any] = substitute(
            task.args, self._results.value, lambda id: id in task.needs
        )
        return filled

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

    def _recall(self, record: TaskRecord, prior: Prior) -> None:
        """A task ended before and was not edited since; equal calls may share what came of it."""
        rules, tool = self._rules_of(record.id), prior.outcome.tool
        try:
            key = self._tools.check(tool, prior.planned)
        except PlanError:  # its tool is gone, or takes other arguments now
            key = f"{tool} of task {record.id}"
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
