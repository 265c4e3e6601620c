"""What a program compiles to besides tasks: statements that were refused, and the answer."""

from dataclasses import dataclass, field
from typing import Any

from llm_compiler.language.evaluation.compute import hole
from llm_compiler.language.reading.diagnostics import Diagnostic
from llm_compiler.language.tasks.task import When
from llm_compiler.language.tasks.task_ids import TaskId


@dataclass(frozen=True, slots=True)
class Refused:
    """A statement that did not compile. What it assigns has failed, as if a task had."""

    id: TaskId
    diagnostic: Diagnostic
    source: str

    @property
    def line(self) -> int:
        return self.diagnostic.line


@dataclass(frozen=True, slots=True)
class Hole:
    """A value in an answer, with its format."""

    value: Any
    """A literal, or a reference to a task."""
    conversion: str = ""
    spec: str = ""

    def text(self, value: Any) -> str:
        """`value`, which its reference led to, as the answer writes it."""
        return hole(value, self.conversion, self.spec)


@dataclass(frozen=True, slots=True)
class Lines:
    """Any number of lines, as a list that a reference leads to."""

    value: str


@dataclass(frozen=True, slots=True)
class Either:
    """What is said if a condition holds, and if it does not."""

    when: When
    yes: tuple["Part", ...]
    no: tuple["Part", ...]


Part = str | Hole | Lines | Either


@dataclass(frozen=True, slots=True)
class Answer:
    """How a program ends: what it printed, line by line, and what it answered."""

    parts: tuple[Part, ...] = ()
    in_words: bool = False
    """It says something around its values; else a joiner writes the reply."""
    needs: tuple[TaskId, ...] = ()
    given: bool = field(default=False)
    """By `answer` or `return`, not only by `print`."""
    line: int = 0
    source: str = ""
    """The statement that said it last."""
    when: When | None = None
    """It answers only if this condition holds."""

    def then(self, more: "Answer") -> "Answer":
        """This, and on a new line `more`; a `return` without value says nothing more."""
        parts = (*self.parts, "\n", *more.parts) if self.parts else more.parts
        parts = self.parts if more.given and not more.parts else parts
        needs = tuple(dict.fromkeys((*self.needs, *more.needs)))
        in_words, given = self.in_words or more.in_words, self.given or more.given
        return Answer(parts, in_words, needs, given, more.line, more.source)

    def unless(self, when: When, other: "Answer") -> "Answer":
        """This if a condition holds, else another."""
        parts = (Either(when, self.parts, other.parts),)
        needs = tuple(dict.fromkeys((*self.needs, *other.needs, when.id)))
        in_words = self.in_words and other.in_words
        return Answer(parts, in_words, needs, True, other.line, other.source)
