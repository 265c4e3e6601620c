"""The commands beside a question, and which one a misspelt word means."""

from collections.abc import Sequence
from typing import Final

COMMANDS: Final = {
    "chat": "ask one question after another",
    "threads": "list, show or delete stored conversations",
    "library": "show what can be asked without the web",
    "models": "show which model each role uses, and why",
    "stop": "end a local model that stays loaded",
}
_OF_THREADS: Final = ("list", "show", "delete")
_ORDINARY: Final = frozenset(
    "cat hat that what chart chant char chap coat chats shot shop step stops top stoop atop".split()
)
"""Words that are one letter off a command, and may be asked about."""


def is_command(arguments: Sequence[str]) -> bool:
    """Whether a command line begins with a command, and is no question: `chat with me` is one.

    A name is a command alone, before an option, or before what it takes. With few words it is
    rather a command that is misspelt: it is told, and costs nothing.
    """
    name, *rest = arguments or [""]
    if name not in COMMANDS:
        return False
    if not rest or rest[0].startswith("-"):
        return True
    return _takes(name, rest)


def misspelt(words: Sequence[str]) -> str | None:
    """The command that the words of a question would be, but for one letter."""
    name, *rest = words or [""]
    if not name.islower() or not name.isalpha() or name in COMMANDS or name in _ORDINARY:
        return None
    near = next((it for it in COMMANDS if _one_off(name, it)), None)
    return near if near and (not rest or _takes(near, rest)) else None


def _takes(name: str, rest: Sequence[str]) -> bool:
    if name == "library":
        return len(rest) == 1 or rest[1].startswith("-")
    return name == "threads" and (rest[0] in _OF_THREADS or len(rest) <= 2)


def _one_off(word: str, name: str) -> bool:
    """Whether one letter is missing, added or another, or two neighbours are swapped."""
    at = next((at for at in range(len(name)) if word[at : at + 1] != name[at]), len(name))
    rest, right = word[at:], name[at:]
    swapped = right[1:2] + right[:1] + right[2:]
    return rest in (right[1:], swapped) or rest[1:] in (right, right[1:])
