"""`number`: one number from a text, in the requested unit.

    text ─► its numbers ─► those of the right kind ─► one that is labelled so ─────► converted
       └─► not about it: an error                  └─► else the model chooses ─┘

The model never writes a number: it chooses among those in the text, under a grammar of
just these where its server takes one, else by the number of a choice.
"""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from importlib.resources import files
from itertools import islice
from typing import Any

from langchain_core.runnables import RunnableConfig
from langchain_core.tools import ToolException, tool

from .about import lines_about
from .excerpt import HARD_MAX_TEXT_CHARS, excerpt, lines_of, question_of, text_of
from .fence import mark_for
from .labels import dates, labelled, of_kind, words
from .numbers_in_text import Quantity, is_title, label_of, quantities
from .resources import Reader, Resources
from .told import can_be_told, names_odd_unit
from .units import Asked, asked

MAX_TEXT = 2000
"""Characters of a text that the model is shown."""
MAX_LINES = 40
MAX_CHOICES = 200
_MAX_LABELS = 12
HARD_MAX_NUMBERS = 20_000
"""The first numbers of a text; no others are considered."""

_MAX_TOKENS = 24
_ABSENT = "not in the text"
_MARKS = " \t\r\n*_`\"'.()[]{}#$"
_LED = re.compile(r"\A(?:\s*[a-z][a-z ]*[:=]|\\boxed)(?=[\s*_`#$({]*[0-9])", re.IGNORECASE)
"""What may stand before a reply: "Answer:"."""
_FIGURE = re.compile(r"[0-9](?:[0-9,.]*[0-9])?")
_PLACED = re.compile(
    r"(?P<before>(?:[a-z]+ )*)(?P<place>[0-9]{1,3})(?P<end>[.):*]*)(?P<rest>(?:[^0-9,.].*)?)",
    re.IGNORECASE | re.DOTALL,
)
"""A place, maybe behind words ("choice 2") or before others ("2. 8,611 m")."""

_SYSTEM, _ELSE, _USER, _CHOICES = (
    files("llm_compiler.prompts").joinpath("number.md").read_text("utf-8").strip().split("\n---\n")
)


@tool
async def number(what: str, text: Any, config: RunnableConfig) -> int | float:
    """Read one number from a search result. Say the unit.

    `what` names the number and its unit, such as "height in metres". `text` is searched for it.
    That the text does not tell it, or is about something else, is an error.
    """
    if isinstance(text, int | float):
        return text
    what = question_of(what)
    # In a thread: a text can be long.
    read = await asyncio.to_thread(_read, what, text)
    quantity = read.certain
    if quantity is None:
        quantity = await _chosen(read, what, Resources.of(config).reader)
    return _converted(quantity, read.wanted)


number.metadata = {"readOnlyHint": True}


@dataclass(frozen=True)
class _Candidates:
    """The numbers of a text that can be meant."""

    wanted: Asked
    certain: Quantity | None
    """The one that is certainly meant."""
    count: int
    shown: str = ""
    """The lines that a model chooses from."""
    choices: Mapping[str, Quantity] = field(default_factory=dict)
    """As they are written there."""


def _read(what: str, value: Any) -> _Candidates:
    """Look for the numbers of a text. It needs no model.

    Raises:
        ToolException: no number can be meant.
    """
    text = text_of(value)
    lines = lines_of(text)
    found = list(islice(quantities(lines), HARD_MAX_NUMBERS))
    whole = len(text) <= HARD_MAX_TEXT_CHARS and len(found) < HARD_MAX_NUMBERS
    wanted = asked(what)
    fitting = _fitting(found, lines, what, wanted)
    about = lines_about(lines, wanted.rest)
    told = of_kind([it for it in fitting if it.line in about], lines, what)
    told = can_be_told(told, lines, what, wanted)
    if fitting and not told:
        raise ToolException(f"not in the text: {what!r}; {_told_instead(lines)}")
    fitting = told
    if not fitting:
        raise ToolException(
            f"no number for {what!r} among the {len(found)} in the text; "
            f"ask for another unit, or {_told_instead(lines)}"
        )
    # The only number of a part need not be the only one.
    for certain in (labelled(lines, fitting, what), fitting if whole else []):
        if len({(quantity.value, quantity.unit) for quantity in certain}) == 1:
            return _Candidates(wanted, certain[0], len(fitting))
    among = {quantity.line for quantity in fitting}
    shown = excerpt(lines, what, among=among, characters=MAX_TEXT, count=MAX_LINES)
    kept = set(shown)
    choices = _distinct([quantity for quantity in fitting if quantity.line in kept])
    text = "\n".join(lines[line] for line in shown)
    return _Candidates(wanted, None, len(fitting), text, choices)


def _told_instead(lines: list[str]) -> str:
    """What to do if a number is not told: which ones are, or to search."""
    labels = (label_of(line).lstrip("-* ").strip() for line in lines if not is_title(line))
    told = list(dict.fromkeys(filter(None, labels)))[:_MAX_LABELS]
    return f"search for it; here is told: {', '.join(told)}" if told else "search for it"


