"""Compiles a plan: calls as the model wrote them, or tasks as the state stores them, into tasks."""

import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from llm_compiler.errors import PlanError
from llm_compiler.language import compute
from llm_compiler.language.arguments import read_arguments
from llm_compiler.language.parser import Call, PlanParser
from llm_compiler.language.recompile import recompiled
from llm_compiler.language.references import references
from llm_compiler.language.task import ANSWER, Refused, Task, TaskData, did_not_compile, is_pure
from llm_compiler.language.toolbox import Toolbox
from llm_compiler.text import clean

_NUMBERED = re.compile(r"\W*\d+\s*[.:)]")
"""How a text in the notation of numbered calls begins."""


class Compiler:
    """Compiles the calls of one plan, one by one, as they are parsed.

    What does not compile becomes a `Refused` that says why. Whether the ids of references
    and needs exist is known only with the whole plan: `scheduling/task_graph.py` checks that.
    """

    def __init__(self, tools: Toolbox, *, taken: Collection[int], max_tasks: int) -> None:
        self._tools = tools
        self._taken = set(taken)
        self._remaining = self._max_tasks = max_tasks
        self._without_id: list[tuple[Call, str]] = []
        self.full = False
        """One task too many was refused; the rest of the plan need not be read."""

    def compile(self, call: Call) -> list[Task | Refused]:
        """The task of one call; nothing yet for a call whose id cannot be used (see `close`).

        Each call counts towards `max_tasks`, even if it is refused; all calls after the last
        allowed one become a single outcome.
        """
        if self.full:
            return []
        if call.tool == ANSWER and call.whole:
            call = Call(max(self._taken, default=0) + 1, ANSWER, call.arguments)
        why = self._unusable(call.id)
        if self._remaining == 0:
            self.full = True
            why = why and too_many(self._max_tasks)
        if why:
            self._remaining -= 1
            self._without_id.append((call, why))
            return []
        self._taken.add(call.id)
        if self.full:
            return [_refused(call, too_many(self._max_tasks))]
        self._remaining -= 1
        try:
            return [self._task(call)]
        except PlanError as error:
            return [_refused(call, str(error))]

    def close(self) -> list[Refused]:
        """The calls whose ids could not be used, under ids of their own after all others."""
        first = max(self._taken, default=0) + 1
        refused = [
            _refused(replace(call, id=id), why, call.text)
            for id, (call, why) in enumerate(self._without_id, first)
        ]
        self._taken |= {task.id for task in refused}
        self._without_id = []
        return refused

    def _unusable(self, id: int) -> str | None:
        """Why no task can have an id; None if one can."""
        if id < 1:
            return f"the id {id} is out of range (1–999999999)"
        return f"the id {id} is used twice; count on from it" if id in self._taken else None

    def _task(self, call: Call) -> Task:
        if not call.whole:
            raise PlanError("the plan was cut off inside this call; it was not run")
        if call.tool == ANSWER:
            return Task(call.id, ANSWER, _answer(call), text=clean(call.text), source=call.text)
        tool = self._tools.tool(call.tool)
        positional, keywords = read_arguments(call.arguments)
        names = list(tool.parameters)
        if len(positional) > len(names):
            raise PlanError(
                f"{tool.name} takes {len(names)} arguments, not {len(positional)};"
                f" write {tool.signature}"
            )
        args = dict(zip(names, positional, strict=False))
        if twice := next((name for name in keywords if name in args), None):
            raise PlanError(f"{tool.name}: {twice!r} is given twice; write {tool.signature}")
        args |= keywords
        task = made(self._tools, call.id, tool.name, args, call.after, call.thought, call.text)
        return replace(task, maybe=task.maybe - self._taken) if task.maybe else task


def too_many(max_tasks: int) -> str:
    """Why the task after the last allowed one is refused."""
    return f"the plan has more than {max_tasks} tasks (max_tasks); plan fewer"


