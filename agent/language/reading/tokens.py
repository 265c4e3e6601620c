"""Cuts a program's text, in any chunks, into tokens.

    code ──quote──► string ──its quote──► code
      ▲               │ "{" of an f-string
      └──"}"── code ◄─┘        (PEP 701: an f-string's holes are code again, and nest)

A machine in the manner of h11: `feed` and `close`, no I/O. Python's own `tokenize` wants whole
lines, so this one finds the borders; `ast` reads what is between them. Each state consumes
what it has understood and waits for more only inside a token of at most five characters, so the
time is linear in the text, whatever the chunking. Only how a string, a comment or white space is
cut into pieces depends on the chunks, and whether a blank is a token of its own.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from keyword import kwlist
from typing import Literal

Kind = Literal[
    "call", "word", "open", "close", "operator", "string", "text", "string end", "newline", "space",
    "comment", "fence", "unterminated",
]  # fmt: skip
"""
call: a call of constants and names, `search("K2", limit=5)`, if it came at once: it means what its
    tokens would, of which there are many
word: a name, a keyword or a number, whole
open, close: a bracket
operator: one character: `==` is two
string: the opening quote of a string, with its prefix
text: a piece of a string
string end: its closing quote
newline: also inside brackets; not inside strings
space: also a line that a backslash continues
comment: in pieces
fence: three backticks or tildes at the beginning of a line, and what follows them on it
unterminated: the line ends inside a string
"""


Token = tuple[Kind, str, int, str]
"""Its kind, its text, and the offset of its first character in the whole text; and a blank, if one
follows that came with it. The text is as Python can read it: an escape that Python does not know
has its backslash doubled."""


@dataclass(slots=True)
class _String:
    """Quote "" is the format spec of a hole, which is text up to its closing brace."""

    quote: str
    formatted: bool
    raw: bool


# A call of constants and names. It is possessive (`*+`), so that it takes linear time to find none.
_WORDS = "|".join({*kwlist, "match"} - {"True", "False", "None"})
_NAME = rf"(?!(?:{_WORDS})\b)[A-Za-z_][A-Za-z0-9_]*+"
_ATOM = rf"""-?[0-9]++(?:\.[0-9]++)?|{_NAME}(?:\.{_NAME})*+|"[^"\\\n]*+"|'[^'\\\n]*+'"""
_LIST = rf"\[(?:(?:{_ATOM})(?:,\ ?(?:{_ATOM}))*+)?\]"
_ARGUMENT = rf"(?:{_NAME}=)?(?:{_ATOM}|{_LIST})"
_CALL = rf"(?=[A-Za-z_][A-Za-z0-9_]*+\(){_NAME}\((?:{_ARGUMENT}(?:,\ ?{_ARGUMENT})*+)?\)"


def _code(first: str, blank: str) -> re.Pattern[str]:
    """What code consists of. A group has the name of the kind that it finds."""
    return re.compile(
        rf"{first}(?P<space>[^\S\n]+|\\\n)|(?P<string>[rbufRBUF]{{0,2}}(?:\"\"\"|'''|\"|'))"
        rf"|(?P<word>\w+){blank}|(?P<newline>\n)|(?P<open>[(\[{{]){blank}|(?P<close>[)\]}}])"
        rf"|(?P<comment>\#)|(?P<fence>```|~~~)|(?P<operator>.){blank}",
        re.DOTALL,
    )


