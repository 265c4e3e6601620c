"""Reads a plan while it is written: text of any chunking in, tasks out.

A plan is a Python program; one in the older notation, numbered calls, is still read.
"""

import re
from collections.abc import Collection, Mapping
from typing import Protocol

from llm_compiler.language import lowered
from llm_compiler.language.answers import answer_expression
from llm_compiler.language.compiler import Compiler
from llm_compiler.language.parser import JOIN, Call, PlanParser
from llm_compiler.language.program import Program
from llm_compiler.language.recompile import planned
from llm_compiler.language.task import ANSWER, Refused, Task
from llm_compiler.language.toolbox import Toolbox

_PYTHON = re.compile(
    r"(?m)^[ \t]*(?:```|~~~)"
    r"|\A[\s\ufeff]*(?:#|[\"']{3}|(?:for|if|import|from|await|return)\b"
    r"|[^\W\d]\w*\s*(?:[=(,]|[-+*/]=))"
)
_CUT = "the plan was cut off here; what would have followed is missing"
_NUMBERED = re.compile(r"(?m)^\W*\d{1,9}\s*[.:)]")


class PlanReader(Protocol):
    """One plan, as far as it was written."""

    @property
    def ended(self) -> bool:
        """Whether its end was written."""

    @property
    def full(self) -> bool:
        """Whether it has the most tasks that it may have."""

    @property
    def names(self) -> Mapping[str, str]:
        """What each variable stands for, as an expression."""

    def feed(self, text: str) -> list[Task | Refused]:
        """Read more text; return the tasks that it completes."""

    def close(self, *, cut: bool) -> list[Task | Refused]:
        """The text has ended, or was cut off."""

    def written(self) -> Mapping[int, lowered.Task]:
        """The tasks with their variables and statements, which may be known late."""


class PythonReader:
    """A plan in Python."""

    def __init__(
        self, tools: Toolbox, names: Mapping[str, str], first_id: int, max_tasks: int
    ) -> None:
        self._program = Program(tools, names=names, first_id=first_id, max_calls=max_tasks)
        self._max_tasks = max_tasks
        self._answered = False

    @property
    def ended(self) -> bool:
        return self._program.ended

    @property
    def full(self) -> bool:
        return self._program.full

    @property
    def names(self) -> Mapping[str, str]:
        return self._program.names

    def feed(self, text: str) -> list[Task | Refused]:
        return [*map(planned, self._program.feed(text)), *self._answer(self._program.ended)]

    def close(self, *, cut: bool) -> list[Task | Refused]:
        out = [*map(planned, self._program.close(cut=cut)), *self._answer(True)]
        program = self._program
        if cut and program.tasks and not (program.ended or program.full) and not out:
            # The joiner must know that more was to come.
            out.append(Refused(program.take_id(), "plan", _CUT, "…"))
        return out

    def written(self) -> Mapping[int, lowered.Task]:
        return {it.id: it for it in self._program.tasks if isinstance(it, lowered.Task)}

    def _answer(self, ended: bool) -> list[Task | Refused]:
        """The task that says what the program ends with."""
        answer = self._program.answer
        if not ended or self._answered or not answer.parts:
            return []
        self._answered = True
        id = self._program.take_id()
        args = {"expression": answer_expression(answer)}
        return [Task(id, ANSWER, args, answer.needs, line=answer.line, source=answer.source)]


class NumberedReader:
    """A plan of numbered calls."""

    def __init__(self, tools: Toolbox, taken: Collection[int], max_tasks: int) -> None:
        self._parser = PlanParser()
        self._compiler = Compiler(tools, taken=taken, max_tasks=max_tasks)
        self._next = max(taken, default=0) + 1
        self._any = False
        self.names: Mapping[str, str] = {}

    @property
    def ended(self) -> bool:
        return self._parser.ended

    @property
    def full(self) -> bool:
        return self._compiler.full

    def feed(self, text: str) -> list[Task | Refused]:
        return self._compiled(self._parser.feed(text))

    def close(self, *, cut: bool) -> list[Task | Refused]:
        calls = self._parser.close()
        if cut and not self.ended and not calls and self._any:
            calls = [Call(self._next, JOIN, whole=False)]
        return [*self._compiled(calls), *self._compiler.close()]

    def written(self) -> Mapping[int, lowered.Task]:
        return {}

    def _compiled(self, calls: list[Call]) -> list[Task | Refused]:
        out: list[Task | Refused] = []
        for call in calls:
            self._any = True
            if not self.full:
                out += self._compiler.compile(call)
        self._next = max([self._next, *(task.id + 1 for task in out)])
        return out


class EitherReader:
    """A plan in whichever notation its first words are in."""

    def __init__(self, python: PythonReader, numbered: NumberedReader) -> None:
        self._python = python
        self._numbered = numbered
        self._held = ""
        self._chosen: PythonReader | NumberedReader | None = None

    @property
    def _reader(self) -> PythonReader | NumberedReader:
        return self._chosen or self._numbered

    @property
    def ended(self) -> bool:
        return self._reader.ended

    @property
    def full(self) -> bool:
        return self._reader.full

    @property
    def names(self) -> Mapping[str, str]:
        return self._python.names

    def feed(self, text: str) -> list[Task | Refused]:
        if self._chosen is None:
            self._held += text
            if _PYTHON.search(self._held):
                self._chosen = self._python
            elif _NUMBERED.search(self._held):
                self._chosen = self._numbered
            else:
                return []
            text, self._held = self._held, ""
        return self._reader.feed(text)

    def close(self, *, cut: bool) -> list[Task | Refused]:
        held, self._held = self._held, ""
        return [*self._reader.feed(held), *self._reader.close(cut=cut)]

    def written(self) -> Mapping[int, lowered.Task]:
        return self._reader.written()
