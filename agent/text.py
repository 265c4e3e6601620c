"""Texts that can be stored, and texts that are short enough to show."""

_READ_PER_CHAR = 100
"""Characters that are read of a text for each that is shown: blanks between words become one."""


def clean(text: str) -> str:
    """`text` with surrogate pairs joined and lone surrogates replaced, so that UTF-8 holds it."""
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def shortened(text: str, max_chars: int) -> str:
    """`text` as one line of at most `max_chars` characters, with an ellipsis if it was longer.

    Of a text of any length only the beginning is looked at.
    """
    read = text[: _READ_PER_CHAR * max_chars]
    line = " ".join(read.split())
    if len(read) < len(text) and len(line) <= max_chars:
        return line[: max_chars - 1] + "…"
    return line if len(line) <= max_chars else line[: max_chars - 1].rstrip() + "…"


def quoted(text: str, max_chars: int = 60) -> str:
    """`text` shortened and in quotes, as a message shows what is wrong."""
    return repr(shortened(text, max_chars))


def truncated(text: str, max_chars: int, note: str | None = None) -> str:
    """The first `max_chars` characters of `text`, its lines as they are.

    If there were more, `note` follows in brackets, by default how many it has: who reads it,
    a model too, must know that this is not all.
    """
    if len(text) <= max_chars:
        return text
    return f"{text[:max_chars]}… ({note or f'{len(text)} characters'})"
