"""Loops and conditions: one plain test a rule, then random plans against running them in order."""

from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_compiler.language.evaluation.budget import MissingError
from llm_compiler.language.evaluation.compute import evaluate
from llm_compiler.language.tasks.task import COMPUTE, Outcome, Task
from llm_compiler.language.tasks.task_ids import TaskId
from llm_compiler.language.toolbox.tool_rules import ToolRules
from llm_compiler.scheduling.computing import gather
from llm_compiler.scheduling.effects import EffectOrder
from llm_compiler.scheduling.facts import (
    Computed,
    Continued,
    Decided,
    Decision,
    Fact,
    Known,
    PlanBroke,
    PlanEnded,
    Planned,
    Prior,
    Returned,
    TakenOver,
)
from llm_compiler.scheduling.filling import fill
from llm_compiler.scheduling.iterations import HARD_MAX_INSTANCES
from llm_compiler.scheduling.orders import (
    Ask,
    Compute,
    Continue,
    Fill,
    Gather,
    Launch,
    Order,
    Settle,
)
from llm_compiler.scheduling.schedule import Schedule
from tests.support.cost import cost, grows_linearly
from tests.support.effects import RULES, Running, tools
from tests.support.loops import Lines, Writing, each, inner, made
from tests.support.strategies import MANY
from tests.support.turn import FakeTools


def computed(order: Compute) -> Computed:
    try:
        value = evaluate(order.expression, order.results.__getitem__)
    except MissingError as error:
        return Computed(order.number, order.id, None, str(error), skipped=error.skips)
    return Computed(order.number, order.id, value)


class Machine:
    """A schedule whose orders are carried out by hand: calls return when a test says so."""

    def __init__(self, *plan: Task, known: dict[TaskId, Known] | None = None, **more: Any) -> None:
        rules = FakeTools(more.pop("rules", RULES), refused=None)
        self._rules = rules
        self.schedule = Schedule(rules, max_parallel=more.pop("max_parallel", 99), **more)
        self.orders: list[Order] = []
        self.running: dict[TaskId, Launch] = {}
        order = EffectOrder(rules)
        for it in plan:
            self.tell(Planned(order.ordered(it), instances=known or {}))
        self.tell(PlanEnded(), TakenOver())

    def tell(self, *facts: Fact) -> None:
        waiting = list(facts)
        while waiting:
            orders = self.schedule.handle(waiting.pop(0))
            self.schedule.validate()
            self.orders += orders
            for it in orders:
                match it:
                    case Launch():
                        self.running[it.id] = it
                    case Compute():
                        waiting.append(computed(it))
                    case Gather():
                        waiting.append(gather(it))
                    case Fill():
                        waiting.append(fill(it, self._rules))
                    case Continue(id):
                        waiting.append(Continued(id))

    def end(self, id: TaskId, value: Any = None, error: str | None = None) -> None:
        self.tell(Returned(self.running.pop(id).call, value, error))

    def how(self, id: TaskId) -> tuple[str, Any]:
        it = self.schedule.outcomes[id]
        return it.status, it.value if it.ok else it.error

    def asked(self) -> Sequence[TaskId]:
        return [call.id for it in self.orders if isinstance(it, Ask) for call in it.calls]


def call(id: TaskId, tool: str = "see", x: Any = 1, **more: Any) -> Task:
    return made({"id": id, "tool": tool, "args": {"x": x, "from": []}, **more})


def computing(id: TaskId, expression: str, **more: Any) -> Task:
    return made({"id": id, "tool": COMPUTE, "args": {"expression": expression}, **more})


def over(items: Any, tool: str = "see", id: int = 2, **more: Any) -> Task:
    """A loop with one call for each item."""
    own = f"{id}[]"
    body = inner(own, tool, {"x": f"$({own}.0)", "from": []})
    return each(id, items, body, **{"value": f"$({own})", **more})


