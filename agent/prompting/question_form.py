"""The form of a question, as far as its words show it: whatever it is about."""

import re

from llm_compiler.tools.words import STOP_WORDS, stem_of

_FORM = frozenset("which who if than how when what by would could".split())
"""Small words that show what is asked for."""
_WORD = re.compile(r"[^\W\d_]+|%")
_ASKS_WHICH = re.compile(
    r"\b(?:which|who|whose)\b"
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


def asks_which(question: str) -> bool:
    """Whether it asks for the one that has the smallest or largest value, and not for the value."""
    return bool(_ASKS_WHICH.search(question)) and not _ASKS_HOW_MUCH.search(question)


def unwanted(question: str) -> tuple[str, ...]:
    """What of the language gives something else than the question asks for.

    `min` and `max` give the value where the one that has it is asked for; `smallest` and `largest`
    give the one where its value is asked for; `>` says whether. Where either may be meant, none is
    unwanted.
    """
    amount = _ASKS_AMOUNT.search(question) and not _ASKS_FOR_ONE.search(question)
    decided = amount or _ASKS_WHICH.search(question)
    compared = () if _ASKS_WHETHER.search(question) or not decided else (">",)
    if asks_which(question):
        return ("min", "max", *compared)
    return ("largest", "smallest", *compared) if amount else compared
