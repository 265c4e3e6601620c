"""Takes a model's thoughts out of its text while it streams, where the server leaves them in.

    begin ─opening tag─► thought ─closing tag─► begin
      ├─harmony mark─► channels, of which only `final` is text
      └─any other text─► text, held back or passed on ─closing tag─► begin

Many chat templates write the opening tag into the prompt, so the reply begins inside the thought,
and only a closing tag shows it. The text of a model that is known for this, or that begins in the
words of a thought, is held back until that tag or the end. Any other text is passed on at once; if
a closing tag comes after all, what was passed on is a thought (`began_anew`).
"""

import re
from typing import Final

_NAMES = ("think", "thinking", "thought", "thoughts", "reason", "reasoning", "seed:think")
_CLOSED_BY: Final = {
    **{f"<{name}>": f"</{name}>" for name in _NAMES},
    "[think]": "[/think]",
    "◁think▷": "◁/think▷",
    "<|begin_of_thought|>": "<|end_of_thought|>",
}
_HARMONY = ("<|channel|>", "<|start|>")
_MARKS = (*_HARMONY, "<|constrain|>", "<|message|>", "<|end|>", "<|return|>", "<|call|>")
_FIRST_WORDS = (
    *("okay", "ok,", "alright", "hmm", "so,", "so the user", "wait,", "let me ", "let's "),
    *("the user", "we need", "we have to", "we are asked", "we should", "i need", "i should"),
    *("i have to", "first, i", "first, let", "got it", "to answer this", "looking at the"),
    *("好的", "嗯", "首先"),
)
"""How thoughts begin, in small letters. An answer that begins so is only shown later."""
_MAX_CHANNEL_CHARS = 200
_RECIPIENT = re.compile(r"\bto=([\w.:-]+)")
_PIECE_CHARS = 4096
"""Of the text that is scanned at once: however many tags it has, that takes linear time."""


def _any(*texts: str) -> str:
    return "|".join(map(re.escape, sorted(texts, key=len, reverse=True)))


def _prefixes(*texts: str) -> frozenset[str]:
    return frozenset(text[:end] for text in texts for end in range(1, len(text)))


_TAG = re.compile(
    rf"(?P<opens>{_any(*_CLOSED_BY)})|(?P<closes>{_any(*_CLOSED_BY.values(), *_HARMONY)})", re.I
)
_MARK = re.compile(_any(*_MARKS))
_FIRST = re.compile(_any(*_FIRST_WORDS), re.I)
_BEGINS_CHANNEL = re.compile(r"<\|(?:channel|start)\|>|(?:analysis|commentary|final)<\|message\|>")
_PROSE = re.compile(r"(?!(?:for|if|import|from|await|return)\b)[^\W\d_][\w'’-]*,?\s+[^\W\d]")
_TAG_PREFIXES = _prefixes(*_CLOSED_BY, *_CLOSED_BY.values(), *_HARMONY)
_MARK_PREFIXES = _prefixes(*_MARKS)
_CHANNEL_PREFIXES = _prefixes("analysis<|message|>", "commentary<|message|>", "final<|message|>")
_FIRST_PREFIXES = _prefixes(*_FIRST_WORDS)
_MAX_TAG_CHARS = max(map(len, _TAG_PREFIXES | _MARK_PREFIXES)) + 1