def compile_data(
    tools: Toolbox,
    data: TaskData,
    *,
    names: Mapping[str, str] | None = None,
    ended: bool = False,
) -> Task | Refused:
    """Compile a task of the state, which a person may have edited.

    One that has ended needs no tool: if it was not edited since, its outcome is kept. `names` are
    what the variables of the turn stand for.
    """
    id, thought = data["id"], data.get("thought", "")
    name, args = str(data.get("tool", "")), data.get("args") or {}
    text = data.get("text", "")
    if did_not_compile(data) and not _NUMBERED.match(text):
        task = recompiled(tools, data, names or {})
        written: Any = {"name": task.name, "source": task.source} if isinstance(task, Task) else {}
        return _as_planned(task, {**data, **written})
    if did_not_compile(data):
        parser = PlanParser()
        calls = [*parser.feed(text), *parser.close()]
        compiled = Compiler(tools, taken=(), max_tasks=1)
        if not calls:
            why = f"{text!r} is not a call; write {id}. tool(arguments)"
            return Refused(id, name, why, text, thought)
        if calls[0].id != id or id < 1:
            # Also what was refused for its id, and what has not been edited since.
            why = f"the text has the id {calls[0].id}, not {id}; write {id}. {calls[0].tool}(…)"
            return Refused(id, name, why, text, thought)
        [task] = compiled.compile(replace(calls[0], thought=thought))
        return _as_planned(replace(task, id=id), data)
    try:
        if not isinstance(args, Mapping):
            raise PlanError("the arguments are not an object; write them by parameter name")
        after = tuple(int(need) for need in data.get("needs") or ())
        if is_pure(name):
            return _as_planned(computing(id, name, args, after), data)
        task = made(None if ended else tools, id, name, args, after, thought, text)
        return _as_planned(task, data)
    except (PlanError, TypeError, ValueError) as error:
        written = args if isinstance(args, Mapping) else {}
        return Refused(id, name, str(error), text or f"{id}. {name}({args})", thought, written)


def _as_planned(task: Task | Refused, data: TaskData) -> Task | Refused:
    """A task with what was stored of its planning."""
    if isinstance(task, Refused):
        return task
    return replace(
        task,
        name=data.get("name", ""),
        line=data.get("line", 0),
        source=data.get("source", ""),
        taint=data.get("taint"),
        rules=tuple(data.get("rules", ())),
    )


def computing(id: int, tool: str, args: Mapping[str, Any], after: tuple[int, ...]) -> Task:
    """A task of `compute` or `answer` as the state stores it.

    Raises:
        PlanError: it has no expression.
    """
    expression = args.get("expression")
    if not isinstance(expression, str):
        raise PlanError(f'{tool} takes one text; write {{"expression": "$1 - $2"}}')
    needs = dict.fromkeys((*after, *compute.references(expression)))
    return Task(id, tool, {"expression": expression}, tuple(needs))


def made(
    tools: Toolbox | None,
    id: int,
    tool: str,
    args: Mapping[str, Any],
    after: tuple[int, ...],
    thought: str,
    text: str,
) -> Task:
    """A task with its needs; without `tools` it is not checked.

    Raises:
        PlanError: no such tool, or its schema refuses the arguments.
    """
    if tools is not None:
        tools.tool(tool).check_written(args)
    needs = dict.fromkeys(after, True)
    for reference in references(args):
        if reference.id == id and not reference.certain:
            continue  # "under $5 million" in task 5
        needs[reference.id] = reference.certain or needs.get(reference.id, False)
    return Task(
        id,
        tool,
        args,
        tuple(needs),
        frozenset(id for id, certain in needs.items() if not certain),
        clean(thought),
        clean(text),
    )


def _answer(call: Call) -> dict[str, Any]:
    positional, keywords = read_arguments(call.arguments)
    texts = [*positional, *keywords.values()]
    if len(texts) != 1 or not isinstance(texts[0], str):
        raise PlanError('answer takes one string; write answer("…")')
    if any(reference.certain for reference in references(texts[0])):
        raise PlanError("an answer cannot refer to results; plan join() to answer from them")
    return {"expression": repr(texts[0])}


def _refused(call: Call, error: str, text: str | None = None) -> Refused:
    text = call.text if text is None else text
    return Refused(call.id, call.tool, error, clean(text), clean(call.thought))
