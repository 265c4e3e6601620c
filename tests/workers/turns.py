"""The turns of the proof: random plans, and a model whose replies follow from a turn's seed.

A question names its turn, so a reply that reaches the wrong run or worker shows in the answer.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from random import Random

from tests.bench.model_server import Body, Reply, by_role, text_of
from tests.campaigns.dag import Step, random_plan
from tests.campaigns.restartable import ANSWER, SECOND_ROUND
from tests.workers.book import Book

_TASKS, _MORE_TASKS = 8, 3
_LONGEST = 1500
"""Milliseconds that a call takes at most."""
_PIECE = 16
"""Characters of a token: long ones, so that two cores do more than read tokens."""
_ASKED = re.compile(r"Do turn (\d+)\.")


@dataclass(frozen=True)
class Turn:
    """A turn of a random plan. The same `seed` gives the same turn."""

    seed: int

    @property
    def question(self) -> str:
        return f"Do turn {self.seed}."

    @property
    def answer(self) -> str:
        return f"Turn {self.seed}: {ANSWER}"

    @cached_property
    def rounds(self) -> list[list[Step]]:
        """8 tasks; in every fourth turn the joiner asks for a second round of 3."""
        random = Random(self.seed)
        rounds = [random_plan(random, _TASKS)]
        if random.random() < 1 / 4:
            rounds.append(random_plan(random, _MORE_TASKS, behind=rounds[0]))
        return [
            [replace(step, milliseconds=random.randint(1, _LONGEST)) for step in steps]
            for steps in rounds
        ]

    def plan(self, round: int) -> str:
        """What the planner writes in a round, numbered from 1."""
        lines = [step.line().replace(step.call, self.call(step)) for step in self.rounds[round - 1]]
        return "".join(lines)

    def call(self, step: Step) -> str:
        """How the call of a step begins."""
        return f"{step.tool}({self.seed}, {step.id}, "


def script(book: Book) -> Callable[[Body], Reply]:
    """The models of all turns; each request is written into the book."""

    def plan(body: Body) -> Reply:
        turn, prompt = _asked(body)
        round = 2 if SECOND_ROUND in prompt else 1
        book.note({"run": turn.seed, "what": "planner", "round": round})
        return Reply(turn.plan(round), piece=_PIECE)

    def verdict(body: Body) -> Reply:
        turn, prompt = _asked(body)
        book.note({"run": turn.seed, "what": "joiner", "prompt": prompt})
        again = len(turn.rounds) == 2 and turn.call(turn.rounds[1][0]) not in prompt
        return Reply(f"REPLAN: {SECOND_ROUND}" if again else turn.answer, piece=_PIECE)

    return by_role({"Write a plan": plan, "Answer the question": verdict})


def _asked(body: Body) -> tuple[Turn, str]:
    prompt = "\n".join(text_of(message) for message in body["messages"])
    found = _ASKED.search(prompt)
    assert found, prompt
    return Turn(int(found[1])), prompt