def when(id: TaskId, *, holds: bool = True) -> dict[str, Any]:
    return {"when": {"id": id, "holds": holds, "line": 4}}


# ── conditions ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("value", "taken"), [(1, True), ([], False), ("", False), ("0", True)])
@pytest.mark.parametrize("holds", [True, False])
def test_condition_is_read_as_python_reads_it(value: Any, taken: bool, holds: bool) -> None:
    it = Machine(call(1), call(2, "see", 2, **when(1, holds=holds)))
    assert [*it.running] == [1]
    it.end(1, value)
    if taken == holds:
        assert [*it.running] == [2]
    else:
        said = "false" if holds else "true"
        assert it.how(2) == ("skipped", f"condition on line 4 is {said}")
        assert it.schedule.outcomes[2].untaken


def test_what_a_condition_skips_skips_what_is_under_it_for_the_same_reason() -> None:
    plan = [call(1), computing(2, "$1", **when(1)), call(3, x=3, **when(2, holds=False))]
    it = Machine(*plan)
    it.end(1, 0)
    assert it.how(3) == ("skipped", "condition on line 4 is false")
    assert it.schedule.outcomes[3].untaken


def test_task_whose_condition_failed_is_skipped_like_any_other() -> None:
    it = Machine(call(1), call(2, x=2, **when(1)))
    it.end(1, error="no")
    assert it.how(2) == ("skipped", "needs 1, which failed")
    assert not it.schedule.outcomes[2].untaken


@pytest.mark.parametrize("first", [1, 2])
def test_condition_decides_before_what_else_is_needed(first: int) -> None:
    """In every order of finishing a task ends alike."""
    it = Machine(call(1), call(2, x=2), call(3, "see", "$2", **when(1)))
    for id in (first, 3 - first):
        it.end(id, *((0, None) if id == 1 else (None, "no")))
    assert it.how(3) == ("skipped", "condition on line 4 is false")


def test_task_whose_condition_holds_is_skipped_if_a_need_failed() -> None:
    it = Machine(call(1), call(2, x=2), call(3, "see", "$2", **when(1)))
    it.end(2, error="no")
    assert 3 not in it.schedule.outcomes
    it.end(1, 1)
    assert it.how(3) == ("skipped", "needs 2, which failed")


def test_value_of_the_branch_that_ran() -> None:
    plan = [call(1), call(2, x=2, **when(1)), call(3, x=3, **when(1, holds=False))]
    it = Machine(*plan, computing(4, "$2 if $1 else $3"))
    it.end(1, 0)
    it.end(3, "three")
    assert it.how(4) == ("ok", "three")


def test_read_that_failed_and_is_not_used_skips_nothing() -> None:
    """It was started early, and turned out to stand in the branch that is not taken."""
    it = Machine(call(1), call(2, x=2), computing(3, "$2 if $1 else 7"))
    it.end(2, error="no")
    it.end(1, 0)
    assert it.how(3) == ("ok", 7)


def test_call_that_refers_to_what_was_not_run_fails() -> None:
    it = Machine(call(1), call(2, x=2, **when(1)), call(3, x="$2"), call(4, "mail"))
    it.end(1, 0)
    why = "needs 2, which was not run (condition on line 4 is false)"
    assert it.how(3) == ("skipped", why)
    assert it.how(4) == ("skipped", "comes after 3, which was skipped")


def test_what_a_condition_skips_stops_no_write() -> None:
    it = Machine(call(1), call(2, "buy", 2, **when(1)), call(3, "mail", 3))
    it.end(1, 0)
    assert [*it.running] == [3]


def test_skipped_write_keeps_the_order_of_those_around_it() -> None:
    plan = [call(1), call(2, "mail", 2), call(3, "buy", 3, **when(1)), call(4, "mail", 4)]
    it = Machine(*plan)
    it.end(1, 0)
    assert [*it.running] == [2]
    it.end(2, error="no")
    assert it.how(3) == ("skipped", "condition on line 4 is false")
    assert it.how(4) == ("skipped", "comes after 2, which failed")


