"""A plan while it is being written: parses, compiles and passes it on, task by task."""

import uuid

from llm_compiler.language.compiler import Compiler
from llm_compiler.language.parser import ANSWER, JOIN, Call, PlanParser
from llm_compiler.language.plan_grammar import plan_grammar
from llm_compiler.language.references import literal
from llm_compiler.language.task import Refused, Task, TaskData, did_not_compile
from llm_compiler.models.errors import EmptyReplyError
from llm_compiler.run.resources import Round
from llm_compiler.scheduling.facts import DeadlinePassed, PlanBroke, PlanEnded, Planned

_MAX_CHARS = 100_000
"""The most characters of a plan, besides `_MAX_CHARS_OF_TASK` for each task that it may have."""
_MAX_CHARS_OF_TASK = 1000


class PlanStream:
    """The plan of a round, fed as its model writes it. After a broken stream, it starts over.

    Args:
        round: The round; its unit gets the tasks.
        plan: The tasks of earlier rounds.
    """

    def __init__(self, round: Round, plan: list[TaskData]) -> None:
        self.round = round
        self._taken = [task["id"] for task in plan]
        self.first_id = max(self._taken, default=0) + 1
        self.begin()

    def begin(self) -> None:
        """A model starts to write the plan, or starts over."""
        self._parser = PlanParser()
        self._compiler = Compiler(
            self.round.tools, taken=self._taken, max_tasks=self.round.context.max_tasks
        )
        self._answer: TaskData | None = None
        self._ids: list[int] = []
        self._any = False
        self._characters = 0
        self.too_long = False

    def grammar(self, *, staged: bool) -> str:
        """The grammar of this plan, for servers that decode under one."""
        max_tasks = self.round.context.max_tasks
        return plan_grammar(self.round.tools, self.first_id, max_tasks=max_tasks, staged=staged)

    @property
    def ended(self) -> bool:
        """Whether the plan's end was written."""
        return self._parser.ended

    @property
    def full(self) -> bool:
        """Whether the plan has the most tasks that it may have."""
        return self._compiler.full

    def feed(self, text: str) -> None:
        """Take the next text of the plan, up to the most characters that a plan may have."""
        room = _MAX_CHARS + _MAX_CHARS_OF_TASK * self.round.context.max_tasks - self._characters
        self.too_long = len(text) > room
        self._characters += len(text)
        for call in self._parser.feed(text[:room]):
            self._take(call)

    def broke(self) -> None:
        """The stream broke off: its calls are kept for the plan that follows."""
        self.round.unit.tell(PlanBroke())
        self.begin()

    def cut(self) -> bool:
        """The stream was cut off; a call that is incomplete is not run. Returns whether one is."""
        calls = self._parser.close()
        for call in calls:
            self._take(call)
        return bool(calls)

    def expire(self, deadline: float) -> None:
        """The deadline passed. Calls that ran for a plan that broke off are added to this plan."""
        self.cut()
        self._plan_without_id()
        unclaimed = self.round.unit.schedule.unclaimed
        for call in sorted(unclaimed, key=lambda call: self._free(call.id) != call.id):
            self._plan(Task(self._free(call.id), call.tool, literal(dict(call.args))))
        self.round.unit.tell(DeadlinePassed(deadline))

    def leave_off(self) -> None:
        """The model stopped before the plan's end: add a failed task that tells the joiner so."""
        if not self.ended and not self.cut() and self._any:
            self._take(Call(self._free(), JOIN, whole=False))

    def finish(self, model: str) -> None:
        """The stream ended.

        Raises:
            EmptyReplyError: it had no task.
        """
        self.cut()
        if not self._any:
            why = f"the planner's model {model} wrote no task; use another model"
            raise EmptyReplyError(why, transient=True, wait=0)

    def close(self) -> list[TaskData]:
        """End the plan; return its tasks in id order, as the state holds them."""
        self._plan_without_id()
        self.round.unit.tell(PlanEnded())
        tasks = self.round.unit.schedule.tasks
        written = [tasks[id].data() for id in self._ids]
        if self._answer is not None:
            written.append(self._answer)
        written.sort(key=lambda task: task["id"])
        mark, schedule = uuid.uuid4().hex[:8], self.round.unit.schedule
        for task in written:
            task["round"] = self.round.number
            task["key"] = f"{mark}-{task['id']}"
            if task is self._answer:
                continue
            # What did not compile may do so later: an edit, or another tool.
            taint = schedule.taint.of_task(schedule.tasks[task["id"]])
            if taint or not did_not_compile(task):
                task["taint"] = taint
            rules = schedule.rules_of(task["id"]).stored
            if rules and task["tool"] in self.round.tools:
                task["rules"] = rules
        self.round.events.plan_end([task["id"] for task in written])
        return written

    def _take(self, call: Call) -> None:
        if self.full:
            return
        self._any = True
        for task in self._compiler.compile(call):
            if isinstance(task, Task) and task.tool == ANSWER:
                self._answer = task.data()
                self.round.events.plan_task(task)
            else:
                self._plan(task)

    def _plan_without_id(self) -> None:
        for refused in self._compiler.close():
            self._plan(refused)

    def _free(self, id: int = 0) -> int:
        """`id` if no task has it, else the next id after all others."""
        answered = [self._answer["id"]] if self._answer is not None else []
        taken = {*self._taken, *self._ids, *answered}
        return id if id and id not in taken else max(taken, default=0) + 1

    def _plan(self, task: Task | Refused) -> None:
        self._ids.append(task.id)
        self.round.events.plan_task(task)
        self.round.unit.tell(Planned(task))
