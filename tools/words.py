"""Words as they are compared: small letters, without accents and endings, and misspelt ones."""

import re
import unicodedata
from collections.abc import Collection
from functools import lru_cache

STOP_WORDS = frozenset(
    "a an and any are as at be been but by can could did do does for from had has have he her his "
    "how i if in into is it its me my no not of on or our s she so t than that the their them then "
    "there these they this those to us was we were what when where which who whom whose why will "
    "with would you your".split()
)
_WORD = re.compile(r"[^\W_]+")
_MIN_FUZZY_CHARS = 5
_CHARS_OF_AN_EDIT = 6
"""One letter may be wrong in so many: "Volta" is not "Volga", and "Australia" not "Austria"."""
_SOUNDS = (
    ("dsch", "j"),
    ("tsch", "c"),
    ("ph", "f"),
    ("w", "v"),
    ("y", "i"),
    ("k", "c"),
    ("q", "c"),
)


def words(text: str) -> list[str]:
    """The words of `text` as the index knows them: small letters without accents."""
    return _WORD.findall(plain(text))


def plain(text: str) -> str:
    """`text` in small letters without accents."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(mark for mark in decomposed if not unicodedata.combining(mark))


def significant(text: str) -> list[str]:
    """The words of `text` but the small ones; all of them if it has no others."""
    found = words(text)
    return [word for word in found if word not in STOP_WORDS] or found


def stems(text: str) -> set[str]:
    """The stems of all words of `text`."""
    return {stem_of(word) for word in _WORD.findall(unicodedata.normalize("NFC", text))}


@lru_cache(maxsize=50_000)
def stem_of(word: str) -> str:
    """The stem of a word as it is written."""
    return stem(plain(word))


def stem(word: str) -> str:
    """A word of `words` without its ending, so that singular and plural are equal."""
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    for ending in ("ing", "ers", "er", "ed", "or"):
        if word.endswith(ending) and len(word) - len(ending) > 3:
            return word[: -len(ending)].removesuffix("e")
    if len(word) > 4 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    return word.removesuffix("e") if len(word) > 4 else word


def mended(word: str, names: Collection[str]) -> str:
    """The one of `names` that a misspelt word means; the word itself if it is like none."""
    sound, best, least = _sound(word), word, len(word)
    for name in sorted(names):
        most = min(len(word), len(name)) // _CHARS_OF_AN_EDIT
        # A sound is spelt with up to four letters.
        if min(len(word), len(name)) < _MIN_FUZZY_CHARS or abs(len(word) - len(name)) > most + 3:
            continue
        like = _sound(name)
        if sound[0] == like[0] and (edits := _edits(sound, like)) <= most and edits < least:
            best, least = name, edits
    return best


def _sound(word: str) -> str:
    """A word as languages agree on spelling it, more or less."""
    for written, sound in _SOUNDS:
        word = word.replace(written, sound)
    return re.sub(r"(.)\1", r"\1", word)


def _edits(one: str, other: str) -> int:
    """How many letters have to be changed, added or left out."""
    row: list[int] = [*range(len(other) + 1)]
    for place, letter in enumerate(one, 1):
        above, row = row, [place]
        for at, its in enumerate(other, 1):
            row.append(min(above[at] + 1, row[-1] + 1, above[at - 1] + (letter != its)))
    return row[-1]