# ── loops ─────────────────────────────────────────────────────────────────────────────────────


def test_loop_makes_one_instance_for_each_item() -> None:
    it = Machine(call(1), over("$1"))
    it.end(1, ["a", "b"])
    assert [*it.running] == ["2[0]", "2[1]"]
    assert [launch.args["x"] for launch in it.running.values()] == ["a", "b"]
    it.end("2[1]", 1)
    it.end("2[0]", 0)
    assert it.how(2) == ("ok", [0, 1])


@pytest.mark.parametrize(
    ("items", "gone_through"),
    [({"a": 1, "b": 2}, ["a", "b"]), ('["x", "y"]', ["x", "y"]), ("ab", ["a", "b"]), ([], [])],
)
def test_loop_accepts_whatever_a_comprehension_accepts(items: Any, gone_through: list[Any]) -> None:
    it = Machine(call(1), over("$1"))
    it.end(1, items)
    assert [launch.args["x"] for launch in it.running.values()] == gone_through


@pytest.mark.parametrize("items", [7, None, True])
def test_loop_over_what_is_no_list_fails_and_says_what_it_is(items: Any) -> None:
    it = Machine(call(1), over("$1"))
    it.end(1, items)
    status, error = it.how(2)
    assert (status, "items to go through" in str(error)) == ("failed", True)


def test_empty_list_is_an_empty_result() -> None:
    assert Machine(over([])).how(2) == ("ok", [])


def test_text_that_looks_like_a_template_is_left_alone() -> None:
    body = inner("2[]", "see", {"x": "2[] $$(2[].0) $(2[].0)", "from": []})
    it = Machine(each(2, [5], body, value="$(2[])"))
    assert it.running["2[0]"].args["x"] == "2[] $(2[].0) 5"


def test_loop_with_a_longer_id_is_another_one() -> None:
    body = inner("2[]", "see", {"x": "$(12[].0)", "from": []})
    outer = each(12, ["a"], inner("12[].2", COMPUTE, {"expression": "1"}), value="a")
    assert Machine(outer).how("12[0].2") == ("ok", 1)
    assert "12[].0" in str(body)


def test_inner_loop_sees_the_item_and_the_variables_of_the_outer_one() -> None:
    leaf = inner("2[][]", COMPUTE, {"expression": "[$(2[].0), $(2[][].0)]"})
    nested = inner("2[]", "each", {"items": "$(2[].0)", "body": [leaf], "value": "$(2[][])"})
    it = Machine(each(2, [["a"], ["b", "c"]], nested, value="$(2[])"))
    found = [[[["a"], "a"]], [[["b", "c"], "b"], [["b", "c"], "c"]]]
    assert it.how(2) == ("ok", found)
    assert it.how("2[1][0]") == ("ok", [["b", "c"], "b"])


def test_variable_is_carried_from_one_iteration_to_the_next() -> None:
    body = inner("2[]", COMPUTE, {"expression": "$(2[].total) + $(2[].0)"})
    names = {"total": {"init": 1, "next": "2[]"}, "last": {"init": None, "next": "2[].0"}}
    plan = [computing(1, "10"), each(2, [1, 2, 3], body, names=names)]
    assert Machine(*plan).how(2) == ("ok", {"total": 16, "last": 3})
    assert Machine(plan[0], each(2, [], body, names=names)).how(2) == ("ok", {"total": 10})


def test_variable_that_was_not_assigned_says_so() -> None:
    names = {"total": {"init": None, "next": "2[].0"}}
    body = inner("2[]", "see", {"x": "$(2[].total)", "from": []})
    it = Machine(each(2, [5, 6], body, names=names))
    assert it.how("2[0]") == ("failed", '"total" was not assigned before the loop')
    assert it.running["2[1]"].args["x"] == 5


