"""Units of measure: a table of them, how to find them in a text, and how to convert between them.

A small table, because the unit libraries on PyPI have a parser and a registry, and this needs only
about sixty factors. All factors are exact fractions: `29,032 ft` is exactly 8848.9536 metres.
"""

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import cache


@dataclass(frozen=True)
class Unit:
    """A unit: `value * factor + offset` is the value in its dimension's base unit."""

    dimension: str
    factor: Fraction = Fraction(1)
    offset: Fraction = Fraction(0)

    def to(self, other: "Unit", value: Fraction) -> Fraction:
        """Convert `value` from this unit to another of the same dimension."""
        return (value * self.factor + self.offset - other.offset) / other.factor


SCALES = {
    "thousand": 10**3,
    "million": 10**6,
    "billion": 10**9,
    "trillion": 10**12,
    "mn": 10**6,
    "bn": 10**9,
    "tn": 10**12,
}
SCALE = r"(?i:(?:thousand|million|billion|trillion)s?|mn|bn|tn)\b"

# Dimension, factor to the base unit, symbols (case-sensitive), words (any case, also plural).
_LENGTHS = (
    ("1/1000", "mm", "millimetre"),
    ("1/100", "cm", "centimetre"),
    ("1", "m", "metre"),
    ("1000", "km", "kilometre"),
    ("0.0254", "″", "inch,inches"),
    ("0.3048", "ft,′", "foot,feet"),
    ("0.9144", "yd", "yard"),
    ("1609.344", "mi", "mile"),
)
_TABLE = (
    *(("length", *row) for row in _LENGTHS),
    ("length", "1852", "nmi", "nautical mile"),
    ("length", "149597870700", "au,AU", "astronomical unit"),
    ("length", "9460730472580800", "ly", "light-year,light year"),
    ("area", "10000", "ha", "hectare"),
    ("area", "4046.8564224", "", "acre"),
    ("volume", "1/1000", "l,L", "litre"),
    ("volume", "1/1000000", "ml,mL", "millilitre"),
    ("volume", "0.003785411784", "", "gallon,US gallon"),
    ("mass", "1/1000000", "mg", "milligram"),
    ("mass", "1/1000", "g", "gram"),
    ("mass", "1", "kg", "kilogram"),
    # "ton" is read as the metric ton; texts that mean another write "short" or "long" before it.
    ("mass", "1000", "t", "tonne,ton,metric ton,metric tonne"),
    ("mass", "907.18474", "", "short ton"),
    ("mass", "0.45359237", "lb,lbs", "pound of weight"),
    ("mass", "0.028349523125", "oz", "ounce"),
    ("time", "1/1000", "ms", "millisecond"),
    ("time", "1", "s", "second,sec"),
    ("time", "60", "min", "minute"),
    ("time", "3600", "h", "hour"),
    ("time", "86400", "", "day"),
    ("time", "604800", "", "week"),
    ("time", "31557600", "", "year"),
    ("speed", "1", "m/s", "metre per second"),
    ("speed", "1000", "km/s", "kilometre per second"),
    ("speed", "5/18", "km/h,kph,kmh", "kilometre per hour"),
    ("speed", "0.44704", "mph", "mile per hour"),
    ("speed", "463/900", "kn", "knot"),
    ("speed", "0.3048", "ft/s", "foot per second,feet per second"),
    ("density", "1", "kg/m³,kg/m3", "kilogram per cubic metre"),
    ("density", "1000", "g/cm³,g/cm3", "gram per cubic centimetre"),
    ("crowding", "1", "/km²,/km2", "square kilometre,km²,sq km"),
    ("crowding", "1/2.589988110336", "/sq mi", "square mile,sq mi"),
    ("power", "1", "W", "watt"),
    ("power", "1000", "kW", "kilowatt"),
    ("power", "1000000", "MW", "megawatt"),
    ("power", "1000000000", "GW", "gigawatt"),
    ("energy", "1", "kWh", "kilowatt-hour,kilowatt hour"),
    ("energy", "1000", "MWh", "megawatt-hour,megawatt hour"),
    ("energy", "1000000", "GWh", "gigawatt-hour,gigawatt hour"),
    ("energy", "1000000000", "TWh", "terawatt-hour,terawatt hour"),
    ("share", "1", "%", "percent,per cent,percentage"),
    ("USD", "1", "$,US$,U.S.$,USD", "dollar,US dollar,U.S. dollar"),
    ("EUR", "1", "€,EUR", "euro"),
    ("GBP", "1", "£,GBP", "pound sterling,British pound"),
    ("JPY", "1", "¥,JPY", "yen,Japanese yen"),
    ("CNY", "1", "CN¥,CNY,RMB", "yuan,Chinese yuan"),
    ("INR", "1", "₹,INR", "rupee,Indian rupee"),
    ("CHF", "1", "CHF", "Swiss franc"),
    ("AUD", "1", "A$,AUD", "Australian dollar"),
    ("CAD", "1", "C$,CA$,CAD", "Canadian dollar"),
    ("HKD", "1", "HK$,HKD", "Hong Kong dollar"),
)
_PEOPLE = ("people ", "inhabitants ", "residents ")
_TEMPERATURES = (
    (Unit("temperature"), "K", ("kelvin", "kelvins")),
    (Unit("temperature", offset=Fraction("273.15")), "°C", ("degrees celsius", "celsius")),
    (
        Unit("temperature", Fraction(5, 9), Fraction("459.67") * Fraction(5, 9)),
        "°F",
        ("degrees fahrenheit", "fahrenheit"),
    ),
)


