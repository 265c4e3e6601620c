"""A statement that is being read: which brackets are open, and which calls in it are complete."""

import keyword
import re
from collections.abc import Container
from dataclasses import dataclass, field
from typing import Literal

from llm_compiler.language.tokens import Kind, Token
from llm_compiler.language.written import (
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
_OPERANDS = frozenset(("True", "False", "None"))
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

    def add(self, token: Token, raw: list[str], line: int) -> Call | Settled | None:
        """Take in the next token; `raw` is what was written before it. What it completes."""
        if not self.head and token.kind is Kind.WORD:
            self.compound = token.text in _COMPOUND
            self.groups[0].for_good = _is_operator(token.text) and token.text not in _STRAIGHT
        if len(self.head) < 4:
            self.head.append(token.text)
        group, text = self.groups[-1], token.text
        name, self.name = self.name, None
        before, self.before = self.before, "operator"
        self.pieces.append((text, token.at))
        match token.kind:
            case Kind.STRING:
                self.strings.append((text.lstrip("rbufRBUF"), len(self.pieces) - 1))
                if before in ("operand", "number."):
                    self.fault = self.fault or "broken"
            case Kind.STRING_END:
                _, begin = self.strings.pop()
                if self.strings:
                    self._nest(begin)
                self.before = "string"
            case Kind.WORD:
                self._word(token, before, len(raw))
            case Kind.OPEN:
                self.groups.append(self._opened(token, name, line, before))
            case Kind.CLOSE:
                self.before = "operand"
                if len(self.groups) == 1 or _CLOSER[group.opener] != text:
                    self.fault = self.fault or "broken"
                else:
                    self.groups.pop()
                    if group.tool and not self.fault:
                        return self._call(group, token, raw)
                    return self._settle()
            case Kind.OPERATOR:
                if text == ",":
                    group.for_now = group.is_element = False
                    return self._settle()
                if text == ":" and len(self.groups) == 1 and self.compound:
                    group.for_good = True
                elif text == "." and before == "operand" and not self.after_dot:
                    self.before = "number." if self.pieces[-2][0][0].isdigit() else "operator"
                elif text in "`?$":
                    self.fault = self.fault or "broken"
        self.after_dot = text == "." and token.kind is Kind.OPERATOR
        return None

    def _nest(self, begin: int) -> None:
        """Put a name in the place of the string that begins at a piece, in a hole of another."""
        text = "".join(it for it, _ in self.pieces[begin:])
        before = next((n for n in range(begin - 1, -1, -1) if not self.pieces[n][0].isspace()), 0)
        if self.pieces[before][0].startswith(NESTED):  # Python joins the two
            self.nested[-1] += f" {text}"
            del self.pieces[before + 1 :]
            return
        self.pieces[begin:] = [(f"{NESTED}{len(self.nested)}", self.pieces[begin][1])]
        self.nested.append(text)

    def cannot_go_on_with(self, token: Token) -> bool:
        """Whether `token`, the first of a line inside brackets, cannot belong to the statement."""
        operand = token.kind is Kind.WORD and not _is_operator(token.text)
        return operand and self.before in ("operand", "string")

    def _word(self, token: Token, before: str, raw: int) -> None:
        word, group = token.text, self.groups[-1]
        digits = word[0].isdigit() or before == "number."
        form = _FRACTION if before == "number." else _NUMBER
        if (digits and not form.fullmatch(word)) or PLACEHOLDER in word or NESTED in word:
            self.fault = self.fault or "broken"
        elif word in ("for", "lambda") and len(self.head) > 1:
            group.for_good = True
            if word == "for" and self.looped is None and self.calls > group.first_call:
                self.looped = group.first_call
        elif word in ("and", "or", "if", "else") and len(self.head) > 1:
            group.for_now = True
        if _is_operator(word):
            return
        if before in ("operand", "string"):
            self.fault = self.fault or "broken"
        self.before = "operand"
        if word in self.tools and not self.after_dot and not digits:
            self.name = word, len(self.pieces) - 1, raw, token.at

    def _opened(
        self, token: Token, name: tuple[str, int, int, int] | None, line: int, before: str
    ) -> _Group:
        around = self.groups[-1]
        group = _Group(
            token.text,
            first_call=self.calls,
            is_element=token.text != "[" or before not in ("operand", "string"),
            doubtful=around.first_doubtful,
            inside_condition=around.conditional,
        )
        if name is None or token.text != "(":
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
        doubtful = (self.groups[-1].first_doubtful, self.looped)
        below = min((it for it in doubtful if it is not None), default=self.calls)
        if below <= self.settled:
            return None
        self.settled = below
        return Settled(below)

    def _call(self, group: _Group, token: Token, raw: list[str]) -> Call:
        written = Written(tuple(self.pieces[group.piece :]), self.nested)
        self.pieces[group.piece :] = [(f"{PLACEHOLDER}{self.calls}", group.at)]
        self.calls += 1
        source = bounded("".join([*raw[group.raw : group.raw + MAX_SOURCE], token.text]))
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


def _is_operator(word: str) -> bool:
    """Whether a word may follow an operand."""
    return keyword.iskeyword(word) and word not in _OPERANDS
