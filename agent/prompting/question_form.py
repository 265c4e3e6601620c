"""The form of a question, as far as its words show it: whatever it is about."""

import re

from llm_compiler.tools.words import STOP_WORDS, stem_of

_FORM = frozenset("which who if than how when what by would could has that".split())
"""Small words that show what is asked for."""
_WORD = re.compile(r"[^\W\d_]+|%")
_ASKS_WHICH = re.compile(
    r"\b(?:which|who|whose|where)\b"
    r"(?! (?:year|century|decade|month|day|date|number|percentage|share|part|age|height)\b)",
    re.IGNORECASE,
)
_ASKS_AMOUNT = re.compile(
    r"\b(?:how|by what|what) .*\b(?:differences?|gaps?|ratios?|averages?|means?|sums?|totals?)\b"
    r"|\bhow (?!to\b)\w+|\bby what\b|\bwhat(?! (?:is|are|was|were) the \w+(?:est|ost)\b)",
    re.IGNORECASE,
)
_ASKS_FOR_ONE = re.compile(r"\b(?:which|who|whose|where)\b", re.IGNORECASE)
_ASKS_WHETHER = re.compile(
    r"(?:\A|[.,;:!?]\s+)(?:is|are|was|were|am|do|does|did|has|have|had|can|could|will|would|should)"
    r"\b(?![^?]*\bor\b)|\bwhether\b",
    re.IGNORECASE,
)
_CHOOSES = re.compile(
    r"(?:\A|[.,;:!?]\s+|\b(?:and|or|then|of|for|in|on|at|from|to|with|by)\s+)"
    r"(?:which|who|whose|where)\b",
    re.IGNORECASE,
)
_ASKS_MORE = re.compile(r"\b(?:what|when|why)\b", re.IGNORECASE)
_SENTENCE = re.compile(r"[^.!?]+(?:[.!?](?!\s|\Z)[^.!?]*)*[.!?]*\s*")
_CHANGES = re.compile(
    r"\d\s?(?:%|per ?cent\b)|\b(?:doubl|tripl|quadrupl|halv|half\b|twice\b)"
    r"|\b(?:two|three|four|five|six|ten|\d[\d.,]*) times\b"
    r"|\b(?:a|an|one|two|three|four) (?:quarter|third|fifth|sixth|eighth|tenth)s?\b"
    r"|\b\d[\d.,]* (?:more|fewer|less|extra)\b",
    re.IGNORECASE,
)
_RATES = re.compile(
    r"\bper\b|\b(?:ratio|fraction|share|proportion|part|multiple) (?:of|in)\b|\brelative to\b"
    r"|\b(?:divid|dens)|\bcrowded\b|\bfor (?:each|every)\b",
    re.IGNORECASE,
)
_SEVERAL = re.compile(r"\b(?:or|and)\b", re.IGNORECASE)
_PAIRS = re.compile(
    r"\b(?:pairs?|ratios|quotients?|two of|ratio is)\b|\bthat of\b|'s? [^?]*\bto [^?]*'s?\b"
    r"|\bto\b[^?]*\bor\b[^?]*\bto\b",
    re.IGNORECASE,
)
"""Figures of one thing are divided by those of another."""
_ASKS_HOW_MUCH = re.compile(
    r"\b(?:how|by what|what is|give|what are|calculate|in which|by which)\b", re.IGNORECASE
)


def form_of(question: str) -> frozenset[str]:
    """The stems of its words but its names and small words, which say nothing of its form."""
    found = [word[0] for word in _WORD.finditer(question)]
    common = [word for place, word in enumerate(found) if not (place and word[0].isupper())]
    return frozenset(
        "percent" if word == "%" else stem_of(word)
        for word in common
        if word.lower() not in STOP_WORDS - _FORM
    )


def changes(question: str) -> bool:
    """Whether it asks about figures that are changed first: by 20%, doubled, 5 more."""
    return bool(_CHANGES.search(question))


def asks_which(question: str) -> bool:
    """Whether it asks for the one that has the smallest or largest value, and not for the value."""
    asked = _asked(question)
    return bool(_ASKS_WHICH.search(asked)) and not _ASKS_HOW_MUCH.search(asked)


def chooses(question: str) -> bool:
    """Whether all it asks for is which one: "whose" may also only describe what it asks about."""
    asked = _asked(question)
    alone = _CHOOSES.search(asked) and not _ASKS_MORE.search(asked)
    return bool(alone) and asks_which(question)


def asks_rates(question: str) -> bool:
    """Whether it asks which of several has the smallest or largest of one figure per another."""
    told = _RATES.search(question) and _SEVERAL.search(question) and not _PAIRS.search(question)
    return bool(told) and chooses(question) and not changes(question)


def _asked(question: str) -> str:
    """What of it asks: without the sentences in front of the first that ends in a question mark."""
    sentences = [found[0] for found in _SENTENCE.finditer(question)]
    asking = (place for place, it in enumerate(sentences) if it.rstrip().endswith("?"))
    return "".join(sentences[next(asking, 0) :])


def unwanted(question: str) -> tuple[str, ...]:
    """What of the language gives something else than the question asks for.

    `min` and `max` give the value where the one that has it is asked for; `smallest` and `largest`
    give the one where its value is asked for; `>` says whether. Where either may be meant, none is
    unwanted.
    """
    asked = _asked(question)
    amount = _ASKS_AMOUNT.search(asked) and not _ASKS_FOR_ONE.search(asked)
    decided = amount or _ASKS_WHICH.search(asked)
    compared = () if _ASKS_WHETHER.search(question) or not decided else (">",)
    if asks_which(question):
        return ("min", "max", *compared)
    return ("largest", "smallest", *compared) if amount else compared
