"""What the pages of a folder are about: a page that only mentions a word is not about it.

A page is about what its title, its file's first sentence and its aliases name ("Denali, also called
Mount McKinley, is …"). A query that names none of them may still be about a passage: where one
sentence has the words of the query together. A name alone is never enough: half the pages of a
library mention Canada.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from .words import STOP_WORDS, mended, significant, stem, stem_of, stems

MAX_SUBJECTS = 5
"""Pages that one query may name."""

_PREFIXES = frozenset(
    map(stem, "mount mt mont monte company corporation corp inc ltd plc platforms group".split())
)
"""What a query may add to a page's name."""
_CLASSES = _PREFIXES | frozenset(map(stem, "mountain lake river city planet ocean company".split()))
"""What a query may leave out of a page's name."""
KINDS = _CLASSES | stems("sea island country state town forest desert bridge tower capital")
"""What kind of thing a name is of: it says nothing about it."""
MEASURES = stems(
    "height high tall elevation altitude size length long width wide depth deep area surface "
    "radius diameter distance people inhabitant resident population mass weight weigh speed fast "
    "velocity temperature year date day age old number figure count much many total average mean "
    "typical amount value worth price cost metre meter km kilometre kilometer m feet foot ft mile "
    "kg tonne percent million billion thousand dollar usd euro data fact information detail "
    "wikipedia current latest today about exact find search get list tell show give compare"
)
"""What is asked about a subject, or how, and never the subject itself."""
_OF = stem("of")
SMALL = stems(" ".join(STOP_WORDS))
_WORD = re.compile(r"[^\W_]+")
_LABEL = re.compile(r"^[^\S\n]*[-*]?[^\S\n]*(?P<label>[^\n:]{1,80}):\s", re.MULTILINE)
_HEADING = re.compile(r"^#{1,6}[^\S\n]+(?P<text>\S.*)$", re.MULTILINE)
SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")
_IN_BRACKETS = re.compile(r"\([^()]*\)")
_FIRST_SUBJECT = re.compile(r"(?P<name>[^,.]{1,60}?)(?:,| (?:is|are|was|were|has|had) )")
_ALIAS = re.compile(
    r"(?:called|known as|named|nicknamed|spel(?:t|led)|written|titled|, in [A-Z]\w+)"
    r"(?: also written)? (?P<names>(?:the )?[^\W\da-z_][^,.]{1,60}?)(?=,| is | was |\.)"
)


@dataclass(frozen=True)
class Asked:
    """A word of a query."""

    stem: str
    capital: bool
    joined: bool
    """Whether only a blank or a hyphen is between it and the word before."""


@dataclass
class _Page:
    """What a page is about."""

    title: list[str]
    """The stems of its title, in order."""
    names: set[frozenset[str]] = field(default_factory=set)
    """Its names: each as the set of its stems."""
    common: set[str] = field(default_factory=set)
    """The stems that it has in small letters, or in the labels of its figures."""


