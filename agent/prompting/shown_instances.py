"""What a program with its results says of the instances of a loop: little, as there may be many."""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping

from llm_compiler.language.tasks.task import EACH, OutcomeData, TaskData
from llm_compiler.language.tasks.task_ids import TaskId, loop_of
from llm_compiler.scheduling.templates import args_template

_FIRST = re.compile(r"first \d[\d.\[\]]*\[(\d+)\](?:\.\d+)?: ")


class Instances:
    """The instances of loops that are not shown as statements of their own.

    Args:
        outcomes: Those of the state.
    """

    def __init__(self, outcomes: Mapping[str, OutcomeData]) -> None:
        self._outcomes = outcomes
        self._of: defaultdict[TaskId, list[TaskData]] = defaultdict(list)

    def add(self, task: TaskData) -> None:
        if (loop := loop_of(task["id"])) is not None:
            self._of[loop].append(task)

    def edited(self, tasks: Iterable[TaskData]) -> bool:
        """Whether a person gave an instance of one of these loops arguments of its own."""
        return any(
            _differs(task, body)
            for loop in tasks
            if loop["tool"] == EACH and "names" not in loop["args"]
            for body in loop["args"].get("body", ())
            for task in self._of[loop["id"]]
            if _template(task["id"]) == body["id"]
        )

    def rejected(self, loop: TaskId) -> str | None:
        """How many calls of a loop a person rejected, if any."""
        found = [self._outcomes.get(str(task["id"])) for task in self._of[loop]]
        errors = [it["error"] for it in found if it is not None and it["status"] == "rejected"]
        return f"{len(errors)} of {len(found)} rejected: {errors[0]}" if errors else None


def in_words(error: str) -> str:
    """The error of a loop without ids, which say nothing to a model."""
    return _FIRST.sub(lambda found: f"first iteration {int(found[1]) + 1}: ", error)


def _differs(task: TaskData, body: TaskData) -> bool:
    own = f"{loop_of(task['id'])}[]"
    index = _index(task["id"])

    def rename(id: str) -> TaskId:
        return f"{own[:-1]}{index}]{id[len(own) :]}"

    made = args_template(body["tool"], body["args"], own)(rename)
    return json.dumps(made) != json.dumps(task["args"])


def _index(id: TaskId) -> str:
    text = str(id)
    return text[text.rindex("[") + 1 : text.rindex("]")]


def _template(id: TaskId) -> str:
    text = str(id)
    return f"{text[: text.rindex('[')]}[{text[text.rindex(']') :]}"
