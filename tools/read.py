"""`read`: the answer to a question from a text, in a few words, for hops between subjects."""

import asyncio
from importlib.resources import files
from typing import Any

from langchain_core.runnables import RunnableConfig
from langchain_core.tools import ToolException, tool

from .about import is_told, lines_about
from .excerpt import excerpt, lines_of, question_of, text_of
from .fence import mark_for
from .resources import Resources

MAX_TEXT = 4000
"""Characters of a text that the model is shown."""
MAX_TOKENS = 32
MAX_ANSWER = 120
"""Characters of an answer: it is a name to search for, not the text again."""

_SYSTEM, _USER = (
    files("llm_compiler.prompts").joinpath("read.md").read_text("utf-8").strip().split("\n---\n")
)
_ABSENT = "not in the text"
# One short line; the bound keeps a greedy model from repeating itself.
_GRAMMAR = rf"root ::= [^ \n\r] [^\n\r]{{0,{MAX_ANSWER - 1}}}"


@tool
async def read(question: str, text: Any, config: RunnableConfig) -> str:
    """Read a name from a text, to search for it next."""
    reader = Resources.of(config).reader
    if reader is None:
        raise ToolException("read needs a model; set a model for the run")
    question = question_of(question)
    # In a thread: a text can be long.
    passage = await asyncio.to_thread(_passage, question, text)
    if not passage:
        raise ToolException(f"the text to answer {question!r} from is empty; search again")
    user = _USER.format(mark=mark_for(passage), text=passage, question=question)
    grammar = _GRAMMAR if reader.grammars else None
    reply = await reader.ask(_SYSTEM, user, grammar=grammar, max_tokens=MAX_TOKENS)
    answer = next(iter(reply.strip().splitlines()), "").strip()[:MAX_ANSWER]
    if not answer or _ABSENT in answer.casefold() or not is_told(answer, passage):
        raise ToolException(
            f"not in the text: the text does not answer {question!r}; search for it"
        )
    return answer


read.metadata = {"readOnlyHint": True}


def _passage(question: str, value: Any) -> str:
    """Return the lines of a text that are most like the question; "" if it has none.

    Raises:
        ToolException: the text is about something else.
    """
    lines = lines_of(text_of(value))
    if lines and not lines_about(lines, question):
        raise ToolException(f"not in the text: it names nothing of {question!r}; search for it")
    every = range(len(lines))
    shown = excerpt(lines, question, among=every, characters=MAX_TEXT, count=len(lines))
    return "\n".join(lines[line] for line in shown)