def _factor(text: str) -> Fraction:
    above, _, below = text.partition("/")
    return Fraction(above) / Fraction(below or 1)


def _spellings(words: str) -> list[str]:
    """Return each word in British and American spelling, singular and plural."""
    found = []
    for word in filter(None, words.casefold().split(",")):
        for spelt in {word, word.replace("metre", "meter").replace("litre", "liter")}:
            head, per, tail = spelt.partition(" per ")
            found += [spelt, f"{head}s{per}{tail}"]
    return found


def _tables() -> tuple[dict[str, Unit], dict[str, Unit]]:
    """Return the units by symbol and by word."""
    symbols: dict[str, Unit] = {}
    words: dict[str, Unit] = {}
    for dimension, factor, marks, names in _TABLE:
        unit = Unit(dimension, _factor(factor))
        if dimension == "crowding":
            names = ",".join(
                f"{who}per {area}" for area in names.split(",") for who in ("", *_PEOPLE)
            )
        symbols |= dict.fromkeys(filter(None, marks.split(",")), unit)
        words |= dict.fromkeys(_spellings(names), unit)
    for factor, marks, names in _LENGTHS:
        for dimension, power, mark, adjective, short in (
            ("area", 2, "²", "square", "sq"),
            ("volume", 3, "³", "cubic", "cu"),
        ):
            unit = Unit(dimension, _factor(factor) ** power)
            for symbol in marks.split(","):
                for squared in (f"{symbol}{mark}", f"{symbol}{power}", f"{symbol}^{power}"):
                    symbols[squared] = unit
                words[f"{short} {symbol}"] = unit
            words |= dict.fromkeys((f"{adjective} {name}" for name in _spellings(names)), unit)
    for unit, symbol, degrees in _TEMPERATURES:
        symbols[symbol] = unit
        words |= dict.fromkeys(degrees, unit)
    return symbols, words


_SYMBOLS, _WORDS = _tables()


def _alternatives() -> str:
    """Return a pattern of all units, the longest first, so that `km/h` is never read as `km`."""
    pieces = []
    for name in sorted({*_SYMBOLS, *_WORDS}, key=len, reverse=True):
        escaped = re.escape(name).replace(r"\ ", r"\s+")
        pieces.append(escaped if name in _SYMBOLS else f"(?i:{escaped})")
    return rf"(?:{'|'.join(pieces)})(?![\w²³^]|/[a-z]|\s+per\b)"


UNIT = _alternatives()
CURRENCY = "|".join(
    re.escape(symbol)
    for symbol in sorted(_SYMBOLS, key=len, reverse=True)
    if _SYMBOLS[symbol].dimension.isupper()
)


def unit_of(name: str) -> Unit | None:
    """Return the unit that `name` spells, or None."""
    name = " ".join(name.split())
    return _SYMBOLS.get(name) or _WORDS.get(name.casefold())


def scale_of(name: str | None) -> int:
    """Return the factor that a scale word stands for; 1 if there is none."""
    return SCALES[name.casefold().removesuffix("s")] if name else 1


@dataclass(frozen=True)
class Asked:
    """The unit and the scale that a phrase names, such as "height in metres" or "(millions)"."""

    unit: Unit | None = None
    scale: int = 1
    rest: str = ""
    """The phrase without them."""


_MEASURE = (
    rf"(?:(?P<scale>{SCALE})(?:\s+(?:of\s+)?(?P<unit>{UNIT}))?"
    rf"|(?P<unit2>{UNIT})(?:\s+(?P<scale2>{SCALE}))?)"
)
_AFTER_IN = rf"(?:\b(?:in|as)\s+|[(\[,]\s*(?:in\s+)?)(?:the\s+)?{_MEASURE}"
# Without "in", a duration must be plural: "founding year" does not ask for a duration.
_AT_END = rf"\s(?!(?:year|week|day|hour|minute|second|min|sec)\s*$){_MEASURE}\s*$"
_POUNDS = re.compile(r"\b(?:in|as)\s+pounds?\s*$", re.IGNORECASE)
_WEIGHS = re.compile(r"\b(?:weigh|mass|heav)", re.IGNORECASE)
_SHARE = re.compile(r"%|\bper\s?cent|\bpercentage\b", re.IGNORECASE)


@cache
def _patterns() -> tuple[re.Pattern[str], re.Pattern[str]]:
    # Compiled when needed: with all units in them, they would take most of the package's import.
    return re.compile(_AFTER_IN), re.compile(_AT_END)


def asked(phrase: str) -> Asked:
    """Return the unit and the scale that `phrase` names; the last ones if there are several."""
    if pounds := _POUNDS.search(phrase):
        rest = phrase[: pounds.start()] + phrase[pounds.end() :]
        return Asked(
            _WORDS["pound of weight" if _WEIGHS.search(rest) else "pound sterling"], 1, rest
        )
    found = [match for pattern in _patterns() for match in pattern.finditer(phrase)]
    if found:
        last = found[-1]
        name = last["unit"] or last["unit2"]
        scale = scale_of(last["scale"] or last["scale2"])
        rest = phrase[: last.start()] + " " + phrase[last.end() :]
        return Asked(unit_of(name) if name else None, scale, rest)
    return Asked(unit_of("%") if _SHARE.search(phrase) else None, rest=phrase)
