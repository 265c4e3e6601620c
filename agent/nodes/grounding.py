"""Keeps a reply to what is known: no figure and no name that no result, question or message has.

    text as the model writes it ─feed─► text that may be shown
                                  └───► `violation`: what must not be said; nothing follows it

Plain words pass at once; a figure or a name is held back until it is whole and was checked.
"""

import re

from llm_compiler.nodes.facts import Facts
from llm_compiler.nodes.figures import NUMBER, WORDS
from llm_compiler.nodes.proper_names import ENGLISH

_MAX_HELD = 400
"""Characters that are held back; a figure or a name is shorter."""
_MIN_CODE_DIGITS = 3
_TOKEN = re.compile(
    rf"(?P<url>(?:https?://|www\.)\S*)|(?P<number>{NUMBER})|(?P<word>[^\W\d_](?:[\w'’]|-(?=\w))*)"
    r"|(?P<blank>[ \t\u00a0\u202f]+)|(?P<other>[\s\S])"
)
_BEGINNINGS = frozenset(
    word[:end] for word in (*WORDS, "https", "www") for end in range(1, len(word) + 1)
)
"""Of words that must be whole before they are shown."""
_SCHEMES = ("http", "https")
_SCALES = ("hundred", "thousand", "million", "billion", "trillion", "dozen")
_ORDINALS = ("st", "nd", "rd", "th")


