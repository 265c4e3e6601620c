"""However much follows from one fact, one turn has little of it, and it comes to the same."""

from collections import deque
from collections.abc import Sequence

import pytest

from llm_compiler.language.tasks.task import Task
from llm_compiler.scheduling.facts import (
    Continued,
    DeadlinePassed,
    Decided,
    Decision,
    Fact,
    PlanBroke,
    PlanEnded,
    Planned,
    Returned,
    TakenOver,
)
from llm_compiler.scheduling.filling import fill
from llm_compiler.scheduling.orders import Cancel, Continue, Fill, Launch, Order
from llm_compiler.scheduling.schedule import Schedule
from llm_compiler.scheduling.steps import STEPS
from tests.support.turn import FakeTools

MANY = 500
TOOLS = FakeTools()


def call(id: int, *needs: int, tool: str = "read", x: object = None) -> Task:
    args = {"x": id + 100 if x is None else x, "from": [f"${it}" for it in needs]}
    return Task(id, tool, args, needs)


class Driver:
    """Carries the orders of a schedule out, calls only when a test says so."""

    def __init__(self, steps: int = STEPS) -> None:
        self.schedule = Schedule(TOOLS, max_parallel=4, steps=steps)
        self.running: dict[int, Launch] = {}
        self.orders: list[Order] = []
        self.most = 0
        """The most orders of one turn."""

    def tell(self, *facts: Fact) -> None:
        waiting = deque(facts)
        while waiting:
            orders = self.schedule.handle(waiting.popleft())
            self.most = max(self.most, len(orders))
            for order in orders:
                match order:
                    case Launch():
                        self.running[order.call] = order
                    case Cancel(call):
                        self.running.pop(call, None)
                    case Fill():
                        waiting.append(fill(order, TOOLS))
                    case Continue(id):
                        waiting.append(Continued(id))
                    case _:
                        self.orders.append(order)

    def to_the_end(self) -> None:
        while self.running:
            call = next(iter(self.running))
            self.running.pop(call)
            self.tell(Returned(call, "v"))
        self.schedule.validate()
        assert self.schedule.finished


FAN = [call(1), *(call(id, 1) for id in range(2, MANY))]
CHAIN = [call(1), *(call(id, id - 1) for id in range(2, MANY))]
SAME = [call(id, x=9) for id in range(1, MANY)]
OTHERS = [call(id) for id in range(1, MANY)]
ASKED = [call(id, tool="ask") for id in range(1, MANY)]
END = (PlanEnded(), TakenOver())
YES = tuple(Decision(it.id) for it in ASKED if isinstance(it.id, int))
NO = tuple(Decision(it.id, rejected="no") for it in ASKED if isinstance(it.id, int))
LONG: dict[str, tuple[Sequence[Task], Sequence[Fact]]] = {
    "a result that many wait for": (FAN, [*END, Returned(0, "v")]),
    "a failure that many wait for": (FAN, [*END, Returned(0, error="it failed")]),
    "a failure that a chain waits for": (CHAIN, [*END, Returned(0, error="it failed")]),
    "a result that many share": (SAME, [*END, Returned(0, "v")]),
    "the deadline": (OTHERS, [*END, DeadlinePassed(5)]),
    "the deadline of a chain": (CHAIN, [*END, DeadlinePassed(5)]),
    "a stream that broke": (FAN, [PlanBroke(), Planned(call(1)), *END]),
    "approval": (ASKED, [*END, Decided(YES)]),
    "rejection": (ASKED, [*END, Decided(NO)]),
    "approval before the start": (ASKED, [PlanEnded(), Decided(YES), TakenOver()]),
}


@pytest.mark.parametrize("kind", LONG)
def test_one_turn_has_little_of_what_follows(kind: str) -> None:
    plan, facts = LONG[kind]
    quick, whole = Driver(), Driver(steps=10**9)
    for it in quick, whole:
        it.tell(*map(Planned, plan))
        it.most = 0
        for fact in facts:
            it.tell(fact)
        it.to_the_end()
    assert {**quick.schedule.outcomes} == {**whole.schedule.outcomes}
    assert quick.orders == whole.orders
    assert quick.most <= 2 * STEPS
