"""The grammar rules of words that do not begin as some others: of names, and in texts.

A grammar cannot say "not this word", so there is one rule for each beginning of such a word: what
may follow there.
"""

import re
import string
from collections.abc import Collection, Iterable, Iterator

_MAX_NAME = 40
"""Characters behind those that tell a name from Python's keywords."""
_MAX_WORD = 30
"""Characters behind those that tell a word from those that are left out."""
_MAX_WORDS = 16
_NAME = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*")
_NOT_IN_WORDS = r"\"\\\x00-\x20\x7f"


def name_rules(taken: Iterable[str], barred: Collection[str]) -> str:
    """The rule `name`: lower case, without two underscores in a row, and none of those taken.

    None begins with one of those `barred`.
    """
    words = {word for word in taken if _NAME.fullmatch(word)}
    beginnings = {*_beginnings(words), *_beginnings(barred)}
    beginnings -= {begun for begun in beginnings if begun.startswith(tuple(barred))}
    rules = [f'rest ::= ([a-z0-9] | "_" [a-z0-9]){{0,{_MAX_NAME}}}']
    for begun in sorted(beginnings):
        following = _following(begun, beginnings)
        usual = string.ascii_lowercase + (string.digits if begun else "")
        ways = [f'"{letter}" {_rule("name", begun + letter)}' for letter in following]
        stopped = {word[-1] for word in barred if word[:-1] == begun}
        ways.append(f"[{''.join(sorted({*usual} - {*following} - stopped))}] rest")
        if begun and not begun.endswith("_"):
            ways += [] if "_" in following else ['"_" [a-z0-9] rest']
            ways += [] if begun in words else ['""']
        rules.append(f"{_rule('name', begun)} ::= {' | '.join(ways)}")
    return "\n".join(rules) + "\n"


def text_rules(name: str, barred: Iterable[str]) -> str:
    """The rule `name` of a short string, none of whose words begins with one of those `barred`.

    They are lower case. Only the whole words would not do: a small model that is kept from ending
    one goes on with other letters.
    """
    barred = set(barred)
    beginnings = {*_beginnings(barred)} - barred
    one, rest = f"{name}-word", f"{name}-rest"
    rules = [
        rf'{name} ::= "\"" {one} (" " {one}){{0,{_MAX_WORDS - 1}}} "\""',
        f"{rest} ::= [^{_NOT_IN_WORDS}]{{0,{_MAX_WORD}}}",
    ]
    for begun in sorted(beginnings):
        following = _following(begun, beginnings)
        ways = [f'"{letter}" {_rule(one, begun + letter)}' for letter in following]
        stopped = "".join(_following(begun, beginnings | barred))
        ways.append(f"[^{stopped}{_NOT_IN_WORDS}] {rest}")
        ways += ['""'] if begun else []
        rules.append(f"{_rule(one, begun)} ::= {' | '.join(ways)}")
    return "\n".join(rules) + "\n"


def _beginnings(words: Iterable[str]) -> Iterator[str]:
    yield ""
    yield from (word[:length] for word in words for length in range(1, len(word) + 1))


def _following(begun: str, beginnings: Collection[str]) -> list[str]:
    """The letters that may follow in one of the beginnings."""
    return sorted(it[-1] for it in beginnings if it[:-1] == begun and it)


def _rule(name: str, begun: str) -> str:
    """The name of the rule of what follows a beginning; GBNF's names have no underscores."""
    return f"{name}-{begun.replace('_', '-')}" if begun else name
