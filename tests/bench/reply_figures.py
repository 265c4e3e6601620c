"""Reads the figures of a reply, and matches them with figures that are known."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

SCALES = {"thousand": 1e3, "million": 1e6, "billion": 1e9, "trillion": 1e12}

_START = r"(?<![A-Za-z0-9_.,])(?:(?<!\w)[-−])?"
_ENGLISH = re.compile(
    rf"({_START}(?:\d{{1,3}}(?:,\d{{3}})+(?!\d)|\d+)(?:\.\d+)?(?:[eE][-+]?\d+)?)"
    rf"(?:[\s-](thousand|million|billion|trillion)s?\b)?"
)
_OTHER = re.compile(rf"({_START}\d+(?:[.,\s'’]\d+)*)")
_POINT_GROUPS = re.compile(r"[-−]?\d{1,3}(?:[.\s'’]\d{3})+(?:,\d+)?")
_COMMA_GROUPS = re.compile(r"[-−]?\d{1,3}(?:,\d{3})+(?:\.\d+)?")


@dataclass(frozen=True)
class Figure:
    """A number of a text, as it is written: "3.5 million" has the number 3.5 and the scale 1e6."""

    number: float
    decimals: int = 0
    digits: int = 1
    """Its significant digits; zeros at the end of a whole number are not."""
    scale: float = 1.0

    @property
    def value(self) -> float:
        return self.number * self.scale

    def rounds(self, exact: float) -> bool:
        """Whether it is `exact`, or `exact` rounded; whole numbers to three digits or more."""
        exact /= self.scale
        by_digits = self.digits >= 3 and float(f"{exact:.{self.digits}g}") == self.number
        return by_digits or round(exact, self.decimals) == self.number


def figures(text: str, language: str = "en") -> list[list[Figure]]:
    """The figures of a text, in order; each with its readings: 1.620 is 1620 in German texts."""
    if language == "en":
        return [[_figure(found[1], found[2])] for found in _ENGLISH.finditer(text)]
    return [_readings(found[1]) for found in _OTHER.finditer(text)]


def numbers(value: Any) -> Iterator[float]:
    """The numbers in JSON data."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        yield float(value)
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from numbers(item)


def is_known(figure: Figure, written: Iterable[Figure], computed: Iterable[float]) -> bool:
    """Whether a figure is one of those written, or computed, perhaps rounded or in another scale.

    A computed number can be in any scale: a question that asks for millions is answered with 3.5.
    """
    scales = (1.0, 1e3, 1e-3) if figure.digits >= 3 else (1.0,)
    own = [known.value for known in written] + [known.number for known in written]
    if any(figure.rounds(known * scale) for known in own for scale in scales):
        return True
    return any(figure.rounds(it * scale) for it in computed for scale in {*scales, figure.scale})


def _readings(written: str) -> list[Figure]:
    """What a number can be where the decimal sign is unknown."""
    plain = "".join(written.split())
    readings = []
    if _POINT_GROUPS.fullmatch(written):
        readings.append(re.sub(r"[.'’]", "", plain).replace(",", "."))
    if _COMMA_GROUPS.fullmatch(plain):
        readings.append(plain.replace(",", ""))
    if re.fullmatch(r"[-−]?\d+(?:[.,]\d+)?", plain):
        readings.append(plain.replace(",", "."))
    return [_figure(reading) for reading in dict.fromkeys(readings)]


def _figure(written: str, scale: str | None = None) -> Figure:
    plain = written.replace(",", "").replace("−", "-")
    mantissa = re.split("[eE]", plain.lstrip("-"))[0]
    whole, _, decimals = mantissa.partition(".")
    digits = (whole + decimals).lstrip("0") if decimals else whole.strip("0")
    return Figure(
        float(plain),
        len(decimals) if mantissa == plain.lstrip("-") else 15,
        max(len(digits), 1),
        SCALES[scale] if scale else 1.0,
    )
