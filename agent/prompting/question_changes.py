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
_MORE = "more extra additional taller higher deeper longer wider larger bigger heavier faster older"
_FEWER = "fewer less lower shallower shorter narrower smaller lighter slower younger"
_COMPARATIVES = rf"(?P<how>{'|'.join([*_MORE.split(), *_FEWER.split()])})"
_NUMBER = r"(?<![\d.,])(?:\d{1,3}(?:,\d{3}){1,4}(?!,?\d)|\d{1,12}(?![\d,]*\d))(?:\.\d{1,6}(?!\d))?"
_YEAR = r"(?:1\d|20)\d\d\b"
_CHANGE = re.compile(
    rf"(?P<percent>{_NUMBER})\s?(?:%|per ?cent\b)(?: {_COMPARATIVES}\b)?"
    rf"|\b(?P<times>{_NUMBER}|{'|'.join(_COUNTS)}) times\b"
    rf"|\b(?P<factor>{'|'.join(_FACTORS)})(?:es?|ed|ing)?\b"
    r"|\b(?P<half>half|halve[sd]?|halving)\b"
    rf"|\b(?P<count>an?|one|two|three|four)[ -](?P<part>{'|'.join(_PARTS)})s?\b"
    rf"|\b(?!{_YEAR})(?P<added>{_NUMBER})(?: [\w²³/]{{1,20}})??"
    rf" {_COMPARATIVES.replace('how', 'than')}\b"
    rf"|\b(?P<verb>gain|lost|lose|add|remov|grow|grew|dropp?)(?:s|es|ed|ing)? (?:by )?"
    rf"(?P<moved>{_NUMBER})"
    r"(?!\d|[.,]\d| ?(?:%|per ?cent|times|thousand|million|billion|trillion))",
    re.IGNORECASE,
)
_OTHER_FIGURE = re.compile(rf"(?<!\w)(?!{_YEAR})\d")
_MAX_CHARS = 500
_WORD = re.compile(r"[^\W_]+")
_SEVERAL = re.compile(
    r"\b(?:both|(?:each|all) (?:of|two|three|four|five|were|was|had|grew|gained|lost))\b",
    re.IGNORECASE,
)


def changes_in(question: str) -> tuple[tuple[Change, ...], ...]:
    """For each change, in its order, the ways to make it.

    None of a long text, and none of one with figures of its own: "20% of 350" looks nothing up.
    """
    if len(question) > _MAX_CHARS or _OTHER_FIGURE.search(_CHANGE.sub("", question)):
        return ()
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
    said = {name: text.lower() for name, text in found.groupdict().items() if text}
    match said:
        case {"percent": percent}:
            part, how = f"{_plain(percent)} / 100", said.get("how", "")
            signs = "-" if how in _FEWER.split() else "+" if how else "-+"
            yield from (("*", f"1 {sign} {part}") for sign in signs)
            if not how:
                yield "*", part
        case {"times": times}:
            number = str(_COUNTS.get(times) or _plain(times))
            yield "*", number
            yield "/", number  # "three times smaller"
        case {"factor": factor}:
            yield "*", str(_FACTORS[factor])
        case {"half": _}:
            yield from _by("1 / 2")
        case {"count": count, "part": part}:
            yield from _by(f"{_COUNTS[count]} / {_PARTS[part]}")
        case {"added": number, "than": how}:
            yield "-" if how in _FEWER.split() else "+", _plain(number)
        case {"moved": number, "verb": verb}:
            yield "+" if verb in ("gain", "add", "grow", "grew") else "-", _plain(number)


def _by(part: str) -> Iterator[Change]:
    yield "*", f"1 - {part}"
    yield "*", f"1 + {part}"
    yield "*", part


def _plain(number: str) -> str:
    return number.replace(",", "")
