"""The plan parser: text of any chunking goes in, calls come out as their brackets close.

    prose ─id─► dot ─"."─► name ─name─► open ─"("─► call ⇄ string, comment
      ▲                     │ ▲                       │
      │                 "after" │ ":"                 │
      │                     ▼ │                       │
      │                      ids                      │
      └──────── closing bracket, or not a task ───────┘

A machine in the manner of h11: `feed` and `close`, no I/O. It only finds where a call begins and
ends; `arguments.py` reads what stands between the brackets. Every state consumes what it has
understood and waits for more only inside a token of bounded length, so the time is linear in the
text, whatever the chunking, and the calls are the same for each.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from llm_compiler.language.task import ANSWER

JOIN = "join"
END_OF_PLAN = "<END_OF_PLAN>"

_WORD = re.compile(r"\$?\w+|[<#\n]")
_NAME = re.compile(r"[^\W\d][\w.\-]*")
_QUOTED = re.compile(r"([\"'`])([^\W\d][\w.\-]*)\1(?=\()")
_BEGINS_QUOTED = re.compile(r"([\"'`])(?:[^\W\d][\w.\-]*\1?)?")
_SPACE = re.compile(r"\s*")
_IDS = re.compile(r"(?:[\d,$]|[^\S\n]|and(?=[\s\d,$]))*")
_CODE = re.compile(r"[\"'#()\[\]{}]")
_STRING = {quote: re.compile(rf"\\|{quote}", re.DOTALL) for quote in ('"', "'", '"""', "'''")}
_OPENER = {")": "(", "]": "[", "}": "{"}
_MAX_WORD_CHARS = 128
_MAX_THOUGHT_CHARS = 2000


@dataclass(frozen=True, slots=True)
class Call:
    """A call as the model wrote it, not yet compiled."""

    id: int
    tool: str
    arguments: str = ""
    after: tuple[int, ...] = ()
    thought: str = ""
    whole: bool = True
    """Its closing bracket arrived. A call that was cut off is never run."""

    @property
    def text(self) -> str:
        """The call in the plan language again."""
        after = f"after {', '.join(map(str, self.after))}: " if self.after else ""
        return f"{self.id}. {after}{self.tool}({self.arguments}{')' if self.whole else ''}"


