"""Finds statements and complete calls in a program that arrives in any chunks.

    tokens ─► pieces of a statement ─closing bracket of a tool's call─► Call, and a placeholder
                     │                                                 in the statement's text
                     └─end of the line, or of the block─► Statement

A complete call is handed out at its closing bracket and a placeholder takes its place, so that
`ast` reads each character once however deep calls are nested. The result depends on the
text alone, never on the chunks.

Where models differ from Python: a Markdown fence may stand around the program, and prose before
and after it. A broken line affects only itself: a string ends with its line, and an open
bracket ends where the next line cannot continue it.
"""

from collections.abc import Container, Iterable, Iterator

from llm_compiler.language.reading.tokens import Kind, Token, Tokens
from llm_compiler.language.reading.unfinished import GOES_ON, Unfinished
from llm_compiler.language.reading.written import Event, Fence, Statement, Written

_OTHER_TAGS = frozenset(
    "text txt plaintext plain json output console bash sh shell markdown md yaml xml html".split()
)
"""Of fences around what is no program: a thought, or what the model expects as output."""


class Source:
    """Turns the text of a program into calls and statements.

    The reader of its events may set `is_program` once a statement outside a fence compiled: then
    a fence without a tag ends the program; otherwise it would begin it.
    """

    def __init__(self, tools: Container[str]) -> None:
        self._tools = tools
        self._tokens = Tokens()
        self._now: Unfinished | None = None
        self._found: list[Event] = []
        self._raw: list[str] = []
        """The text of the lines that the statement is on."""
        self._raw_at = 0
        self._raw_line = self._line = 1
        self._width = 0
        self._line_begins = True
        self._base: int | None = None
        """Columns by which the whole program is indented."""
        self._fence: list[str] | None = None
        self._fenced: bool | None = None
        """False after a fenced program; None until a fence is seen."""
        self._skips = False
        """It reads inside a fence around something else."""
        self.is_program = False

    @property
    def fenced(self) -> bool:
        """Whether it is reading inside a fence."""
        return self._fenced is True

    @property
    def unfinished_tokens(self) -> int:
        """How long the statement that is being read is by now."""
        return len(self._raw)

    def feed(self, text: str) -> Iterator[Event]:
        """The events of `text`; the caller takes them all, one by one, before it feeds more."""
        return self._events(self._tokens.feed(text))

    def close(self, *, cut: bool = False) -> Iterator[Event]:
        """The events that the end of the text causes.

        `cut` says that the model was stopped: its last line then counts as unfinished.
        """
        yield from self._events(self._tokens.close())
        if self._now:
            if len(self._now.groups) > 1 or self._now.strings or (cut and not self._line_begins):
                self._now.fault = "cut"
            yield self._ended(last=True)

    def _events(self, tokens: Iterable[Token]) -> Iterator[Event]:
        for token in tokens:
            self._token(*token)
            if self._found:
                yield from self._found
                self._found.clear()

    def _token(self, kind: Kind, text: str, at: int, blank: str) -> None:
        if kind == "fence" or self._fence is not None:
            self._at_fence(kind, text)
        if self._fenced is False or self._skips or self._fence is not None:
            self._line += text.count("\n")
            self._new_raw(at + len(text) + len(blank))
            return
        if kind == "newline" or kind == "unterminated":
            self._raw.append(text)
            self._line += 1
            self._line_ends(kind, at)
            return
        if kind == "space":
            if self._line_begins:
                self._width = len((" " * self._width + text).expandtabs(8))
            elif self._now:
                self._now.pieces.append((text, at))
        elif kind != "comment":
            self._significant(kind, text, at, blank)
            if self._now is None:  # at a semicolon
                return
        self._raw.append(text + blank)
        if "\n" in text:
            self._line += text.count("\n")

    def _at_fence(self, kind: Kind, text: str) -> None:
        """Read a piece of a fence, or what follows it."""
        if kind != "fence":
            fence = Fence("".join(self._fence or ()).strip("`~ \t"))
            self._fence = None
            self._base = None
            if self._reads_behind(fence.tag):
                self._found.append(fence)
            return
        if self._fence is None:
            if self._now:
                self._now.fault = self._now.fault or ("broken" if self._is_open else "")
                self._found.append(self._ended())
            self._fence = []
        self._fence.append(text)

    def _reads_behind(self, tag: str) -> bool:
        """Whether a program, or a part of it, begins behind a fence."""
        is_other = tag.lower().partition(" ")[0] in _OTHER_TAGS
        if is_other or (self._skips and not tag):
            self._skips = is_other
            self._fenced = None if self._fenced is None else False
            return False
        self._skips = False
        is_first = self._fenced is None and not self.is_program
        self._fenced = bool(tag) or is_first
        return self._fenced

    @property
    def _is_open(self) -> bool:
        return self._now is not None and (len(self._now.groups) > 1 or bool(self._now.strings))

    def _new_raw(self, at: int) -> None:
        """A new line begins."""
        self._raw.clear()
        self._raw_at, self._raw_line = at, self._line
        self._line_begins, self._width = True, 0

    def _line_ends(self, kind: Kind, at: int) -> None:
        now = self._now
        if now is None:
            self._new_raw(at + 1)
            return
        if kind == "unterminated":
            now.fault = "broken"
            now.strings.clear()
            del now.groups[1:]
        elif now.strings or len(now.groups) > 1:
            now.pieces.append(("\n", at))
            self._line_begins, self._width = True, 0
            return
        if now.compound:
            now.pieces.append(("\n", at))
            now.in_block = now.groups[0].for_good = True
            now.before = "operator"
            self._line_begins, self._width = True, 0
            return
        self._found.append(self._ended())
        self._new_raw(at + 1)

    def _significant(self, kind: Kind, text: str, at: int, blank: str) -> None:
        now = self._now
        if now is None or self._line_begins:
            now = self._first(now, kind, text, at)
        if text == ";" and not self._is_open and not now.compound:
            self._found.append(self._ended())
            # A line of many statements is not kept for each of them.
            self._raw[:] = [blank]
            self._raw_at, self._raw_line = at + 1, self._line
        elif event := now.add(kind, text, at, blank, self._raw, self._line):
            self._found.append(event)

    def _first(self, now: Unfinished | None, kind: Kind, text: str, at: int) -> Unfinished:
        """The statement of a token that is the first of a line or of a statement."""
        first_of_line, self._line_begins = self._line_begins, False
        if now and first_of_line and self._ends_before(now, kind, text):
            self._found.append(self._ended())
            now = None
            self._raw[:] = [" " * self._width]
            self._raw_at, self._raw_line = at - self._width, self._line
        if now is None:
            now = self._begun(at)
        elif first_of_line and now.in_block and not self._is_open:
            now.pieces.append((" " * (self._width - (self._base or 0)), at))
        return now

    def _ends_before(self, now: Unfinished, kind: Kind, text: str) -> bool:
        """Whether a token, the first of its line, begins another statement."""
        base = self._base or 0
        if now.strings:
            return False
        if len(now.groups) > 1:
            # Python would read on to the closing bracket. If that is impossible, only the line
            # before is broken, and not this one too.
            if now.fault:
                ends = self._width <= base and kind != "close"
            else:
                ends = now.cannot_go_on_with(kind, text)
            if ends:
                now.fault = "broken"
            return ends
        return self._width < base or (self._width == base and text not in GOES_ON)

    def _begun(self, at: int) -> Unfinished:
        now = self._now = Unfinished(at, self._tools)
        if self._base is None or self._width < self._base:
            self._base = self._width
        elif self._width > self._base and not "".join(self._raw).strip(" \t"):
            now.fault = "indent"
        return now

    def _ended(self, *, last: bool = False) -> Statement:
        now = self._now
        assert now is not None
        self._now = None
        return Statement(
            Written.of(now.pieces, now.nested),
            "".join(self._raw).rstrip("\n"),
            self._raw_at,
            self._raw_line,
            now.at,
            now.fault,
            last,
        )
