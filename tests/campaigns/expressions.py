"""Expressions to try on `math`: grown by a grammar, mutated, and known ways out of evaluators."""

from collections.abc import Callable, Iterator
from random import Random

from tests.campaigns.escapes import ESCAPES

_INTEGERS: tuple[Callable[[Random], int], ...] = (
    lambda r: r.randint(0, 9),
    lambda r: r.randint(0, 10**6),
    lambda r: 2 ** r.randint(0, 70) + r.randint(-1, 1),
    lambda r: 10 ** r.randint(0, 40),
)
_FUNCTIONS = "sqrt log log10 exp sin cos tan abs floor ceil round min max".split()
_OPERATORS = "+ - * / // % **".split()
_COMPARISONS = "< <= > >= == !=".split()
_PIECES = (
    *_FUNCTIONS, *_OPERATORS, *_COMPARISONS, "(", ")", ",", ".", "e", "pi", "_", "__", "'", '"',
    "$1", "[", "]", "{", "}", ":", ";", "=", ":=", "lambda", "if", "else", "for", "in", "is", "not",
    "and", "or", "True", "None", "0x", "1j", "1e999", "\\", "#", "@", "!", "?", "~", "^", "&", "|",
    "<<", ">>", "\n", "\t", "\x00", "\u0661", "\uff08", "\u2212", "__class__", "__import__", "9**9",
)  # fmt: skip


def expressions(random: Random) -> Iterator[str]:
    """Without end: first every known escape, then half sound ones, half damaged ones."""
    yield from ESCAPES
    while True:
        sound = expression(random, random.randint(0, 6))
        yield sound if random.random() < 0.5 else mutated(random, sound)


def expression(random: Random, depth: int) -> str:
    """A sentence of the grammar; whether its values are in bounds is chance."""
    if depth == 0:
        return _number(random)
    match random.randint(0, 29):
        case 0:
            sides = expression(random, depth - 1), expression(random, 0)
            return f" {random.choice(_COMPARISONS)} ".join(sides)
        case 1 | 2 | 3:
            return f"-{expression(random, depth - 1)}"
        case n if n < 9:
            return f"({expression(random, depth - 1)})"
        case n if n < 16:
            function = random.choice(_FUNCTIONS)
            usual = random.randint(2, 3) if function in ("min", "max") else 1
            count = usual if random.random() < 0.9 else random.randint(0, 4)
            arguments = (expression(random, depth - 1) for _ in range(count))
            return f"{function}({', '.join(arguments)})"
        case _:
            operator = random.choice(_OPERATORS)
            sides = expression(random, depth - 1), expression(random, random.randint(0, depth - 1))
            return f" {operator} ".join(sides)


def _number(random: Random) -> str:
    match random.randint(0, 19):
        case 0:
            return f"{random.randint(1, 999)},{random.randint(0, 999):03}"
        case 1:
            return repr(random.random() * 10.0 ** random.randint(-320, 308))
        case n if n < 9:
            return repr(random.uniform(0, 1000))
        case n if n < 17:
            return str(random.choice(_INTEGERS)(random))
        case _:
            return random.choice(("pi", "e", "0", "0.0", "1_000", "0x10", "1e308", "5e-324", "-0"))


def mutated(random: Random, text: str) -> str:
    """`text` damaged in a few places: pieces put in, cut out, doubled, or an escape grafted on."""
    for _ in range(random.randint(1, 4)):
        at = random.randint(0, len(text))
        to = min(len(text), at + random.randint(0, 8))
        match random.randint(0, 5):
            case 0 | 1:
                text = text[:at] + random.choice(_PIECES) + text[at:]
            case 2:
                text = text[:at] + text[to:]
            case 3:
                text = text[:at] + text[at:to] * random.randint(2, 30) + text[to:]
            case 4:
                text = text[:at] + chr(random.choice((random.randrange(128), 0x660, 0xFF11)))
            case _:
                text = text[:at] + random.choice(ESCAPES)[:200] + text[to:]
    return text
