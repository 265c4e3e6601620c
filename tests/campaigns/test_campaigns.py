"""The short form of each campaign, and what each would say if a promise broke.

The seeds are fixed: a test that fails now and then teaches people to run it again. Campaigns run
by hand draw a new seed each time.
"""

import asyncio
import os
import signal
import tempfile
import threading
import time
from pathlib import Path
from random import Random
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage

from tests.campaigns import (
    cancellations,
    deploys,
    fuzz,
    kills,
    language,
    soak,
    states,
    states_server,
    trials,
)
from tests.campaigns.dag import Step, ends, random_plan, value
from tests.campaigns.escapes import CANARY
from tests.campaigns.ledger import Ledger, Line
from tests.campaigns.leftovers import Leftovers, temporary_folder
from tests.campaigns.promises import judged
from tests.campaigns.restartable import ANSWER, Turn, models

pytestmark = pytest.mark.slow

SEED = 20
NEXT = HumanMessage("And now?", id="next")
CALLS = AIMessage("", id="c", tool_calls=[{"name": "f", "args": {}, "id": "1"}])
needs_sigkill = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")


@pytest.fixture
def said() -> list[str]:
    return []


# ── kills ─────────────────────────────────────────────────────────────────────────────────────


@needs_sigkill
def test_killed_turns_end_as_promised_with_sqlite(said: list[str]) -> None:
    report = kills.campaign(SEED, 6, said.append, "sqlite")
    assert not report.broken, report.text()
    assert report.figures["turns that held"] == 6


@needs_sigkill
@pytest.mark.server
def test_killed_turns_end_as_promised_with_postgres(said: list[str], postgres: str) -> None:
    report = kills.campaign(SEED, 6, said.append, "postgres", postgres)
    assert not report.broken, report.text()
    assert report.figures["turns that held"] == 6


@needs_sigkill
def test_turns_outlive_deploys_as_promised_with_sqlite(said: list[str]) -> None:
    report = deploys.campaign(SEED, 3, said.append, "sqlite")
    assert not report.broken, report.text()
    assert report.figures["turns that held"] == 3


@needs_sigkill
@pytest.mark.server
def test_turns_outlive_deploys_as_promised_with_postgres(said: list[str], postgres: str) -> None:
    report = deploys.campaign(SEED, 3, said.append, "postgres", postgres)
    assert not report.broken, report.text()
    assert report.figures["turns that held"] == 3


STEPS = [Step(1, "look", (), 1), Step(2, "pay", (1,), 1), Step(3, "write", (2,), 1)]
NOW = 1_700_000_000.5
MAYBE = "may have run: it began at 2023-11-14 22:13:20 UTC and its process ended before"


def line(what: str, id: int = 0, **more: Any) -> Line:
    return {"what": what, "at": NOW, "id": id, **more}


def outcomes(failed: tuple[int, ...] = ()) -> dict[str, Any]:
    return {
        str(id): {"status": status, "value": it, "error": MAYBE if status == "failed" else None}
        for id, (status, it) in ends([STEPS], failed).items()
    }


def ledger(*more: Line, failed: tuple[int, ...] = (), told: str = MAYBE) -> list[Line]:
    """The ledger of a turn in which all is well, with more lines before its end."""
    answer = line("answer", text=ANSWER, paired=True, outcomes=outcomes(failed))
    return [
        line("planner", round=1),
        line("checkpoint", checkpoint="a"),
        line("saved", round=1, checkpoint="a"),
        line("begin", 1),
        line("end", 1),
        line("journaled", 1, checkpoint="a"),
        line("begin", 2),
        *more,
        *([] if failed else [line("end", 2), line("begin", 3), line("end", 3)]),
        line("joiner", prompt=told),
        answer,
    ]


def test_a_ledger_in_which_all_is_well() -> None:
    assert judged([STEPS], ledger()).broken == []
    assert judged([STEPS], ledger(failed=(2,))).broken == []


