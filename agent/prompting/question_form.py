"""The form of a question, as far as its words show it: whatever it is about."""

import re
from collections.abc import Iterable

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
    r"\bhow (?!to\b)\w+|\bby what\b|\bwhat(?! (?:is|are|was|were) the \w+(?:est|ost)\b)",
    re.IGNORECASE,
)
_ASKS_FOR_ONE = re.compile(r"\b(?:which|who|whose|where)\b", re.IGNORECASE)
_WHETHER = re.compile(r"\bwhether\b", re.IGNORECASE)
_VERB_FIRST = re.compile(
    r"(?:\A|[.,;:!?]\s+)(?:is|are|was|were|am|do|does|did|has|have|had|can|could|will|would|should)"
    r"\b",
    re.IGNORECASE,
)
_OR = re.compile(r"\bor\b", re.IGNORECASE)
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
_PAIRS = re.compile(r"\b(?:pairs?|ratios|quotients?|two of|ratio is)\b|\bthat of\b", re.IGNORECASE)
"""Figures of one thing are divided by those of another."""
_ASKS_HOW_MUCH = re.compile(
    r"\b(?:how|by what|what is|give|what are|calculate|in which|by which)\b", re.IGNORECASE
)


def _one_by_one(*patterns: str) -> list[re.Pattern[str]]:
    return [re.compile(it, re.IGNORECASE) for it in patterns]


# With anything between them: one pattern of all would take time that grows with the square or the
# cube of a text, and a person may paste a long one.
_AMOUNT_IN_TURN = _one_by_one(
    r"\b(?:how|by what|what) ",
    r"\b(?:differences?|gaps?|ratios?|averages?|means?|sums?|totals?)\b",
)
_PAIRS_IN_TURN = (
    _one_by_one(r"'s? ", r"\bto ", r"'s?\b"),
    _one_by_one(r"\bto\b", r"\bor\b", r"\bto\b"),
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
    told = _RATES.search(question) and _SEVERAL.search(question) and not _has_pairs(question)
    return bool(told) and chooses(question) and not changes(question)


def _asks_amount(asked: str) -> bool:
    return bool(_ASKS_AMOUNT.search(asked)) or any(
        _in_turn(line, _AMOUNT_IN_TURN) for line in asked.split("\n")
    )


def _asks_whether(question: str) -> bool:
    """Whether it is answered by yes or no: no "or" stands behind the verb of a sentence."""
    # Where a sentence has several such verbs, the last has the least behind it.
    verbs = {question.find("?", it.end()): it.end() for it in _VERB_FIRST.finditer(question)}
    return bool(_WHETHER.search(question)) or any(
        _OR.search(question, verb, end if end >= 0 else len(question)) is None
        for end, verb in verbs.items()
    )


def _has_pairs(question: str) -> bool:
    return bool(_PAIRS.search(question)) or any(
        _in_turn(sentence, words) for sentence in question.split("?") for words in _PAIRS_IN_TURN
    )


def _in_turn(text: str, patterns: Iterable[re.Pattern[str]]) -> bool:
    """Whether a text has the patterns one behind another."""
    at = 0
    for pattern in patterns:
        if (found := pattern.search(text, at)) is None:
            return False
        at = found.end()
    return True


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
    amount = _asks_amount(asked) and not _ASKS_FOR_ONE.search(asked)
    decided = amount or _ASKS_WHICH.search(asked)
    compared = () if _asks_whether(question) or not decided else (">",)
    if asks_which(question):
        return ("min", "max", *compared)
    return ("largest", "smallest", *compared) if amount else compared
