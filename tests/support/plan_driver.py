"""Runs a program's tasks by the rules of scheduling, in a random order of finishing."""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

from llm_compiler.language import parts, task
from llm_compiler.language.budget import Budget, ComputeError
from llm_compiler.language.compute import evaluate
from llm_compiler.language.lowered import Answer, Hole, Refused
from llm_compiler.language.task import Task
from llm_compiler.language.task_ids import TaskId
from llm_compiler.language.toolbox import Toolbox
from llm_compiler.scheduling.effects import EffectOrder
from llm_compiler.scheduling.facts import (
    Compute,
    Computed,
    Fact,
    Launch,
    PlanEnded,
    Planned,
    Returned,
    TakenOver,
)
from llm_compiler.scheduling.schedule import Schedule

FAILED = object()
_REFERENCE = re.compile(r"\$(\d+)((?:\.\w+|\[-?\d+\]|\[\"[^\"]*\"\])*)")
_STEP = re.compile(r"\.(\w+)|\[(-?\d+)\]|\[\"([^\"]*)\"\]")


@dataclass
class Ran:
    """How the tasks ended, and what they did."""

    results: dict[TaskId, Any] = field(default_factory=dict)
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
    tools: Toolbox,
    functions: Mapping[str, Callable[..., Any]],
    random: Random,
) -> Ran:
    """Run a program's tasks by the rules of scheduling, what happens next always by chance."""
    ran, order = Ran(), EffectOrder(tools)
    schedule = Schedule(tools, max_parallel=random.randint(1, 4))
    coming: list[Fact] = [
        *(Planned(order.ordered(_planned(it))) for it in tasks),
        PlanEnded(),
        TakenOver(),
    ]
    going: list[Launch | Compute] = []
    while coming or going:
        if coming and (not going or random.random() < 0.6):
            fact = coming.pop(0)
        else:
            fact = _end(going.pop(random.randrange(len(going))), functions, tools, ran)
        going += [it for it in schedule.handle(fact) if isinstance(it, Launch | Compute)]
    assert schedule.finished
    ran.results = {id: it.value if it.ok else FAILED for id, it in schedule.outcomes.items()}
    return ran


def _planned(it: Task | Refused) -> Task | task.Refused:
    return task.Refused(it.id, "", str(it.diagnostic)) if isinstance(it, Refused) else it


def _end(
    order: Launch | Compute,
    functions: Mapping[str, Callable[..., Any]],
    tools: Toolbox,
    ran: Ran,
) -> Returned | Computed:
    """Carry an order out."""
    value, error = None, None
    try:
        if isinstance(order, Compute):
            value = evaluate(order.expression, order.results.__getitem__)
        else:
            if tools.rules(order.tool).writes:
                ran.effects.append(f"{order.tool}{json.dumps(list(order.args.values()))}")
            value = json.loads(json.dumps(functions[order.tool](**order.args)))
    except Exception as raised:
        error = str(raised)
    if isinstance(order, Compute):
        return Computed(order.number, order.id, value, error)
    return Returned(order.call, value, error)


def chunks(text: str, random: Random) -> list[str]:
    """`text` in pieces of random lengths, often of one character."""
    pieces = []
    while text:
        length = random.choice((1, 1, 1, 2, 3, 5, 8, 40))
        pieces.append(text[:length])
        text = text[length:]
    return pieces
