"""Random delimiters around a text that a model reads: the text cannot contain and so close them."""

import secrets
import string

_LETTERS = 5


def mark_for(text: str) -> str:
    """Return a random word that does not occur in `text`. Lower-case letters take few tokens."""
    while True:
        mark = "".join(secrets.choice(string.ascii_lowercase) for _ in range(_LETTERS))
        if mark not in text:
            return mark
