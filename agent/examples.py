"""Chooses the worked plans that a question is planned with.

A small model copies the form of what it has just read, so one plan of the right form helps it more
than many others. What tells a question's form is not what it is about: names count as "a name",
figures as "a figure", and rare words for more than those that all questions have.
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

from agent.toolbox import Toolbox
from prompts import examples

_MOST = 2
_WORKED = examples()
_CALLED = re.compile(r"^\s*\d+[.)]\s*(?:after [\d, ]+: )?([\w.\-]+)\(", re.MULTILINE)
_WORD = re.compile(r"[^\W\d_]+(?:[-'’][^\W\d_]+)*|\d[\d.,]*%?|[%,]")
_OWNER = re.compile(r"['’]s$")
_NAME, _FIGURE, _PERCENTAGE = "Name", "1", "1%"

Form = Counter[str]
Weight = Callable[[str], float]


def worked_plans(
    tools: Toolbox, question: str, added: Sequence[str] = (), *, shipped: bool = True
) -> list[str]:
    """The few worked plans for these tools that are most like the question, the likest last.

    They are chosen among those `added` by an assistant and, if asked for, those `shipped`.
    """
    known = [*(_WORKED if shipped else ()), *added]
    fitting = [e for e in known if set(_CALLED.findall(e)) <= {*tools, "join", "answer"}]
    forms = [_form(worked.split("\n", 1)[0].removeprefix("Question: ")) for worked in fitting]
    weight = _weights(forms)
    asked = _form(question)
    ranked = sorted(
        range(len(fitting)), key=lambda i: _likeness(asked, forms[i], weight), reverse=True
    )
    return [fitting[index] for index in reversed(ranked[:_MOST])]


def _form(question: str) -> Form:
    """The words, the pairs of neighbours, and the endings that make "higher" and "highest"."""
    words: list[str] = []
    for word in _words(question):
        if word != _NAME or words[-1:] != [_NAME]:
            words.append(word)
    endings = [word[-2:] for word in words if len(word) > 4 and word.endswith(("er", "est"))]
    return Counter([*words, *map(" ".join, pairwise(words)), *endings])


def _words(question: str) -> Iterator[str]:
    for index, found in enumerate(_WORD.finditer(question)):
        word = found[0]
        if word[0].isdigit():
            yield _PERCENTAGE if word.endswith("%") else _FIGURE
        elif index and word[0].isupper():
            yield _NAME
        else:
            yield _OWNER.sub("", word.casefold())


def _weights(forms: Sequence[Form]) -> Weight:
    """How much a word tells: the more, the fewer of the worked plans have it."""
    frequency = Counter(word for form in forms for word in form)
    return lambda word: math.log(1 + len(forms) / max(1, frequency[word]))


def _likeness(one: Form, other: Form, weight: Weight) -> float:
    """Twice what both have, by all that either has."""
    shared = sum(weight(word) * min(count, other[word]) for word, count in one.items())
    whole = sum(weight(word) * count for form in (one, other) for word, count in form.items())
    return 2 * shared / whole if whole else 0.0
