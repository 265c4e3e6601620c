"""Whether a text can tell a figure at all: of another part, rate, event or year it tells nothing.

"Mass (typical adult male): 450 kg (2024)" is not the mass of a cub, nor that in 1900.
"""

import re
from collections.abc import Iterator

from .labels import means
from .numbers_in_text import Quantity, is_title
from .subjects import KINDS, MEASURES, SMALL
from .units import Asked
from .words import stem_of, stems

_PART = re.compile(
    r"\b(?:of|by|for|without)\s+(?:(?:a|an|the|its|his|her|their|all)\s+)?"
    r"(?P<words>[a-z][a-z-]+(?:\s+[a-z][a-z-]+){0,2})"
)
"""What belongs to the subject: "of a female", "by a woman", "of its largest moon"."""
_ENDS = re.compile(r"\b(?:in|on|at|to|from|per|with|and|or|than|that|which|who)\b.*")
_WORD = re.compile(r"[a-z]+")
_ITSELF = stems(
    "adult male animal bird fish bear whale person human man author writer inventor scientist book "
    "novel planet building structure summit peak top firm business fiscal city proper typical "
    "official current main whole entire full own one thing subject same each single"
)
"""Words that may name the subject itself, or the usual one of its kind."""
_YEARS = stems("year date")
_RATE = re.compile(r"\bper\b|\bdensity\b|/", re.IGNORECASE)
_RATES = frozenset(("crowding", "density", "speed"))
_YEAR = re.compile(r"\b(?:1\d{3}|20\d{2})\b")
_ODD_UNIT = re.compile(r"\bin\s+[a-z]{3,}s\s*$")


def can_be_told(
    found: list[Quantity], lines: list[str], what: str, wanted: Asked
) -> list[Quantity]:
    """Those of `found` that a text can mean by what is asked for.

    Args:
        found: Figures of the right kind.
        lines: The text.
        what: The figure asked for.
        wanted: Its unit.
    """
    if _untold(what, wanted.rest, lines):
        return []
    if "year" not in what.casefold():
        found = _of_its_year(found, lines, what)
    rate = bool(_RATE.search(wanted.rest)) and not (wanted.unit and wanted.unit.dimension in _RATES)
    return [it for it in found if _RATE.search(lines[it.line])] if rate else found


def _untold(what: str, rest: str, lines: list[str]) -> bool:
    """Whether the text does not have what is asked for, so that it cannot tell it."""
    if not any(map(is_title, lines)):
        return False  # a part of a text, or a result that only its caller can read
    text = stems("\n".join(lines))
    if not all(means(stem_of(word), text) for word in _parts(rest)):
        return True
    if "year" not in what.casefold().split():
        return False
    asked = [stem_of(word) for word in _WORD.findall(rest.casefold())]
    dated = [it for it in asked if it not in SMALL | _YEARS]
    return bool(dated) and not any(means(it, text) for it in dated)


def _parts(rest: str) -> Iterator[str]:
    for part in _PART.finditer(rest):
        for word in _WORD.findall(_ENDS.sub("", part["words"])):
            if not _says_little(word):
                yield word


def _says_little(word: str) -> bool:
    return stem_of(word) in SMALL | MEASURES | KINDS | _ITSELF


def _of_its_year(found: list[Quantity], lines: list[str], what: str) -> list[Quantity]:
    """Those that are not dated, or of a year that is asked for, if any is."""
    asked = {*_YEAR.findall(what)}
    if not asked:
        return found
    dated = {it.line: {*_YEAR.findall(lines[it.line])} for it in found}
    return [it for it in found if not dated[it.line] or dated[it.line] & asked]


def names_odd_unit(what: str) -> bool:
    """Whether a figure is asked for in a unit that is not known: "weight in stones"."""
    return bool(_ODD_UNIT.search(what))
