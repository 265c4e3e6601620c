"""Cuts a program's text, in any chunks, into tokens.

    code ──quote──► string ──its quote──► code
      ▲               │ "{" of an f-string
      └──"}"── code ◄─┘        (PEP 701: an f-string's holes are code again, and nest)

A machine in the manner of h11: `feed` and `close`, no I/O. Python's own `tokenize` wants whole
lines, so this one finds the borders; `ast` reads what is between them. Each state consumes
what it has understood and waits for more only inside a token of at most four characters, so the
time is linear in the text, whatever the chunking. Only how a string, a comment or white space is
cut into pieces depends on the chunks.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto


class Kind(Enum):
    WORD = auto()
    """A name, a keyword or a number, whole."""
    OPEN = auto()
    CLOSE = auto()
    STRING = auto()
    """The opening quote of a string, with its prefix."""
    TEXT = auto()
    """A piece of a string."""
    STRING_END = auto()
    OPERATOR = auto()
    """One character: `==` is two."""
    NEWLINE = auto()
    """Also inside brackets; not inside strings."""
    SPACE = auto()
    """Also a line that a backslash continues."""
    COMMENT = auto()
    FENCE = auto()
    """Three backticks or tildes at the beginning of a line, and what follows them on it."""
    UNTERMINATED = auto()
    """The line ends inside a string."""


@dataclass(frozen=True, slots=True)
class Token:
    kind: Kind
    text: str
    """As Python can read it: an escape that Python does not know has its backslash doubled."""
    at: int
    """The offset of its first character in the whole text."""


@dataclass(slots=True)
class _String:
    """Quote "" is the format spec of a hole, which is text up to its closing brace."""

    quote: str
    formatted: bool
    raw: bool


_CODE = re.compile(
    r"(?P<newline>\n)|(?P<space>[^\S\n]+|\\\n)|(?P<comment>\#)|(?P<fence>```|~~~)|(?P<word>\w+)"
    r"|(?P<quote>\"\"\"|'''|\"|')|(?P<open>[(\[{])|(?P<close>[)\]}])|(?P<operator>.)",
    re.DOTALL,
)
_UNDECIDED = ("\\", "`", "``", "~", "~~", '"', '""', "'", "''")
_SPACE = re.compile(r"[^\t\n\\]")
_LINE = re.compile(r"[^\n]+")
_PREFIX = re.compile(r"[rbuf]{1,2}", re.IGNORECASE)
_PIECE = {
    quote: re.compile(rf"[^\\\n{quote[:1]}{{}}]+|\\.|{quote or '(?!)'}|.", re.DOTALL)
    for quote in ("", '"', "'", '"""', "'''")
}
_ESCAPE = re.compile(r"\\[\n\\'\"abfnrtvxuUN0-7]")
_CLOSER = {"(": ")", "[": "]", "{": "}", "f{": "}"}
# What no program has, and checkpoints and Python's parser refuse. A surrogate that stands alone
# becomes the replacement character, whatever chunk its other half is in.
_CLEANED: dict[int, int | None] = {
    0xD: None,
    0: None,
    0xC: None,
    0x200B: None,
    0x2060: None,
    0xFEFF: None,
}
_CLEANED |= dict.fromkeys(range(0xD800, 0xE000), 0xFFFD)


