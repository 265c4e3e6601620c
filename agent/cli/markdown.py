"""Markdown in a terminal: whole, or as it streams.

It is the text of models and tools, so nothing in it is more than text: no HTML, no character
references (`&#27;` would be a control character), and a link shows where it leads.
"""

import re
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Final

from markdown_it import MarkdownIt
from markdown_it.rules_inline import StateInline
from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.markdown import Heading, Markdown
from rich.segment import Segment

from llm_compiler.cli import wording

_ENDS: Final = re.compile(r"[^\W_]|[)\]]")
_BEGINS: Final = re.compile(r"[^\W_]|[(\[]")
_FENCE: Final = re.compile(r" {0,3}(?P<marks>`{3,}|~{3,})(?P<rest>[^\n]*)")
MAX_WIDTH: Final = 120
_REST: Final = 10
"""How many times as long as drawing takes is not drawn again, so that it never keeps others."""


class _Heading(Heading):
    """A heading at the left, where the text is."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield self.text


class Answer(Markdown):
    """Markdown of an answer. A line break in it is one on the screen."""

    elements: ClassVar = {**Markdown.elements, "heading_open": _Heading}

    def __init__(self, text: str) -> None:
        super().__init__("", code_theme="ansi_dark", hyperlinks=False, justify="default")
        self.parsed = _parser().parse(wording.visible(text))
        for token in self.parsed:
            for child in token.children or ():
                if child.type == "softbreak":
                    child.type = "hardbreak"


def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    parser.disable(["entity", "html_block", "html_inline", "lheading", "reference", "image"])
    parser.inline.ruler.before("emphasis", "as_it_is", _as_it_is)
    return parser


def _as_it_is(state: StateInline, silent: bool) -> bool:
    """Stars within a word are characters, and so are all underscores: CommonMark would show
    2*3*4 as 234, and __init__ as init."""
    start = end = state.pos
    mark = state.src[start]
    while end < state.posMax and state.src[end] == mark:
        end += 1
    before, behind = state.src[max(0, start - 1) : start], state.src[end : end + 1]
    within = _ENDS.fullmatch(before) and _BEGINS.fullmatch(behind)
    if mark != "_" and not (mark == "*" and within):
        return False
    if not silent:
        state.pending += state.src[start:end]
    state.pos = end
    return True


class MarkdownStream:
    """Prints Markdown as it streams: each block for good when it is complete. The last block is
    drawn anew while it grows, as much of its end as fits on the screen."""

    def __init__(
        self, console: Console, width: int, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._clock = clock
        self._console = console
        self._width = width
        self._text = ""
        """What has not been printed for good."""
        self._read = 0
        """How much of it has been searched for the end of a block: whole lines."""
        self._fence = ""
        """What opened the code that is being read, and closes it."""
        self._printed = False
        self._live: Live | None = None
        self._draw_from = 0.0

    def feed(self, text: str) -> None:
        """Take the next piece."""
        # Of a block, the first piece may be all there is: it need not be drawn twice.
        grows = bool(self._text)
        self._text += text
        while end := self._end_of_block():
            done, self._text = self._text[:end], self._text[end:]
            self._read -= end
            self._print(done)
        began = self._clock()
        if grows and self._text.strip() and began >= self._draw_from:
            if self._live is None:
                if self._printed:
                    self._console.print()
                self._live = Live(console=self._console, auto_refresh=False, transient=True)
                self._live.start()
            room = max(1, self._console.height - 2)
            self._live.update(_Drawn(self._text, self._width, room), refresh=True)
            ended = self._clock()
            self._draw_from = ended + _REST * (ended - began)

    def close(self) -> None:
        """Print what is left."""
        done, self._text, self._read = self._text, "", 0
        self._print(done)

    def _print(self, text: str) -> None:
        apart = self._printed
        if self._live is not None:
            live, self._live, apart = self._live, None, False
            live.stop()
        if text.strip():
            if apart:
                self._console.print()
            self._console.print(_Drawn(text, self._width), end="")
            self._printed = True

    def _end_of_block(self) -> int:
        """Where the first block ends, if it no longer grows; else 0."""
        while (end := self._text.find("\n", self._read) + 1) > 0:
            line = self._text[self._read : end]
            self._read = end
            if found := _FENCE.match(line):
                marks = found["marks"]
                if not self._fence:
                    self._fence = marks
                elif marks.startswith(self._fence) and not found["rest"].strip():
                    self._fence = ""
            if not self._fence and not line.strip():
                return end
        return 0


@dataclass(frozen=True)
class _Drawn:
    """Markdown without blank lines and spaces at its edges; at most its last lines."""

    text: str
    width: int
    max_lines: int | None = None

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        drawn = console.render_lines(Answer(self.text), options.update(width=self.width), pad=False)
        lines = [[*_stripped(line)] for line in drawn]
        while lines and not lines[0]:
            del lines[0]
        while lines and not lines[-1]:
            del lines[-1]
        for line in lines[-self.max_lines :] if self.max_lines else lines:
            yield from line
            yield Segment.line()


def _stripped(line: list[Segment]) -> list[Segment]:
    """A line without the spaces at its end."""
    while line and not line[-1].text.strip():
        line = line[:-1]
    if line:
        line = [*line[:-1], Segment(line[-1].text.rstrip(), line[-1].style)]
    return line


def print_markdown(text: str) -> None:
    """Print a whole text: rendered in a terminal, as it is elsewhere."""
    if sys.stdout.isatty():
        console = Console(highlight=False, markup=False, emoji=False)
        if not console.is_dumb_terminal:
            stream = MarkdownStream(console, min(MAX_WIDTH, console.width))
            stream.feed(f"{text}\n\n")
            stream.close()
            return
    print(wording.visible(text))
