"""AppWorld's clock library, which stands still: for the oracle, and as texts for plans.

A plan has no clock: it is told today's date, and goes on with texts such as "2023-05-17T00:00:00".
"""

import ast
from collections import Counter, defaultdict
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

NOW = "2023-05-18T12:00:00"
_MONTHS = [datetime(2000, month, 1).strftime("%B") for month in range(1, 13)]


class Moment(datetime):
    """A time, with the methods that the solutions use."""

    @classmethod
    def parse(cls, text: str) -> "Moment":
        return cls.fromisoformat(text)

    @classmethod
    def now(cls, tz: Any = None) -> "Moment":
        return cls.fromisoformat(NOW)

    def add(self, **units: int) -> "Moment":
        moved = self + timedelta(**units)
        assert isinstance(moved, Moment)
        return moved

    def subtract(self, **units: int) -> "Moment":
        return self.add(**{unit: -count for unit, count in units.items()})

    def set(self, **parts: int) -> "Moment":
        return self.replace(**parts)  # type: ignore[arg-type]

    def start_of(self, unit: str) -> "Moment":
        day = self.replace(hour=0, minute=0, second=0)
        return day if unit == "day" else day.replace(day=1)

    def end_of(self, unit: str) -> "Moment":
        assert unit == "day"
        return self.replace(hour=23, minute=59, second=59)

    def strftime(self, format: str) -> str:
        # Python's own imports a module, which the oracle's programs may not.
        return super().strftime(format)

    @classmethod
    def strptime(cls, text: str, format: str, /) -> "Moment":
        parsed = super().strptime(text, format)
        assert isinstance(parsed, Moment)
        return parsed

    def time(self) -> Any:
        return self

    def format(self, pattern: str) -> str:
        assert pattern == "MMMM"
        return self.strftime("%B")


NAMES = {
    "DateTime": Moment,
    "pendulum": SimpleNamespace(parse=Moment.parse),
    "Counter": Counter,
    "defaultdict": defaultdict,
}
"""What solutions import."""


class Texts(ast.NodeTransformer):
    """Writes times as texts: what is known of today as constants, the rest by its digits."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        if (known := _constant(node)) is not None:
            return known
        self.generic_visit(node)
        match node:
            case ast.Call(ast.Attribute(ast.Name("pendulum"), "parse"), [text]):
                return text
            case ast.Call(ast.Attribute(ast.Name("DateTime"), "strptime"), [text, _]):
                return _written(f"(int(({_text(text)})[:2]) * 60 + int(({_text(text)})[3:]))")
            case ast.Call(ast.Attribute(it, "time"), []):
                return it
            case ast.Call(ast.Attribute(it, "add"), [], [ast.keyword("minutes", minutes)]):
                return _written(f"({_text(it)} + {_text(minutes)})")
            case ast.Call(ast.Attribute(it, "subtract"), [], [ast.keyword("minutes", minutes)]):
                return _written(f"({_text(it)} - {_text(minutes)})")
            case ast.Call(ast.Attribute(it, "strftime"), [ast.Constant("%H:%M")]):
                return _written(f"f'{{{_text(it)} // 60 % 24:02}}:{{{_text(it)} % 60:02}}'")
            case ast.Call(ast.Attribute(it, "strftime"), [ast.Constant("%Y-%m-%d")]):
                return _written(f"({_text(it)})[:10]")
            case ast.Call(ast.Attribute(it, "set"), [], [ast.keyword("month", month)]):
                return _written(f"({_text(it)})[:5] + f'{{{_text(month)}:02}}' + ({_text(it)})[7:]")
            case ast.Call(ast.Attribute(it, "set"), [], [ast.keyword("day", day)]):
                return _written(f"({_text(it)})[:8] + f'{{{_text(day)}:02}}' + ({_text(it)})[10:]")
            case ast.Call(ast.Attribute(it, "format"), [ast.Constant("MMMM")]):
                return _written(f"{_MONTHS}[int({_text(it)}[5:7]) - 1]")
            case ast.Call(ast.Attribute(it, "start_of"), [ast.Constant("month")]):
                return _written(f"({_text(it)}[:8] + '01T00:00:00')")
            case ast.Call(ast.Name("DateTime"), [year, month, day]):
                parts = f"{{{_text(year)}}}-{{{_text(month)}:02}}-{{{_text(day)}:02}}T00:00:00"
                return _written(f"f'{parts}'" if "'" not in parts else f'f"{parts}"')
        return node

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        if (known := _constant(node)) is not None:
            return known
        self.generic_visit(node)
        return _written(f"int({_text(node.value)}[:4])") if node.attr == "year" else node


def _constant(node: ast.expr) -> ast.expr | None:
    """What an expression comes to that says `DateTime` and no other name."""
    names = {it.id for it in ast.walk(node) if isinstance(it, ast.Name)}
    if names != {"DateTime"}:
        return None
    value = eval(compile(ast.Expression(node), "clock", "eval"), {"DateTime": Moment})
    if isinstance(value, Moment):
        return ast.Constant(value.isoformat())
    return ast.Constant(value) if isinstance(value, str | int) else None


def _text(node: ast.expr) -> str:
    return ast.unparse(node)


def _written(source: str) -> ast.expr:
    return ast.parse(source, mode="eval").body