def _fitting(found: list[Quantity], lines: list[str], what: str, wanted: Asked) -> list[Quantity]:
    """Return the numbers that can be meant: of the unit's dimension, or years for a year."""
    years = [quantity for quantity in found if quantity.is_year]
    others = [quantity for quantity in found if not quantity.is_year]
    if wanted.unit is None:
        if "year" in what.casefold().split():
            return _not_dating(years, lines, what) if years else found
        if what.casefold().startswith("number of "):
            # A year that is labelled as something else counts nothing: "Born: 1879", no children.
            about = words(what)
            labels = {it.line: words(label_of(lines[it.line])) for it in years}
            counts = [it for it in found if not labels.get(it.line) or labels[it.line] & about]
            return [it for it in counts if not it.is_year or not dates(label_of(lines[it.line]))]
        if names_odd_unit(what):
            return [it for it in found if it.unit is None and not it.aside]
        # Nobody counts years in millions.
        return (others or found) if wanted.scale > 1 else found
    same = [
        quantity
        for quantity in found
        if quantity.unit and quantity.unit.dimension == wanted.unit.dimension
    ]
    # A text may leave its unit out, as a table does; then the number is taken to be in it, unless
    # its label is about something else.
    about = words(what)
    bare = [it for it in others if it.unit is None and not it.counted]
    bare += [it for it in years if not it.dates and not it.aside]
    labels = {it.line: words(label_of(lines[it.line])) for it in bare}
    bare = [it for it in bare if not labels[it.line] or labels[it.line] & about]
    return same or [it for it in bare if not it.is_year] or bare


def _not_dating(years: list[Quantity], lines: list[str], what: str) -> list[Quantity]:
    """Leave out the years of figures that are not asked for: of a first ascent, no "m (2012)"."""
    about = words(what)
    return [year for year in years if not year.dates or about & words(lines[year.line])]


def _distinct(found: list[Quantity]) -> dict[str, Quantity]:
    choices: dict[str, Quantity] = {}
    for quantity in found:
        choices.setdefault(quantity.written, quantity)
    return dict(list(choices.items())[:MAX_CHOICES])


async def _chosen(read: _Candidates, what: str, reader: Reader | None) -> Quantity:
    """Ask the model for one of the numbers."""
    if reader is None:
        raise ToolException(
            f"number needs a model to choose {what!r} among {read.count} numbers; "
            "set a model for the run"
        )
    choices = read.choices
    user = _USER.format(mark=mark_for(read.shown), text=read.shown, what=what)
    if reader.grammars:
        grammar = "root ::= " + " | ".join(_quoted(choice) for choice in choices)
        reply = await reader.ask(_SYSTEM, user, grammar=grammar)
    else:
        listed = "\n".join(f"{place}. {choice}" for place, choice in enumerate(choices, 1))
        user += "\n" + _CHOICES.format(choices=listed)
        reply = await reader.ask(f"{_SYSTEM} {_ELSE}", user, max_tokens=_MAX_TOKENS)
    chosen = _choice_in(reply, [*choices], by_place=not reader.grammars)
    if chosen is not None:
        return choices[chosen]
    if _ABSENT in reply.casefold():
        raise ToolException(f"not in the text: {what!r}; search for it")
    raise ToolException(
        f"the model chose none of the {len(choices)} numbers offered for {what!r}; "
        "describe the number more precisely"
    )


def _choice_in(reply: str, choices: list[str], *, by_place: bool) -> str | None:
    """The choice that a reply names, by its place, by its own text, or by the only figure in it;
    None if it names none."""
    reply = _LED.sub("", reply.strip(_MARKS), count=1).strip(_MARKS)
    by_text = {_bare(choice): choice for choice in choices}
    placed = _PLACED.fullmatch(reply) if by_place else None
    if placed is None or not 1 <= int(placed["place"]) <= len(choices):
        return by_text.get(_bare(reply)) or _said_in(reply, choices)
    choice, rest = choices[int(placed["place"]) - 1], placed["rest"].strip(_MARKS)
    if not rest or _bare(rest) == _bare(choice):
        return choice
    if (own := by_text.get(_bare(reply))) is not None:
        return own
    # A unit behind a number makes it a figure, and a second number makes it a sentence.
    is_alone = placed["end"] or (placed["before"] and not rest)
    return choice if is_alone and not any(map(str.isdigit, rest)) else None


def _said_in(reply: str, choices: list[str]) -> str | None:
    """The choice that stands in a sentence without any other figure."""
    figures = {_bare(figure) for figure in _FIGURE.findall(reply)}
    text = _bare(reply)
    named = [choice for choice in choices if _bare(choice) in text]
    alone = len(figures) == 1 and len(named) == 1
    return named[0] if alone and {*map(_bare, _FIGURE.findall(named[0]))} == figures else None


def _bare(choice: str) -> str:
    """A choice as models may write it: without blanks and separators of thousands."""
    return re.sub(r"(?<=\d),(?=\d{3})|\s", "", choice.casefold())


def _quoted(choice: str) -> str:
    """Return `choice` as a GBNF string."""
    escaped = choice.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _converted(quantity: Quantity, wanted: Asked) -> int | float:
    """Return the number in the unit and scale asked for: an int when it is whole."""
    value: Fraction = quantity.value
    if wanted.unit and quantity.unit and wanted.unit != quantity.unit:
        value = quantity.unit.to(wanted.unit, value)
    value /= wanted.scale
    if value.denominator == 1 and abs(value) < 2**63:
        return int(value)
    try:
        return float(value)
    except OverflowError:
        raise ToolException(f"{quantity.written!r} is too large for a number") from None
