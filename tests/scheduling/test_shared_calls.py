"""The calls alone: which equal calls run once, and which outlive their plan."""

import pytest

from llm_compiler.language.tasks.task import Outcome, Status
from llm_compiler.language.toolbox.tool_rules import ToolRules
from llm_compiler.scheduling.facts import Prior, Returned
from llm_compiler.scheduling.orders import Launch
from llm_compiler.scheduling.shared_calls import Call, SharedCalls

SHARED, ALONE = ToolRules(), ToolRules(writes=True)
ARGS = {"x": 5}


def add(calls: SharedCalls, owner: int, key: str = "read 5", rules: ToolRules = SHARED) -> Call:
    return calls.add("read", ARGS, key, rules, owner)


def prior(status: Status, error: str | None = None) -> Prior:
    return Prior.of(Outcome(1, "read", status, ARGS, error=error))


@pytest.fixture
def calls() -> SharedCalls:
    return SharedCalls()


def test_equal_call_is_found_by_its_key(calls: SharedCalls) -> None:
    call = add(calls, 1)
    assert calls.find("read 5") is call
    assert calls.find("read 6") is None


def test_equal_call_of_a_tool_that_shares_none_is_not_found(calls: SharedCalls) -> None:
    add(calls, 1, rules=ALONE)
    assert calls.find("read 5") is None


def test_rejected_call_is_found_even_of_a_tool_that_shares_none(calls: SharedCalls) -> None:
    calls.reject(add(calls, 1, rules=ALONE), "no")
    assert calls.find("read 5") is not None


def test_last_call_of_a_key_is_the_one_that_is_found(calls: SharedCalls) -> None:
    first, second = add(calls, 1), add(calls, 2)
    assert calls.find("read 5") is second
    calls.forget(first)
    assert calls.find("read 5") is second
    calls.forget(second)
    assert calls.find("read 5") is None
    assert not calls.known


def test_call_that_was_ok_in_an_earlier_round_is_found(calls: SharedCalls) -> None:
    call = calls.recall(prior("ok"), "read 5", SHARED)
    assert calls.find("read 5") is call
    assert call.ended


def test_call_that_failed_in_an_earlier_round_is_not_found(calls: SharedCalls) -> None:
    calls.recall(prior("failed", "no"), "read 5", SHARED)
    assert calls.find("read 5") is None


def test_call_that_was_rejected_in_an_earlier_round_is_found(calls: SharedCalls) -> None:
    call = calls.recall(prior("rejected", "no"), "read 5", ALONE)
    assert calls.find("read 5") is call
    assert call.rejected == "no"


def test_outcome_is_reused_by_all_but_the_first(calls: SharedCalls) -> None:
    call = add(calls, 1)
    call.owners.append(2)
    call.returned = Returned(0, "v", None, 1.0, 2.0, 3)
    assert call.outcome(1) == Outcome(1, "read", "ok", ARGS, "v", None, 1.0, 2.0, 3)
    assert call.outcome(2) == Outcome(2, "read", "ok", ARGS, "v", None, 1.0, 2.0, 3, reused=True)


def test_outcome_of_a_rejected_call(calls: SharedCalls) -> None:
    call = add(calls, 1)
    calls.reject(call, "no")
    assert call.outcome(1) == Outcome(1, "read", "rejected", ARGS, error="no")


def test_disowned_call_is_kept_if_it_was_launched(calls: SharedCalls) -> None:
    launched, waiting = add(calls, 1), add(calls, 2, "read 6")
    launched.launched_for = 1
    list(calls.disown({1, 2}))
    assert list(calls.known.values()) == [launched]
    assert calls.unclaimed == [Launch(0, 1, "read", ARGS)]
    assert calls.find("read 5") is launched
    assert calls.find("read 6") is None
    assert waiting.kept
    calls.validate()


def test_call_that_one_of_its_tasks_keeps_is_not_disowned(calls: SharedCalls) -> None:
    call = add(calls, 1)
    call.owners.append(2)
    list(calls.disown({1}))
    assert call.owners == [2]
    assert calls.find("read 5") is call
    assert calls.unclaimed == []


def test_kept_call_is_found_even_of_a_tool_that_shares_none(calls: SharedCalls) -> None:
    call = add(calls, 1, rules=ALONE)
    call.launched_for = 1
    list(calls.disown({1}))
    assert calls.find("read 5") is call


def test_invariants_catch_the_key_of_a_forgotten_call(calls: SharedCalls) -> None:
    del calls.known[add(calls, 1).number]
    with pytest.raises(AssertionError, match="key of the forgotten call 0"):
        calls.validate()
