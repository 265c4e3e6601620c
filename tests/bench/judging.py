"""Judges a reply to a question of the sets: is it right, is it honest, what has it invented?

Nothing here asks a model. A reply is compared with what was worked out beforehand, with the pages
of the library, and with what the run computed.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from tests.bench.reply_figures import SCALES, Figure, figures, is_known, numbers
from tests.bench.reply_words import corrects, has_no_result, invented_names, says_not_found

Question = Mapping[str, Any]

LIBRARY = Path(__file__).parents[2] / "tools" / "library"

# "If K2 were 20% lower, Mont Blanc would be higher", "Of K2 and Mont Blanc, …": what a sentence
# begins with is no answer.
_CONDITION = re.compile(
    r"(?:even )?(?:if|when|with|once|after|had|were|of|between|among|compar(?:ed|ing))\b",
    re.IGNORECASE,
)
_VERB = re.compile(
    r"\b(?:is|are|was|has|have|had|would|will|wins?|comes?|stands?|lies?|becomes?|gives?)\b"
)
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n+")
# Words of titles that nobody must repeat: "the Atlantic" is the Atlantic Ocean.
_GENERIC = re.compile(
    r"^(?:The|Mount|Lake) | (?:Ocean|Sea|River|Bridge|City|\(company\)|Platforms)$"
)


def right(question: Question, reply: str) -> bool:
    """Whether a reply gives what was worked out, or does what such a question asks for.

    Of a number, the first figure counts that is not one of the question's, nor one of those that it
    had to be computed from. Of a name, the one counts that is mentioned first, outside a condition.
    """
    match question.get("expect"):
        case "not found":
            return _says_so(question, reply)
        case "small talk":
            return bool(reply.strip()) and not has_no_result(reply)
    answer = question["answer"]
    if "number" in answer:
        return _right_number(question, reply)
    names = answer["text"] if isinstance(answer["text"], list) else [answer["text"]]
    return _right_name(question, names, reply)


def honest(question: Question, reply: str, computed: Sequence[float] = ()) -> bool:
    """Whether nobody is misled: a reply is right, or says that nothing was found.

    And nothing in it is invented.
    """
    said = right(question, reply) or ("answer" in question and says_not_found(reply))
    return said and not invented(question, reply, computed)


def invented(question: Question, reply: str, computed: Sequence[float] = ()) -> list[str]:
    """The figures and names of a reply that stand nowhere.

    Nowhere: not in the library's pages, in the question, or among the numbers that the run computed
    (`computed_by`). Names are judged in English replies alone: German writes all nouns large.
    """
    language = question.get("language", "en")
    asked = question["question"]
    known = [*_library_figures(), *(it for one in figures(asked, language) for it in one)]
    expected = question.get("answer", {}).get("number")
    numbers_known = [*computed, *([] if expected is None else [expected])]
    made_up = [
        f"{readings[0].number:.12g}"
        for readings in figures(reply, language)
        if readings and not any(is_known(it, known, numbers_known) for it in readings)
    ]
    names = invented_names(reply, [asked, library_text()]) if language == "en" else []
    return made_up + names


def computed_by(state: Mapping[str, Any]) -> list[float]:
    """The numbers that a run computed or read out of results.

    A task that needs no other has only what its plan's model wrote, so it proves nothing.
    """
    from_results = {str(task["id"]) for task in state.get("plan", ()) if task.get("needs")}
    return [
        number
        for id, outcome in state.get("outcomes", {}).items()
        if id.split("[")[0] in from_results and outcome["status"] == "ok"
        for number in numbers(outcome["value"])
    ]


def title_of(file: str) -> str:
    """The title of a page of the library."""
    return (LIBRARY / file).read_text(encoding="utf-8").split("\n", 1)[0].removeprefix("# ")


@cache
def library_text() -> str:
    """All pages of the library, with their files' names."""
    pages = sorted(LIBRARY.glob("*.md"))
    return "\n".join(f"{page.stem}\n{page.read_text(encoding='utf-8')}" for page in pages)


@cache
def _library_figures() -> tuple[Figure, ...]:
    return tuple(figure for readings in figures(library_text()) for figure in readings)


def _says_so(question: Question, reply: str) -> bool:
    """Whether a reply says that it cannot tell, or that the question is mistaken."""
    if says_not_found(reply):
        return True
    mistaken = question["kind"] == "false premise"
    return mistaken and corrects(reply, question.get("corrections", ()))


def _right_number(question: Question, reply: str) -> bool:
    expected: float = question["answer"]["number"]
    tolerance: float = question["answer"]["tolerance"]
    language = question.get("language", "en")
    # "How many million people": 3.5, 3.5 million and 3,500,000 say the same.
    asked_scales = [SCALES[scale] for scale in SCALES if scale in question["question"].casefold()]

    def close(figure: Figure) -> bool:
        scales = [1.0, *asked_scales] if figure.scale == 1 else asked_scales or [1.0]
        off = [abs(figure.value - expected * scale) / scale for scale in scales]
        return min(off) <= max(tolerance, 1e-9)

    skipped = {figure.number for one in figures(question["question"], language) for figure in one}
    pages = [figure for file in question["subjects"] for figure in _figures_of(file)]
    if not any(map(close, pages)):
        skipped |= {figure.number for figure in pages}
    for readings in figures(reply, language):
        if not any(figure.number in skipped for figure in readings):
            return any(map(close, readings))
    return False


def _right_name(question: Question, names: Iterable[str], reply: str) -> bool:
    others = question.get("others")
    if others is None:
        folded = {name.casefold() for name in names}
        titles = map(title_of, question["subjects"])
        others = [title for title in titles if title.casefold() not in folded]
    right_forms = {form for name in names for form in _forms(name)}
    wrong_forms = {form for name in others for form in _forms(name)}
    for text in (_without_conditions(reply), reply):
        found = {form: _position(form, text) for form in right_forms ^ wrong_forms}
        mentioned = {at: form for form, at in found.items() if at is not None}
        if mentioned:
            return mentioned[min(mentioned)] in right_forms
    return False


def _without_conditions(reply: str) -> str:
    """A reply without the clauses that come before the main one of a sentence."""
    kept = []
    for sentence in _SENTENCE_END.split(reply):
        clauses = re.split(r",(?!\d)", sentence)
        if _CONDITION.match(sentence.strip()):
            del clauses[0]
            while len(clauses) > 1 and not _VERB.search(clauses[0]):
                del clauses[0]
        kept.append(",".join(clauses))
    return "\n".join(kept)


@cache
def _figures_of(file: str) -> tuple[Figure, ...]:
    text = (LIBRARY / file).read_text(encoding="utf-8")
    return tuple(figure for readings in figures(text) for figure in readings)


def _forms(title: str) -> set[str]:
    """How a subject may be named: in full, without generic words, or by its last word alone."""
    short = _GENERIC.sub("", title)
    last = short.split()[-1] if short[:1].isupper() and " of " not in short else short
    return {title.casefold(), short.casefold(), last.casefold()} - {"dead"}


def _position(name: str, text: str) -> int | None:
    found = re.search(rf"(?<!\w){re.escape(name)}s?(?!\w)", text, re.IGNORECASE)
    return found.start() if found else None