class PlanParser:
    """Turns the text of one plan into calls.

    `ended` is true once `join()`, `answer(…)` or `<END_OF_PLAN>` was read; what follows is not
    read. `answer` ends the plan: alone it is the turn's answer, behind other tasks it means the
    same as `join()` and is dropped, since an answer is made from results that are not there yet.
    """

    def __init__(self) -> None:
        self.ended = False
        self._step: Callable[[], bool] = self._prose
        self._text = ""
        self._at = 0
        self._final = False
        self._calls: list[Call] = []
        self._any = False
        self._last = "\n"
        self._thought = ""
        self._line_start = True
        self._begin_head("")

    def feed(self, text: str) -> list[Call]:
        """Take the next piece of the plan; return the calls that it completed."""
        if self.ended:
            return []
        self._text = self._text[self._at :] + text
        self._at = 0
        while not self.ended and self._step():
            pass
        calls, self._calls = self._calls, []
        return calls

    def close(self) -> list[Call]:
        """Take the end of the plan; return the call that it cut off, if any."""
        self._final = True
        calls = self.feed("")
        if not self.ended and (self._in_call or self._promised):
            calls.append(self._call(whole=False))
        self.ended = True
        return calls

    # ── prose: everything around the tasks ────────────────────────────────────────────────────

    def _prose(self) -> bool:
        found = _WORD.search(self._text, self._at)
        if found is None:
            self._pass(len(self._text))
            return False
        self._pass(found.start())
        token, end = found.group(), found.end()
        if token == "\n":
            self._pass(end)
            self._line_start = True
            return True
        if token == "#":
            return self._hash()
        if token == "<":
            return self._angle()
        if end == len(self._text) and not self._final and len(token) <= _MAX_WORD_CHARS:
            return False
        alone = not (self._last.isalnum() or self._last in "_$.") and len(token) <= _MAX_WORD_CHARS
        if alone and token.isascii() and token.isdigit():
            self._begin_head(token)
            self._line_start = False
            self._at = end
            self._step = self._dot
        elif alone and token in (JOIN, ANSWER) and self._line_start:
            return self._unnumbered(token, end)
        else:
            self._pass(end)
            self._line_start = False
        return True

    def _pass(self, end: int) -> None:
        """Consume prose up to `end`."""
        self._remember(self._text[self._at : end])
        self._at = end

    def _remember(self, prose: str) -> None:
        """Keep the last of the prose: it may be the next task's thought."""
        self._last = prose[-1:] or self._last
        self._thought += prose
        if len(self._thought) > 2 * _MAX_THOUGHT_CHARS:
            self._thought = self._thought[-_MAX_THOUGHT_CHARS:]

    def _hash(self) -> bool:
        """`# …` to the end of the line is a comment; `## …` is a Markdown heading."""
        if self._at + 1 == len(self._text) and not self._final:
            return False
        if self._text[self._at + 1 : self._at + 2] == "#":
            self._pass(self._at + 2)
        else:
            self._step = self._comment
        return True

    def _comment(self) -> bool:
        end = self._text.find("\n", self._at)
        self._at = len(self._text) if end < 0 else end
        if end >= 0:
            self._step = self._call_body if self._in_call else self._prose
        return end >= 0

    def _angle(self) -> bool:
        rest = self._text[self._at : self._at + len(END_OF_PLAN)]
        if rest == END_OF_PLAN:
            self.ended = True
        elif END_OF_PLAN.startswith(rest) and not self._final:
            return False
        else:
            self._pass(self._at + 1)
        return True

    def _unnumbered(self, word: str, end: int) -> bool:
        """`join()` and `answer(…)` need no id; 0 says that there was none."""
        if end == len(self._text) and not self._final:
            return False
        if self._text[end : end + 1] != "(":
            self._pass(end)
            self._line_start = False
            return True
        self._begin_head("0")
        self._line_start = False
        self._name = word
        self._at = end
        self._step = self._open
        return True

    # ── the head of a task: `3. after 1, 2: tool(` ────────────────────────────────────────────

    def _begin_head(self, digits: str) -> None:
        self._head = [digits]
        self._digits = digits
        self._name = ""
        self._spaced = False
        self._after = ""
        self._dotted = False
        self._in_call = False
        self._promised = False
        self._at_line_start = self._line_start

    def _consume(self, pattern: re.Pattern[str]) -> str:
        """Consume a part of a head, and return the character behind it, '' if none is there."""
        found = pattern.match(self._text, self._at)
        assert found is not None
        self._head.append(found.group())
        self._at = found.end()
        return self._text[self._at : self._at + 1]

    def _not_a_task(self) -> bool:
        self._promised = False
        head = "".join(self._head)
        self._line_start = "\n" in head and not head.rpartition("\n")[2].strip()
        self._remember(head)
        self._step = self._prose
        return True

    def _dot(self) -> bool:
        following = self._consume(_SPACE)
        if following and following in ".)" and not self._dotted:
            self._head.append(following)
            self._at += 1
            self._dotted = True
            self._step = self._tool_name
            return True
        return self._not_a_task() if following or self._final else False

    def _tool_name(self) -> bool:
        following = self._consume(_SPACE)
        if following and following in "\"'`":
            return self._quoted_name()
        found = _NAME.match(self._text, self._at)
        if found is None:
            return self._not_a_task() if following else False
        if len(found.group()) > _MAX_WORD_CHARS:
            return self._not_a_task()
        self._promised = self._at_line_start
        self._name = found.group()
        if found.end() == len(self._text) and not self._final:
            return False
        self._spaced = False
        self._consume(_NAME)
        self._step = self._open
        return True

    def _quoted_name(self) -> bool:
        """`1. "search"(3)`. Behind anything but a bracket the quoted word is prose."""
        if found := _QUOTED.match(self._text, self._at):
            if len(found[2]) > _MAX_WORD_CHARS:
                return self._not_a_task()
            self._name = found[2]
            self._spaced = False
            self._consume(_QUOTED)
            self._step = self._open
            return True
        rest = self._text[self._at : self._at + _MAX_WORD_CHARS + 3]
        if len(rest) < _MAX_WORD_CHARS + 3 and not self._final and _BEGINS_QUOTED.fullmatch(rest):
            return False
        return self._not_a_task()

    def _open(self) -> bool:
        before = self._at
        following = self._consume(_SPACE)
        self._spaced |= self._at > before
        # In running prose a name with a space before its bracket is no call: "In 1953. He (…".
        if following == "(" and (not self._spaced or self._at_line_start):
            self._at += 1
            if self._name == JOIN or (self._name == ANSWER and self._any):
                self.ended = True
            self._in_call = True
            self._brackets = ["("]
            # How many of each are open: to look through them all each time would be quadratic.
            self._open_of = {"(": 1, "[": 0, "{": 0}
            self._pieces: list[str] = []
            self._step = self._call_body
            return True
        if self._name == "after" and not self._after and following:
            self._step = self._ids
            return True
        if self._final and self._name == JOIN:
            self.ended = True
            return False
        return self._not_a_task() if following else False

    def _ids(self) -> bool:
        before = self._at
        following = self._consume(_IDS)
        self._after += self._text[before : self._at]
        if following == ":":
            self._head.append(":")
            self._at += 1
            self._step = self._tool_name
            return True
        rest = self._text[self._at : self._at + 4]
        if "and".startswith(rest) and not self._final:
            return False
        # The colon may be missing, but then no prose may be meant: "1. after 3 days (…".
        if self._at_line_start and _NAME.match(rest) and re.search(r"\d", self._after):
            self._step = self._tool_name
            return True
        return self._not_a_task() if following else False

    # ── a call: everything up to its closing bracket ──────────────────────────────────────────

    def _take(self, end: int) -> None:
        self._pieces.append(self._text[self._at : end])
        self._at = end

    def _call_body(self) -> bool:
        found = _CODE.search(self._text, self._at)
        if found is None:
            self._take(len(self._text))
            return False
        character = found.group()
        if character in "\"'":
            return self._quote(found.start(), character)
        if character == "#":
            self._take(found.start())
            self._step = self._comment
        elif character in "([{":
            self._take(found.end())
            self._brackets.append(character)
            self._open_of[character] += 1
        elif self._open_of[_OPENER[character]]:
            # An inner bracket that was left open does not swallow the rest of the plan.
            opener = ""
            while opener != _OPENER[character]:
                opener = self._brackets.pop()
                self._open_of[opener] -= 1
            if not self._brackets:
                self._take(found.start())
                self._at += 1
                self._emit()
            else:
                self._take(found.end())
        else:
            self._take(found.end())
        return True

    def _quote(self, start: int, character: str) -> bool:
        opening = self._text[start : start + 3]
        if len(opening) < 3 and not opening.strip(character) and not self._final:
            self._take(start)
            return False
        self._delimiter = character * 3 if opening == character * 3 else character
        self._take(start + len(self._delimiter))
        self._step = self._string
        return True

    def _string(self) -> bool:
        found = _STRING[self._delimiter].search(self._text, self._at)
        if found is None:
            # Keep what may be the beginning of a closing delimiter.
            tail = self._text[max(self._at, len(self._text) - len(self._delimiter) + 1) :]
            kept = len(tail) - len(tail.rstrip(self._delimiter[0]))
            self._take(len(self._text) - (0 if self._final else kept))
            return False
        if found.group() == "\\":
            if found.end() == len(self._text) and not self._final:
                self._take(found.start())
                return False
            self._take(min(found.end() + 1, len(self._text)))
        else:
            self._take(found.end())
            self._step = self._call_body
        return True

    def _emit(self) -> None:
        self._calls.append(self._call(whole=True))
        self._any = True
        self.ended = self._name == ANSWER
        self._in_call = self._promised = False
        self._last = ")"
        self._line_start = True
        self._step = self._prose

    def _call(self, *, whole: bool) -> Call:
        _, marker, thought = self._thought[-_MAX_THOUGHT_CHARS:].rpartition("Thought:")
        self._thought = ""
        return Call(
            # An id that no machine integer holds is no id; the compiler refuses 0 as well.
            id=int(self._digits) if len(self._digits) <= 9 else 0,
            tool=self._name,
            arguments="".join(self._pieces) if self._in_call else "",
            after=tuple(int(digits) for digits in re.findall(r"\d{1,9}", self._after)),
            thought=thought.strip() if marker else "",
            whole=whole,
        )