class Grounding:
    """One reply, as it is written.

    Args:
        facts: What it may take its figures and names from.
        english: Whether it is known to be in a language that capitalizes names alone; else that is
            seen line by line.
    """

    def __init__(self, facts: Facts, *, english: bool = False) -> None:
        self._facts = facts
        self.violation = ""
        """The figure or the name that stands nowhere."""
        self._held = ""
        self._line = self._sentence = True
        """Whether a line, or a sentence, begins."""
        self._word = ""
        """The word that was passed last, which may go on."""
        self._english = self._always_english = english
        self._heading = False
        self._inside = False
        """A part of the word that goes on was passed already."""

    def feed(self, text: str) -> str:
        """Take in more text; return what may be shown."""
        if self._facts.has_attachments:
            return text
        if self.violation:
            return ""
        self._held += text
        return self._passed(ended=len(self._held) > _MAX_HELD)

    def close(self) -> str:
        """The reply has ended; the rest of what may be shown."""
        return "" if self.violation else self._passed(ended=True)

    def _passed(self, *, ended: bool) -> str:
        tokens = [*_TOKEN.finditer(self._held)]
        at, end = 0, 0
        while at < len(tokens):
            after = self._checked(tokens, at, ended=ended)
            if after is None:
                break
            if self.violation:
                return ""
            for token in tokens[at:after]:
                self._settle(token)
            at, end = after, tokens[after - 1].end()
        passed, self._held = self._held[:end], self._held[end:]
        return passed

    def _checked(self, tokens: list[re.Match[str]], at: int, *, ended: bool) -> int | None:
        """Check what begins at a token: where it ends; None if that is not known yet."""
        text, kind = tokens[at].group(), tokens[at].lastgroup
        if self._inside and kind in ("word", "number"):
            return at + 1
        # A hyphen may join it to what follows.
        rest = [token.group() for token in tokens[at + 1 : at + 3]]
        whole = ended or rest not in ([], ["-"])
        match kind:
            case "number":
                return self._figure(tokens, at, ended=ended)
            case "url":
                return at + 1 if whole else None
            case "word" if any(letter.isdigit() for letter in text):
                if not whole:
                    return None
                self._code(text)
            case "word" if text[0].isupper():
                return self._name(tokens, at, ended=ended) if whole else None
            case "word" if not (rest or ended) and text in _BEGINNINGS:
                return None
            case "word" if text in _SCHEMES and not (ended or {*rest} - {":", "/"}):
                return None
            case "word" if text.split("-")[0] in WORDS:
                return self._counting(tokens, at, ended=ended) if whole else None
        return at + 1

    def _figure(self, tokens: list[re.Match[str]], at: int, *, ended: bool) -> int | None:
        follows = at + 1
        if follows < len(tokens) and (
            tokens[follows].lastgroup == "blank" or tokens[follows].group() == "-"
        ):
            follows += 1
        if follows >= len(tokens) - 1 and not ended:
            return None
        following = tokens[follows].group() if follows < len(tokens) else ""
        text = tokens[at].group()
        adjacent = follows == at + 1
        marker = self._line and adjacent and following in (".", ")")
        century = adjacent and following in _ORDINALS
        if not marker and not century and not self._facts.figures.has(text, following):
            self.violation = text
        return at + 1

    def _counting(self, tokens: list[re.Match[str]], at: int, *, ended: bool) -> int | None:
        """Check a number word, unless a scale follows: "four million" says nothing of four.

        One that begins a sentence is left alone, as names are there.
        """
        following = _word_behind(tokens, at + 1, ended=ended)
        if following is None:
            return None
        text = tokens[at].group()
        values = [WORDS.get(part, -1) for part in text.lower().split("-")]
        plain = -1 not in values and sum(values) > 1 and following not in _SCALES
        if plain and not self._facts.figures.has_value(sum(values)):
            self.violation = text
        return at + 1

    def _code(self, text: str) -> None:
        digits = "".join(letter for letter in text if letter.isdigit())
        known = self._facts.names.has(text) or self._facts.figures.has(digits)
        if len(digits) >= _MIN_CODE_DIGITS and not known:
            self.violation = text

    def _name(self, tokens: list[re.Match[str]], at: int, *, ended: bool) -> int | None:
        """Check capitalized words that follow each other."""
        run, after = [tokens[at].group()], at + 1
        while True:
            behind = [(it.lastgroup, it.group()) for it in tokens[after : after + 3]]
            if not ended and (not behind or (len(behind) == 1 and behind[0][0] == "blank")):
                return None
            follows = len(behind) > 1 and behind[0][0] == "blank" and behind[1][0] == "word"
            following = behind[1][1] if follows else ""
            whole = ended or not follows or len(behind) > 2
            if not following[:1].isupper():
                break
            if not whole:
                return None
            run.append(following)
            after += 2
        # The first word of a sentence is capitalized anyway.
        english = self._english
        if self._sentence and len(run) > 1:
            if not whole:
                return None
            english = english or following in ENGLISH
        sure = len(run) > 1 or not self._sentence
        if sure and english and not self._heading and not self._facts.names.knows(run):
            self.violation = " ".join(run)
        return after

    def _settle(self, token: re.Match[str]) -> None:
        """What a token that may be shown means for those behind it."""
        text = token.group()
        was_inside, self._inside = self._inside, token.lastgroup == "word"
        if token.lastgroup == "word":
            self._word = (self._word + text if was_inside else text)[:_MAX_HELD]
            self._line = self._sentence = False
            return
        self._english = self._english or self._word.lower() in ENGLISH
        self._word = ""
        if token.lastgroup in ("number", "url"):
            self._line = self._sentence = False
        elif text == "\n":
            self._line = self._sentence = True
            self._english, self._heading = self._always_english, False
        elif text in ".!?:;…。！？" or text in '"“‘«([':
            self._sentence, self._line = True, False
        elif text in "#|" and self._line:
            self._heading = True
        elif token.lastgroup == "other" and text not in "*_>-–•":
            self._line = False


def _word_behind(tokens: list[re.Match[str]], at: int, *, ended: bool) -> str | None:
    """The word behind a blank at `at`, "" if none is there; None if that is not known yet."""
    behind = tokens[at : at + 3]
    if behind and behind[0].lastgroup != "blank":
        return ""
    if len(behind) < 3 and not ended:
        return None
    return behind[1].group() if len(behind) > 1 and behind[1].lastgroup == "word" else ""
