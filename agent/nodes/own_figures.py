"""Figures that a plan's model wrote into a computation by itself.

A constant proves nothing: `9.6e7 * 1` says no more of Egypt than `96000000` does. Those that need
no result are few: small and round numbers, simple fractions, and what units are converted with.
"""

import ast
from collections.abc import Iterator, Sequence

from llm_compiler.language.lowering.names import block_of, tree_of
from llm_compiler.nodes.figures import Figures

_MAX_SMALL = 1000
_MAX_SMALL_DIGITS = 2
_MAX_FRACTION = 12
_EXACT = 1e-9
_FINE = 0.002
"""Of what is written with three decimals."""
_CONVERSIONS = (
    # Mile, nautical mile, foot, yard, inch in their metric units; pound, ounce, gallons, acre.
    *(1.609344, 1.852, 0.3048, 0.9144, 2.54, 0.45359237, 28.349523125, 3.785411784, 4.54609),
    *(2.589988110336, 0.40468564224, 5280, 1760, 1024),
    # Days, hours, minutes and seconds; degrees; a circle; a fall; light.
    *(365, 365.25, 365.2425, 366, 8760, 1440, 3600, 86400, 604800, 31536000, 31557600),
    *(273.15, 459.67, 3.141592653589793, 2.718281828459045, 9.80665, 299792458, 149597870.7),
)


def made_up_in(expression: str, known: Figures) -> str:
    """A constant in an expression that stands nowhere and is none of those; "" if none is."""
    for value in _constants(expression):
        if not (_is_plain(value) or _converts(value) or _is_known(value, known)):
            return f"{value:.15g}"
    return ""


def _is_known(value: float, known: Figures) -> bool:
    """Whether a figure is known, or the percentage that makes a factor of it: 1.17 is 17 % more."""
    percentages = (100 * value, 100 * (value - 1), 100 * (1 - value)) if value < 10 else ()
    return any(known.has(f"{abs(it):.12g}") for it in (value, *percentages))


def _constants(expression: str) -> Iterator[float]:
    try:
        trees: Sequence[ast.AST] = [tree_of(expression)]
    except SyntaxError:
        trees = _block(expression)
    except (ValueError, RecursionError, MemoryError):
        return
    for node in (node for tree in trees for node in ast.walk(tree)):
        value = getattr(node, "value", None) if isinstance(node, ast.Constant) else None
        if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300:
            yield abs(value)


def _block(expression: str) -> Sequence[ast.AST]:
    try:
        return block_of(expression)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ()


def _is_plain(value: float) -> bool:
    """Whether it is small or round, or a fraction such as 0.333 or 0.125."""
    digits = _digits(value)
    if digits in ("", "1") or (len(digits) <= _MAX_SMALL_DIGITS and value < _MAX_SMALL):
        return True
    step = _step(value)
    within = {8: _EXACT, 3: step} | dict.fromkeys((6, 7, 9, 12), step if step < _FINE else _EXACT)
    return value < _MAX_FRACTION and any(
        abs(value - round(value * whole) / whole) <= off for whole, off in within.items()
    )


def _converts(value: float) -> bool:
    """Whether it is a conversion or its inverse, of any scale and as far as it is written."""
    own, step = _mantissa(value), _step(value) / value * _mantissa(value)
    return any(
        abs(own - _mantissa(factor)) <= step or abs(own - _mantissa(1 / factor)) <= step
        for factor in _CONVERSIONS
    )


def _digits(value: float) -> str:
    """Its significant digits."""
    mantissa = f"{value:.15g}".split("e")[0].replace(".", "")
    return mantissa.strip("0")


def _step(value: float) -> float:
    """One unit of its last significant digit."""
    return value / float(_digits(value))


def _mantissa(value: float) -> float:
    return float(f"{value:.15e}".split("e")[0])
