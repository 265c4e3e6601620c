"""Compiles the tasks of a stored plan, which a person may have edited."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from llm_compiler.errors import PlanError
from llm_compiler.language.evaluation import compute, each
from llm_compiler.language.evaluation.references import references
from llm_compiler.language.recompile import recompiled
from llm_compiler.language.tasks.task import (
    EACH,
    Refused,
    Task,
    TaskData,
    When,
    did_not_compile,
    is_call,
    is_pure,
)
from llm_compiler.language.tasks.task_ids import TaskId, is_instance, is_task
from llm_compiler.language.toolbox.toolbox import Toolbox
from llm_compiler.text import clean


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
    id, name, args = data["id"], str(data.get("tool", "")), data.get("args") or {}
    text = data.get("text", "")
    if did_not_compile(data):
        task = recompiled(tools, data, names or {})
        written: Any = {"name": task.name, "source": task.source} if isinstance(task, Task) else {}
        return as_planned(task, {**data, **written})
    try:
        if not isinstance(args, Mapping):
            raise PlanError("the arguments are not an object; write them by parameter name")
        after = tuple(map(_id, data.get("needs") or ()))
        if (when := data.get("when")) is not None:
            after += (_id(when["id"]),)
        if is_pure(name):
            return as_planned(computing(id, name, args, after), data)
        if name == EACH:
            return as_planned(looping(None if ended else tools, id, args, after), data)
        task = made(None if ended else tools, id, name, args, after, text)
        return as_planned(task, data)
    except (KeyError, PlanError, TypeError, ValueError) as error:
        written = args if isinstance(args, Mapping) else {}
        return Refused(id, name, str(error), text or f"{name}({args})", written)


def as_planned(task: Task | Refused, data: TaskData) -> Task | Refused:
    """A task with what was stored of its planning."""
    if isinstance(task, Refused):
        return task
    when = data.get("when")
    return replace(
        task,
        when=when and When(_id(when["id"]), when.get("holds", True), when.get("line", 0)),
        name=data.get("name", ""),
        line=data.get("line", 0),
        source=data.get("source", ""),
        taint=data.get("taint"),
        rules=tuple(data.get("rules", ())),
    )


def computing(id: TaskId, tool: str, args: Mapping[str, Any], after: tuple[TaskId, ...]) -> Task:
    """A task of `compute` or `answer` as the state stores it.

    Raises:
        PlanError: it has no expression.
    """
    expression = args.get("expression")
    if not isinstance(expression, str):
        raise PlanError(f'{tool} takes one string; write {{"expression": "$1 - $2"}}')
    needs = dict.fromkeys((*after, *filter(is_task, compute.references(expression))))
    return Task(id, tool, {"expression": expression}, tuple(needs))


def looping(
    tools: Toolbox | None, id: TaskId, args: Mapping[str, Any], after: tuple[TaskId, ...]
) -> Task:
    """A loop as the state stores it; without `tools` the calls in its body are not checked.

    Raises:
        PlanError: its arguments are not those of a loop, or a call in its body does not compile.
    """
    each.check(id, args)
    for it in each.bodies(args):
        if tools is not None and is_call(it["tool"]):
            try:
                tools.tool(it["tool"]).check_written(it["args"])
            except PlanError as error:
                raise PlanError(f"{it['id']}: {error}") from None
    needs = dict.fromkeys((*after, *filter(is_task, each.referred(id, EACH, args))))
    return Task(id, EACH, args, tuple(needs))


def made(
    tools: Toolbox | None,
    id: TaskId,
    tool: str,
    args: Mapping[str, Any],
    after: tuple[TaskId, ...],
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
        if not is_task(reference.id):
            continue  # the item of an iteration
        needs[reference.id] = reference.certain or needs.get(reference.id, False)
    return Task(
        id,
        tool,
        args,
        tuple(needs),
        frozenset(id for id, certain in needs.items() if not certain),
        clean(text),
    )


def _id(value: Any) -> TaskId:
    return value if is_instance(value) else int(value)
