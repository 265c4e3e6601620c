"""Which language a text is in, by its small words or its letters."""

import re
import unicodedata
from typing import Final

ENGLISH: Final = "English"
_BY_WORDS: Final = {
    "German": (
        "der die das ist sind und wie viele wer wann welche welcher welches wo hat haben von wurde "
        "ein eine den dem des nicht auf im als mit kann mir ich"
    ),
    "French": (
        "le la les est sont et combien quel quelle quels quelles qui où quand des du de dans un "
        "une pas que plus entre il au aux"
    ),
    "Spanish": (
        "el la los las es son y cuántos cuántas cuánto cuál cuáles quién dónde cuándo del de en un "
        "una no que más entre tiene tienen qué"
    ),
    "Italian": (
        "il lo la gli le è sono e quanti quante quanto quale quali chi dove quando del della dei "
        "di in un una non che più tra ha hanno"
    ),
    "Portuguese": (
        "o a os as é são e quantos quantas quanto qual quais quem onde quando do da dos de em no "
        "na um uma não que mais entre tem têm"
    ),
    "Dutch": (
        "de het een is zijn en hoe veel hoeveel wie wanneer welke welk waar heeft hebben van niet "
        "dat dan meer in op"
    ),
    "Swedish": "den det är och hur många vem när vilken vilket var har av inte på mer en ett i",
    "Polish": (
        "jest są i ile kto kiedy który która które gdzie ma mają nie w na o od do z się jaki jaka "
        "jakie lat"
    ),
    "Turkish": "bir ve kaç kim nerede hangi ne mi mı mu mü ile daha en için var kadar zaman nedir",
}
_BY_LETTERS: Final = {
    "HIRAGANA": "Japanese",
    "KATAKANA": "Japanese",
    "HANGUL": "Korean",
    "CJK": "Chinese",
    "CYRILLIC": "Russian",
}
"""By the first word of Unicode's names of its letters, the surest first."""
_ENGLISH_WORDS: Final = frozenset(
    "the is are was were and how many much who when which where has have of a an in on at to that "
    "than more what does did do by it its if would for from not".split()
)
_WORD: Final = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_MAX_CHARS: Final = 2000


def language_of(text: str) -> str:
    """The language of a text; English if nothing says that it is another one."""
    return _judged(text)[0]


def is_english(text: str) -> bool:
    """Whether a text is in English for sure."""
    language, sure = _judged(text)
    return language == ENGLISH and sure


def _judged(text: str) -> tuple[str, bool]:
    """The language of a text, and whether its own words say so."""
    text = text[:_MAX_CHARS]
    scripts = {unicodedata.name(letter, "").split(" ")[0] for letter in text}
    for script, language in _BY_LETTERS.items():
        if script in scripts:
            return language, True
    # Names say nothing of the language: "the author of Die Leiden des jungen Werther".
    first, *others = _WORD.findall(text) or [""]
    said = [first.casefold(), *(word for word in others if not word[0].isupper())]
    counts = {
        language: sum(word in small for word in said)
        for language, small in ((it, {*words.split()}) for it, words in _BY_WORDS.items())
    }
    best = max(counts, key=counts.__getitem__)
    english = sum(word in _ENGLISH_WORDS for word in said)
    return (best, True) if counts[best] > english else (ENGLISH, english > counts[best])
