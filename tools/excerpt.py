"""Shortening a text to what a question is about, since every token of a prompt counts."""

import json
import re
import textwrap
from collections.abc import Collection, Iterator
from typing import Any

from .numbers_in_text import is_title

_LONG_LINE = 300
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z0-9])")
_WORD = re.compile(r"\w+")


def text_of(value: Any) -> str:
    """Return `value` as text: strings as they are, all else as JSON with one member a line."""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, indent=0, default=str)


def lines_of(text: str) -> list[str]:
    """Return the lines of `text` that hold something; long ones are cut, at sentences if they can
    be."""
    return [line for line in _lines(text) if line]


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
    always chosen. `among` holds the indices that may be chosen. Returns indices, in order.
    """
    title_of: dict[int, int | None] = {}
    title = None
    for index, line in enumerate(lines):
        title = index if is_title(line) else title
        title_of[index] = title
    wanted = stems(about)

    def likeness(index: int) -> int:
        above = title_of[index]
        shared = len(wanted & stems(lines[index]))
        # A title counts for all its lines: of two subjects the one that is named is meant.
        return 2 * shared + (len(wanted & stems(lines[above])) if above is not None else 0)

    chosen: set[int] = set()
    length = 0
    for index in sorted(among, key=likeness, reverse=True)[:count]:
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
