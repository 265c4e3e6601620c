"""What the label of a figure says about it: that it is what is asked for, so that no model must
choose, or that it is something else.
"""

import re

from .numbers_in_text import Quantity, is_title, label_of
from .subjects import SMALL
from .units import asked
from .words import stems

_MEASURES = [
    stems(kind)
    for kind in (
        *("height high tall elevation altitude", "depth deep", "length long", "width wide"),
        *("diameter", "radius", "circumference", "wingspan", "mass weight weigh heavy", "lifespan"),
        *("population inhabitant resident", "area", "gdp", "revenue sale turnover"),
        *("profit income", "employee staff", "latitude", "longitude"),
    )
]
"""Words for one kind of figure: two figures of one unit can be of different kinds."""
_EVENTS = [
    stems(kind)
    for kind in (
        *("born birth", "died death", "published publication written wrote released release"),
        "founded founding foundation established establishment created creation formed",
        *("completed completion built construction constructed finished", "ascent climb climbed"),
        *("opened opening inaugurated dedicated", "invented invention patented patent"),
        "discovered discovery",
    )
]
"""Words for one kind of event, which years date."""
_MEANING = {word: min(kind) for kind in (*_MEASURES, *_EVENTS) for word in kind}
_SMALL = SMALL | stems("number total count figure year")
"""Words that say nothing of what is counted."""
_BRACKETS = re.compile(r"\([^()]*\)?")


def labelled(lines: list[str], found: list[Quantity], what: str) -> list[Quantity]:
    """Return those of `found` that follow the label that `what` names.

    `- Height: 8,611 m (2020)` under the title K2 matches "height in m", "elevation" and "height of
    K2 in 2020", but not "height of the base camp": each word of the label must be asked for, but
    for those in brackets, and each other word that is asked for must be in the line or the title.
    A label does not name figures in brackets.
    """
    wanted = words(asked(what).rest)
    titles: dict[int, str] = {}
    title = ""
    for index, line in enumerate(lines):
        title = line if is_title(line) else title
        titles[index] = title

    def named(line: int) -> bool:
        label = _BRACKETS.sub(" ", label_of(lines[line]))
        own = words(asked(label).rest) if label else set()
        rest = wanted - own
        return bool(own) and own <= wanted and rest <= words(f"{titles[line]} {lines[line]}")

    # Once for each line: a line can hold hundreds of numbers.
    fitting = {line for line in {quantity.line for quantity in found} if named(line)}
    return [quantity for quantity in found if not quantity.aside and quantity.line in fitting]


def words(text: str) -> set[str]:
    """Return what the significant words mean: one stem for all words of a kind."""
    return {_MEANING.get(stem, stem) for stem in stems(text)} - _SMALL


def means(word: str, text: set[str]) -> bool:
    """Whether the stems of a text have a word, or another one for the same kind."""
    kinds = [kind for kind in (*_MEASURES, *_EVENTS) if word in kind]
    return word in text or any(kind & text for kind in kinds)


def dates(label: str) -> bool:
    """Whether a label is of an event, which years date and nobody counts."""
    own = stems(label)
    return any(kind & own for kind in _EVENTS)


def of_kind(found: list[Quantity], lines: list[str], what: str) -> list[Quantity]:
    """Return those of `found` whose label does not say that they are of another kind.

    "Width" rules out "Length: 636 km"; where that rules out a figure and no line speaks of width,
    "Surface above sea level: 456 m" is not it either.
    """
    asked_for = stems(what)
    kept: list[Quantity] = []
    said = False
    for quantity in found:
        kinds = _EVENTS if quantity.is_year else _MEASURES
        own = [kind for kind in kinds if kind & asked_for]
        labels = stems(label_of(lines[quantity.line]))
        other = [kind for kind in kinds if kind & labels]
        if not (own and other) or any(kind in own for kind in other):
            kept.append(quantity)
            said |= not own or any(kind & stems(lines[quantity.line]) for kind in own)
    if said or len(kept) == len(found):
        return kept
    return [quantity for quantity in kept if not label_of(lines[quantity.line])]