@pytest.mark.parametrize(
    ("lines", "broken"),
    [
        (ledger(line("planner", round=1)), "the planner wrote round 1 again"),
        (ledger(line("begin", 1)), "task 1 ran again after it was journaled"),
        (ledger(line("begin", 2)), "task 2 is destructive and began 2 times"),
        (ledger()[:-1], "no answer came"),
        (ledger(failed=(2,), told="all is well"), "the joiner was not told of task 2"),
        (ledger()[:7] + ledger()[-2:], "task 2 was cut in the middle"),
        (ledger(failed=(1,)), "task 1 is not destructive"),
        ([*ledger()[:-1], {**ledger()[-1], "outcomes": {}}], "task 1 ended None"),
        ([*ledger()[:-1], {**ledger()[-1], "paired": False}], "a tool call has no tool message"),
    ],
    ids=lambda it: it if isinstance(it, str) else "",
)
def test_a_broken_promise_shows_in_the_ledger(lines: list[Line], broken: str) -> None:
    assert any(it.startswith(broken) for it in judged([STEPS], lines).broken)


def test_a_result_whose_checkpoint_was_not_written_may_be_lost() -> None:
    lines = ledger()
    del lines[1]  # the checkpoint
    assert judged([STEPS], [*lines[:6], line("begin", 1), *lines[6:]]).broken == []


@pytest.mark.parametrize("call", ["scan(13, [], 26)", "scan(id=13, inputs=[], milliseconds=26)"])
def test_the_joiner_asks_for_a_second_round_until_it_was_planned(tmp_path: Path, call: str) -> None:
    """A call that a person edited is shown with its arguments' names."""
    turn = next(
        it for n in range(99) if len((it := Turn(n, tmp_path / "l", "sqlite", "")).rounds) > 1
    )
    _, joiner = models(turn, Ledger(turn.ledger))
    first = f"{turn.rounds[0][0].target}{call}"
    assert joiner.reply(first).startswith("REPLAN")
    assert joiner.reply(f"{first}\n{turn.rounds[1][0].target}{call}") == ANSWER


def test_plans_end_as_their_steps_say() -> None:
    plan = random_plan(Random(SEED))
    assert any(step.inputs for step in plan)
    assert set(ends([plan], ()).values()) >= {("ok", value(1, []))}
    assert ends([STEPS], {2}) == {1: ("ok", 1), 2: ("failed", None), 3: ("skipped", None)}


# ── cancellations ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.alone
async def test_cancelled_runs_leave_nothing(said: list[str], tmp_path: Path) -> None:
    report = await cancellations.campaign(SEED, 30, said.append, tmp_path)
    assert not report.broken, report.text()
    assert sum(report.figures["runs cancelled"].values()) == 30


async def test_leftovers_are_listed() -> None:
    go = threading.Event()
    with temporary_folder() as folder:
        leftovers = Leftovers(folder)
        assert leftovers.found() == []
        task = asyncio.ensure_future(asyncio.Event().wait())
        server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
        thread = threading.Thread(target=go.wait)
        thread.start()
        with tempfile.NamedTemporaryFile():
            found = leftovers.found()
        task.cancel()
        server.close()
        go.set()
        thread.join()
    for kind in ("task", "thread", "open file", "open socket", "temporary file"):
        assert any(it.startswith(kind) for it in found), found


# ── fuzz ──────────────────────────────────────────────────────────────────────────────────────


def test_no_expression_escapes_math(said: list[str]) -> None:
    report = fuzz.campaign(SEED, 5000, said.append)
    assert not report.broken, report.text()
    assert report.figures["expressions"] == 5000


