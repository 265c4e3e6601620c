"""The outcomes of a plan as the state holds them, which a person may have edited."""

from collections.abc import Mapping
from typing import Any, cast, get_args

from llm_compiler.errors import PlanError
from llm_compiler.language.evaluation.references import substitute
from llm_compiler.language.tasks.task import (
    EACH,
    MAX_LEVELS,
    Outcome,
    OutcomeData,
    Status,
    TaskData,
)
from llm_compiler.language.tasks.task_ids import TaskId, is_instance, root_of
from llm_compiler.run.stored_values import data, id_of, is_data, is_id, kind_of, text_of, whole
from llm_compiler.text import clean, quoted

_STATUSES: tuple[Status, ...] = get_args(Status)
_FIELDS = OutcomeData.__required_keys__
_BESIDE = OutcomeData.__optional_keys__
_MAX_EPOCH_SECONDS = 10**11
_MAX_ATTEMPTS = 10**6


def mended_outcomes(
    value: Any, plan: list[TaskData], errors: Mapping[TaskId, str]
) -> dict[str, OutcomeData]:
    """The stored outcomes by id, with those of the tasks that cannot be run.

    The key says which task an outcome is of. One that cannot be read is `failed`, so that no call
    is repeated because of it; `None` is not an outcome, and the call runs again.
    """
    tasks = {str(task["id"]): task for task in plan}
    sound = type(value) is dict and not errors and all(map(_is_outcome, value, value.values()))
    if sound and all(_is_made(it["id"], tasks) for it in value.values()):
        return cast(dict[str, OutcomeData], value)
    outcomes: dict[str, OutcomeData] = {}
    if isinstance(value, Mapping):
        # The well-formed key comes last, and replaces others with its number.
        for key in sorted(value, key=lambda key: key == str(whole(key))):
            if (id := id_of(key)) is not None and value[key] is not None:
                if is_instance(id) and not _is_made(id, tasks):
                    continue
                outcomes[str(id)] = _outcome(id, value[key], tasks.get(str(id)))
    elif value is not None:
        why = f"the stored outcomes are {kind_of(value)}, not an object by id"
        outcomes = {key: _failed(task, why) for key, task in tasks.items()}
    for key, outcome in outcomes.items():
        if outcome["args"] is None:
            # Without arguments of its own it is the outcome of the task as it is now.
            outcome["args"] = _filled(tasks[key], outcomes) if key in tasks else {}
    failed = {str(id): _failed(tasks[str(id)], why) for id, why in errors.items()}
    return {**failed, **outcomes}


def _outcome(id: TaskId, stored: Any, task: TaskData | None) -> OutcomeData:
    """An outcome; its `args` are None where those of the task are to be filled in."""
    if _is_outcome(str(id), stored):
        return cast(OutcomeData, stored)
    given: Mapping[Any, Any] = stored if isinstance(stored, Mapping) else {}
    status, wrong = given.get("status"), ""
    value, error = data(given.get("value"), _Unreadable), given.get("error")
    if stored is not given:
        wrong = f"the stored outcome is {kind_of(stored)}, not an object"
    elif status not in _STATUSES:
        wrong = f"the stored outcome has the status {quoted(str(status))}"
    elif value is _Unreadable:
        wrong = f"the stored value is not JSON data, or exceeds {MAX_LEVELS} levels"
    if wrong:
        status, value, error = "failed", None, f"{wrong}; it cannot be read"
    elif status != "ok" and error is None:
        error = "no reason is stored"
    tool = given.get("tool")
    args = data(given.get("args"), None)
    outcome = OutcomeData(
        id=id,
        tool=clean(tool) if isinstance(tool, str) else task["tool"] if task else "",
        args=args if isinstance(args, dict) else cast(Any, None),
        status=cast(Status, status),
        value=value,
        error=None if error is None else text_of(error),
        started_at=_time(given.get("started_at")),
        ended_at=_time(given.get("ended_at")),
        attempts=min(whole(given.get("attempts")) or 0, _MAX_ATTEMPTS),
        reused=given.get("reused") is True,
    )
    if status == "skipped" and given.get("untaken") is True:
        outcome["untaken"] = True
    return outcome


def _is_made(id: TaskId, tasks: Mapping[str, TaskData]) -> bool:
    """Whether a task may be there: an instance needs its loop."""
    if isinstance(id, int):
        return True
    loop = tasks.get(str(root_of(id)[0]))
    return loop is not None and loop["tool"] == EACH


class _Unreadable:
    """Replaces a value that is not data."""


def _is_outcome(key: Any, outcome: Any) -> bool:
    if type(outcome) is not dict or outcome.keys() - _BESIDE != _FIELDS:
        return False
    id, status, error = outcome["id"], outcome["status"], outcome["error"]
    attempts, skipped = outcome["attempts"], status == "skipped"
    return (
        is_id(id)
        and key == str(id)
        and status in _STATUSES
        and type(outcome["tool"]) is str
        and type(outcome["args"]) is dict
        and (type(error) is str or (error is None and status == "ok"))
        and _is_time(outcome["started_at"])
        and _is_time(outcome["ended_at"])
        and type(attempts) is int
        and 0 <= attempts <= _MAX_ATTEMPTS
        and type(outcome["reused"]) is bool
        and ("untaken" not in outcome or (skipped and outcome["untaken"] is True))
        and _is_command(outcome.get("command", {}))
        and is_data(outcome, MAX_LEVELS + 1)
    )


def _is_command(stored: Any) -> bool:
    """Whether it is what a tool wanted beside its result (`execution/tool_result.py`)."""
    if type(stored) is not dict or not stored.keys() <= {"messages", "handoff"}:
        return False
    messages, handoff = stored.get("messages", []), stored.get("handoff", {})
    return (
        type(messages) is list
        and all(type(it) is str for it in messages)
        and type(handoff) is dict
        and (not handoff or handoff.keys() == {"goto", "update"})
    )


def _failed(task: TaskData, why: str) -> OutcomeData:
    return Outcome(task["id"], task["tool"], "failed", task["args"], error=why).data()


def _filled(task: TaskData, outcomes: Mapping[str, OutcomeData]) -> dict[str, Any]:
    """A task's arguments with its references filled in, as far as that can be done."""
    try:
        filled: dict[str, Any] = substitute(
            task["args"], lambda id: outcomes[str(id)]["value"], lambda id: id in task["needs"]
        )
    except (PlanError, KeyError):
        return task["args"]
    return filled


def _time(value: Any) -> float | None:
    return value if _is_time(value) else None


def _is_time(value: Any) -> bool:
    if value is None or type(value) not in (int, float):
        return value is None
    return bool(0 <= value < _MAX_EPOCH_SECONDS)
