"""Reads a plan while it is written: text of any chunking in, tasks out, the last for its answer."""

from collections.abc import Mapping, Set
from dataclasses import replace

from llm_compiler.language.lowering.answers import answer_expression
from llm_compiler.language.program import Program, Stands
from llm_compiler.language.recompile import PROSE, planned
from llm_compiler.language.tasks.task import ANSWER, Refused, Task
from llm_compiler.language.tasks.task_ids import TaskId
from llm_compiler.language.toolbox.toolbox import Toolbox

_CUT = "the plan was cut off here; what would have followed is missing"


class PlanReader:
    """One plan, as far as it was written."""

    def __init__(
        self, tools: Toolbox, names: Mapping[str, str], first_id: int, max_tasks: int
    ) -> None:
        self._program = Program(tools, names=names, first_id=first_id, max_calls=max_tasks)
        self._answered = False

    @property
    def ended(self) -> bool:
        """Whether its end was written."""
        return self._program.ended

    @property
    def unfinished_tokens(self) -> int:
        """How long the statement that is being written is by now."""
        return self._program.unfinished_tokens

    @property
    def full(self) -> bool:
        """Whether it has the most tasks that it may have."""
        return self._program.full

    @property
    def names(self) -> Mapping[str, str]:
        """What each variable stands for, as an expression."""
        return self._program.names

    @property
    def wasted(self) -> Set[TaskId]:
        """Reads that were started early and count for nothing: they are called again elsewhere."""
        return self._program.wasted

    def feed(self, text: str) -> list[Task | Refused]:
        """Read more text; return the tasks that it completes."""
        return [*map(planned, self._program.feed(text)), *self._answer(self._program.ended)]

    def close(self, *, cut: bool) -> list[Task | Refused]:
        """The text has ended, or was cut off."""
        out = [*map(planned, self._program.close(cut=cut)), *self._answer(True)]
        program = self._program
        if cut and program.tasks and not (program.ended or program.full) and not out:
            # The joiner must know that more was to come.
            out.append(Refused(program.take_id(), PROSE, _CUT, "…"))
        return out

    @property
    def statements(self) -> Mapping[TaskId, Stands]:
        """The tasks' variables and statements, which may be known late."""
        return self._program.statements

    def _answer(self, ended: bool) -> list[Task | Refused]:
        """The task that says what the program ends with."""
        answer = self._program.answer
        if not ended or self._answered or not answer.parts:
            return []
        self._answered = True
        id = self._program.take_id()
        args = {"expression": answer_expression(answer)}
        it = Task(id, ANSWER, args, answer.needs, line=answer.line, source=answer.source)
        return [replace(it, when=answer.when)]
