"""Writes GBNF: rules with unique names, and the literals in them."""

import re
from collections.abc import Iterable

from llm_compiler.errors import SetupError

_DEFINED = re.compile(r"^\s*([A-Za-z][\w-]*)\s*::=", re.MULTILINE)
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|\[(?:[^\]\\]|\\.)*\]|#.*|(?P<name>[A-Za-z][\w-]*)')


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

    def content(self, hint: str, gbnf: str, reference: str) -> str:
        """Add a tool's own rules, which may use the rule `reference`; return the first one's name.

        Raises:
            SetupError: they use a rule that they do not define.
        """
        key = f"{reference} {gbnf}"
        if key not in self._names:
            own = {name: self.reserve(f"{hint}-{name}") for name in defined(gbnf)}
            if not own:
                raise SetupError(f"the gbnf of {hint} has no rule; write content ::= …")
            first = next(iter(own.values()))
            own.setdefault("reference", reference)

            def renamed(token: re.Match[str]) -> str:
                name = token["name"]
                if name is None:
                    return "" if token[0].startswith("#") else token[0]
                if name not in own:
                    raise SetupError(f"the gbnf of {hint} uses the rule {name!r}; define it there")
                return own[name]

            self._texts.append(_TOKEN.sub(renamed, gbnf).strip() + "\n")
            self._names[key] = first
        return self._names[key]


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
