"""Proper names in English sentences, as far as one can be sure of them without a dictionary.

Only words that are capitalized within a sentence count, and a name is known if one of its words
is: a wrong alarm would destroy a good answer.
"""

from llm_compiler.tools.words import plain

_PREFIX = 4
"""Letters that make two words one: Canada, Canadian."""
_MIN_LETTERS = 3
ENGLISH = frozenset(
    "the is are were of and with from has have it its by that this which for be been than there"
    " their they he she you can not at".split()
)
"""Words that other languages in which nouns are capitalized do not have."""
_COMMON = frozenset(
    """
    january february march april may june july august september october november december
    monday tuesday wednesday thursday friday saturday sunday
    north south east west northern southern eastern western central
    earth sun moon internet celsius fahrenheit kelvin christian jewish muslim
    french english british dutch german spanish swiss greek danish finnish polish turkish welsh
    irish scottish chinese japanese american european african asian latin
    the and for from with this that these those there its his her their our your they she you
    who what when where which why how not yes but nor all any some both each sorry please note
    however therefore thus also only still unfortunately no if in on at of an as by to it is we
    """.split()
)
"""Words that may be capitalized without a result that has them."""
_GENERIC = frozenset(
    """
    mount mountain lake river sea ocean island islands bay gulf strait desert valley trench bridge
    tower city town state states republic kingdom empire union county province district
    university college school institute museum church cathedral palace airport station park street
    president prime minister king queen prince princess emperor pope dr mr mrs ms sir lord lady
    professor captain general saint st company corporation inc ltd group bank
    new old great upper lower san los las saint
    """.split()
)
"""Words of names that do not say which one is meant."""


def folded(word: str) -> str:
    """A word without case, accents and what follows an apostrophe."""
    word = word.replace("’", "'").split("'")[0]
    return word.casefold() if word.isascii() else plain(word)


class KnownNames:
    """The words of all that was asked, found and said."""

    def __init__(self) -> None:
        self._words: set[str] = set()
        self._prefixes: set[str] = set()

    def read(self, words: set[str]) -> None:
        """Take in words, folded."""
        self._words |= words
        self._prefixes |= {word[:_PREFIX] for word in words if len(word) >= _PREFIX}

    def has(self, word: str) -> bool:
        """Whether just this word stands somewhere."""
        return folded(word) in self._words

    def knows(self, run: list[str]) -> bool:
        """Whether capitalized words that follow each other may be said."""
        specific = [word for word in run if self._is_specific(word)]
        words = [folded(word) for word in specific]
        initials = "".join(word[0] for word in run if word).casefold()
        return (
            not words
            or any(word in self._words or word[:_PREFIX] in self._prefixes for word in words)
            or (len(run) > 1 and initials in self._words)
        )

    @staticmethod
    def _is_specific(word: str) -> bool:
        letters = [letter for letter in word.split("'")[0] if letter.isalpha()]
        if len(letters) < _MIN_LETTERS or all(letter.isupper() for letter in letters):
            return False  # initials and abbreviations
        it = folded(word)
        return it not in _COMMON and it not in _GENERIC
