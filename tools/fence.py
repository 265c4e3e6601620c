"""Marks around a text that a model reads: what stands between them cannot close them."""

import secrets
import string

_LETTERS = 5


def mark_for(text: str) -> str:
    """Return a random word that does not stand in `text`. Lower-case letters are few tokens."""
    while True:
        mark = "".join(secrets.choice(string.ascii_lowercase) for _ in range(_LETTERS))
        if mark not in text:
            return mark
