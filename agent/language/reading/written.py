"""What the reader of a program's text hands out: complete calls, whole statements, fences."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from llm_compiler.records import record
from llm_compiler.text import clean

PLACEHOLDER = "\U00020000"
"""Begins the name that takes a call's place; a letter to Python that no program uses."""
NESTED = "\U00020003"
"""Begins the name that takes the place of a string in a hole of an f-string."""
MAX_SOURCE = 300
"""Characters of a statement or a call that are kept to be shown."""

Fault = Literal["", "cut", "indent", "broken"]


class Written(NamedTuple):
    """Text for `ast`, in pieces that know their offset in the whole program."""

    text: str
    pieces: Sequence[tuple[str, int]]
    nested: Sequence[str] = ()
    """Strings in holes of f-strings, which Python before 3.12 reads only by themselves. In the
    text, `NESTED` and the index stand for each."""

    @classmethod
    def of(cls, pieces: Sequence[tuple[str, int]], nested: Sequence[str] = ()) -> "Written":
        return cls("".join([text for text, _ in pieces]), pieces, nested)

    @property
    def may_hold_calls(self) -> bool:
        """False if no placeholder of a call stands in it."""
        return bool(self.nested) or PLACEHOLDER in self.text

    def offset(self, line: int, column: int) -> int:
        """The offset in the program of a place as `ast` gives it: line from 1, bytes from 0."""
        lines = self.text.split("\n")
        line = min(line, len(lines))
        here = len(lines[line - 1].encode()[:column].decode(errors="ignore"))
        here += sum(len(text) + 1 for text in lines[: line - 1])
        begin = 0
        for text, at in self.pieces:
            if here < begin + len(text):
                return at if text.startswith((PLACEHOLDER, NESTED)) else at + here - begin
            begin += len(text)
        return self.pieces[-1][1] + len(self.pieces[-1][0]) if self.pieces else 0


@record
class Call:
    """A tool's call whose closing bracket has arrived, maybe inside an unfinished statement."""

    index: int
    """In its statement, in which `PLACEHOLDER` and this number stand for it."""
    tool: str
    written: Written
    source: str
    line: int
    at: int
    conditional: bool
    """Behind a word of a loop, a condition or a lambda, as far as the text has come."""
    target: str
    """The name that the call is assigned to, unless the statement continues after it."""
    settled: int
    """As in `Settled`, once the call is read."""


@record
class Settled:
    """A bracket closed, or a comma came: what stands before can be a loop's element no more."""

    below: int
    """The calls with a lower index are certain. A `for` may follow the others in the brackets that
    are open, and bind their names: `[search(x) for x in …`."""


@record
class Statement:
    """A whole statement; a compound one with its block."""

    written: Written
    raw: str
    """Its lines as they were written."""
    raw_at: int
    line: int
    """Of the beginning of `raw`, from 1."""
    at: int
    fault: Fault
    last: bool
    """The text ended with it."""


@record
class Fence:
    """A Markdown fence. `tag` is what follows it: the language of what it opens."""

    tag: str


Event = Call | Settled | Statement | Fence


def bounded(source: str) -> str:
    """A statement or a call as it is shown."""
    source = clean(source)
    return source if len(source) <= MAX_SOURCE else source[: MAX_SOURCE - 1] + "…"
