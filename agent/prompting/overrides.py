"""Checks the prompts and worked plans that an assistant may set in place of those shipped.

A prompt is a text with one placeholder, which the agent fills in: `{tools}` for the planner,
`{missing}` for the joiner. All other braces are plain text. A worked plan is a text as in
prompts/examples/:

    Question: How old was Chopin when he died?
    Thought: year of death - year of birth.
    1. search("Chopin")
    2. number("year of death", $1)
    ...

It may begin with several questions that it answers, one per line; the nearest is shown.
"""

import re
from itertools import chain

from llm_compiler.errors import PlanError
from llm_compiler.language.arguments import read_arguments
from llm_compiler.language.parser import Call, PlanParser
from llm_compiler.language.references import references
from llm_compiler.language.task import ANSWER
from llm_compiler.prompting.templates import MISSING, TOOLS
from llm_compiler.text import quoted

_WHAT = {
    TOOLS: "where the tools are listed; add the lines 'Tools:' and '{tools}'",
    MISSING: "which says what to do if the results are not enough; add the line '{missing}'",
}
_QUESTION = re.compile(r"Question: *(\S.*)\s*")
_LINE = r"(?:.*\n|.+)"
_PIECE = re.compile(
    rf"(?:^Question:{_LINE})*(?:^(?!Question:){_LINE})+|(?:^Question:{_LINE})+", re.MULTILINE
)


def checked_prompt(text: str, placeholder: str) -> str:
    """Return the prompt.

    Raises:
        ValueError: its placeholder is missing.
    """
    if placeholder not in text:
        raise ValueError(f"the prompt lacks {placeholder}, {_WHAT[placeholder]}")
    return text


def apart(text: str) -> tuple[str, ...]:
    """The worked plans in one text, as an environment variable holds them."""
    return tuple(piece.strip() for piece in _PIECE.findall(text) if piece.strip())


def questions_and_plan(text: str) -> tuple[list[str], str]:
    """Split a worked plan into the questions above it and the rest."""
    questions: list[str] = []
    while found := _QUESTION.match(text):
        questions.append(found[1].rstrip())
        text = text[found.end() :]
    return questions, text


def checked_plan(text: str) -> str:
    """Return a worked plan without the whitespace around it.

    Its tools need not exist: it is only sent if all of them are offered.

    Raises:
        ValueError: it is not a worked plan, and why.
    """
    text = text.strip()
    questions, plan = questions_and_plan(text)
    if not questions:
        head = text.partition("\n")[0]
        raise ValueError(f"a worked plan begins with 'Question: …', not with {quoted(head)}")
    parser = PlanParser()
    calls = parser.feed(plan)
    ended = parser.ended
    try:
        _check([*calls, *parser.close()])
        if not ended:
            raise PlanError("it does not end; write join() below its last task")
    except PlanError as error:
        raise ValueError(f"the worked plan of {quoted(questions[0])}: {error}") from None
    return text


def _check(calls: list[Call]) -> None:
    if not calls:
        raise PlanError('it has no task; write its tasks below, such as 1. search("…")')
    known: set[int] = set()
    for call in calls:
        if not call.whole:
            raise PlanError(f"{quoted(call.text)} is cut off; close its bracket")
        positional, keywords = _arguments(call)
        if call.tool == ANSWER:
            return
        if call.id < 1 or call.id in known:
            raise PlanError(f"the id of {quoted(call.text)} is 0 or used twice; count up from 1")
        known.add(call.id)
        named = references([*positional, *keywords.values()])
        needs = chain((it.id for it in named if it.certain), call.after)
        if (lost := next((id for id in needs if id not in known - {call.id}), None)) is not None:
            raise PlanError(f"{quoted(call.text)} needs ${lost}, but no earlier task has that id")


def _arguments(call: Call) -> tuple[list[object], dict[str, object]]:
    try:
        return read_arguments(call.arguments)
    except PlanError as error:
        raise PlanError(f"{quoted(call.text)}: {error}") from None