class Tokens:
    """Turns text into tokens."""

    def __init__(self) -> None:
        self._out: list[Token] = []
        self._rest = ""
        self._at = 0
        """Offset of what is read next."""
        self._word: list[str] = []
        """The pieces of a word that may go on."""
        self._open: list[str | _String] = []
        """Strings, and inside them holes of f-strings as "f{" and the brackets in these. Other
        brackets are none of its business: whether they match is for the reader of statements."""
        self._to_line_end: Kind | None = None
        self._line_begins = True

    def feed(self, text: str) -> list[Token]:
        """The tokens that are whole with `text`."""
        self._read(text.translate(_CLEANED), last=False)
        out, self._out = self._out, []
        return out

    def close(self) -> list[Token]:
        """The tokens that only the end of the text makes whole."""
        self._read("", last=True)
        self._end_word()
        out, self._out = self._out, []
        return out

    def _read(self, new: str, *, last: bool) -> None:
        text = self._rest + new
        at = 0
        while at < len(text):
            length = self._reader()(text, at, last)
            if length is None:
                break
            at += length
        self._rest = text[at:]

    def _reader(self) -> Callable[[str, int, bool], int | None]:
        if self._to_line_end:
            return self._read_line
        if self._open and isinstance(self._open[-1], _String):
            return self._read_string
        return self._read_code

    # Each reads one token, or a piece of one, and returns its length; None waits for more text.

    def _read_line(self, text: str, at: int, last: bool) -> int | None:
        assert self._to_line_end is not None
        if text[at] == "\n":
            self._to_line_end = None
            return self._read_code(text, at, last)
        found = _LINE.match(text, at)
        assert found is not None
        return self._put(self._to_line_end, found.group())

    def _read_code(self, text: str, at: int, last: bool) -> int | None:
        found = _CODE.match(text, at)
        assert found is not None
        it = found.group()
        if not last and len(it) < 3 and it[0] in "\\`~\"'" and text[at:] in _UNDECIDED:
            return None
        if found.lastgroup == "word":
            self._word.append(it)
            self._at += len(it)
            return len(it)
        prefix = self._string_prefix() if found.lastgroup == "quote" else ""
        self._end_word()
        match found.lastgroup:
            case "newline":
                if any(isinstance(opened, _String) for opened in self._open):
                    self._open.clear()
                    return self._put(Kind.UNTERMINATED, it)
                return self._put(Kind.NEWLINE, it)
            case "space":
                # Models write no-break spaces, which Python refuses.
                return self._put(Kind.SPACE, _SPACE.sub(" ", it))
            case "comment":
                self._to_line_end = Kind.COMMENT
                return self._put(Kind.COMMENT, it)
            case "fence" if self._line_begins:
                self._to_line_end = Kind.FENCE
                self._open.clear()
                return self._put(Kind.FENCE, it)
            case "quote":
                self._at -= len(prefix)
                lower = prefix.lower()
                self._open.append(_String(it, "f" in lower, "r" in lower))
                return self._put(Kind.STRING, prefix + it) - len(prefix)
            case "open":
                if self._open:
                    self._open.append(it)
                return self._put(Kind.OPEN, it)
            case "close":
                if self._open and _CLOSER.get(str(self._open[-1])) == it:
                    self._open.pop()
                return self._put(Kind.CLOSE, it)
        if it == ":" and self._open and self._open[-1] == "f{":
            self._open.append(_String("", formatted=True, raw=True))
        return self._put(Kind.OPERATOR, it[0])

    def _read_string(self, text: str, at: int, last: bool) -> int | None:
        string = self._open[-1]
        assert isinstance(string, _String)
        found = _PIECE[string.quote].match(text, at)
        assert found is not None
        it = found.group()
        if not last and len(text) - at < 3:
            brace = it in "{}" and string.formatted and string.quote
            left = text[at:]
            if left == "\\" or (brace and left == it):
                return None
            if len(string.quote) == 3 and string.quote.startswith(left) and left != string.quote:
                return None
        if it == string.quote:
            self._open.pop()
            return self._put(Kind.STRING_END, it)
        if it[0] == "\n" and len(string.quote) < 3:
            self._open.clear()
            return self._put(Kind.UNTERMINATED, it)
        if string.formatted and it in "{}":
            return self._read_brace(text, at, string, it)
        escape = it if string.raw or it[0] != "\\" or _ESCAPE.match(it) else "\\" + it
        return self._put(Kind.TEXT, escape, len(it))

    def _read_brace(self, text: str, at: int, string: _String, brace: str) -> int:
        if string.quote and text[at : at + 2] == 2 * brace:
            return self._put(Kind.TEXT, 2 * brace)
        if brace == "{":
            self._open.append("f{")
            return self._put(Kind.OPEN, brace)
        if not string.quote:  # the end of a format spec, and of its hole
            del self._open[-2:]
            return self._put(Kind.CLOSE, brace)
        return self._put(Kind.TEXT, brace)

    def _string_prefix(self) -> str:
        word = "".join(self._word) if len(self._word) <= 2 else ""
        if not _PREFIX.fullmatch(word):
            return ""
        self._word.clear()
        return word

    def _end_word(self) -> None:
        if self._word:
            word = "".join(self._word)
            self._word.clear()
            self._out.append(Token(Kind.WORD, word, self._at - len(word)))
            self._line_begins = False

    def _put(self, kind: Kind, text: str, length: int | None = None) -> int:
        self._out.append(Token(kind, text, self._at))
        length = len(text) if length is None else length
        self._at += length
        if kind not in (Kind.SPACE, Kind.COMMENT, Kind.FENCE):
            self._line_begins = kind in (Kind.NEWLINE, Kind.UNTERMINATED)
        return length
