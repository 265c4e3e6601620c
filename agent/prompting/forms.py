"""The form of a question: what it asks to be done, without what it is about.

Names count as a name and figures as a figure, and words that ask for the same thing count as one:
"taken together" and "in total", "higher than" and "heavier than".
"""

import re
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

Form = Counter[str]

_NAME, _FIGURE, _PERCENTAGE = "Name", "1", "1%"
_WORD = re.compile(r"[^\W\d_]\w*(?:[-'’/]\w+)*|\d+(?:[.,]\d+)*%?|[%,:?.]")
_SENTENCE_ENDS = ("", ".", "?")
_OWNER = re.compile(r"['’]s?$")
_BEGINS_WITH_NAME = re.compile(r"\w[\w-]*(?:['’]s\b|,| [A-Z]| or | and | plus )")
_SAME = {
    "together": "add added all altogether between both combine combined joined joint jointly "
    "merged plus pool pooled sum total union",
    "percent": "% cent percentage",
    "share": "fraction part portion proportion",
    "more": "above ahead beat beats exceed exceeded exceeds lead outdo outdoes outweighs surplus",
    "less": "behind below lack lacks",
    "first": "before",
    "last": "after",
    "unit": "billion cm cubic days dollars hours kg kilograms kilometers kilometres km km/h km² "
    "km³ litres m meters metres million minutes m³ seconds square thousand tonnes",
    "quantity": "age area depth diameter distance employees gdp height inhabitants length mass "
    "population revenue sales size speed staff students volume weight width workers",
    "much": "big deep far fast heavy high large long many old strong tall wide",
    "maker": "artist author composer founded founder invented inventor painted painter writer "
    "wrote",
    "place": "city country land state town",
    "thing": "building lake mountain ocean peak river sea skyscraper summit tower volcano",
    "is": "are be did do does had has have was were will would",
    "who": "he her his she whose",
    "live": "lived lives",
    "the": "a an",
}
_KIND = {word: kind for kind, words in _SAME.items() for word in words.split()}
_STEMS = {
    "more": "bigg|broad|deep|farth|fast|furth|great|heavi|high|larg|long|quick|rich|strong|tall|"
    "wid",
    "less": "clos|few|light|low|narrow|near|shallow|short|slow|small|weak",
    "first": "earli|eld|old",
    "last": "lat|new|young",
}
"""What comes before the -er and -est of adjectives, and what they count as."""
_DEGREE = re.compile(
    f"(?:{'|'.join(f'(?P<{k}>{stems})' for k, stems in _STEMS.items())})(?:er|est)"
)
_SUPERLATIVE = {"more": "most", "less": "least"}


def form_of(question: str) -> Form:
    """Its words, the pairs of neighbours, and how many names it has, which counts for two."""
    words = list(_words(question))
    kinds = [_kind(word) for word in words]
    names = f"names: {words.count(_NAME)}"
    return Counter([*kinds, *map(" ".join, pairwise(kinds)), names, names])


def _words(question: str) -> Iterator[str]:
    """Yield the words in small letters; a name of several words is one."""
    before = ""
    for found in _WORD.finditer(question):
        word = found[0]
        starts = before in _SENTENCE_ENDS and not _BEGINS_WITH_NAME.match(question, found.start())
        measure = word.isupper() and word.casefold() in _KIND  # "GDP"
        if word[0].isdigit():
            word = _PERCENTAGE if word.endswith("%") else _FIGURE
        elif word[0].isupper() and not starts and not measure:
            word = _NAME
        else:
            word = _OWNER.sub("", word.casefold())
        if not word == before == _NAME:
            yield word
        before = word


def _kind(word: str) -> str:
    if found := _DEGREE.fullmatch(word):
        kind = str(found.lastgroup)
        return _SUPERLATIVE.get(kind, kind) if word.endswith("est") else kind
    return _KIND.get(word, word)
