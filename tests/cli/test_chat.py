"""`llm-compiler chat`: piped, and in a terminal."""

import re
from collections.abc import Callable

import pytest

from tests.bench.model_server import Reply, text_of
from tests.cli.program import ANSWER, PLAN, Model, Run, Screen


def test_each_line_is_a_question_of_one_conversation(run: Run, model: Model) -> None:
    done = run("chat", "--quiet", stdin="ten times three?\n\n  and one more?  \n")
    assert (done.exit_code, done.stdout, done.stderr) == (0, f"{ANSWER}\n{ANSWER}\n", "")
    # A turn has two calls.
    assert [text_of(message) for message in model.asked[2][-3:]] == [
        "ten times three?",
        ANSWER,
        "and one more?",
    ]


def test_conversation_goes_on_under_its_name(run: Run, model: Model) -> None:
    run("chat", "--quiet", "--thread", "a", stdin="ten times three?\n")
    run("chat", "--quiet", "--thread", "a", stdin="and one more?\n")
    assert "ten times three?" in [text_of(message) for message in model.asked[2]]
    assert run("threads").stdout.startswith("a ")


def test_error_of_a_turn_does_not_end_the_chat(run: Run, model: Model) -> None:
    model.plan = Reply(status=401)
    done = run("chat", "--quiet", stdin="ten times three?\nand one more?\n")
    assert (done.exit_code, done.stdout, done.stderr.count("HTTP 401")) == (0, "", 2)


def test_without_a_terminal_a_chat_ends_where_a_person_must_decide(run: Run) -> None:
    done = run("chat", "--quiet", "--approve", "search", "--thread", "a", stdin="one?\ntwo?\n")
    assert (done.exit_code, done.stdout) == (3, "")
    assert done.stderr.endswith(
        'decide on search("K2"); in a terminal, run: llm-compiler --thread a --approve search\n'
    )
    assert "1 question " in run("threads").stdout


@pytest.mark.slow
def test_ctrl_c_stops_an_answer_and_ctrl_d_leaves(
    screen: Callable[..., Screen], model: Model
) -> None:
    model.plan = Reply(PLAN, stall_after=PLAN.index("thirty"))
    live = screen("chat", "--thread", "a")
    live.read_until("› $")
    assert "Ctrl-C stops an answer, Ctrl-D leaves." in live.plain
    live.interrupt_prompt("› [^›]*› $")  # nothing runs: what was typed is dropped
    live.type("ten times three?\n")
    live.read_until(r"✓  k2 = search\(\"K2\"\)")
    live.type("\x03")
    live.read_until(r"llm-compiler: stopped after [\d.]+ m?s\s+› $")
    model.plan = PLAN
    live.type("again?\n")
    live.read_until(rf"{ANSWER}(.|\n)*one\s+after another(.|\n)*› $")
    live.type("\x04")
    assert live.end() == 0
    assert "Continue this conversation with: llm-compiler chat --thread a" in live.plain
    assert "Traceback" not in live.text


@pytest.mark.slow
def test_waiting_turn_is_decided_in_a_chat(
    screen: Callable[..., Screen], run: Run, model: Model
) -> None:
    run("--quiet", "--thread", "a", "--approve", "search", "ten times three?")
    live = screen("chat", "--thread", "a")
    live.read_until(r'\nsearch\("K2"\)(.|\n)*Run it\? y, n or e .*: $')
    live.type("e\n")
    live.read_until("New arguments.*: $")
    live.type("{no\n")
    live.read_until("That is not JSON(.|\n)*New arguments.*: $")
    live.type('{"query": "Denali"}\n')
    live.read_until(rf"✓  k2 = .*denali\.md(.|\n)*{ANSWER}(.|\n)*› $")
    live.type("exit\n")
    assert live.end() == 0
    assert re.search(r"Continuing thread 'a' after 1 question\b", live.plain)
