"""What is wrong with a line of a program, as a compiler reports it: place, caret, remedy.

line 3: no function "serch"; did you mean "search"?
    x = serch("K2")
        ^^^^^
"""

import ast
import difflib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from llm_compiler.language.reading.written import PLACEHOLDER, Statement, Written

MAX_SHOWN = 160
"""Characters of a line that are shown."""
MAX_NAMES = 20
"""Names that are listed where none is near."""


@dataclass(frozen=True)
class Diagnostic:
    """Why a statement was not compiled."""

    line: int
    column: int
    """From 1, in `shown`."""
    length: int
    message: str
    shown: str
    """The line, or the part of it after the last semicolon."""

    def __str__(self) -> str:
        first = max(0, self.column - 1 - MAX_SHOWN // 2)
        shown = self.shown[first : first + MAX_SHOWN]
        before = "".join("\t" if it == "\t" else " " for it in shown[: self.column - 1 - first])
        carets = "^" * max(1, min(self.length, len(shown) - len(before)))
        return f"line {self.line}: {self.message}\n    {shown}\n    {before}{carets}"


class PlacedError(Exception):
    """Something wrong at a place of the program."""

    def __init__(self, at: int, length: int, message: str) -> None:
        super().__init__(message)
        self.at, self.length = at, length

    @classmethod
    def of(cls, node: ast.AST | None, message: str, written: Written) -> "PlacedError":
        """At `node` of the tree that was read from `written`."""
        if node is None or not hasattr(node, "lineno"):
            return cls(written.pieces[0][1], 1, message)
        begin = written.offset(node.lineno, node.col_offset)  # type: ignore[attr-defined]
        end = written.offset(node.end_lineno, max(0, node.end_col_offset - 1)) + 1  # type: ignore[attr-defined]
        return cls(begin, end - begin, message)


def lines_on(statement: Statement) -> list[int]:
    """The lines of the program that those of a statement's text for `ast` are on."""
    at, line, lines = statement.raw_at, statement.line, []
    begins = True
    for text, offset in statement.written.pieces:
        if begins:
            line += statement.raw.count("\n", at - statement.raw_at, offset - statement.raw_at)
            at = max(at, offset)
            lines.append(line)
        begins = text.endswith("\n")
    return lines


def diagnostic(statement: Statement, fault: PlacedError) -> Diagnostic:
    """A fault in a statement, as it is shown."""
    before = statement.raw[: max(0, fault.at - statement.raw_at)]
    begin = before.rfind("\n") + 1
    shown = statement.raw[begin:].split("\n", 1)[0]
    column = len(before) - begin + 1
    length = max(1, min(fault.length, len(shown) - column + 1))
    return Diagnostic(statement.line + before.count("\n"), column, length, str(fault), shown)


_PARSER = (
    (r"was never closed", "close it"),
    (r"unterminated .*string", 'close the quote on the same line, or use """ for several lines'),
    (r"unmatched|does not match|closing parenthesis", "close each bracket once"),
    (r"too many nested|too complex", "split it up"),
    (r"f-string", "in an f-string's {…} use the other kind of quotes and no backslash"),
    (r"Perhaps you forgot a comma", "separate what follows with a comma or an operator"),
    (r"Maybe you meant '=='", "compare with =="),
    (r"cannot assign", "assign to a name"),
    (r"expected ':'", "end the line with a colon"),
    (r"indent", "indent a block, and nothing else, by four spaces"),
    (r"invalid character", "write it with ASCII operators and quotes"),
)


def parser_fault(error: BaseException, written: Written) -> PlacedError:
    """What Python's own parser refuses, with what to write instead."""
    if not isinstance(error, SyntaxError):
        return PlacedError(written.pieces[0][1], 1, "this is nested too deeply; split it up")
    message = re.sub(rf"{PLACEHOLDER}\d+", "…", error.msg or "invalid syntax")
    message = re.sub(r" \(detected at line \d+\)| on line \d+", "", message)
    remedy = next((it for pattern, it in _PARSER if re.search(pattern, message)), None)
    remedy = remedy or "write one Python statement per line, and thoughts after #"
    line = min(max(1, error.lineno or 1), written.text.count("\n") + 1)
    text = written.text.split("\n")[line - 1]
    place = max(0, min((error.offset or 1) - 1, len(text)))
    at = written.offset(line, len(text[:place].encode()))
    return PlacedError(at, 1, f"{message}; {remedy}")


def nearest(name: Any, names: Iterable[str], shown: Callable[[str], str] = repr) -> str:
    """`did you mean 'search'?`, or the known names."""
    known = list(dict.fromkeys(names))
    if near := difflib.get_close_matches(str(name), known, n=1):
        return f"did you mean {shown(near[0])}?"
    listed = ", ".join(known[:MAX_NAMES]) + (", …" if len(known) > MAX_NAMES else "")
    return f"there are {listed or 'none'}"
