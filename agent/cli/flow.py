"""Breaks text between words as it streams into a terminal."""

from collections.abc import Callable

from rich.cells import cell_len


class Flow:
    """Writes text as it streams, and breaks lines between words."""

    _MAX_HELD_CHARS = 30
    """A longer word, or text without spaces, is written before its end is known."""

    def __init__(self, write: Callable[[str], object], width: int) -> None:
        self._write = write
        self._width = width
        self._column = 0
        self._spaces = ""
        self._word = ""

    def feed(self, text: str) -> None:
        """Write the words that are complete; the last may still grow."""
        for char in text:
            if char == "\n":
                self._put()
                self._write("\n")
                self._column, self._spaces = 0, ""
            elif char.isspace():
                self._put()
                self._spaces += char
            else:
                self._word += char
                if len(self._word) >= self._MAX_HELD_CHARS:
                    self._put()

    def close(self) -> None:
        """Write the rest, and end the line."""
        self._put()
        if self._column:
            self._write("\n")
            self._column = 0

    def _put(self) -> None:
        if not self._word:
            return
        length = cell_len(self._word)
        if (
            self._spaces
            and self._column
            and self._column + len(self._spaces) + length > self._width
        ):
            self._write("\n")
            self._column, self._spaces = 0, ""
        self._write(self._spaces + self._word)
        self._column += len(self._spaces) + length
        self._spaces = self._word = ""
