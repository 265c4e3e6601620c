"""A small recogniser of GBNF, to test grammars without a model: slow, complete, and plain.

text of a grammar ─Grammar─► tree ─┬─ accepts(text): the sets of places that it may have reached
                                   └─ sentence(choose): a text of the language
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

Node = Any
"""A part of a rule: one of the classes below."""


@dataclass(frozen=True, eq=False)
class Literal:
    text: str


@dataclass(frozen=True, eq=False)
class Class:
    ranges: tuple[tuple[str, str], ...]
    negated: bool

    def has(self, character: str) -> bool:
        return self.negated != any(low <= character <= high for low, high in self.ranges)


@dataclass(frozen=True, eq=False)
class Name:
    name: str


@dataclass(frozen=True, eq=False)
class Chain:
    parts: tuple[Node, ...]


@dataclass(frozen=True, eq=False)
class Choice:
    parts: tuple[Node, ...]


@dataclass(frozen=True, eq=False)
class Repeat:
    part: Node
    least: int
    most: int | None


_TOKEN = re.compile(
    r'\s+|#[^\n]*|(?P<literal>"(?:[^"\\\n]|\\.)*")|(?P<class>\[\^?(?:[^\]\\\n]|\\.)*\])'
    r"|(?P<define>[A-Za-z][A-Za-z0-9-]*\s*::=)|(?P<name>[A-Za-z][A-Za-z0-9-]*)"
    r"|(?P<count>\{\d+(?:,\d*)?\}|[*+?])|(?P<mark>[()|])"
)
_ESCAPE = re.compile(r"\\(?:x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|[nrt\"\\\[\]])")
_CHARACTER = re.compile(rf"{_ESCAPE.pattern}|[^\\]", re.DOTALL)
_PLAIN_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}
# Where a negated class must choose something: what strings meet in practice, and what is odd.
_SAMPLES = "aZ09 ,.:;-_'()[]{}#<>=+*/%éß漢字🙂\u2028\u00a0&$n"


class Grammar:
    """A grammar's rules.

    Raises:
        ValueError: the text is no GBNF, or a rule that it uses is not defined, or defined twice.
    """

    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)
        self._at = 0
        self.rules: dict[str, Node] = {}
        while self._at < len(self._tokens):
            kind, token = self._tokens[self._at]
            if kind != "define":
                raise ValueError(f"expected a rule at {token!r}")
            self._at += 1
            name = token.removesuffix("::=").strip()
            if name in self.rules:
                raise ValueError(f"the rule {name!r} is defined twice")
            self.rules[name] = self._choice()
        used = {token for kind, token in self._tokens if kind == "name"}
        if missing := {"root", *used} - set(self.rules):
            raise ValueError(f"the rules {sorted(missing)} are not defined")

    # ── reading ───────────────────────────────────────────────────────────────────────────────

    def _next(self) -> tuple[str, str]:
        return self._tokens[self._at] if self._at < len(self._tokens) else ("end", "")

    def _choice(self) -> Node:
        parts = [self._sequence()]
        while self._next() == ("mark", "|"):
            self._at += 1
            parts.append(self._sequence())
        return parts[0] if len(parts) == 1 else Choice(tuple(parts))

    def _sequence(self) -> Node:
        parts: list[Node] = []
        while True:
            kind, token = self._next()
            if kind == "literal":
                part: Node = Literal("".join(map(_unescaped, _characters(token[1:-1]))))
            elif kind == "class":
                part = _class(token[1:-1])
            elif kind == "name":
                part = Name(token)
            elif (kind, token) == ("mark", "("):
                self._at += 1
                part = self._choice()
                if self._next() != ("mark", ")"):
                    raise ValueError("a bracket is not closed")
            else:
                return Chain(tuple(parts))
            self._at += 1
            while self._next()[0] == "count":
                part = Repeat(part, *_counts(self._next()[1]))
                self._at += 1
            parts.append(part)

    # ── recognising ───────────────────────────────────────────────────────────────────────────

    def accepts(self, text: str) -> bool:
        """Whether the text is in the language."""
        return len(text) in self.reached(text)

    def reached(self, text: str) -> frozenset[int]:
        """Where in the text the root rule may end."""
        memory: dict[tuple[int, int], frozenset[int] | None] = {}

        def ends(node: Node, at: int) -> frozenset[int]:
            key = (id(node), at)
            if key in memory:
                if (known := memory[key]) is None:
                    raise ValueError("the grammar is left-recursive")
                return known
            memory[key] = None
            memory[key] = found = frozenset(_ends(node, at))
            return found

        def _ends(node: Node, at: int) -> set[int]:
            match node:
                case Literal(literal):
                    return {at + len(literal)} if text.startswith(literal, at) else set()
                case Class():
                    return {at + 1} if at < len(text) and node.has(text[at]) else set()
                case Name(name):
                    return set(ends(self.rules[name], at))
                case Choice(parts):
                    return {end for part in parts for end in ends(part, at)}
                case Chain(parts):
                    here = {at}
                    for part in parts:
                        here = {end for place in here for end in ends(part, place)}
                    return here
                case Repeat(part, least, most):
                    here, done, count = {at}, {at} if least == 0 else set(), 0
                    while here and (most is None or count < most):
                        here = {end for place in here for end in ends(part, place)}
                        count += 1
                        if count >= least:
                            # Nothing new can follow from a place that was reached before.
                            here = here - done if most is None else here
                            done |= here
                    return done
            raise TypeError(node)

        return ends(self.rules["root"], 0)

    # ── writing ───────────────────────────────────────────────────────────────────────────────

    def sentence(
        self, choose: Callable[[Sequence[Any]], Any], *, depth: int = 25, root: str = "root"
    ) -> str:
        """A text of the language. `choose` takes one of several; beyond `depth` rules go short."""

        def write(node: Node, left: int) -> str:
            match node:
                case Literal(literal):
                    return literal
                case Class():
                    return str(choose(_members(node)))
                case Name(name):
                    return write(self.rules[name], left - 1)
                case Choice(parts):
                    if left <= 0:
                        return write(min(parts, key=self._depth), left)
                    return write(choose(parts), left)
                case Chain(parts):
                    return "".join(write(part, left) for part in parts)
                case Repeat(part, least, most):
                    most = least + 3 if most is None else min(most, least + 3)
                    count = choose(range(least, most + 1)) if left > 0 else least
                    return "".join(write(part, left) for _ in range(count))
            raise TypeError(node)

        return write(self.rules[root], depth)

    def _depth(self, node: Node) -> float:
        """The rules below a node, at the least."""
        match node:
            case Name(name):
                return 1 + self._rule_depths[name]
            case Choice(parts):
                return min(map(self._depth, parts))
            case Chain(parts):
                return max(map(self._depth, parts), default=0)
            case Repeat(part, least, _):
                return self._depth(part) if least else 0
        return 0

    @cached_property
    def _rule_depths(self) -> dict[str, float]:
        self.__dict__["_rule_depths"] = depths = dict.fromkeys(self.rules, float("inf"))
        while True:
            again = {name: self._depth(node) for name, node in self.rules.items()}
            if again == depths:
                return depths
            depths.update(again)


def _tokens(text: str) -> list[tuple[str, str]]:
    tokens, at = [], 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise ValueError(f"no GBNF: {text[at : at + 40]!r}")
        if found.lastgroup:
            tokens.append((found.lastgroup, found[0]))
        at = found.end()
    return tokens


def _characters(text: str) -> list[str]:
    found = _CHARACTER.findall(text)
    if "".join(found) != text:
        raise ValueError(f"an unknown escape in {text!r}")
    return found


def _unescaped(character: str) -> str:
    if character[0] != "\\":
        return character
    if character[1] in "xuU":
        return chr(int(character[2:], 16))
    return _PLAIN_ESCAPES.get(character[1], character[1])


def _class(text: str) -> Class:
    written = _characters(text.removeprefix("^"))
    ranges, at = [], 0
    while at < len(written):
        low = _unescaped(written[at])
        if written[at + 1 : at + 2] == ["-"] and at + 2 < len(written):
            ranges.append((low, _unescaped(written[at + 2])))
            at += 3
        else:
            ranges.append((low, low))
            at += 1
    return Class(tuple(ranges), text.startswith("^"))


def _members(node: Class) -> list[str]:
    if node.negated:
        return [character for character in _SAMPLES if node.has(character)]
    return [end for low, high in node.ranges for end in dict.fromkeys((low, high))]


def _counts(token: str) -> tuple[int, int | None]:
    if token in "*+?":
        return int(token == "+"), 1 if token == "?" else None
    least, comma, most = token.strip("{}").partition(",")
    return int(least), (int(most) if most else None) if comma else int(least)