_CODE = _code(rf"(?P<call>{_CALL})|", r"\ ?")
# There a string is read by itself, and a blank may be the first character of a text.
_HOLE = _code("", "")
_UNDECIDED = re.compile(r"\\|`{1,2}|~{1,2}|[rbufRBUF]{0,2}(?:\"{0,2}|'{0,2})")
_WORD = re.compile(r"\w*")
_SPACE = re.compile(r"[^\t\n\\]")
_LINE = re.compile(r"[^\n]+")
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
        """The offset of the text that is read."""
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
        self._end_word(0)
        out, self._out = self._out, []
        return out

    def _read(self, new: str, *, last: bool) -> None:
        text, at = self._rest + new, 0
        while at < len(text):
            then = self._reader()(text, at, last)
            if then == at:
                break
            at = then
        self._rest = text[at:]
        self._at += at

    def _reader(self) -> Callable[[str, int, bool], int]:
        if self._to_line_end:
            return self._read_line
        if self._word:
            return self._read_word
        if self._open and isinstance(self._open[-1], _String):
            return self._read_string
        return self._read_code

    # Each reads on from a place, and returns where it leaves off; at once if it waits for more.

    def _read_line(self, text: str, at: int, last: bool) -> int:
        assert self._to_line_end is not None
        if text[at] == "\n":
            self._to_line_end = None
            return self._read_code(text, at, last)
        found = _LINE.match(text, at)
        assert found is not None
        self._put(self._to_line_end, found.group(), at)
        return found.end()

    def _read_word(self, text: str, at: int, last: bool) -> int:
        found = _WORD.match(text, at)
        assert found is not None
        self._word.append(found.group())
        if found.end() == len(text):
            return found.end()
        self._end_word(found.end())
        return self._read_code(text, found.end(), last)

    def _end_word(self, at: int) -> None:
        if self._word:
            word = "".join(self._word)
            self._word.clear()
            self._put("word", word, at - len(word))

    def _read_code(self, text: str, at: int, last: bool) -> int:
        """Read code up to where a string, a comment or a fence begins, or a hole may end."""
        out, before, length = self._out, self._at, len(text)
        while at < length:
            found = (_HOLE if self._open else _CODE).match(text, at)
            assert found is not None
            kind: Kind = found.lastgroup  # type: ignore[assignment]
            it, end = found[kind], found.end()
            if length - at < 5 and not last and _UNDECIDED.fullmatch(text, at):
                return at
            blank = " " if end - at > len(it) else ""
            if kind == "word" and end == length and not blank and not last:
                self._word.append(it)
                return end
            if kind == "space":
                # Models write no-break spaces, which Python refuses.
                it = it if it == " " else _SPACE.sub(" ", it)
            elif kind == "string":
                quote = it.lstrip("rbufRBUF")
                prefix = it.lower()
                self._open.append(_String(quote, "f" in prefix, "r" in prefix))
            elif kind == "comment":
                self._to_line_end = kind
            elif kind == "fence" and self._line_begins:
                self._to_line_end = kind
                self._open.clear()
            elif kind == "fence":
                kind, it, end = "operator", it[0], at + 1
            elif self._open:
                kind = self._in_hole(kind, it)
            out.append((kind, it, before + at, blank))
            if kind != "space":
                self._line_begins = kind in ("newline", "unterminated")
            at = end
            if self._open or self._to_line_end:
                break
        return at

    def _in_hole(self, kind: Kind, it: str) -> Kind:
        if kind == "newline":
            self._open.clear()
            return "unterminated"
        if kind == "open":
            self._open.append(it)
        elif kind == "close" and _CLOSER.get(str(self._open[-1])) == it:
            self._open.pop()
        elif it == ":" and self._open[-1] == "f{":
            self._open.append(_String("", formatted=True, raw=True))
        return kind

    def _read_string(self, text: str, at: int, last: bool) -> int:
        string = self._open[-1]
        assert isinstance(string, _String)
        found = _PIECE[string.quote].match(text, at)
        assert found is not None
        it = found.group()
        if not last and len(text) - at < 3:
            brace = it in "{}" and string.formatted and string.quote
            left = text[at:]
            if left == "\\" or (brace and left == it):
                return at
            if len(string.quote) == 3 and string.quote.startswith(left) and left != string.quote:
                return at
        if it == string.quote:
            self._open.pop()
            self._put("string end", it, at)
        elif it[0] == "\n" and len(string.quote) < 3:
            self._open.clear()
            self._put("unterminated", it, at)
        elif string.formatted and it in "{}":
            return self._read_brace(text, at, string, it)
        else:
            known = string.raw or it[0] != "\\" or _ESCAPE.match(it)
            self._put("text", it if known else "\\" + it, at)
        return found.end()

    def _read_brace(self, text: str, at: int, string: _String, brace: str) -> int:
        if string.quote and text[at : at + 2] == 2 * brace:
            self._put("text", 2 * brace, at)
            return at + 2
        if brace == "{":
            self._open.append("f{")
            self._put("open", brace, at)
        elif not string.quote:  # the end of a format spec, and of its hole
            del self._open[-2:]
            self._put("close", brace, at)
        else:
            self._put("text", brace, at)
        return at + 1

    def _put(self, kind: Kind, text: str, at: int) -> None:
        self._out.append((kind, text, self._at + at, ""))
        self._line_begins = kind == "unterminated"
