"""Which calls a person must decide on, and what becomes of the decisions."""

from collections.abc import Callable, Generator, Iterable
from operator import itemgetter

from llm_compiler.language.tasks.task_ids import TaskId, order_of
from llm_compiler.language.toolbox.tool_rules import ToolRules
from llm_compiler.scheduling.facts import Decision
from llm_compiler.scheduling.orders import Ask
from llm_compiler.scheduling.shared_calls import Call, SharedCalls
from llm_compiler.scheduling.steps import EVERY, Steps
from llm_compiler.scheduling.task_graph import TaskGraph
from llm_compiler.scheduling.task_record import TaskRecord


class Asking:
    """The calls that wait for a person, and the decisions until each is carried out.

    A call is decided on together with all others whose arguments are known, and carried out in its
    turn: when the tasks that it comes after have ended.

    Args:
        graph: Settles the tasks of rejected calls.
        calls: Where rejected calls are known.
        admit: Lets an approved call start.
    """

    def __init__(
        self, graph: TaskGraph, calls: SharedCalls, admit: Callable[[TaskRecord, Call], None]
    ) -> None:
        self._graph = graph
        self._calls = calls
        self._admit = admit
        self._decided: dict[TaskId, Decision] = {}

    def __contains__(self, id: TaskId) -> bool:
        """Whether there is a decision on a task's call that was not carried out yet."""
        return id in self._decided

    def must_ask(self, record: TaskRecord, rules: ToolRules, reached: str) -> bool:
        """Whether a person must decide on a task's call; `reached` says what taints it."""
        # What was asked about is never run unasked, though it may be another call by now.
        asked = record.asked or record.id in self._decided
        if not (rules.asks or asked or (rules.guarded and reached)):
            return False
        record.why_asked = None if rules.asks else reached or None
        return True

    def decide(self, decisions: Iterable[Decision]) -> Generator[None, None, list[TaskRecord]]:
        """A person decided; return the tasks whose turn it is."""
        due = []
        for number, decision in enumerate(decisions):
            if number % EVERY == EVERY - 1:
                yield
            record = self._graph.records.get(decision.id)
            if record is not None and record.state not in ("waiting", "filling", "asked"):
                continue  # it has ended: by the deadline, say, while the person was deciding
            # After a restart, an instance may be there only later.
            self._decided[decision.id] = decision
            if record is not None and record.state == "asked" and not record.unmet:
                due.append(record)
        return due

    def carry_out(self, record: TaskRecord) -> Steps:
        """It is an asked task's turn: do what a person decided on its call, if that is known."""
        call, decision = record.known_call, self._take(record)
        if decision is not None and decision.rejected is not None:
            self._calls.reject(call, decision.rejected)
            yield from self._graph.settle_owners(call)
        elif record.stopper is not None:
            for id in call.owners:
                self._graph.stop(self._graph.records[id], record.stopper, call.args)
                yield
        elif decision is not None:
            if decision.args is not None:
                # An equal call shares what the person made of it.
                call.planned, call.args = call.args, decision.args
            self._admit(record, call)

    def question(self) -> Generator[None, None, Ask | None]:
        """One question about all calls that wait for a decision; None if none does."""
        asked, why = [], dict[TaskId, str]()
        for number, it in enumerate(self._graph.records.values()):
            if number % EVERY == EVERY - 1:
                yield
            if it.state == "asked" and it.id not in self._decided:
                asked.append((order_of(it.id), it.known_call.launch(it.id)))
                if it.why_asked is not None:
                    why[it.id] = it.why_asked
        asked.sort(key=itemgetter(0))
        return Ask(tuple(launch for _, launch in asked), why) if asked else None

    def _take(self, record: TaskRecord) -> Decision | None:
        """The decision on a task's call, if it is the call that the person was shown."""
        decision, call = self._decided.pop(record.id, None), record.known_call
        if decision is None or decision.asked not in (None, (call.tool, call.args)):
            return None
        return decision
