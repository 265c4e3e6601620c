"""Chooses the worked plans that a question is planned with.

A small model copies the form of what it has just read, so one plan of the right form helps it more
than many others. The worked questions that are most like the one asked (forms.py) vote on the form,
each for that of its plan's thought.
"""

import math
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import itemgetter

from llm_compiler.language.parser import PlanParser
from llm_compiler.language.task import ANSWER
from llm_compiler.language.toolbox import Toolbox
from llm_compiler.prompting.forms import Form, form_of
from llm_compiler.prompting.overrides import questions_and_plan
from llm_compiler.prompts import examples

_MAX_PLANS = 2
_VOTERS = 12
_POWER = 4
"""Of a vote: one question that is very like the one asked outweighs several that are less so."""
_SHIPPED = examples()
_STEP = re.compile(
    r"\b(?:total|then|the largest|the smallest)\b|(?<= )[-+*/](?= )|[,;]|\b(?:100|0|1)\b"
)


@dataclass(frozen=True)
class _Worked:
    """A worked plan with one of the questions that it answers."""

    question: str
    plan: str
    form: Form
    tools: frozenset[str]
    shape: str
    """Its thought without what it is about, as "total , then / total", or all where it has none."""

    @property
    def text(self) -> str:
        return f"Question: {self.question}\n{self.plan}"


@dataclass(frozen=True)
class _Book:
    """The worked plans for some tools."""

    worked: list[_Worked]
    sizes: list[float]
    """What all words of each question weigh."""
    weights: dict[str, float]
    """How much a word tells: the more, the fewer of the questions have it."""
    places: dict[str, list[tuple[int, int]]]
    """The questions that have a word, by index, and how often."""


def worked_plans(
    tools: Toolbox, question: str, added: Sequence[str] = (), *, shipped: bool = True
) -> list[str]:
    """The few worked plans for these tools that fit the question best, the best last.

    They are chosen among those `added` by an assistant and, if asked for, those `shipped`: first
    those of the form voted for, then others, the nearest first.
    """
    book = _book(frozenset(tools), tuple(added), shipped)
    if not book.worked:
        return []
    similarity = _similarity(form_of(question), book)
    ranked = sorted(zip(similarity, book.worked, strict=True), key=itemgetter(0), reverse=True)
    votes: dict[str, float] = defaultdict(float)
    for likely, worked in ranked[:_VOTERS]:
        votes[worked.shape] += likely**_POWER
    voted = max(votes, key=lambda shape: votes[shape])
    chosen: dict[str, str] = {}  # a plan may answer several of the nearest questions
    for _, worked in sorted(ranked, key=lambda it: it[1].shape != voted):
        chosen.setdefault(worked.plan, worked.text)
    return list(chosen.values())[:_MAX_PLANS][::-1]


@lru_cache(maxsize=8)
def _book(tools: frozenset[str], added: Sequence[str], shipped: bool) -> _Book:
    known = [it for text in [*(_SHIPPED if shipped else ()), *added] for it in _worked(text)]
    worked = [it for it in known if it.tools <= tools | {ANSWER}]
    places: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for index, it in enumerate(worked):
        for word, count in it.form.items():
            places[word].append((index, count))
    weights = {word: math.log(1 + len(worked) / len(found)) for word, found in places.items()}
    sizes = [sum(weights[word] * n for word, n in it.form.items()) for it in worked]
    return _Book(worked, sizes, weights, places)


@lru_cache(maxsize=1000)
def _worked(text: str) -> list[_Worked]:
    questions, plan = questions_and_plan(text)
    parser = PlanParser()
    calls = [*parser.feed(plan), *parser.close()]
    thought = next((call.thought for call in calls if call.thought), None)
    shape = " ".join(_STEP.findall(thought)) if thought else plan
    tools = frozenset(call.tool for call in calls)
    return [_Worked(question, plan, form_of(question), tools, shape) for question in questions]


def _similarity(asked: Form, book: _Book) -> list[float]:
    """Twice what a question has in common with each of the book, by all that either has.

    A word that no question of the book has does not count.
    """
    size = 0.0
    shared = [0.0] * len(book.worked)
    for word, times in asked.items():
        weight = book.weights.get(word, 0.0)
        size += weight * times
        for index, count in book.places.get(word, ()):
            shared[index] += weight * min(count, times)
    return [2 * s / ((size + whole) or 1) for s, whole in zip(shared, book.sizes, strict=True)]
