"""Shortening a text to what a question is about, since every token of a prompt counts.

All of it takes time linear in the text, and no single step blocks the interpreter for long, so that
reading a text in a thread does not stop the event loop.
"""

import json
import re
import textwrap
from collections.abc import Collection, Iterator
from typing import Any

from .numbers_in_text import is_title

HARD_MAX_TEXT_CHARS = 2_000_000
"""Of a text that a tool reads: the rest is not read."""
MAX_QUESTION_CHARS = 500
"""Of what a text is searched for."""

_LONG_LINE = 300
_BLOCK_CHARS = 16_384
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z0-9])")
_WORD = re.compile(r"\w+")


def question_of(text: str) -> str:
    """Return what a model wrote to search for as one line of bounded length."""
    return " ".join(text[: 4 * MAX_QUESTION_CHARS].split())[:MAX_QUESTION_CHARS]


def text_of(value: Any) -> str:
    """Return `value` as text: strings as they are, all else as JSON with one member a line.

    At most HARD_MAX_TEXT_CHARS and one character more, which shows that there is more.
    """
    if isinstance(value, str):
        return value[: HARD_MAX_TEXT_CHARS + 1]
    pieces, length = [], 0
    for piece in json.JSONEncoder(ensure_ascii=False, indent=0, default=str).iterencode(value):
        pieces.append(piece)
        length += len(piece)
        if length > HARD_MAX_TEXT_CHARS:
            break
    return "".join(pieces)[: HARD_MAX_TEXT_CHARS + 1]


def lines_of(text: str) -> list[str]:
    """Return the lines of `text` that are not blank; long ones are cut, at sentences if they can
    be."""
    text = text[:HARD_MAX_TEXT_CHARS]
    return [line for block in _blocks(text) for line in _lines(block) if line]


def _blocks(text: str) -> Iterator[str]:
    """Yield `text` in blocks, cut at the end of a line or else at a blank, if they have one."""
    start = 0
    while len(text) - start > _BLOCK_CHARS:
        end = start + _BLOCK_CHARS
        cut = max(text.rfind("\n", start, end), text.rfind("\r", start, end))
        cut = cut if cut > start else text.rfind(" ", start, end)
        cut = cut + 1 if cut > start else end
        yield text[start:cut]
        start = cut
    yield text[start:]


def _lines(text: str) -> Iterator[str]:
    for line in text.splitlines():
        line = " ".join(line.split())
        if len(line) <= _LONG_LINE:
            yield line
            continue
        for sentence in _SENTENCE_END.split(line):
            yield from textwrap.wrap(sentence, 2 * _LONG_LINE, break_on_hyphens=False)


def excerpt(
    lines: list[str], about: str, *, among: Collection[int], characters: int, count: int
) -> list[int]:
    """Choose the lines that share most words with `about`, and the title above each.

    At most `count` lines besides titles, and at most `characters` in all, except that one line is
    always chosen. `among` has the indices that may be chosen. Returns indices, in order.
    """
    title_of: dict[int, int | None] = {}
    title = None
    for index, line in enumerate(lines):
        title = index if is_title(line) else title
        title_of[index] = title
    wanted = stems(about)

    def similarity(index: int) -> int:
        above = title_of[index]
        shared = len(wanted & stems(lines[index]))
        # A title counts for all its lines: of two subjects the one that is named is meant.
        return 2 * shared + (len(wanted & stems(lines[above])) if above is not None else 0)

    chosen: set[int] = set()
    length = 0
    for index in sorted(among, key=similarity, reverse=True)[:count]:
        above = title_of[index]
        added = {index} if above is None else {index, above}
        cost = sum(len(lines[new]) + 1 for new in added - chosen)
        if chosen and length + cost > characters:
            break
        chosen |= added
        length += cost
    return sorted(chosen)


def stems(text: str) -> set[str]:
    """Return the words of `text`, cut to their first five letters so that plurals agree."""
    return {word.casefold()[:5] for word in _WORD.findall(text) if len(word) > 1}
