"""A statement that is being read: which brackets are open, and which calls in it are complete."""

import keyword
import re
from collections.abc import Container
from dataclasses import dataclass, field
from typing import Literal

from llm_compiler.language.reading.tokens import Kind
from llm_compiler.language.reading.written import (
    MAX_SOURCE,
    NESTED,
    PLACEHOLDER,
    Call,
    Fault,
    Settled,
    Written,
    bounded,
)


@dataclass(slots=True)
class _Group:
    """The text between brackets; the statement itself is the outermost."""

    opener: str
    tool: str = ""
    piece: int = 0
    """Of the call's name, in the statement's pieces."""
    raw: int = 0
    at: int = 0
    line: int = 0
    target: str = ""
    first_call: int = 0
    """The index of the first call in it, if there is one."""
    is_element: bool = False
    """What it holds so far is a comprehension's element if a `for` follows."""
    doubtful: int | None = None
    """The index of the first call that a group around it may still take for an element."""
    inside_condition: bool = False
    """A group around it is conditional here."""
    for_good: bool = False
    """Until it closes."""
    for_now: bool = False
    """Until the next comma."""

    @property
    def first_doubtful(self) -> int | None:
        """As `doubtful`, with this group."""
        return self.first_call if self.doubtful is None and self.is_element else self.doubtful

    @property
    def conditional(self) -> bool:
        return self.inside_condition or self.for_good or self.for_now


_COMPOUND = frozenset(
    "if for while def class try with async match elif else except finally".split()
)
GOES_ON = frozenset(("elif", "else", "except", "finally"))
"""First words of a line that belong to the compound statement before."""
_STRAIGHT = frozenset(("if", "for", "return", "await", "not", "lambda", "True", "False", "None"))
"""Keywords at whose statement's beginning a call is unconditional."""
_OPERATORS = frozenset(keyword.kwlist) - {"True", "False", "None"}
"""The words that may follow an operand."""
_NUMBER = re.compile(r"0[xX][\da-fA-F_]+|0[bB][01_]+|0[oO][0-7_]+|[\d_]+(?:[eE][\d_]*)?")
_FRACTION = re.compile(r"[\d_]+(?:[eE][\d_]*)?|[eE][\d_]+|[eE]")
_CLOSER = {"(": ")", "[": "]", "{": "}"}


