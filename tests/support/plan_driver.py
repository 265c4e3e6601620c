"""Runs a program's tasks by the rules of scheduling, in a random order of finishing."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from random import Random
from typing import Any

from llm_compiler.language.evaluation.budget import ComputeError, Missing, MissingError
from llm_compiler.language.evaluation.compute import evaluate
from llm_compiler.language.lowering.answers import answer_expression
from llm_compiler.language.lowering.lowered import Answer, Refused
from llm_compiler.language.tasks import task
from llm_compiler.language.tasks.task import Outcome, Task
from llm_compiler.language.tasks.task_ids import TaskId
from llm_compiler.language.toolbox.toolbox import Toolbox
from llm_compiler.scheduling.computing import gather
from llm_compiler.scheduling.effects import EffectOrder
from llm_compiler.scheduling.facts import (
    Computed,
    Continued,
    Fact,
    PlanEnded,
    Planned,
    Returned,
    TakenOver,
)
from llm_compiler.scheduling.filling import IN_LINE, fill
from llm_compiler.scheduling.orders import Compute, Continue, Fill, Gather, Launch
from llm_compiler.scheduling.schedule import Schedule
from llm_compiler.scheduling.steps import STEPS

Carried = Launch | Compute | Fill | Gather | Continue
"""The orders that something comes of."""


@dataclass
class Ran:
    """How the tasks ended, and what they did."""

    outcomes: Mapping[TaskId, Outcome] = field(default_factory=dict)
    effects: list[str] = field(default_factory=list)

    def value(self, expression: str) -> Any:
        """What an expression comes to.

        Raises:
            ComputeError: it has no value.
        """
        return evaluate(expression, self._found)

    def said(self, answer: Answer) -> Any:
        """What an answer says; None if it is not said.

        Raises:
            ComputeError: it needs what has failed.
        """
        if (when := answer.when) is not None and bool(self._condition(when.id)) != when.holds:
            return None
        return self.value(answer_expression(answer)) if answer.parts else None

    def _condition(self, id: TaskId) -> Any:
        outcome = self.outcomes[id]
        return outcome.value if outcome.ok else evaluate("$1", lambda _: Missing("it failed"))

    def _found(self, id: TaskId) -> Any:
        outcome = self.outcomes[id]
        return outcome.value if outcome.ok else Missing(f"{id} has no value")


def run(
    tasks: Iterable[Task | Refused],
    tools: Toolbox,
    functions: Mapping[str, Callable[..., Any]],
    random: Random,
    wasted: Set[TaskId] = frozenset(),
) -> Ran:
    """Run a program's tasks by the rules of scheduling, what happens next always by chance.

    Args:
        tasks: In the order of the program.
        tools: As the rules see them.
        functions: The tools' code.
        random: Chance.
        wasted: Reads that count for nothing.
    """
    ran = Ran()
    in_line = random.choice((0, IN_LINE))
    steps = random.choice((1, STEPS))
    schedule = Schedule(tools, max_parallel=random.randint(1, 4), in_line=in_line, steps=steps)
    coming: list[Fact] = [
        *map(Planned, _in_order(tasks, tools, wasted)),
        PlanEnded(),
        TakenOver(),
    ]
    going: list[Carried] = []
    while coming or going:
        if coming and (not going or random.random() < 0.6):
            fact = coming.pop(0)
        else:
            fact = _end(going.pop(random.randrange(len(going))), functions, tools, ran)
        going += [it for it in schedule.handle(fact) if isinstance(it, Carried)]
    assert schedule.finished
    ran.outcomes = schedule.outcomes
    return ran


def _in_order(
    tasks: Iterable[Task | Refused], tools: Toolbox, wasted: Set[TaskId]
) -> Iterator[Task | task.Refused]:
    order = EffectOrder(tools)
    for it in tasks:
        order.forget(wasted)
        yield order.ordered(_planned(it))


def _planned(it: Task | Refused) -> Task | task.Refused:
    return task.Refused(it.id, "", str(it.diagnostic)) if isinstance(it, Refused) else it


def _end(
    order: Carried,
    functions: Mapping[str, Callable[..., Any]],
    tools: Toolbox,
    ran: Ran,
) -> Fact:
    """Carry an order out."""
    if isinstance(order, Fill):
        return fill(order, tools)
    if isinstance(order, Gather):
        return gather(order)
    if isinstance(order, Continue):
        return Continued(order.id)
    value, error, skipped = None, None, False
    try:
        if isinstance(order, Compute):
            value = evaluate(order.expression, order.results.__getitem__)
        else:
            if tools.rules(order.tool).writes:
                ran.effects.append(f"{order.tool}{json.dumps(list(order.args.values()))}")
            value = json.loads(json.dumps(functions[order.tool](**order.args)))
    except ComputeError as raised:
        error, skipped = str(raised), isinstance(raised, MissingError) and raised.skips
    except Exception as raised:
        error = str(raised)
    if isinstance(order, Compute):
        return Computed(order.number, order.id, value, error, skipped=skipped)
    return Returned(order.call, value, error)


def chunks(text: str, random: Random) -> list[str]:
    """`text` in pieces of random lengths, often of one character."""
    pieces = []
    while text:
        length = random.choice((1, 1, 1, 2, 3, 5, 8, 40))
        pieces.append(text[:length])
        text = text[length:]
    return pieces
