"""Whether a text, or a part of it, is about what is asked: one on Japan is not about Austria."""

import re
from collections.abc import Iterator

from .numbers_in_text import is_title, label_of
from .subjects import KINDS, MEASURES, SENTENCE, SMALL, names_of
from .words import mended, stem_of, stems

_WORD = re.compile(r"[^\W_]+(?P<of>['’]s\b)?")
_TITLE = re.compile(r"(?:#+\s+|\S+\.(?:md|markdown): )(?P<title>.*)")
_MAX_FUZZY_TITLES = 50
"""The first titles, which may be spelt in another way than in the question."""


def names_in(question: str) -> set[str]:
    """The names in a question or a phrase, as stems: its capital words, but for the first one."""
    names = {
        stem_of(word[0].removesuffix(word["of"] or ""))
        for word in _WORD.finditer(question)
        if word[0][0].isupper()
        and not word[0][1:].isupper()
        and (word["of"] or question[: word.start()].strip(" \"'“"))
    }
    names -= SMALL | MEASURES
    return names - KINDS or names


def lines_about(lines: list[str], question: str) -> set[int]:
    """The lines of a text that can be about what a question names; all, if it names nothing.

    Where a line stands under a title, it is about what the title names, or what the line itself
    names. A text that names nothing may be about anything.
    """
    names = names_in(question)
    every = {*range(len(lines))}
    if not names:
        return every
    found: set[int] = set()
    for place, (title, section) in enumerate(_sections(lines)):
        text = "\n".join(lines[index] for index in section)
        if title is None:
            own = _names_of_text(lines, section)
            if not own or names & stems(text):
                found |= {*section}
            continue
        page = frozenset[str]().union(*names_of(title, text))
        if place < _MAX_FUZZY_TITLES:
            page |= {name for name in names if mended(name, page) in page}
        if names & page or _is_related(names, question, text):
            found |= {*section}
        else:
            found |= {index for index in section if names & stems(lines[index])}
    return found


def is_told(answer: str, text: str) -> bool:
    """Whether all names and figures of an answer stand in a text."""
    said = {
        stem_of(word[0].removesuffix(word["of"] or ""))
        for word in _WORD.finditer(answer)
        if word[0][0].isupper() or word[0][0].isdigit()
    }
    return said - SMALL - {"yes", "no", "true", "fals"} <= stems(text)


def _sections(lines: list[str]) -> Iterator[tuple[str | None, list[int]]]:
    """Each title with the lines below it, and those above the first title."""
    title: str | None = None
    section: list[int] = []
    for index, line in enumerate(lines):
        found = _TITLE.match(line) if is_title(line) else None
        if found is not None and not (line.startswith("##") and title is not None):
            if section:
                yield title, section
            title, section = found["title"], []
        else:
            section.append(index)
    if section:
        yield title, section


def _names_of_text(lines: list[str], section: list[int]) -> set[str]:
    """The names in lines without a title."""
    found: set[str] = set()
    for index in section:
        for word in _WORD.finditer(lines[index].removeprefix(label_of(lines[index]))):
            if word[0][0].isupper() and not word[0][1:].isupper():
                found.add(stem_of(word[0]))
    return found - SMALL - MEASURES


def _is_related(names: set[str], question: str, text: str) -> bool:
    """Whether a sentence says of a name what is asked: of Bill Gates, "founder of Microsoft"."""
    relation = stems(question) - names - SMALL - MEASURES - KINDS
    sentences = [stems(sentence) for sentence in SENTENCE.split(text)]
    return any(names & sentence and relation & sentence for sentence in sentences)
