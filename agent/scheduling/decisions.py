"""Which calls a person must decide on, and what was decided."""

from collections.abc import Iterable
from operator import attrgetter

from llm_compiler.language.tool_rules import ToolRules
from llm_compiler.scheduling.facts import Ask, Decision, TaskId
from llm_compiler.scheduling.task_record import TaskRecord


class Decisions:
    """The decisions on calls, each until its task's call may start or is rejected."""

    def __init__(self) -> None:
        self._decided: dict[TaskId, Decision] = {}

    def add(self, decision: Decision) -> None:
        """A person decided."""
        self._decided[decision.id] = decision

    def must_ask(self, record: TaskRecord, rules: ToolRules, reached: str) -> bool:
        """Whether a person must decide on a task's call; `reached` says what taints it."""
        # What was asked about is never run unasked, though it may be another call by now.
        asked = record.asked or record.id in self._decided
        if not (rules.asks or asked or (rules.guarded and reached)):
            return False
        record.why_asked = None if rules.asks else reached or None
        return True

    def take(self, record: TaskRecord) -> Decision | None:
        """The decision on a task's call, if it is the call that the person was shown."""
        decision, call = self._decided.pop(record.id, None), record.known_call
        if decision is None or decision.asked not in (None, (call.tool, call.args)):
            return None
        return decision


def question_about(records: Iterable[TaskRecord]) -> Ask | None:
    """One question about all calls that wait for a person; None if none does."""
    asked = sorted((it for it in records if it.state == "asked"), key=attrgetter("id"))
    if not asked:
        return None
    why = {it.id: it.why_asked for it in asked if it.why_asked is not None}
    return Ask(tuple(it.known_call.launch(it.id) for it in asked), why)
