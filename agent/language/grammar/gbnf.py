"""Writes GBNF: rules with unique names, and the literals in them."""

import re
from collections.abc import Iterable

_DEFINED = re.compile(r"^\s*([A-Za-z][\w-]*)\s*::=", re.MULTILINE)


class Rules:
    """Rules with names that are unique and not `taken`. Equal rules are merged."""

    def __init__(self, taken: Iterable[str]) -> None:
        self._taken = set(taken)
        self._names: dict[str, str] = {}
        self._texts: list[str] = []

    @property
    def text(self) -> str:
        return "".join(self._texts)

    def reserve(self, hint: str) -> str:
        """A new name, similar to `hint`."""
        slug = re.sub(r"[^a-z0-9]+", "-", hint.lower()).strip("-")[:40]
        name = slug = slug if slug[:1].isalpha() else f"x{slug}"
        count = 1
        while name in self._taken:
            count += 1
            name = f"{slug}-{count}"
        self._taken.add(name)
        return name

    def define(self, name: str, body: str) -> None:
        self._texts.append(f"{name} ::= {body}\n")

    def rule(self, hint: str, body: str) -> str:
        """The name of the rule with this body."""
        if body not in self._names:
            self._names[body] = self.reserve(hint)
            self.define(self._names[body], body)
        return self._names[body]


def defined(gbnf: str) -> list[str]:
    """The names of the rules that a GBNF text defines."""
    return _DEFINED.findall(gbnf)


def quoted(text: str) -> str:
    """A text as a GBNF literal."""
    return f'"{"".join(map(_character, text))}"'


def _character(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    if " " <= character <= "~":
        return character
    code = ord(character)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
