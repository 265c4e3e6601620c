"""What the campaign `deploys` would say if a promise broke."""

from typing import Any

import pytest

from tests.campaigns.dag import Step
from tests.campaigns.deploy_promises import Judge
from tests.campaigns.ledger import Line

PLAN = [
    Step(1, "browse", (), 1),
    Step(2, "pay", (), 1),
    Step(3, "mail", (1,), 1),
    Step(4, "look", (), 1),
]
TOOLS = {"browse": "open", "pay": "destroy", "mail": "write", "look": "read"}
ENDS = {1: 1, 2: 2, 3: 4, 4: 4}


def process(approve: tuple[str, ...] = (), trusted: tuple[str, ...] = (), **tools: str) -> Line:
    world = {"tools": {**TOOLS, **tools}, "approve": approve, "trusted_writes": trusted}
    return {"what": "process", "world": world}


def begin(id: int, milliseconds: int = 1) -> Line:
    inputs = [ENDS[need] for need in PLAN[id - 1].inputs]
    args = {"id": id, "inputs": inputs, "milliseconds": milliseconds}
    return {"what": "begin", "id": id, "args": args}


def asked(id: int) -> Line:
    return {"what": "asked", "calls": [begin(id)["args"]]}


def decided(id: int, kind: str) -> Line:
    return {"what": "decided", "calls": [begin(id)["args"]], "decisions": [{"type": kind}]}


def outcome(value: Any, status: str = "ok") -> dict[str, Any]:
    return {"tool": "look", "status": status, "value": value, "error": None}


def answer(**more: Any) -> Line:
    outcomes = {str(id): outcome(value) for id, value in ENDS.items()}
    ids = list(ENDS)
    calls = [f"call_x_{id}" for id in ids]
    line = {"what": "answer", "text": "Done.", "paired": True, "plan": ids, "calls": calls}
    return {**line, "outcomes": outcomes, **more}


PLANNED: list[Line] = [
    process(),
    {"what": "planner", "round": 1},
    {"what": "checkpoint", "checkpoint": "a"},
    {"what": "saved", "round": 1, "checkpoint": "a"},
]
ENDED: Line = {"what": "journaled", "id": 4, "checkpoint": "a", "ended": outcome(4)}
MAIL = [asked(3), decided(3, "approve"), begin(3)]


def test_a_ledger_in_which_all_is_well() -> None:
    lines = [*PLANNED, begin(1), begin(2), begin(4), ENDED, *MAIL, process(pay="read"), answer()]
    assert Judge([PLAN]).read(lines).broken == []


def test_what_began_for_a_plan_that_nobody_finds_may_begin_again() -> None:
    planner: Line = {"what": "planner", "round": 1}
    again = [process(), planner, begin(4), process(look="destroy"), *PLANNED[1:]]
    lines = [*again, begin(1), begin(2), begin(4), *MAIL, answer()]
    assert Judge([PLAN]).read(lines).broken == []


def test_a_rule_for_a_tool_that_was_not_there_when_it_was_planned_rules_nothing() -> None:
    without: Line = process(approve=("look",))
    del without["world"]["tools"]["look"]
    lines = [without, *PLANNED[1:], process(), begin(1), begin(2), begin(4), *MAIL, answer()]
    assert Judge([PLAN]).read(lines).broken == []


@pytest.mark.parametrize(
    ("lines", "broken"),
    [
        ([begin(2), begin(2)], "task 2 (pay) is destructive and began again"),
        ([begin(2), process(pay="read"), begin(2)], "task 2 (pay) is destructive and began again"),
        ([process(look="destroy"), begin(4), process(), begin(4)], "task 4 (look) is destructive"),
        ([begin(4), ENDED, process(), begin(4)], "task 4 ran again after it had ended"),
        ([{"what": "planner", "round": 1}], "the planner wrote round 1 again"),
        ([asked(2), decided(2, "reject"), begin(2)], "task 2 (pay) was rejected and ran"),
        ([asked(2), decided(2, "approve"), begin(2, 5)], "task 2 (pay) ran with"),
        ([asked(2), process(), begin(2)], "task 2 (pay) was asked about and ran undecided"),
        ([begin(3)], "task 3 (mail) had to ask when it was planned"),
        ([process(mail="read"), begin(3)], "task 3 (mail) had to ask when it was planned"),
        ([process(trusted=("mail",)), begin(3)], "task 3 (mail) had to ask when it was planned"),
        ([process(approve=("look",)), begin(4)], "task 4 (look) has to ask now"),
        ([ENDED, answer(outcomes={"4": outcome(5)})], "task 4 ended {"),
        ([ENDED, answer(outcomes={})], "the outcomes of [4] are lost"),
        ([answer(text="")], "the answer is empty"),
        ([answer(paired=False)], "a tool call has no tool message"),
        ([answer(calls=["call_x_1", "call_y_1"])], "the messages are of"),
        ([], "no answer came"),
    ],
    ids=lambda it: it if isinstance(it, str) else "",
)
def test_a_broken_promise_shows_in_the_ledger(lines: list[Line], broken: str) -> None:
    found = Judge([PLAN]).read([*PLANNED, *lines]).broken
    assert any(it.startswith(broken) for it in found), found


def test_what_a_planner_had_read_counts_in_its_round() -> None:
    rounds = [[PLAN[0]], [PLAN[1]]]
    read = [begin(1), {"what": "end", "id": 1}, {"what": "planner", "round": 2}]
    found = Judge(rounds).read([*PLANNED, *read, begin(2)]).broken
    assert "task 2 (pay) had to ask when it was planned, and ran unasked" in found