class Subjects:
    """What the pages of a folder are about.

    Args:
        passages: File, title and text of each passage, file by file.
    """

    def __init__(self, passages: Iterable[tuple[str, str, str]]) -> None:
        self._pages: dict[str, _Page] = {}
        self._known: set[str] = set()
        self._common: set[str] = set()
        for file, title, text in passages:
            if file not in self._pages:
                page = self._pages[file] = _Page([*map(stem, significant(title))])
                page.names = {name for name in names_of(title, text) if name}
                self._known |= {*page.title}.union(*page.names)
            self._read(self._pages[file], text)
        self._of_names = {
            word for page in self._pages.values() for name in page.names for word in name
        }

    def _read(self, page: _Page, text: str) -> None:
        written = {*_WORD.findall(unicodedata.normalize("NFC", text))}
        common = {stem_of(word) for word in written if not word[0].isupper()}
        self._known |= {stem_of(word) for word in written}
        self._common |= common
        page.common |= common | _labels(text)

    def asked(self, query: str) -> list[Asked]:
        """The words of a query; a misspelt name of a page is mended."""
        query = unicodedata.normalize("NFC", query)
        found: list[Asked] = []
        end = 0
        for word in _WORD.finditer(query):
            between, end = query[end : word.start()], word.end()
            spelt = stem_of(word[0])
            if spelt not in self._known and spelt not in MEASURES:
                spelt = mended(spelt, self._of_names)
            # Words all in capitals are shouted, or short for something, as GDP and CEO are.
            capital = word[0][0].isupper() and not word[0][1:].isupper()
            found.append(Asked(spelt, capital, between in (" ", "-")))
        return found

    def named(self, asked: Sequence[Asked]) -> list[str]:
        """The pages that a query names, those with the longest names first.

        A name that is only a part of another named one is left out: "Amazon" beside "Amazon River".
        """
        said = {word.stem for word in asked}
        named: dict[str, frozenset[str]] = {}
        for file, page in self._pages.items():
            if names := [name for name in page.names if name <= said]:
                named[file] = max(names, key=len)
        every = frozenset[str]().union(*named.values())
        for file in [*named]:
            if self._is_longer(asked, named[file], self._pages[file], every):
                del named[file]
        self._drop_common(asked, named)
        # "London in 1984" does not name the novel, unless nothing else is named.
        worded = {file: name for file, name in named.items() if not "".join(name).isdecimal()}
        named = worded or named
        found = set(named.values())
        titles = {name for file, name in named.items() if name == {*self._pages[file].title}}
        best = [
            file
            for file, name in named.items()
            if not any(name < other for other in found)
            and (name not in titles or name == {*self._pages[file].title})
        ]
        return sorted(best, key=lambda file: -len(named[file]))[:MAX_SUBJECTS]

    def _drop_common(self, asked: Sequence[Asked], named: dict[str, frozenset[str]]) -> None:
        """Leave out what only a common noun names beside a name: of "moon of Venus", the Moon."""
        capital = {word.stem for word in asked if word.capital}
        common = [it for it in named if named[it] <= self._common and not named[it] & capital]
        if len(common) < len(named):
            for file in common:
                del named[file]

    def besides(self, file: str, words: list[str]) -> list[str]:
        """Those of `words` that are not in a page's title."""
        return [word for word in words if stem(word) not in self._pages[file].title]

    def is_about(self, asked: Sequence[Asked], file: str, text: str) -> bool:
        """Whether a passage of a page is about a query that names no page."""
        page = self._pages[file]
        said = {word.stem for word in asked}
        if any(name <= said for name in page.names):
            return False  # the query names something else: "Tokyo Tower"
        wanted = said - MEASURES - SMALL - _labels(text)
        if not wanted:
            return True
        headings = stems(" ".join(heading["text"] for heading in _HEADING.finditer(text)))
        # "Penguin" is what the page on the emperor penguin is about; "Puerto Rico" is not what the
        # page on the Puerto Rico Trench is about.
        if page.title and page.title[-1] in wanted:
            headings |= {*page.title}
        missing = wanted - headings - stems(text)
        names = self._names_in(asked)
        if missing & names or len(missing) > len(wanted) // 3:
            return False
        rest = wanted - missing - headings
        if not rest:
            return True
        names &= rest
        others = wanted - missing - names
        said_with = said - names - SMALL - KINDS - MEASURES
        sentences = [stems(sentence) for sentence in SENTENCE.split(text) if sentence.strip()]
        said_first = sentences[0] | headings
        if names:
            return any(
                names <= sentence and said_with & sentence and others <= sentence | said_first
                for sentence in sentences
            )
        if len(rest) == 1:
            return rest <= said_first or sum(rest <= sentence for sentence in sentences) > 1
        return any(rest <= sentence | said_first for sentence in sentences)

    def _names_in(self, asked: Sequence[Asked]) -> set[str]:
        """The words of names in a query: also "river" is one in "Missouri River"."""
        # A word that the folder never has in small letters is a name; one that it does not have at
        # all is one if it is capital, but for the first word.
        names = {
            word.stem
            for place, word in enumerate(asked)
            if word.stem not in self._common
            and (word.stem in self._known or (word.capital and place))
        }
        for before, word in pairwise(asked):
            if word.joined and word.capital and before.capital and names & {before.stem, word.stem}:
                names |= {before.stem, word.stem}
        return names

    def _is_longer(
        self, asked: Sequence[Asked], name: frozenset[str], page: _Page, named: frozenset[str]
    ) -> bool:
        """Whether the query's name is longer than the page's, as "Tokyo Tower" is than "Tokyo".

        Args:
            named: The words of all names that the query has.
        """
        allowed = named | page.common | {*page.title} | _PREFIXES | MEASURES | SMALL
        run: set[str] = set()
        for word in [*asked, Asked("", capital=False, joined=False)]:
            if word.joined and word.stem == _OF and len(run) > 1:
                continue  # "Great Wall of China"
            if not (word.joined and word.capital):
                if name & run and run - allowed:
                    return True
                run = set()
            if word.capital:
                run.add(word.stem)
        return False


def _labels(text: str) -> set[str]:
    return stems(" ".join(label["label"] for label in _LABEL.finditer(text)))


def names_of(title: str, text: str) -> Iterator[frozenset[str]]:
    """The names of a page, each as the set of its stems.

    They are its title, also without what is in brackets or says what kind it is, and what its first
    sentence calls it.
    """
    for name in (title, _IN_BRACKETS.sub("", title)):
        words = significant(name)
        full = frozenset(map(stem, words))
        yield from (full, full - _CLASSES)
        if len(full - KINDS) > 1:
            yield full - KINDS  # "Golden Gate", and not "London" for London Bridge
        if len(words) > 1:
            yield frozenset((stem("".join(words)),))  # "Montblanc"
    first = SENTENCE.split(text.lstrip(), maxsplit=1)[0]
    if (begin := _FIRST_SUBJECT.match(first)) and begin["name"].count(" ") < 5:
        yield frozenset(stems(begin["name"]) - SMALL)
    for alias in _ALIAS.finditer(first):
        for name in alias["names"].split(" or "):
            yield frozenset(stems(name) - SMALL)