@pytest.mark.parametrize(
    ("evaluate", "broken"),
    [
        (lambda text: eval(text, {"__builtins__": __builtins__}), "it caused exec"),
        (lambda text: os.environ.setdefault(CANARY, "1"), "it had an effect outside"),
        (lambda text: float("nan"), "it came to nan"),
        (lambda text: 2**63, "it came to 9223372036854775808"),
        (lambda text: text, 'it came to "'),
        (lambda text: int("x"), "it raised ValueError"),
    ],
    ids=["eval", "effect", "nan", "long", "text", "error"],
)
def test_escapes_are_found(said: list[str], evaluate: Any, broken: str) -> None:
    report = fuzz.campaign(SEED, 1, said.append, evaluate=lambda text: evaluate(text))
    assert any(broken in it for it in report.broken), report.text()


def test_a_slow_expression_is_found(said: list[str]) -> None:
    def slow(text: str) -> int:
        end = time.thread_time() + 1.2 * trials.LIMIT
        while time.thread_time() < end:
            pass
        return 1

    report = fuzz.campaign(SEED, 1, said.append, evaluate=slow)
    assert any("ms each time" in it for it in report.broken)


# ── states ────────────────────────────────────────────────────────────────────────────────────


async def test_whatever_a_client_writes_the_next_message_is_answered(said: list[str]) -> None:
    report = await states.campaign(SEED, 100, said.append)
    assert not report.broken, report.text()
    assert report.figures["writes"] == 100


@pytest.mark.server
async def test_whatever_a_client_writes_over_http_the_next_message_is_answered(
    said: list[str],
) -> None:
    report = await states_server.campaign(SEED, 6, said.append)
    assert not report.broken, report.text()
    assert report.figures["writes"] == 6


@pytest.mark.parametrize(
    ("messages", "outcomes", "broken"),
    [
        ([], {}, "the message is not in the thread"),
        ([NEXT], {}, "the answer is HumanMessage"),
        ([NEXT, CALLS, AIMessage("Yes.", id="a")], {}, "its turn does not follow"),
        ([NEXT, AIMessage("No.", id="a")], {}, "the answer is AIMessage"),
        ([NEXT, AIMessage("Yes.", id="a")], {"1": {"status": "failed", "value": None}},
         "its outcomes are {'1': ('failed', None)}"),
    ],
)  # fmt: skip
def test_a_message_that_was_not_answered_is_found(
    messages: list[Any], outcomes: Any, broken: str
) -> None:
    found = [*states.answered_wrongly(messages, outcomes, answer="Yes.", ended={})]
    assert any(it.startswith(broken) for it in found), found


def test_a_message_that_was_answered_is_not_found() -> None:
    answered = [NEXT, AIMessage("Yes.", id="a")]
    assert [*states.answered_wrongly(answered, {}, answer="Yes.", ended={})] == []


# ── language ──────────────────────────────────────────────────────────────────────────────────


def test_no_expression_gets_out_of_compute(said: list[str]) -> None:
    report = language.try_expressions(SEED, 5000, said.append)
    assert not report.broken, report.text()
    assert report.figures["expressions"] == 5000


@pytest.mark.parametrize(
    ("evaluate", "broken"),
    [
        (lambda text: os.environ.setdefault(CANARY, "1"), "it had an effect outside"),
        (lambda text: float("nan"), "it came to nan"),
        (lambda text: [{"a": (1, 2)}], "it came to (1, 2)"),
        (lambda text: {(1,): 2}, "it came to (1,)"),
        (lambda text: int("x"), "it raised ValueError"),
    ],
    ids=["effect", "nan", "tuple", "key", "error"],
)
def test_what_gets_out_of_compute_is_found(said: list[str], evaluate: Any, broken: str) -> None:
    report = language.try_expressions(
        SEED, 1, said.append, evaluate=lambda text, result_of: evaluate("1 + 1")
    )
    assert any(broken in it for it in report.broken), report.text()


# ── soak ──────────────────────────────────────────────────────────────────────────────────────


async def test_turns_of_mixed_faults_end_as_they_must(said: list[str]) -> None:
    report = await soak.campaign(SEED, 200, said.append)
    assert not report.broken, report.text()
    assert report.figures["turns lost"] == 0
