"""Stored conversations: listed, shown, deleted, and continued."""

import json
import stat
from pathlib import Path

import pytest

from tests.cli.program import ANSWER, Model, Run, told


def test_threads_are_listed_the_last_used_first(run: Run) -> None:
    for name in ("a", "b", "a"):
        run("--quiet", "--thread", name, "ten times\nthree?")
    listed = run("threads").stdout.splitlines()
    assert [line.split()[0] for line in listed] == ["a", "b"]
    assert "2 questions  ten times three?" in listed[0]
    assert "  1 question  " in listed[1]
    rows = json.loads(run("threads", "list", "--json").stdout)
    assert [(row["name"], row["questions"], row["unfinished"]) for row in rows] == [
        ("a", 2, False),
        ("b", 1, False),
    ]


def test_thread_is_shown_as_questions_and_answers(run: Run) -> None:
    run("--quiet", "--thread", "a", "ten times three?")
    assert run("threads", "show", "a").stdout == f"› ten times three?\n\n{ANSWER}\n\n"
    messages = json.loads(run("threads", "show", "a", "--json").stdout)
    assert [message["type"] for message in messages] == ["human", "ai", "tool", "ai"]


def test_deleted_thread_begins_anew(run: Run, model: Model) -> None:
    run("--quiet", "--thread", "a", "one?")
    run("--quiet", "--thread", "b", "two?")
    done = run("threads", "delete", "a", "b")
    assert (done.exit_code, done.stdout) == (0, "deleted thread 'a'\ndeleted thread 'b'\n")
    assert run("threads").stdout.startswith("there are no threads in ")
    run("--quiet", "--thread", "a", "three?")
    assert "one?" not in str(model.asked[-1])


@pytest.mark.parametrize("what", [("show", "holidais"), ("delete", "holidays", "holidais")])
def test_unknown_thread_is_an_error_and_nothing_is_deleted(run: Run, what: tuple[str, ...]) -> None:
    run("--quiet", "--thread", "holidays", "ten times three?")
    done = run("threads", *what)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr == (
        "llm-compiler: there is no thread 'holidais'; did you mean 'holidays'?\n"
    )
    assert "holidays" in run("threads").stdout


def test_without_any_thread_no_file_is_made(run: Run, tmp_path: Path) -> None:
    assert run("threads").exit_code == 0
    assert run("threads", "show", "a").exit_code == 2
    assert not (tmp_path / "state").exists()


def test_question_without_a_name_is_not_stored(run: Run, tmp_path: Path) -> None:
    assert run("--quiet", "ten times three?").exit_code == 0
    assert not (tmp_path / "state").exists()


def test_file_is_where_the_setting_says_and_only_for_its_user(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "elsewhere" / "t.sqlite"
    run("--quiet", "--thread", "a", "ten times three?", LLM_COMPILER_THREADS=str(file))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "a" in run("threads", LLM_COMPILER_THREADS=str(file)).stdout
    assert "no threads" in run("threads").stdout


def test_a_setting_stores_nothing(run: Run, tmp_path: Path) -> None:
    done = run("--quiet", "--thread", "a", "ten times three?", LLM_COMPILER_THREADS=":memory:")
    assert done.exit_code == 0
    assert not (tmp_path / "state").exists()


def test_going_on_needs_something_unfinished(run: Run) -> None:
    done = run("--thread", "a")
    assert done.exit_code == 2
    assert "there is no thread 'a'" in told(done)
    run("--quiet", "--thread", "a", "ten times three?")
    done = run("--thread", "a")
    assert done.exit_code == 2
    assert "thread 'a' has nothing unfinished; ask it a question" in done.stderr


def test_file_that_is_no_database_is_told(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("no database, but long enough to be read as one" * 100)
    done = run("threads", LLM_COMPILER_THREADS=str(file))
    assert done.exit_code == 2
    assert f"conversations cannot be stored in {file} (file is not a database)" in told(done)
