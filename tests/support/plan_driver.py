"""Runs a program's tasks in a random order of finishing; writes in the order of the program."""

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from llm_compiler.language import parts
from llm_compiler.language.budget import Budget, ComputeError
from llm_compiler.language.compute import evaluate
from llm_compiler.language.lowered import Answer, Hole, Refused, Task

FAILED = object()
_REFERENCE = re.compile(r"\$(\d+)((?:\.\w+|\[-?\d+\]|\[\"[^\"]*\"\])*)")
_STEP = re.compile(r"\.(\w+)|\[(-?\d+)\]|\[\"([^\"]*)\"\]")


@dataclass
class Ran:
    """How the tasks ended, and what they did."""

    results: dict[int, Any] = field(default_factory=dict)
    effects: list[str] = field(default_factory=list)

    def value(self, template: Any) -> Any:
        """A template of arguments with its references filled; FAILED if one has failed."""
        if isinstance(template, list):
            values = [self.value(item) for item in template]
            return FAILED if FAILED in values else values
        if isinstance(template, dict):
            made = {name: self.value(item) for name, item in template.items()}
            return FAILED if FAILED in made.values() else made
        if isinstance(template, str) and (found := _REFERENCE.fullmatch(template)):
            value = self.results[int(found[1])]
            for step in _STEP.finditer(found[2]):
                if value is FAILED:
                    break
                key = int(step[2]) if step[2] else step[1] or step[3]
                try:
                    value = parts.part(value, key, Budget())
                except ComputeError:
                    return FAILED
            return value
        return template.replace("$$", "$") if isinstance(template, str) else template

    def said(self, answer: Answer) -> list[Any]:
        """The lines of an answer; FAILED for one that needs what has failed."""
        lines: list[list[Any]] = [[]]
        for part in answer.parts:
            if part == "\n":
                lines.append([])
            elif isinstance(part, Hole):
                value = self.value(part.value)
                lines[-1].append(FAILED if value is FAILED else part.text(value))
            else:
                lines[-1].append(part)
        return [FAILED if FAILED in line else "".join(line) for line in lines]


def run(
    tasks: Iterable[Task | Refused],
    reads: dict[str, Callable[..., Any]],
    writes: dict[str, Callable[..., Any]],
    random: Random,
) -> Ran:
    """Run each task when its needs have ended, the next one always by chance."""
    waiting = {task.id: task for task in tasks}
    ran = Ran()

    def is_ready(task: Task | Refused) -> bool:
        if isinstance(task, Task) and task.tool in writes:
            return not any(id < task.id for id in waiting)
        needs = task.needs if isinstance(task, Task) else ()
        return all(need in ran.results for need in needs)

    while waiting:
        task = random.choice([task for task in waiting.values() if is_ready(task)])
        del waiting[task.id]
        failed_before = any(value is FAILED for id, value in ran.results.items() if id < task.id)
        if isinstance(task, Refused) or (task.tool in writes and failed_before):
            ran.results[task.id] = FAILED
            continue
        ran.results[task.id] = _result(task, ran, {**reads, **writes}, task.tool in writes)
    return ran


def _result(task: Task, ran: Ran, tools: dict[str, Callable[..., Any]], is_write: bool) -> Any:
    if any(ran.results[need] is FAILED for need in task.needs):
        return FAILED
    try:
        if task.is_compute:
            return evaluate(task.args["expression"], ran.results.__getitem__)
        args = ran.value(dict(task.args))
        if args is FAILED:
            return FAILED
        if is_write:
            ran.effects.append(f"{task.tool}{json.dumps(list(args.values()))}")
        return json.loads(json.dumps(tools[task.tool](**args)))
    except Exception:
        return FAILED


def chunks(text: str, random: Random) -> list[str]:
    """`text` in pieces of random lengths, often of one character."""
    pieces = []
    while text:
        length = random.choice((1, 1, 1, 2, 3, 5, 8, 40))
        pieces.append(text[:length])
        text = text[length:]
    return pieces
