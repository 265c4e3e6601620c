"""A plan as the state holds it, which a person may have edited."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any, TypeGuard, cast

from llm_compiler.language.tasks.task import EACH, MAX_LEVELS, TaskData, WhenData, is_pure
from llm_compiler.language.tasks.task_ids import TaskId, is_instance, loop_of, order_of
from llm_compiler.language.toolbox.tool_rules import STORED
from llm_compiler.run.stored_values import (
    MAX_ID,
    data,
    id_of,
    is_data,
    is_id,
    kind_of,
    text_of,
    whole,
)
from llm_compiler.text import clean, shortened

_MAX_NAME_CHARS = 200
_RULED = ("text", "error", "key", "taint", "rules", "when")


def mended_plan(value: Any, round: int, outcomes: Any) -> tuple[list[TaskData], dict[TaskId, str]]:
    """The tasks of a stored plan, whole and in id order, and by id why some cannot be run.

    What is missing gets its empty value. An entry without an id of its own gets one after all
    others, also after those of the stored outcomes, and does not compile. A task without a round
    belongs to the current one, `round`.
    """
    if value is None:
        return [], {}
    if type(value) is list and _is_plan(value, round):
        return value, {}
    tasks: dict[TaskId, TaskData] = {}
    errors: dict[TaskId, str] = {}
    is_list = isinstance(value, list | tuple)
    without: list[Any] = [] if is_list else [value]
    instances: dict[TaskId, Any] = {}
    for entry in value if is_list else ():
        id = id_of(entry.get("id")) if isinstance(entry, Mapping) else None
        if is_instance(id) and id not in instances:
            instances[id] = entry
        elif id is None or id in tasks or id in instances:
            without.append(entry)
        else:
            tasks[id] = _task(entry, id, round, errors)
    for id in sorted(instances, key=order_of):
        loop = tasks.get(loop_of(id) or 0)
        if loop is not None and loop["tool"] == EACH:  # else it is of no loop any more
            tasks[id] = _task(instances[id], id, round, errors)
    settled = outcomes if isinstance(outcomes, Mapping) else ()
    used = {id for id in (*tasks, *map(whole, settled)) if isinstance(id, int)}
    for id, entry in zip(_free(used), without, strict=False):
        if is_list and isinstance(entry, Mapping):
            written, more = str(entry.get("tool")), entry
        else:
            written, more = str(entry), {}
            why = "contains {} in place of a task" if is_list else "is {}, not a list of tasks"
            errors[id] = f"the stored plan {why.format(kind_of(entry))}"
        tasks[id] = _task(more, id, round, {})
        tasks[id]["text"] = f"{clean(shortened(written, _MAX_NAME_CHARS))}{'(…)' if more else ''}"
        tasks[id]["args"] = {}
    plan = [tasks[id] for id in sorted(tasks, key=order_of)]
    keys = set()
    for task in plan:
        if task["key"] in keys:  # a person's copy of a task is another call
            task["key"] = f"{task['key']}-{task['id']}"
        keys.add(task["key"])
    return plan, errors


def _task(entry: Mapping[Any, Any], id: TaskId, round: int, errors: dict[TaskId, str]) -> TaskData:
    """The task that an entry of a plan becomes; if it cannot be run, `errors` gets the reason."""
    tool = clean(str(entry.get("tool") or ""))[:_MAX_NAME_CHARS]
    stored, wrong = entry.get("args"), ""
    args = data(dict(stored), None) if isinstance(stored, Mapping) else {}
    if args is None:
        wrong = f"its stored arguments are not JSON data, or exceed {MAX_LEVELS} levels"
    elif stored is not None and not isinstance(stored, Mapping):
        wrong = f"its stored arguments are {kind_of(stored)}, not an object"
    if is_pure(tool) and args and not isinstance(args.get("expression"), str):
        wrong = wrong or "its stored expression is not a string"
    # Whatever else a task has is kept: taint must not get lost here.
    others = (key for key in entry if isinstance(key, str) and key not in _RULED)
    more = {clean(key): data(entry[key], None) for key in others}
    task = TaskData(
        id=id,
        tool=tool,
        args=args,
        needs=_needs(entry.get("needs")),
        name=text_of(entry.get("name")),
        line=whole(entry.get("line")) or 0,
        source=text_of(entry.get("source")),
        round=min(whole(entry.get("round")) or round, round),
    )
    if entry.get("when") is not None:
        if (when := _when(entry["when"])) is not None:
            task["when"] = when
        else:
            wrong = wrong or 'its stored condition is not like {"id": 3, "holds": true}'
    task["key"] = text_of(entry.get("key")) or f"{task['round']}-{id}"
    if entry.get("taint") is not None:
        task["taint"] = text_of(entry["taint"])
    if rules := [name for name in STORED if name in _texts(entry.get("rules"))]:
        task["rules"] = rules
    for part in ("text", "error"):
        if said := text_of(entry.get(part)):
            task[part] = said
    if wrong:
        task["args"], task["text"] = {}, task.get("text") or f"{tool}(…)"
        errors[id] = wrong
    return cast(TaskData, {**more, **task})


def _needs(value: Any) -> list[TaskId]:
    """The ids that a task waits for, as far as they can be read."""
    if isinstance(value, str):
        value = value.replace(",", " ").split()
    elif not isinstance(value, list | tuple):
        value = [value]
    return [need for need in map(id_of, value) if need is not None]


def _when(value: Any) -> WhenData | None:
    """A condition, if it can be read."""
    id = id_of(value.get("id")) if isinstance(value, Mapping) else None
    if id is None:
        return None
    return WhenData(
        id=id, holds=value.get("holds") is not False, line=whole(value.get("line")) or 0
    )


def _texts(value: Any) -> list[str]:
    return [it for it in value if isinstance(it, str)] if isinstance(value, list | tuple) else []


def _free(used: set[int]) -> Iterator[int]:
    """Ids after all that are used, and then those between."""
    yield from range(max(used, default=0) + 1, MAX_ID + 1)
    yield from (id for id in range(1, MAX_ID + 1) if id not in used)


def _is_plan(plan: list[Any], round: int) -> bool:
    before: tuple[int, ...] = (0,)
    keys = set()
    loops = set[TaskId]()
    for task in plan:
        if type(task) is not dict:
            return False
        id, number, text = task.get("id"), task.get("round"), task.get("text", "")
        tool, needs = task.get("tool"), task.get("needs")
        if (
            not _is_id(id, loops)
            or not before < order_of(id)
            or type(number) is not int
            or not 0 < number <= round
            or type(tool) is not str
            or len(tool) > _MAX_NAME_CHARS
            or type(text) is not str
            or type(task.get("name")) is not str
            or type(task.get("source")) is not str
            or type(task.get("line")) is not int
            or type(task.get("error", "")) is not str
            or type(task.get("args")) is not dict
            or type(task.get("key")) is not str
            or task["key"] in keys
            or type(task.get("taint", "")) is not str
            or type(task.get("rules", [])) is not list
            or not all(name in STORED for name in task.get("rules", ()))
            or type(needs) is not list
            or not all(map(is_id, needs))
            or ("when" in task and task["when"] != _when(task["when"]))
            or not is_data(task, MAX_LEVELS + 1)
            or (is_pure(tool) and not (text or type(task["args"].get("expression")) is str))
        ):
            return False
        before = order_of(id)
        keys.add(task["key"])
        if tool == EACH:
            loops.add(id)
    return True


def _is_id(id: Any, loops: Collection[TaskId]) -> TypeGuard[TaskId]:
    if type(id) is int:
        return 0 < id <= MAX_ID
    return is_instance(id) and loop_of(id) in loops
