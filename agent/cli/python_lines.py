"""Python on a terminal: in colours, and refused statements as a compiler reports them."""

from functools import cache, lru_cache

from rich.cells import cell_len
from rich.syntax import Syntax
from rich.text import Text

from llm_compiler.cli import wording
from llm_compiler.cli.flow import Flow


def highlighted(code: str) -> Text:
    """Python in the colours of the terminal's theme."""
    return _highlighted(code).copy()


@lru_cache(1000)
def _highlighted(code: str) -> Text:
    text = _syntax().highlight(code)
    text.rstrip()
    return text


@cache
def _syntax() -> Syntax:
    return Syntax("", "python", theme="ansi_dark", background_color="default")


def diagnostic_lines(error: str, width: int) -> list[Text]:
    """A diagnostic in lines of at most `width` cells: message, statement, caret."""
    message, *rest = error.split("\n")
    lines = wrapped(message, width, "red")
    if len(rest) != 2:
        return lines
    source, marked = (line.removeprefix("    ") for line in rest)
    at, length = len(marked) - len(marked.lstrip()), len(marked.strip())
    # What stands far right of the terminal's edge moves into it.
    first = max(0, min(at - width // 3, at + length + 1 - width))
    before = cell_len(wording.visible(source[first:at]))
    carets = Text.assemble(" " * before, ("^" * length, "bold red"))
    for line in (highlighted(wording.visible(source[first:])), carets):
        line.truncate(width, overflow="ellipsis")
        lines.append(line)
    return lines


def wrapped(text: str, width: int, style: str) -> list[Text]:
    """A text broken between words into lines of at most `width` cells."""
    written: list[str] = []
    flow = Flow(written.append, width)
    flow.feed(wording.one_line(text))
    flow.close()
    lines = [Text(line, style) for line in "".join(written).splitlines()]
    for line in lines:
        line.truncate(width, overflow="ellipsis")
    return lines
