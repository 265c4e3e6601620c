"""Checks the prompts and worked programs that an assistant may set in place of those shipped.

A prompt is a text with one placeholder, which the agent fills in: `{tools}` for the planner (and
`{today}`, if it has it), `{missing}` for the joiner. All other braces are plain text. A worked
program is a text as in prompts/examples/:

    Question: How old was Chopin when he died?
    life = search("Chopin")
    answer(f"He was {number('year of death', life) - number('year of birth', life)} years old.")
"""

import keyword
import re

from langchain_core.tools import StructuredTool

from llm_compiler.language.evaluation.functions import FUNCTIONS, MATH
from llm_compiler.language.lowering.lowered import Refused
from llm_compiler.language.program import Program
from llm_compiler.language.tasks.task import WORDS
from llm_compiler.language.toolbox.toolbox import Toolbox
from llm_compiler.prompting.templates import MISSING, TOOLS
from llm_compiler.text import quoted

_WHAT = {
    TOOLS: "where the tools are listed; add the lines 'Tools:' and '{tools}'",
    MISSING: "which says what to do if the results are not enough; add the line '{missing}'",
}
_QUESTION = re.compile(r"Question: *(\S.*)\s*")
_FENCE = re.compile(r"```\w*\n(.*?)\n?```", re.DOTALL)
_LINE = r"(?:.*\n|.+)"
_PIECE = re.compile(rf"(?:^Question:{_LINE})?(?:^(?!Question:){_LINE})+|^Question:{_LINE}", re.M)
_CALLED = re.compile(r"(?<![\w.])([^\W\d]\w*)\(")
_NAMED = re.compile(r"(?<!\w)([^\W\d]\w*)=(?!=)")
_OWN = {*FUNCTIONS, *MATH, *WORDS, *keyword.kwlist}
_MAX_ARGUMENTS = 20
"""Positional ones, of a tool in a worked program."""


def checked_prompt(text: str, placeholder: str) -> str:
    """Return the prompt.

    Raises:
        ValueError: its placeholder is missing.
    """
    if placeholder not in text:
        raise ValueError(f"the prompt lacks {placeholder}, {_WHAT[placeholder]}")
    return text


def apart(text: str) -> tuple[str, ...]:
    """The worked programs in one text, as an environment variable holds them."""
    return tuple(piece.strip() for piece in _PIECE.findall(text) if piece.strip())


def question_and_program(text: str) -> tuple[str, str]:
    """Split a worked program into its question, "" if it has none, and the program without a
    fence around it."""
    found = _QUESTION.match(text)
    program = text[found.end() :].strip() if found else text
    fenced = _FENCE.fullmatch(program)
    return found[1].rstrip() if found else "", fenced[1] if fenced else program


def called_tools(program: str) -> set[str]:
    """The names that a program calls and that are not of the language."""
    return {name for name in _CALLED.findall(program) if name not in _OWN}


def checked_program(text: str) -> str:
    """Return a worked program without the whitespace around it.

    Its tools need not exist: it is only sent if all of them are offered.

    Raises:
        ValueError: it is not a worked program, and why.
    """
    text = text.strip()
    question, program = question_and_program(text)
    if not question:
        head = text.partition("\n")[0]
        raise ValueError(f"a worked program begins with 'Question: …', not with {quoted(head)}")
    reader = Program(_tools_of(program))
    tasks = [*reader.feed(program), *reader.close()]
    wrong = (task.diagnostic for task in tasks if isinstance(task, Refused))
    why = next((f"line {it.line}: {it.message}" for it in wrong), None)
    if why is None and not reader.ended:
        why = 'it does not end; write answer(f"…") below its last line'
    if why is not None:
        raise ValueError(f"the worked program of {quoted(question)}: {why}")
    return text


def _tools_of(program: str) -> Toolbox:
    """Tools that take what the program gives them."""
    names = [f"argument_{place}" for place in range(_MAX_ARGUMENTS)]
    names += sorted({*_NAMED.findall(program)})
    schema = {"type": "object", "properties": {name: {} for name in names}}
    return Toolbox.of(
        StructuredTool(name=name, description=name, args_schema=schema, func=lambda **given: None)
        for name in sorted(called_tools(program))
    )