def test_items_that_are_not_kept_are_not_in_the_list() -> None:
    body = [
        inner("2[].1", COMPUTE, {"expression": "$(2[].0) > 1"}),
        inner("2[].2", "see", {"x": "$(2[].0)", "from": []}, **when("2[].1")),
    ]
    it = Machine(each(2, [1, 2, 3], *body, value="$(2[].2)", keep="2[].1"))
    assert [*it.running] == ["2[1].2", "2[2].2"]
    it.end("2[1].2", "b")
    it.end("2[2].2", "c")
    assert it.how(2) == ("ok", ["b", "c"])


def test_loop_says_how_many_iterations_failed_and_how_the_first_did() -> None:
    it = Machine(over([1, 2, 3]), call(3, "mail"))
    it.end("2[2]", error="late")
    it.end("2[1]", error="no stock")
    it.end("2[0]")
    assert it.how(2) == ("failed", "2 of 3 iterations failed, first 2[1]: no stock")
    assert it.how(3) == ("skipped", "comes after 2, which failed")


def test_rejected_instance_fails_the_loop_only_where_its_value_is_needed() -> None:
    for value, ended in (
        ("$(2[])", ("failed", "needs 2[0], which was rejected")),
        ("a", ("ok", ["a"])),
    ):
        it = Machine(over([7], "pay", value=value))
        assert it.asked() == ["2[0]"]
        it.tell(Decided((Decision("2[0]", rejected="no"),)))
        assert it.how(2) == ended


def test_loop_is_skipped_as_a_call_is() -> None:
    it = Machine(call(1), over("$1"), over("$2", id=3))
    it.end(1, error="no")
    assert it.how(2) == ("skipped", "needs 1, which failed")
    assert it.how(3) == ("skipped", "needs 2, which was skipped")


def test_loop_over_what_was_not_run_is_skipped_and_one_that_may_read_it_goes_on() -> None:
    unread = each(4, [1], inner("4[]", COMPUTE, {"expression": "$2 if 0 else 5"}), value="$(4[])")
    it = Machine(call(1), call(2, x=2, **when(1)), over("$2", id=3), unread)
    it.end(1, 0)
    why = "needs 2, which was not run (condition on line 4 is false)"
    assert it.how(3) == ("skipped", why)
    assert it.how(4) == ("ok", [5])


def test_loop_goes_on_without_what_only_its_body_may_read() -> None:
    body = inner("2[]", COMPUTE, {"expression": "$1 if $(2[].0) else 5"})
    it = Machine(call(1), each(2, [0, 1], body, value="a"), call(3, "mail"))
    it.end(1, error="no")
    assert it.how("2[0]") == ("ok", 5)
    assert it.how("2[1]") == ("skipped", "needs 1, which failed")
    why = "1 of 2 iterations failed, first 2[1]: needs 1, which failed"
    assert it.how(2) == ("failed", why)
    assert it.how(3)[0] == "skipped"


def test_variable_may_be_the_list_of_what_its_iterations_have() -> None:
    body = [
        inner("2[].1", COMPUTE, {"expression": "$(2[].0) > 1"}),
        inner("2[].2", COMPUTE, {"expression": "$(2[].0) * 2"}, **when("2[].1")),
    ]
    names = {"found": {"all": "2[].2"}, "last": {"init": None, "next": "2[].2"}}
    it = Machine(each(2, [1, 2, 3, 0], *body, names=names))
    assert it.how(2) == ("ok", {"found": [4, 6], "last": 6})


def test_write_does_not_come_after_a_read_that_was_only_wasted() -> None:
    order = EffectOrder(tools())
    order.ordered(call(1))
    order.forget({1})
    assert order.ordered(call(2, "mail")).needs == ()  # type: ignore[union-attr]


# ── limits ────────────────────────────────────────────────────────────────────────────────────


