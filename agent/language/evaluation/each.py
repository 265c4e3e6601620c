"""The arguments of an `each`, the built-in that goes through a list.

- `items`: what is gone through, a list, with references, as any argument.
- `body`: the tasks of one iteration, as the state stores tasks; their ids are templates.
- `value`, of a comprehension: a template of what an iteration adds to the list.
- `keep`, of a comprehension: the task whose value says whether it adds anything, or null.
- `names`, of a statement: for each variable the tasks that have its value before the loop (`init`,
  or null) and at the end of an iteration (`next`); or the task whose values are collected (`all`).
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from llm_compiler.errors import PlanError
from llm_compiler.language.evaluation import compute
from llm_compiler.language.evaluation.references import references
from llm_compiler.language.tasks.task import EACH, is_pure
from llm_compiler.language.tasks.task_ids import TaskId

_OWN = re.compile(r"(?:\.(\w{1,99}))?")
"""What follows `7[]` in the ids that the body of task 7 may name."""
_SHAPE = '{"items": "$1", "body": [tasks with ids such as "7[].1"], "value": …}'


def referred(id: TaskId, tool: str, args: Mapping[str, Any]) -> Iterable[TaskId]:
    """The ids that a task's arguments refer to, whatever its tool: those of items and variables of
    the loops around it (`7[].0`, `7[].total`) too, but not those of its own loop."""
    if is_pure(tool):
        return compute.references(str(args.get("expression")))
    if tool == EACH:
        own = f"{id}[]"
        return (it for it in _referred_by_loop(args) if not str(it).startswith(own))
    return [it.id for it in references(args)]


def bodies(args: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The tasks in the body of a loop, at any depth, those of built-ins too."""
    for it in args["body"]:
        yield it
        if it["tool"] == EACH:
            yield from bodies(it["args"])


def check(id: TaskId, args: Mapping[str, Any]) -> None:
    """Check the arguments of an `each`, which a person may have edited.

    Raises:
        PlanError: they have another shape, or the body names a task that it does not have.
    """
    body = args.get("body")
    if "items" not in args or not isinstance(body, list):
        raise PlanError(f"each takes {_SHAPE}")
    names = args.get("names") or {}
    named = isinstance(names, Mapping) and all(isinstance(it, Mapping) for it in names.values())
    if not named or not ("value" in args or "names" in args):
        raise PlanError('each takes "value", or "names": {"total": {"init": 3, "next": "7[].2"}}')
    known = {f"{id}[].0", *(f"{id}[].{name}" for name in names)}
    for it in body:
        _check_body_task(id, it)
        known.add(it["id"])
    if len(known) != 1 + len(names) + len(body):
        raise PlanError(f"two tasks in the body of {id} have the same id")
    own = f"{id}[]"
    for reference in _referred_by_loop(args):
        text = str(reference)
        if text.startswith(own) and text not in known:
            raise PlanError(f"no task in the loop has the id {text}; there are {_listed(known)}")


def _check_body_task(id: TaskId, it: Any) -> None:
    own = f"{id}[]"
    if not isinstance(it, Mapping) or not isinstance(it.get("id"), str):
        raise PlanError(f"a task in the body of {id} has no id; write one such as {own}.1")
    named = it["id"].startswith(own) and _OWN.fullmatch(it["id"], len(own))
    if not named or not (named[1] or "1").isdecimal() or named[1] == "0":
        raise PlanError(f"{it['id']} is no id of a task in the body of {id}; write {own}.1")
    tool, args, needs, when = it.get("tool"), it.get("args"), it.get("needs", []), it.get("when")
    if not isinstance(tool, str) or not isinstance(args, Mapping) or not isinstance(needs, list):
        raise PlanError(f"{it['id']} has no tool, no arguments or no list of needs")
    if when is not None and not (isinstance(when, Mapping) and "id" in when):
        raise PlanError(f'the condition of {it["id"]} is not like {{"id": 3, "holds": true}}')
    if is_pure(tool) and not isinstance(args.get("expression"), str):
        raise PlanError(f'{it["id"]}: {tool} takes one string; write {{"expression": "$1 - $2"}}')
    if tool == EACH:
        check(it["id"], args)


def _referred_by_loop(args: Mapping[str, Any]) -> Iterator[TaskId]:
    yield from (it.id for it in references([args.get("items"), args.get("value")]))
    for it in args["body"]:
        yield from it.get("needs", ())
        if (when := it.get("when")) is not None:
            yield when["id"]
        yield from referred(it["id"], it["tool"], it["args"])
    if (keep := args.get("keep")) is not None:
        yield keep
    for it in (args.get("names") or {}).values():
        yield from (id for part in ("init", "next", "all") if (id := it.get(part)) is not None)


def _listed(ids: set[str]) -> str:
    return ", ".join(sorted(ids)[:20])
