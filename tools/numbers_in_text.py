"""Finding the numbers in a text, each with the scale and the unit that follow it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

from .units import CURRENCY, SCALE, UNIT, Unit, asked, scale_of, unit_of


@dataclass(frozen=True)
class Quantity:
    """A number of a text: as it is written, and as it counts (the scale worked in)."""

    written: str
    value: Fraction
    unit: Unit | None
    line: int
    """The index of its line in the text."""
    aside: bool = False
    """Whether it is in brackets."""
    dates: bool = False
    """Whether it is a year in brackets behind a figure, when that was taken: "6,961 m (2012)"."""

    counted: bool = False
    """Whether words behind it are a unit of its own: "317.8 Earth masses"."""

    @property
    def is_year(self) -> bool:
        """Whether it stands as a year of the calendar does: four plain digits."""
        return self.unit is None and bool(_YEAR.fullmatch(self.written))


_YEAR = re.compile(r"1\d{3}|20\d{2}")
_COUNTED = re.compile(r" [A-Z][a-z]+ [a-z]{3,}")
_STOP = re.compile(r"[.,;:(]")
_BRACKETS = re.compile(r"\([^()]*\)")
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺−", "0123456789-+-")
_RAISED = "[⁻⁺]?[⁰¹²³⁴⁵⁶⁷⁸⁹]{1,3}"
_POWER = rf"10(?:(?:\^|\*\*)\{{?[-−+]?\d{{1,3}}\}}?|{_RAISED})"
_SPACES = " \N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}\N{THIN SPACE}"
_LETTERS = {"k": 10**3, "m": 10**6, "b": 10**9, "t": 10**12}
# Words behind a number that belong to the sentence and not to the number.
_SENTENCE = (
    "a about above after and are as at above be before below between but by during each for from "
    "had has have he her high his how if in including into is it its long of off on or over since "
    "tall than that the their then there these they this to under until up was were when where "
    "which while who wide with within per"
).replace(" ", "|")

_FIND = rf"""
    # A date or a time of day is not a quantity: matched first, so that its parts are not found.
    (?P<clock>(?<![\w.,])(?:\d{{4}}-\d{{2}}-\d{{2}}|\d{{1,2}}:\d{{2}})(?!\d))
    |
    (?<![\w.,^])(?<![A-Za-z][-−–])
    (?P<sign>(?<![\w)%])[-−+])?
    (?:(?P<currency>{CURRENCY})\s?)?
    (?:
        (?P<power>{_POWER})
    |
        (?P<mantissa>
            \d{{1,3}}(?:,\d{{3}})+(?:\.\d{{1,30}})?
        |   \d{{1,3}}(?P<gap>[{_SPACES}'’])\d{{3}}(?:(?P=gap)\d{{3}})*(?:[.,]\d{{1,30}})?
        |   \d{{1,3}}(?:\.\d{{3}}){{2,}}
        |   \d{{1,30}}(?:\.\d{{1,30}}|,\d{{1,2}})?
        )
        (?: [eE](?P<exponent>[-+]?\d{{1,3}}) | \s?[×x*·⋅]\s?(?P<times>{_POWER}) )?
    )
    (?![.,]?\d)
    (?:\s?-?(?P<scale>{SCALE}))?
    (?(currency) (?:\s?(?P<letter>[KMBTkmbt])\b)? | (?P<kilo>k\b)? )
    (?:(?!s\b)[{_SPACES}]?-?(?P<unit>{UNIT}))?  # "1990s" are not seconds
    (?(unit) | (?(currency) |
        (?:(?:[{_SPACES}](?!(?:{_SENTENCE})\b)[a-z][a-z-]{{1,20}}\b){{1,2}})?
    ))
    (?!\w)
"""
_ADDRESS = re.compile(r"https?://\S+")
_TITLE = re.compile(r"#+\s|\S+\.(?:md|markdown): ")
_MAX_LABEL_CHARS = 200


@cache
def _pattern() -> re.Pattern[str]:
    # Compiled when needed: with every unit in it, it would take most of the package's import.
    return re.compile(_FIND, re.VERBOSE)


def is_title(line: str) -> bool:
    """Whether a line names the subject of those below it: a heading, or "file.md: Title"."""
    return bool(_TITLE.match(line))


def label_of(line: str) -> str:
    """Return the text before a line's first colon; "" if that is empty, or not a short label."""
    colon = line.find(":", 0, _MAX_LABEL_CHARS)
    return line[:colon] if colon > 0 else ""


def quantities(lines: list[str]) -> Iterator[Quantity]:
    """Yield the numbers of `lines`, in order; those of titles and addresses do not count.

    A number without a unit has the unit that its label names, as in "Height (m): 8848".
    Lines are short (`lines_of`): the time for one grows with the square of its length.
    """
    for index, line in enumerate(lines):
        if not is_title(line):
            yield from _on_line(_ADDRESS.sub(" ", line), index)


def _on_line(line: str, index: int) -> Iterator[Quantity]:
    label = label_of(line)
    labelled = asked(label)
    measured: int | None = None  # where a figure ends that may be dated behind it
    for found in _pattern().finditer(line):
        if found["clock"]:
            continue
        value = _value(found)
        unit = unit_of(found["currency"] or found["unit"] or "")
        written = " ".join(found[0].split())
        is_year = _YEAR.fullmatch(written)
        if unit is None and found.start() > len(label) and not is_year:
            unit = labelled.unit
            if not (found["scale"] or found["kilo"]):
                value *= labelled.scale
        ahead = line[: found.start()]
        aside = ahead.count("(") > ahead.count(")")
        dates = False
        if not aside:
            # "Moons: 97" is a figure, while "Apollo 11" and "Windows 95" are names.
            counts = unit or "," in written or " " in written or ahead.endswith(": ")
            measured = found.end() if counts and not is_year else None
        elif is_year and measured is not None:
            between = ahead[measured:].rpartition("(")[0]
            dates = not _STOP.search(_BRACKETS.sub("", between))
        counted = unit is None and bool(_COUNTED.match(line, found.end()))
        yield Quantity(written, value, unit, index, aside, dates, counted)


def _value(found: re.Match[str]) -> Fraction:
    """Return what a match of `_FIND` counts, its scale worked in."""
    value = _power(found["power"]) if found["power"] else _mantissa(found)
    if found["exponent"]:
        value *= Fraction(10) ** int(found["exponent"])
    if found["times"]:
        value *= _power(found["times"])
    if letter := found["letter"] or found["kilo"]:
        value *= _LETTERS[letter.casefold()]
    value *= scale_of(found["scale"])
    return -value if found["sign"] in ("-", "−") else value


def _power(written: str) -> Fraction:
    """Return `10^24`, `10**24` or `10²⁴`."""
    exponent = written.removeprefix("10").translate(_SUPERSCRIPTS).strip("^*{}")
    return Fraction(10) ** int(exponent)


def _mantissa(found: re.Match[str]) -> Fraction:
    """Return the number without exponent and scale; thousands separators are dropped."""
    digits: str = found["mantissa"]
    if found["gap"]:
        digits = digits.replace(found["gap"], "").replace(",", ".")
    elif re.fullmatch(r"\d+,\d{1,2}", digits):
        digits = digits.replace(",", ".")
    elif digits.count(".") > 1:
        digits = digits.replace(".", "")
    return Fraction(digits.replace(",", ""))