def test_loop_that_would_make_too_many_calls_makes_none() -> None:
    it = Machine(call(1), call(3), over("$1"), max_tasks=50)
    it.end(1, [*range(5000)])
    why = "line 1 would make 5,000 calls; max_tasks leaves 48"
    assert it.how(2) == ("failed", why)
    assert not [id for id in it.schedule.records if isinstance(id, str)]


def test_loops_share_what_max_tasks_leaves() -> None:
    it = Machine(over([1] * 6), over([1] * 6, id=3), max_tasks=10)
    assert it.how(3) == ("failed", "line 1 would make 6 calls; max_tasks leaves 4")


def test_calls_behind_a_loop_share_what_max_tasks_leaves() -> None:
    it = Machine(over([1] * 6), call(3), call(4), call(5), call(6), call(7), max_tasks=10)
    assert it.how(7)[0] == "failed"
    assert "more than 10 calls (max_tasks), those of its loops included" in str(it.how(7)[1])
    assert it.schedule.records[6].state in ("running", "sharing", "ready", "held")


def test_loop_that_may_end_early_says_how_many_calls_it_makes_at_most() -> None:
    body = inner(
        "2[].1",
        "see",
        {"x": "$(2[].0)", "from": []},
        when={"id": "2[].0", "holds": True, "line": 1},
    )
    it = Machine(each(2, [1] * 6, body), max_tasks=5)
    assert it.how(2) == ("failed", "line 1 would make up to 6 calls; max_tasks leaves 5")


def test_loop_comes_after_what_a_person_wrote_among_its_needs() -> None:
    for end in (Returned(0, 1), Returned(0, error="no")):
        schedule = Schedule(tools(), max_parallel=9)
        schedule.handle(Planned(call(1)))
        schedule.handle(Planned(replace(over([1, 2]), needs=(1,))))
        schedule.handle(PlanEnded())
        assert "2[0]" not in schedule.records
        schedule.handle(end)
        assert ("2[0]" in schedule.records) == (end.error is None)
    assert schedule.outcomes[2].error == "comes after 1, which failed"


def test_instance_comes_after_what_a_person_wrote_among_its_needs() -> None:
    later = Known(Task("2[1]", "see", {"x": 2, "from": []}, needs=("2[0]",)))
    schedule = Schedule(tools(), max_parallel=9)
    schedule.handle(Planned(over([1, 2]), instances={"2[1]": later}))
    assert [schedule.records[id].state for id in ("2[0]", "2[1]")] == ["running", "waiting"]
    schedule = Schedule(tools(), max_parallel=9)
    unknown = Known(Task("2[1]", "see", {"x": 2, "from": []}, needs=(9,)))
    schedule.handle(Planned(over([1, 2]), instances={"2[1]": unknown}))
    assert (
        schedule.outcomes["2[1]"].error == "no task has the id 9; take it out of the needs of 2[1]"
    )


def test_loop_that_has_begun_goes_on_whatever_the_limit_is_by_then() -> None:
    schedule = Schedule(tools(), max_parallel=9, max_tasks=1)
    schedule.handle(Planned(over([1, 2, 3]), allowed={2: 3}))
    assert schedule.records["2[2]"].state in ("running", "sharing")


def test_loop_that_only_computes_has_a_limit_too() -> None:
    body = inner("2[].1", COMPUTE, {"expression": "1"})
    it = Machine(call(1), each(2, "$1", body, value="a"))
    it.end(1, [0] * (HARD_MAX_INSTANCES + 1))
    assert it.how(2)[0] == "failed"
    assert "at most 100,000 are possible" in str(it.how(2)[1])


# ── order of effects, taint, asking ───────────────────────────────────────────────────────────


def test_writes_of_a_loop_happen_in_the_order_of_its_iterations() -> None:
    it = Machine(call(1, "mail"), over([7, 8], "buy"), call(3, "join", 3), call(4, "look", 4))
    for id in (1, "2[0]", "2[1]"):
        assert [*it.running] == [id]
        it.end(id)
    assert [*it.running] == [3, 4]


