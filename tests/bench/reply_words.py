"""Reads the words of a reply: that nothing was found, and the names that nobody gave it."""

import re
from collections.abc import Iterable

_DENIAL = r"(?:\b(?:not|no|nothing|none|never|nor|neither|cannot|unable|without)\b|n['’]t\b)"
_KNOWING = (
    r"(?:found|find|says?|said|tells?|told|stated?|states|mention\w*|contain\w*|gives?|given|provide[sd]?"
    r"|includes?d?|list(?:s|ed)?|know|knows|known|determined?|answer\w*|available|data|information"
    r"|details|facts?|figures?|records?|results?|entry|entries|pages?|articles?|specified|cover\w*)"
)
# The other languages of the sets.
_ELSEWHERE = (
    r"nicht (?:gefunden|bekannt|enthalten|angegeben)|kein\w* (?:Angabe|Information|Ergebnis)"
    r"|nichts (?:gefunden|über|zu)\b|introuvable|\bpas (?:été )?(?:trouv|de données|connu)"
    r"|\bno (?:se |hay |pude )|\bnon (?:ho |è |ci |sono |si )|\bnão (?:foi|h[áa]|encontr|pude)"
    r"|bulun?amad|bulamad|bilgi yok|\bnie (?:znal|ma |wiadomo|udało)|не найден|не нашл|не удалось"
    r"|нет (?:данных|информации)|[未没]有?(?:能)?(?:找到|查到|提供)|找不到|無法|无法"
    r"|見つか[りらっ]|ありません"
)
_NOT_FOUND = re.compile(
    # A denial, and soon after it, in the same sentence, the knowing that it denies.
    rf"{_DENIAL}[^.!?\n]{{0,60}}?\b{_KNOWING}\b"
    r"|\b(?:nothing|anything) (?:on|about)\b|\b(?:do|does)(?: not|n['’]t) have\b|\bnot sure\b"
    r"|\b(?:library|text|documents?|page)s? (?:has|have) no\b|\bnot in the\b|\bbeyond (?:my|the)\b"
    r"|\boutside (?:my|the)\b|\b(?:unknown|unavailable|unclear|missing|lacks?|lacking|failed)\b"
    rf"|{_ELSEWHERE}",
    re.IGNORECASE,
)
_NO_RESULT = re.compile(
    r"(?:\bnot|\bnothing|\bunable|n['’]t)\b[^.,!?\n]{0,30}\b(?:found|find)\b"
    r"|\bnothing on\b|\bmissing\b|\bno (?:information|data|results?|answer)\b|\bnot in the\b",
    re.IGNORECASE,
)
_REFUSES = re.compile(_DENIAL, re.IGNORECASE)
# Capitals at the start of a sentence, and what is written large without being anybody's name.
_ORDINARY = frozenset(
    "a about according after all also although an and answer any apologies are as asked at "
    "based because both but by bye can cannot could do does each either feel for found from "
    "good goodbye great happy have he hello her here hey hi his how however i if in instead is "
    "it its just let may my neither nice nicely no none nor not nothing ok okay on one only or "
    "our please result results searching see she since so some sorry sure take thank thanks "
    "that the their then there therefore these they this those though thus to together unable "
    "under unknown until we welcome well were what when where whether which while who why with "
    "without yes yet you your "
    # The program, abbreviations and peoples of the countries in the library.
    "ai llm compiler gdp usa us uk uae eu ad bc bce ce km kg celsius kelvin american austrian "
    "brazilian british chinese european french german indian italian japanese norwegian polish "
    "russian spanish".split()
)
_SENTENCE = re.compile(r"(?:^|[.!?:]['\"”)]?\s+|\n\W*)(?=\S)")
_WORD = re.compile(r"[^\W\d_]+")


def says_not_found(reply: str) -> bool:
    """Whether a reply says, in whatever words, that it could not find or does not know it."""
    return bool(_NOT_FOUND.search(reply))


def has_no_result(reply: str) -> bool:
    """Whether a reply reports a search that found nothing, which is no answer to a greeting."""
    return bool(_NO_RESULT.search(reply))


def corrects(reply: str, corrections: Iterable[str]) -> bool:
    """Whether a reply contradicts the question, or names what is true in its place."""
    return bool(_REFUSES.search(reply)) or any(
        correction.casefold() in reply.casefold() for correction in corrections
    )


def invented_names(reply: str, known: Iterable[str]) -> list[str]:
    """The words of an English reply that are written as names and stand in none of the texts."""
    words = _ORDINARY.union(*(map(str.casefold, _WORD.findall(text)) for text in known))
    starts = {found.end() for found in _SENTENCE.finditer(reply)}
    names = []
    for found in _WORD.finditer(reply):
        name = found[0]
        adverb = found.start() in starts and name.endswith("ly")
        if name[0].isupper() and len(name) > 1 and name.casefold() not in words and not adverb:
            names.append(name)
    return list(dict.fromkeys(names))
