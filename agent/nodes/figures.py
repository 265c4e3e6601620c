"""Figures in a text, and whether a figure is one of those that are known.

A figure is compared after rounding and unit scale: 8,848.86 is also 8849, 8.85 thousand and
8.849 km; 0.12 is also 12 %.
"""

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator

NUMBER = r"\d+(?:[.,'’]\d+|[ \u00a0\u202f]\d{3}(?!\d))*"
_NUMBER = re.compile(rf"(?<![^\W_]){NUMBER}")
_PLAIN = re.compile(r"(\d+)(?:\.(\d+))?")
_SEPARATORS = re.compile(r"[\s'’]")
_UNITS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen"
    " sixteen seventeen eighteen nineteen"
).split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
WORDS = {
    **{word: number for number, word in enumerate(_UNITS)},
    **{word: 10 * number for number, word in enumerate(_TENS, 2)},
}
"""Number words in English."""
_SCALED = re.compile(
    r"thousand|million|billion|trillion|mio|mrd|bn|tn|percent|pct|per|[kMGTmµ](?:m|g|W|Wh|B|Hz|l|L)"
    r"|[kKM]|tonnes?|tons?|t"
)
"""Words behind a figure that give it a scale of its own."""
_HUNDREDTHS = re.compile(r"%|percent|pct|per|cm")
_POWERS = tuple(1000.0**power for power in range(-4, 5))
_EPSILON = 1e-9
_MAX_ROUNDED = 0.03
"""How far a figure that ends in zeros may be from what it stands for, as a part of it."""
_MAX_DIGITS = 300


def readings(text: str) -> Iterator[tuple[float, int]]:
    """What a number may mean, each with its decimals: 8.849 is 8.849 or, in Europe, 8849."""
    bare = _SEPARATORS.sub("", text)[:_MAX_DIGITS]
    if bare.isdecimal():
        yield float(bare), 0
        return
    for thousands, point in (",.", ".,"):
        groups = bare.split(point)[0].split(thousands)
        sound = all(len(group) == 3 for group in groups[1:]) and len(groups[0]) < 4
        if len(groups) > 1 and not sound:
            continue
        found = _PLAIN.fullmatch(bare.replace(thousands, "").replace(point, "."))
        if found:
            yield float(found.group()), len(found[2] or "")


def parts(text: str) -> list[str]:
    """The numbers of one that has several, such as the date 1.5.2024; else the number itself."""
    return [text] if any(True for _ in readings(text)) else re.findall(r"\d+", text)


class Figures:
    """The figures that are known."""

    def __init__(self) -> None:
        self._known: set[float] = set()
        self._sorted: list[float] = []
        self.count = 0
        """Things that can be counted, of the kind of which there are most."""

    def add(self, value: float) -> None:
        self._known.add(abs(float(value)))

    def read(self, text: str) -> None:
        """Take in all figures of a text."""
        for found in _NUMBER.finditer(text):
            for part in parts(found.group()):
                self._known.update(value for value, _ in readings(part))

    def read_words(self, words: Iterable[str]) -> None:
        """Take in the number words among these."""
        self._known.update(WORDS[word] for word in words if word in WORDS)

    def has(self, text: str, unit: str = "") -> bool:
        """Whether a figure is known; `unit` is the word or the sign that follows it."""
        return all(
            any(self._has(value, decimals, part, unit) for value, decimals in readings(part))
            for part in parts(text)
        )

    def has_value(self, value: float) -> bool:
        """Whether a whole number is known, or can be a count."""
        return value <= self.count or self._near(value, value)

    def _has(self, value: float, decimals: int, text: str, unit: str) -> bool:
        if value == 0 or (not decimals and value <= self.count):
            return True
        if unit == "s" and value % 10 == 0:  # the 1990s
            return self._near(value, value + 9)
        step = 10.0**-decimals
        digits = text.strip("0.,'’ \u00a0\u202f")
        zeros = 0 if decimals else len(str(int(value))) - len(str(int(value)).rstrip("0"))
        below = step / 2
        if zeros:
            below = max(below, min(10.0**zeros / 2, _MAX_ROUNDED * value))
        # Models cut digits off as often as they round.
        low, high = value - below, value + max(below, step * (1 - _EPSILON))
        scaled = len(digits) > 1 or _SCALED.fullmatch(unit)
        factors = [*(_POWERS if scaled else (1.0,))]
        if _HUNDREDTHS.fullmatch(unit):
            factors.append(0.01)
        if value < 1:
            factors.append(100.0)
        return any(self._near(low * factor, high * factor) for factor in factors)

    def _near(self, low: float, high: float) -> bool:
        if len(self._sorted) != len(self._known):
            self._sorted = sorted(self._known)
        slack = _EPSILON * max(abs(low), abs(high))
        at = bisect_left(self._sorted, low - slack)
        return at < len(self._sorted) and self._sorted[at] <= high + slack