class InlineReasoning:
    """The text of one reply: `feed`, then `close`. Any chunking gives the same text in the end.

    Args:
        thinks: Whether its model is known to think without an opening tag.
    """

    def __init__(self, *, thinks: bool = False) -> None:
        self.began_anew = False
        """Whether the last call showed that all text returned before it is a thought."""
        self.thought = False
        """Whether a thought was taken out."""
        self.calls: list[tuple[str, list[str]]] = []
        """Calls in channels of their own: the name of a tool, and the pieces of its arguments."""
        self.withheld = 0
        """How many characters were fed and not returned."""
        self._thinks = thinks
        self._may_think = True
        self._holds = False
        self._step = self._begin
        self._rest = ""
        """What no step has taken yet; between calls it is short."""
        self._blanks: list[str] = []
        self._text: list[str] = []
        """Text that is not returned yet."""
        self._returned = False
        self._first = self._line = ""
        """The first and the last characters of the text."""
        self._closing = _TAG
        self._channel: str | None = None
        self._in_header = True
        self._header = ""
        self._calls = False
        """Whether the message is a call."""

    @property
    def may_be_thought(self) -> bool:
        """Whether the reply began in prose, and no thought was taken out of it."""
        return not self.thought and self._may_think and _PROSE.match(self._first) is not None

    def comes_apart(self) -> None:
        """The server sends the thoughts apart from the text: nothing has to be held back."""
        self._may_think = self._thinks = False

    def feed(self, text: str) -> str:
        """Take more text; return the text that is known by now and that is no thought."""
        self.began_anew = False
        for start in range(0, len(text), _PIECE_CHARS):
            self._rest += text[start : start + _PIECE_CHARS]
            while self._step():
                pass
        return self._known(len(text))

    def close(self, *, cut: bool) -> str:
        """The reply has ended; return the rest. If it was cut off, what is held is a thought."""
        self.began_anew = False
        if self._step == self._channels:
            self._say(self._rest)
        elif self._step == self._inside or (cut and (self._holds or self._thinks)):
            self.thought = True
            self._text = []
        else:
            self._text += [*self._blanks, self._rest]
        self._rest, self._blanks, self._holds = "", [], False
        return self._known(0)

    def _known(self, fed: int) -> str:
        text = ""
        if not self._holds:
            text, self._text = "".join(self._text), []
        self.withheld += fed - len(text)
        self._returned |= bool(text)
        return text

    def _begin(self) -> bool:
        """At the begin, or behind a thought: what follows?"""
        text = self._rest.lstrip()
        if not self.thought:  # blanks behind a thought belong to it
            self._blanks.append(self._rest[: len(self._rest) - len(text)])
        self._rest = text
        start = text[:_MAX_TAG_CHARS].casefold()
        undecided = start in _TAG_PREFIXES or start in _CHANNEL_PREFIXES
        if not text or undecided or (self._may_think and start in _FIRST_PREFIXES):
            return False
        if (tag := _TAG.match(text)) and tag["opens"]:
            self._open(tag)
        elif _BEGINS_CHANNEL.match(text):
            self._step, self._channel, self._in_header = self._channels, "", True
        else:
            self._holds |= self._thinks or (self._may_think and bool(_FIRST.match(text)))
            self._text += self._blanks
            self._blanks, self._step = [], self._read
        return True

    def _read(self) -> bool:
        """Text, in which a tag may come."""
        tag = _TAG.search(self._rest)
        if tag is None:
            self._pass(len(self._rest) - _unfinished(self._rest, _TAG_PREFIXES))
            return False
        before = (self._line + self._rest[: tag.start()]).rpartition("\n")[2][-_MAX_TAG_CHARS:]
        if before.endswith(('"', "'", "`")) or (tag["opens"] and before.strip()):
            self._pass(tag.end())  # it is quoted, or part of a sentence
        elif tag["opens"]:
            self._open(tag)
        else:
            self._forget(tag.start() if tag[0].casefold() in _HARMONY else tag.end())
        return True

    def _pass(self, end: int) -> None:
        text, self._rest = self._rest[:end], self._rest[end:]
        self._text.append(text)
        self._first = (self._first + text)[:_MAX_TAG_CHARS]
        self._line = (self._line + text).rpartition("\n")[2][-_MAX_TAG_CHARS:]

    def _open(self, tag: re.Match[str]) -> None:
        if tag.start():
            self._pass(tag.start())
        self._rest = self._rest[len(tag[0]) :]
        self._closing = re.compile(re.escape(_CLOSED_BY[tag[0].casefold()]), re.I)
        self._step = self._inside

    def _inside(self) -> bool:
        """A thought, up to its closing tag."""
        closing = self._closing.search(self._rest)
        if closing is None:
            self._rest = self._rest[-_MAX_TAG_CHARS:]
            return False
        self._thought_ends(closing.end())
        return True

    def _forget(self, end: int) -> None:
        """All text until now is a thought."""
        self.began_anew |= self._returned
        self._returned = self._holds = False
        self._text, self._first, self._line = [], "", ""
        self._thought_ends(end)

    def _thought_ends(self, end: int) -> None:
        self._rest, self._blanks, self.thought = self._rest[end:], [], True
        self.comes_apart()
        self._step = self._begin

    def _channels(self) -> bool:
        """Harmony: `<|start|>role<|channel|>name<|message|>text<|end|>`, again and again."""
        mark = _MARK.search(self._rest)
        end = mark.start() if mark else len(self._rest) - _unfinished(self._rest, _MARK_PREFIXES)
        self._say(self._rest[:end])
        self._rest = self._rest[mark.end() if mark else end :]
        if mark is None:
            return False
        if mark[0] == "<|message|>":
            self._in_header = False
            called = _RECIPIENT.search(self._header)
            self._calls = called is not None
            if called:
                self.calls.append((called[1], []))
        elif mark[0] != "<|constrain|>":
            if not self._in_header:
                self._header = ""
            self._in_header = True
            self._channel = None if mark[0] == "<|start|>" else ""
        return True

    def _say(self, text: str) -> None:
        """Take text of a header or of a channel."""
        if self._in_header:
            self._header = (self._header + text)[:_MAX_CHANNEL_CHARS]
            if self._channel is not None:
                self._channel = (self._channel + text)[:_MAX_CHANNEL_CHARS]
        elif self._calls:
            self.calls[-1][1].append(text)
        elif self._channel is None or self._channel.split()[:1] == ["final"]:
            self._text.append(text)
        else:
            self.thought |= bool(text)


def _unfinished(text: str, prefixes: frozenset[str]) -> int:
    """How many of the last characters may be the begin of a tag."""
    ends = range(min(len(text), _MAX_TAG_CHARS), 0, -1)
    return next((end for end in ends if text[-end:].casefold() in prefixes), 0)
