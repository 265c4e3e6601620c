"""Compiles again a statement of a stored plan that did not compile when it was planned."""

import re
from collections.abc import Mapping
from dataclasses import replace

from llm_compiler.language.evaluation.compute import references
from llm_compiler.language.lowering import lowered
from llm_compiler.language.lowering.names import NO_FUNCTION
from llm_compiler.language.program import Compiled, Program
from llm_compiler.language.tasks.task import COMPUTE, Refused, Task, TaskData
from llm_compiler.language.tasks.task_ids import order_of
from llm_compiler.language.toolbox.toolbox import Toolbox
from llm_compiler.text import clean

PROSE = "plan"
"""Takes the place of a tool in a refused statement that calls none."""
_CALLED = re.compile(r"(?<![\w.])[^\W\d][\w.]*+(?=\s*+\()")
_MAY_COMPILE_LATER = re.compile(rf"line \d+: {NO_FUNCTION} ")
_NOT_ONE_CALL = "this is not one call of a tool; write one, or leave it as it was"
_TOO_LONG = "this has more than 10,000 characters; write one call of a tool"
_MAX_REFUSED_CHARS = 10_000
"""Of a statement that did not compile; a longer one never will."""


def recompiled(tools: Toolbox, data: TaskData, names: Mapping[str, str]) -> Task | Refused:
    """A refused statement as a task: its tool is there by now, or a person edited the text.

    A text that was not edited stays refused for whatever else was wrong with it: a line that was
    cut off, for one, may read like a whole call.

    Args:
        tools: Those that are there now.
        data: The task of the state, with its `text` and without arguments.
        names: What the variables of the turn stand for. Only earlier tasks can be meant.
    """
    id, text, error = data["id"], data.get("text", ""), data.get("error", "")
    line = data.get("line", 0)
    stored = Refused(id, data.get("tool", ""), error, text, line=line)
    edited = text != data.get("source", "") or not error
    if len(text) > _MAX_REFUSED_CHARS:
        return replace(stored, error=error or _TOO_LONG)
    if not edited and not _MAY_COMPILE_LATER.match(error):
        return stored
    if not isinstance(id, int):
        return replace(stored, error=error or _NOT_ONE_CALL)
    earlier = {name: it for name, it in names.items() if _is_before(id, it)}
    program = Program(tools, names=earlier, first_id=id, max_calls=1)
    program.feed(text)
    program.close()
    match [program.answer.parts, *program.tasks]:
        case [(), Task() as task] if task.tool != COMPUTE:
            return replace(task, line=line, text=text)
        case [_, lowered.Refused(diagnostic=diagnostic), *_] if edited:
            moved = replace(diagnostic, line=max(line, 1) + diagnostic.line - 1)
            return replace(stored, error=str(moved))
    return replace(stored, error=_NOT_ONE_CALL) if edited else stored


def _is_before(id: int, expression: str) -> bool:
    """Whether an expression refers to nothing but what comes before task `id`."""
    return all(order_of(other) < (id,) for other in references(expression))


def planned(compiled: Compiled) -> Task | Refused:
    """What a program compiled to, as it is scheduled and stored."""
    if isinstance(compiled, Task):
        return compiled
    it = compiled
    called = _CALLED.search(it.source)
    name = called[0] if called else PROSE
    text = (
        it.source if len(it.source) <= _MAX_REFUSED_CHARS else it.source[:_MAX_REFUSED_CHARS] + "…"
    )
    return Refused(it.id, name, clean(str(it.diagnostic)), clean(text), line=it.line)