@dataclass(slots=True)
class Unfinished:
    """The pieces of a statement so far, with a placeholder for each complete call of a tool.

    `fault` is set as soon as it cannot be Python any more; no call is complete from then on.
    """

    at: int
    tools: Container[str]
    pieces: list[tuple[str, int]] = field(default_factory=list)
    groups: list[_Group] = field(default_factory=lambda: [_Group("")])
    head: list[str] = field(default_factory=list)
    """Its first tokens."""
    calls: int = 0
    settled: int = 0
    """How many calls are certain (`Settled`)."""
    looped: int | None = None
    """The first call that a comprehension makes again and again."""
    fault: Fault = ""
    compound: bool = False
    in_block: bool = False
    """Its first line has ended, and the block continues while lines are indented."""
    strings: list[tuple[str, int]] = field(default_factory=list)
    """The open ones: their quotes, and the pieces that hold these."""
    nested: list[str] = field(default_factory=list)
    """The strings in holes that names stand for."""
    before: Literal["operand", "string", "operator", "number."] = "operator"
    name: tuple[str, int, int, int] | None = None
    """The word just read: its text, piece, raw piece and offset."""
    after_dot: bool = False

    def add(
        self, kind: Kind, text: str, at: int, blank: str, raw: list[str], line: int
    ) -> Call | Settled | None:
        """Take in the next token; `raw` is what was written before it. What it completes."""
        if len(self.head) < 4:
            if not self.head and kind == "word":
                self.compound = text in _COMPOUND
                self.groups[0].for_good = text in _OPERATORS and text not in _STRAIGHT
            self.head += text.partition("(")[:2] if kind == "call" else (text,)
        group = self.groups[-1]
        name, before, after_dot = self.name, self.before, self.after_dot
        self.name, self.before, self.after_dot = None, "operator", False
        self.pieces.append((text + blank, at))
        if kind == "word":
            self._word(text, at, before, len(raw), after_dot=after_dot)
        elif kind == "call":
            self._word(text.partition("(")[0], at, before, len(raw), after_dot=after_dot)
            name, self.name = self.name, None
            if name is None or self.fault:
                return self._settle()
            return self._call(self._opened("(", name, line, before), text, raw)
        elif kind == "operator":
            if text == ",":
                group.for_now = group.is_element = False
                return self._settle()
            if text == ".":
                self.after_dot = True
                word = self.pieces[-2][0] if before == "operand" and not after_dot else ""
                if word[:1].isdigit() and not word.endswith(" "):
                    self.before = "number."
            elif text == ":" and len(self.groups) == 1 and self.compound:
                group.for_good = True
            elif text in "`?$":
                self._broken()
        elif kind == "open":
            self.groups.append(self._opened(text, name, line, before))
        elif kind == "close":
            self.before = "operand"
            if len(self.groups) == 1 or _CLOSER[group.opener] != text:
                self._broken()
            else:
                self.groups.pop()
                if group.tool and not self.fault:
                    return self._call(group, text, raw)
                return self._settle()
        elif kind == "string":
            self.strings.append((text.lstrip("rbufRBUF"), len(self.pieces) - 1))
            if before in ("operand", "number."):
                self._broken()
        elif kind == "string end":
            _, begin = self.strings.pop()
            if self.strings:
                self._nest(begin)
            self.before = "string"
        return None

    def _broken(self) -> None:
        self.fault = self.fault or "broken"

    def _nest(self, begin: int) -> None:
        """Put a name in the place of the string that begins at a piece, in a hole of another."""
        text = "".join(it for it, _ in self.pieces[begin:])
        before = next((n for n in range(begin - 1, -1, -1) if not self.pieces[n][0].isspace()), 0)
        if self.nested and self.pieces[before][0] == f"{NESTED}{len(self.nested) - 1}":
            # Python joins the two.
            self.nested[-1] += f" {text}"
            del self.pieces[before + 1 :]
            return
        self.pieces[begin:] = [(f"{NESTED}{len(self.nested)}", self.pieces[begin][1])]
        self.nested.append(text)

    def cannot_go_on_with(self, kind: Kind, text: str) -> bool:
        """Whether a token, the first of a line inside brackets, cannot belong to the statement."""
        operand = kind in ("word", "call") and text not in _OPERATORS
        return operand and self.before in ("operand", "string")

    def _word(self, word: str, at: int, before: str, raw: int, *, after_dot: bool) -> None:
        group, digits = self.groups[-1], before == "number." or word[0].isdigit()
        if word in _OPERATORS and not digits:
            if len(self.head) > 1:
                if word in ("for", "lambda"):
                    group.for_good = True
                    if word == "for" and self.looped is None and self.calls > group.first_call:
                        self.looped = group.first_call
                elif word in ("and", "or", "if", "else"):
                    group.for_now = True
            return
        if digits:
            form = _FRACTION if before == "number." else _NUMBER
            if not form.fullmatch(word):
                self._broken()
        elif not word.isascii() and (PLACEHOLDER in word or NESTED in word):
            self._broken()
        if before in ("operand", "string"):
            self._broken()
        self.before = "operand"
        if word in self.tools and not after_dot and not digits:
            self.name = word, len(self.pieces) - 1, raw, at

    def _opened(
        self, opener: str, name: tuple[str, int, int, int] | None, line: int, before: str
    ) -> _Group:
        around = self.groups[-1]
        group = _Group(
            opener,
            first_call=self.calls,
            is_element=opener != "[" or before not in ("operand", "string"),
            doubtful=around.first_doubtful,
            inside_condition=around.conditional,
        )
        if name is None or opener != "(":
            return group
        word, piece, raw, at = name
        head = [text for text in self.head if text != "await"]
        target = head[0] if len(head) > 2 and head[1:3] == ["=", word] else ""
        if len(self.groups) > 1 or len(head) > 4:
            target = ""
        group.tool, group.piece, group.raw, group.at = word, piece, raw, at
        group.line, group.target = line, target
        return group

    def _settle(self) -> Settled | None:
        """Say which calls are certain by now, if these are more than before."""
        below = self.calls
        if below == self.settled:
            return None
        for doubtful in (self.groups[-1].first_doubtful, self.looped):
            if doubtful is not None and doubtful < below:
                below = doubtful
        if below <= self.settled:
            return None
        self.settled = below
        return Settled(below)

    def _call(self, group: _Group, closer: str, raw: list[str]) -> Call:
        written = Written.of(self.pieces[group.piece :], self.nested)
        self.pieces[group.piece :] = [(f"{PLACEHOLDER}{self.calls}", group.at)]
        self.calls += 1
        source = bounded("".join([*raw[group.raw : group.raw + MAX_SOURCE], closer]))
        self._settle()
        return Call(
            self.calls - 1,
            group.tool,
            written,
            source,
            group.line,
            group.at,
            group.inside_condition,
            group.target,
            self.settled,
        )
