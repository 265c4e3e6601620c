"""Writes tasks as Python: `k2 = number(what="height in m", text=search(query="K2"))`.

For tasks without a statement that says what they do, such as those that a person has edited.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from llm_compiler.language.evaluation.references import PATTERN, id_of
from llm_compiler.language.tasks.task import ANSWER, EACH, TaskData, did_not_compile, is_pure
from llm_compiler.language.tasks.task_ids import PATTERN as INSTANCE
from llm_compiler.language.tasks.task_ids import TaskId
from llm_compiler.language.toolbox.signatures import python_name
from llm_compiler.text import shortened, truncated

MAX_STATEMENT_CHARS = 1000
_MAX_LABEL_CHARS = 80
_MAX_NESTED_CALLS = 3
_DOLLAR = re.compile(rf"\$(?:(\$)|(\d{{1,9}})|\(({INSTANCE})\))")


class Calls:
    """The tasks of a turn as code.

    Args:
        tasks: By id.
        short: The results that are short enough to take the place of a reference, as Python.
    """

    def __init__(self, tasks: Mapping[TaskId, TaskData], short: Mapping[TaskId, str]) -> None:
        self._tasks = {**tasks}
        self._short = short
        self._written: dict[TaskId, str] = {}

    def statement(self, id: TaskId) -> str:
        """A task as a statement."""
        name = self._tasks[id].get("name")
        return f"{name} = {self.call(id)}" if name else self.call(id)

    def by_place(self, id: TaskId) -> str:
        """As `statement`, for a task that calls a tool, with its arguments by their places."""
        task = self._tasks[id]
        values = ", ".join(self._value(it, 0) for it in task["args"].values())
        call = f"{task['tool']}({values})"
        return f"{name} = {call}" if (name := task.get("name")) else call

    def call(self, id: TaskId, depth: int = 0) -> str:
        """A task as a call, or as the expression that it computes."""
        if id not in self._written:
            task = self._tasks[id]
            if did_not_compile(task):
                text = task["text"]
            elif task["tool"] == EACH:
                text = self._loop(task["args"], depth)
            elif is_pure(task["tool"]):
                text = self.expression(str(task["args"].get("expression", "")), depth)
                text = f"{ANSWER}({text})" if task["tool"] == ANSWER else text
            else:
                args = task["args"].items()
                listed = ", ".join(f"{python_name(k)}={self._value(v, depth)}" for k, v in args)
                text = f"{task['tool']}({listed})"
            self._written[id] = truncated(text, MAX_STATEMENT_CHARS)
        return self._written[id]

    def _loop(self, args: Mapping[str, Any], depth: int) -> str:
        """A loop as a comprehension, or as a statement in one line."""
        head = f"for item in {self._value(args.get('items'), depth)}"
        body = [it for it in args.get("body", ()) if isinstance(it, dict) and "id" in it]
        self._tasks |= {it["id"]: it for it in body}
        if "value" in args:
            kept = args.get("keep")
            condition = f" if {self._result(kept, depth)}" if kept in self._tasks else ""
            return f"[{self._value(args['value'], depth)} {head}{condition}]"
        return f"{head}: {'; '.join(self.call(it['id'], depth + 1) for it in body)}"

    def label(self, id: TaskId) -> str:
        """A task as it is referred to in a sentence: its variable, or its call."""
        if id not in self._tasks:
            return f"${id}"
        return self._tasks[id].get("name") or shortened(self.call(id), _MAX_LABEL_CHARS)

    def expression(self, text: str, depth: int = 0) -> str:
        """An expression over results, in one line."""
        said = _DOLLAR.sub(
            lambda it: "$" if it[1] else self._result(it[3] or int(it[2]), depth), text
        )
        return truncated(" ".join(said.splitlines()), MAX_STATEMENT_CHARS)

    def _result(self, id: TaskId, depth: int) -> str:
        """What stands for the result of a task in code."""
        if id not in self._tasks:
            # An item, or a variable: `7[].0`, `7[].total`.
            return f"${id}" if isinstance(id, int) else _handed_out(id)
        if name := self._tasks[id].get("name"):
            return name
        if id in self._short:
            return self._short[id]
        return self.call(id, depth + 1) if depth < _MAX_NESTED_CALLS else "…"

    def _value(self, value: Any, depth: int) -> str:
        if isinstance(value, str):
            return self._text(value, depth)
        if isinstance(value, list):
            return f"[{', '.join(self._value(item, depth) for item in value)}]"
        if isinstance(value, dict):
            items = (f"{_quoted(k)}: {self._value(v, depth)}" for k, v in value.items())
            return f"{{{', '.join(items)}}}"
        return repr(value)

    def _text(self, text: str, depth: int) -> str:
        whole = PATTERN.fullmatch(text)
        if whole and not whole["dollar"]:
            path = (whole["inner"] or "") + whole["path"]
            return self._result(id_of(whole), depth) + path
        filled = False

        def part(found: re.Match[str]) -> str:
            nonlocal filled
            if found["dollar"]:
                return "$" + found["path"]
            id = id_of(found)
            if id not in self._tasks:
                return found.group()
            filled = True
            path = (found["inner"] or "") + found["path"]
            return f"{{{self._result(id, depth)}{path}}}"

        said = _quoted(PATTERN.sub(part, text) if "$" in text else text)
        return f"f{said}" if filled else said


def _handed_out(id: str) -> str:
    name = id.rpartition(".")[2]
    return "item" if name == "0" else name


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=not text.isprintable())