def test_reads_in_a_loop_do_not_wait_for_its_writes() -> None:
    body = [
        inner("2[].1", "see", {"x": "$(2[].0)", "from": []}),
        inner("2[].2", "mail", {"x": "$(2[].1)", "from": []}),
    ]
    it = Machine(each(2, [1, 2], *body, value="a"))
    assert [*it.running] == ["2[0].1", "2[1].1"]
    it.end("2[1].1")
    assert [*it.running] == ["2[0].1"]


def test_write_behind_a_failed_one_of_the_same_loop_is_skipped() -> None:
    it = Machine(over([7, 8], "buy"))
    it.end("2[0]", error="no")
    assert it.how("2[1]") == ("skipped", "comes after 2[0], which failed")


def test_write_behind_a_loop_without_items_waits_for_what_the_loop_waits_for() -> None:
    it = Machine(call(1, "mail"), over([], "buy"), call(3, "mail", 3))
    assert [*it.running] == [1]
    it.end(1, error="no")
    assert it.how(3) == ("skipped", "comes after 1, which failed")


def test_all_instances_that_need_a_person_are_in_one_question() -> None:
    it = Machine(over([*range(30)], "pay"))
    assert it.asked() == [f"2[{place}]" for place in range(30)]
    decisions = [
        Decision(
            id,
            args={"x": 99} if place % 3 == 0 else None,
            rejected="no" if place % 3 == 1 else None,
        )
        for place, id in enumerate(it.asked())
    ]
    it.tell(Decided(tuple(decisions)))
    done = []
    while it.running:
        [[id, launch]] = it.running.items()
        done.append(launch.args["x"])
        it.end(id)
    assert done == [99 if place % 3 == 0 else place for place in range(30) if place % 3 != 1]
    assert it.how("2[1]") == ("rejected", "no")


RULED = {
    **RULES,
    "browse": ToolRules(untrusted=True),
    "send": ToolRules(writes=True, guarded=True),
}


def why_asked(it: Machine) -> dict[TaskId, str]:
    return {
        id: why for order in it.orders if isinstance(order, Ask) for id, why in order.why.items()
    }


def test_untrusted_list_reaches_every_instance() -> None:
    body = inner("2[]", "send", {"x": "fixed", "from": []})
    it = Machine(call(1, "browse"), each(2, "$1", body, value="a"), rules=RULED)
    it.end(1, ["a"])
    assert why_asked(it) == {"2[0]": "the untrusted result of task 1 (browse) reaches it"}


def test_untrusted_condition_reaches_what_it_decides() -> None:
    it = Machine(call(1, "browse"), call(2, "send", "fixed", **when(1)), rules=RULED)
    it.end(1, True)
    assert why_asked(it) == {2: "the untrusted result of task 1 (browse) reaches it"}


def test_untrusted_result_inside_a_loop_reaches_what_uses_the_loop() -> None:
    it = Machine(over([1], "browse"), call(3, "send", "$2"), rules=RULED)
    it.end("2[0]", "a page")
    assert why_asked(it) == {3: "the untrusted result of task 2 (browse) reaches it"}


def test_trusted_instance_beside_an_untrusted_result_asks_nobody() -> None:
    body = inner("3[]", "send", {"x": "$(3[].0)", "from": []})
    it = Machine(call(1, "browse"), each(3, [1], body, value="$1"), rules=RULED)
    it.end(1, "a page")
    assert [*it.running] == ["3[0]"]


# ── breaking off, and what is known of instances ──────────────────────────────────────────────


def test_instances_are_forgotten_with_their_plan_and_their_calls_taken_over() -> None:
    schedule = Schedule(tools(), max_parallel=9)
    launches = [it for it in schedule.handle(Planned(over([5, 6]))) if isinstance(it, Launch)]
    orders = schedule.handle(PlanBroke())
    assert sorted(str(it.outcome.id) for it in orders if isinstance(it, Settle)) == [
        "2",
        "2[0]",
        "2[1]",
    ]
    orders = schedule.handle(Planned(over([5, 6], id=3)))
    assert not [it for it in orders if isinstance(it, Launch)]
    schedule.handle(PlanEnded())
    for it in launches:
        schedule.handle(Returned(it.call, it.args["x"]))
    assert schedule.outcomes[3].value == [5, 6]


