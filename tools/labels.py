"""Figures that a text labels with the very words that are asked for: no model need choose them."""

from .excerpt import stems
from .numbers_in_text import Quantity, is_title, label_of
from .units import asked

_SMALL_WORDS = frozenset("a an and at by did in is it its of on the to was were what when".split())


def labelled(lines: list[str], found: list[Quantity], what: str) -> list[Quantity]:
    """Return those of `found` that stand behind the label that `what` names.

    `- Height: 8,611 m (2020)` under the title K2 is "height in m" and "height of K2", but not
    "height of the base camp": each word of the label must be asked for, and each other word that
    is asked for must be in the title. What stands in brackets is not what a label names.
    """
    wanted = words(asked(what).rest)
    titles: dict[int, str] = {}
    title = ""
    for index, line in enumerate(lines):
        title = line if is_title(line) else title
        titles[index] = title

    def named(line: int) -> bool:
        label = label_of(lines[line])
        own = words(asked(label).rest) if label else set()
        return bool(own) and own <= wanted and wanted - own <= words(titles[line])

    # Once for each line: a line can hold hundreds of numbers.
    fitting = {line for line in {quantity.line for quantity in found} if named(line)}
    return [quantity for quantity in found if not quantity.aside and quantity.line in fitting]


def words(text: str) -> set[str]:
    """Return the words that tell something, cut short so that plurals agree."""
    return stems(text) - _SMALL_WORDS
