"""The changes of figures that a question makes: "20% lower", "doubled", "5 more"."""

import re
from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter

from llm_compiler.language.grammar.plan_form import Change

_COUNTS = dict(
    zip("two three four five six seven eight nine ten".split(), range(2, 11), strict=True)
)
_COUNTS |= {"a": 1, "an": 1, "one": 1}
_PARTS = {
    "quarter": 4,
    "third": 3,
    "fifth": 5,
    "sixth": 6,
    "seventh": 7,
    "eighth": 8,
    "ninth": 9,
    "tenth": 10,
}
_FACTORS = {"doubl": 2, "twic": 2, "tripl": 3, "quadrupl": 4}
_COMPARATIVES = (
    "more fewer less extra additional taller higher lower deeper shallower longer shorter wider"
    " larger bigger smaller heavier lighter faster slower older younger"
)
_NUMBER = r"\d(?:[\d,]*\d)?(?:\.\d+)?"
_YEAR = r"(?:1\d|20)\d\d\b"
_CHANGE = re.compile(
    rf"(?P<percent>{_NUMBER})\s?(?:%|per ?cent\b)"
    rf"|\b(?P<times>{_NUMBER}|{'|'.join(_COUNTS)}) times\b"
    rf"|\b(?P<factor>{'|'.join(_FACTORS)})(?:es?|ed|ing)?\b"
    r"|\b(?P<half>half|halve[sd]?|halving)\b"
    rf"|\b(?P<count>an?|one|two|three|four)[ -](?P<part>{'|'.join(_PARTS)})s?\b"
    rf"|\b(?!{_YEAR})(?P<added>{_NUMBER})(?: [\w²³/]+)??"
    rf" (?:{_COMPARATIVES.replace(' ', '|')})\b"
    rf"|\b(?:gain|los[te]|add|remov|grow|grew|dropp?)(?:s|es|ed|ing)? (?:by )?(?P<moved>{_NUMBER})"
    r"(?!\d|[.,]\d| ?(?:%|per ?cent|times|thousand|million|billion|trillion))",
    re.IGNORECASE,
)
_WORD = re.compile(r"[^\W_]+")
_SEVERAL = re.compile(
    r"\b(?:both|(?:each|all) (?:of|two|three|four|five|were|was|had|grew|gained|lost))\b",
    re.IGNORECASE,
)


def changes_in(question: str) -> tuple[tuple[Change, ...], ...]:
    """For each change, in its order, the ways to make it."""
    return tuple(tuple(_ways(found)) for found in _CHANGE.finditer(question))


def figures_changed(question: str) -> int:
    """How many figures it changes at least: no more than it makes changes or has names."""
    names = {" ".join(group) for group in _names(question)}
    return max(1, min(len(changes_in(question)), len(names)))


def changes_several(question: str) -> bool:
    """Whether one change may be that of several figures."""
    return bool(_SEVERAL.search(question))


def _names(question: str) -> Iterator[list[str]]:
    """Its runs of capitalised words, also those that only begin a sentence."""
    words = ((word[0], word[0][0].isupper()) for word in _WORD.finditer(question))
    for capital, group in groupby(words, key=itemgetter(1)):
        if capital:
            yield [word for word, _ in group]


def _ways(found: re.Match[str]) -> Iterator[Change]:
    match found.lastgroup:
        case "percent":
            yield from _by(f"{_plain(found['percent'])} / 100")
        case "times":
            times = _COUNTS.get(found["times"].lower()) or _plain(found["times"])
            yield "*", f"{times}"
            yield "/", f"{times}"  # "three times smaller"
        case "factor":
            yield "*", f"{_FACTORS[found['factor'].lower()]}"
        case "half":
            yield from _by("1 / 2")
        case "part":
            yield from _by(f"{_COUNTS[found['count'].lower()]} / {_PARTS[found['part'].lower()]}")
        case group:
            number = _plain(found[group or 0])
            yield "+", number
            yield "-", number


def _by(part: str) -> Iterator[Change]:
    yield "*", f"1 - {part}"
    yield "*", f"1 + {part}"
    yield "*", part


def _plain(number: str) -> str:
    return number.replace(",", "")