def test_instance_that_ended_before_does_not_run_again() -> None:
    before = Outcome("2[0]", "mail", "ok", {"x": 7, "from": []}, "sent", attempts=1)
    it = Machine(over([7, 8], "mail"), known={"2[0]": Known(priors=(Prior.of(before),))})
    assert [*it.running] == ["2[1]"]
    it.end("2[1]", "too")
    assert it.how(2) == ("ok", ["sent", "too"])


def test_arguments_that_a_person_gave_an_instance_take_the_place_of_its_own() -> None:
    edited = Task("2[1]", "see", {"x": "edited", "from": []})
    it = Machine(over([7, 8]), known={"2[1]": Known(edited)})
    assert [launch.args["x"] for launch in it.running.values()] == [7, "edited"]


def test_longest_path_behind_an_instance_goes_first() -> None:
    plan = [over([1, 2]), *(call(id, x=id) for id in (3, 4)), call(5, x="$2"), call(6, x="$5")]
    it = Machine(*plan, max_parallel=1, early_start=False)
    order = []
    while it.running:
        [id] = it.running  # 6 is equal to an instance
        order.append(id)
        it.end(id, 1)
    assert order == ["2[0]", "2[1]", 5, 3, 4]


# ── any plan, in any order of finishing, against its lines run one after another ──────────────


@MANY
@given(st.integers(1, 9), st.integers(0, 2**32), st.integers(0, 2))
def test_results_and_effects_are_those_of_the_lines_one_after_another(
    size: int, seed: int, kills: int
) -> None:
    random = Random(seed)
    plan = Writing(random).plan(size)
    running = Running(plan, random, kills)
    running.run()
    right = Lines().run(plan)
    assert running.world.effects == right.world.effects
    for id, found in running.schedule.outcomes.items():
        it = right.ended[id]
        if running.said_no(id) and it.status == "skipped":
            assert found.status in ("skipped", "rejected")  # it was decided on before the failure
        else:
            assert (found.status, found.value, found.untaken) == (it.status, it.value, it.untaken)


# ── time ──────────────────────────────────────────────────────────────────────────────────────


def looped(size: int, tool: str) -> Machine:
    quiet = Machine.__new__(Machine)
    quiet.schedule = Schedule(tools(), max_parallel=16)
    waiting: list[Fact] = [Planned(over([*range(100, 100 + size)], tool)), PlanEnded(), TakenOver()]
    while waiting:
        for it in quiet.schedule.handle(waiting.pop()):
            if isinstance(it, Launch):
                waiting.append(Returned(it.call, 1))
            elif isinstance(it, Continue):
                waiting.append(Continued(it.id))
            elif isinstance(it, Gather):
                waiting.append(gather(it))
    assert quiet.schedule.outcomes[2].ok
    return quiet


@pytest.mark.parametrize("tool", ["see", "mail"])
@pytest.mark.slow
def test_time_is_linear_in_the_number_of_instances(tool: str) -> None:
    assert grows_linearly(lambda size: looped(size, tool))


def test_first_instance_starts_soon_after_its_list_is_there() -> None:
    def begin() -> float:
        schedule = Schedule(tools(), max_parallel=16)
        [launch] = schedule.handle(Planned(call(1)))
        schedule.handle(Planned(over("$1")))
        assert isinstance(launch, Launch)
        ended = Returned(launch.call, [*range(10_000)])
        took = cost(lambda: schedule.handle(ended))
        assert schedule.records["2[0]"].state == "running"
        return took

    assert min(begin() for _ in range(5)) < 0.005
