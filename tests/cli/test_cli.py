"""The command line against a scripted model server: in this process, as one, in a terminal (pty).

A process of its own takes seconds to import LangGraph, so only what needs one has one.
"""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest
from pydantic import ValidationError

from llm_compiler.cli.exit_status import DEBUG, explained
from llm_compiler.cli.program import app_for, open_what_is_closed
from llm_compiler.context import Context
from tests.bench.model_server import Reply, text_of
from tests.cli.program import ANSWER, PLAN, ROOT, Model, Run, Runner, Screen, told

# ── without a terminal ────────────────────────────────────────────────────────────────────────


@pytest.mark.slow
def test_piped_run_is_plain_lines(environment: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "llm_compiler", "what", "is", "ten", "times", "three?"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=30,
        cwd=ROOT,
        env=environment,
    )
    lines = done.stdout.splitlines()
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(r'k2 = search\("K2"\)  # k2\.md: K2 .*…  \(\S+ m?s\)', lines[0])
    assert lines[1] == "thirty = len(k2[:30])  # 30"
    assert lines[2:5] == ["", ANSWER, ""]
    assert re.fullmatch(
        r"2 tasks, 1 round, 2 model calls · tokens: planner \d+ in \d+ out, joiner \d+ in \d+ out"
        r" · .* s, one after another .*s",
        lines[5],
    )
    assert "\x1b" not in done.stdout


def test_words_without_quotes_are_one_question(run: Run, model: Model) -> None:
    run("--quiet", "models", "of", "the", "T", "Ford")
    assert text_of(model.asked[0][-1]) == "models of the T Ford"


@pytest.mark.parametrize("dash", [(), ("-",)], ids=["nothing", "a dash"])
def test_question_comes_from_standard_input(run: Run, model: Model, dash: tuple[str, ...]) -> None:
    done = run("--quiet", *dash, stdin="what is ten times three?\n")
    assert (done.exit_code, done.stdout) == (0, f"{ANSWER}\n")
    assert text_of(model.asked[0][-1]) == "what is ten times three?"


def test_json_is_the_final_state_and_nothing_else(run: Run) -> None:
    done = run("--json", "ten times three?")
    state = json.loads(done.stdout)
    assert state["outcomes"]["2"]["value"] == 30
    assert [message["type"] for message in state["messages"]] == [*("human", "ai", "tool", "ai")]
    assert state["messages"][-1]["content"] == ANSWER
    assert state["usage"]["planner"]["calls"] == 1
    assert done.stderr == ""


def test_plan_only_runs_nothing(run: Run, model: Model) -> None:
    done = run("--plan-only", "--json", "ten times three?")
    state = json.loads(done.stdout)
    assert done.exit_code == 0
    assert [(task["name"], task["line"], task["source"]) for task in state["plan"]] == [
        ("k2", 2, 'k2 = search("K2")'),
        ("thirty", 3, "thirty = len(k2[:30])"),
        ("", 4, "answer(thirty)"),
    ]
    assert state["outcomes"] == {}
    assert len(model.asked) == 1


def test_plan_only_is_the_program(run: Run, model: Model) -> None:
    assert run("--plan-only", "--quiet", "?").stdout == PLAN
    model.plan = f"```python\n{PLAN}```\nIt is short."
    assert run("--plan-only", "?").stdout.startswith(f"{PLAN}\n2 tasks, 1 round")


def test_plan_only_says_what_does_not_compile(run: Run, model: Model) -> None:
    model.plan = 'k2 = serch("K2")\nanswer(k2)\n'
    done = run("--plan-only", "?")
    assert done.exit_code == 0
    assert done.stdout.startswith(
        f'{model.plan}line 1: no function "serch"; did you mean "search"?\n'
        '    k2 = serch("K2")\n'
        "         ^^^^^\n"
    )


def test_thread_continues_a_conversation(run: Run, model: Model) -> None:
    run("--quiet", "--thread", "a", "ten times three?")
    model.answer = "It is 31."
    planned = run("--plan-only", "--quiet", "--thread", "a", "only planned?")
    run("--quiet", "--thread", "a", "and one more?")
    run("--quiet", "--thread", "b", "somewhere else?")
    said = ["\n".join(map(text_of, messages[1:])) for messages in model.asked]
    # The first turn and the third have two calls, the one that is only planned has one.
    assert "ten times three?" in said[2]
    assert planned.stdout == PLAN
    assert said[3] == f"ten times three?\n{ANSWER}\nand one more?"
    assert said[5] == "somewhere else?"


def test_timeline_is_drawn(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "turn.svg"
    assert run("--quiet", "--timeline", str(path), "ten times three?").exit_code == 0
    texts = [node.text for node in ElementTree.parse(path).iter()]
    shown = {"planner", 'k2 = search("K2")', "thirty = len(k2[:30])", "30", "joiner"}
    assert {"ten times three?", *shown} <= set(texts)


@pytest.mark.parametrize("given", [("--approve", "search"), ()])
def test_without_a_terminal_a_call_that_a_person_must_approve_waits(
    run: Run, given: tuple[str, ...]
) -> None:
    variables = {} if given else {"LLM_COMPILER_APPROVE": "search"}
    done = run("--quiet", *given, "ten times three?", **variables)
    assert (done.exit_code, done.stdout) == (3, "")
    begins, how = told(done).split("; in a terminal, run: ")
    assert begins == 'llm-compiler: a person must decide on search("K2")'
    # The turn was stored, though no conversation was named; here is no terminal either.
    again = run(*how.split()[1:], "--json", **variables)
    assert again.exit_code == 3
    assert again.stderr == done.stderr
    [asked] = json.loads(again.stdout)["interrupts"]
    assert asked["value"]["action_requests"][0]["name"] == "search"
    assert "(unfinished)" in run("threads").stdout


def test_turn_that_waits_is_not_stored_where_nothing_is(run: Run, tmp_path: Path) -> None:
    done = run("--quiet", "--approve", "search", "?", LLM_COMPILER_THREADS=":memory:")
    assert done.exit_code == 3
    assert done.stderr.endswith('decide on search("K2"); in a terminal, ask again\n')
    assert not (tmp_path / "state").exists()


def test_name_that_no_tool_has_is_an_error(run: Run) -> None:
    done = run("--approve", "serch", "ten times three?")
    assert done.exit_code == 2
    assert "serch" in done.stderr


def test_each_role_has_its_own_model(run: Run) -> None:
    roles = json.loads(
        run(
            *("models", "--json", "--model", "openai:a"),
            *("--planner-model", "openai:b", "--joiner-model", "openai:c"),
        ).stdout
    )["roles"]
    assert [row["value"] for row in roles[:2]] == ["openai:b", "openai:c"]


@pytest.mark.slow
def test_closed_pipe_ends_the_command_quietly(environment: dict[str, str]) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "llm_compiler", "ten times three?"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ROOT,
        env=environment,
    )
    assert process.stdout
    process.stdout.close()
    _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (1, b"")


# ── models ────────────────────────────────────────────────────────────────────────────────────


def test_models_shows_which_and_why(run: Run, model: Model) -> None:
    done = run("models", LLM_COMPILER_JOINER_MODEL="openai:other", LLM_COMPILER_LOCAL_MODEL="/no")
    lines = done.stdout.splitlines()
    assert done.exit_code == 0
    assert lines[0].split(maxsplit=2) == ["planner", "openai:scripted", "model is set"]
    assert lines[1].split(maxsplit=2) == ["joiner", "openai:other", "joiner_model is set"]
    assert any(line.startswith("local weights") and "no such file" in line for line in lines)
    assert any(line.startswith("local xllamacpp") for line in lines)
    assert model.asked == []


def test_models_as_json(run: Run) -> None:
    report = json.loads(run("models", "--json", "--model", "local").stdout)
    assert {row["value"] for row in report["roles"][:3]} == {"local"}


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://h.example/v1", "https://h.example/v1"),
        ("https://h.example?api_key=hidden", "https://h.example"),
        ("https://h.example/v1#key=hidden", "https://h.example/v1"),
        ("https://hidden@h.example/v1?key=hidden", "https://h.example/v1"),
        ("http://user:hid/den@h.example/v1", "http://h.example/v1"),
    ],
)
def test_models_shows_a_server_without_its_key(run: Run, url: str, shown: str) -> None:
    report = json.loads(run("models", "--json", OPENAI_BASE_URL=url).stdout)
    [server] = [row for row in report["roles"] if row["name"] == "server"]
    assert server["value"] == shown


# ── errors ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--max-parallel", "0", "?"], "--max-parallel"),
        (["--max-rounds", "many", "?"], "--max-rounds"),
        (["--documents", "/no/such/folder", "?"], "--documents"),
        (["--timeline", "/no/such/folder/a.svg", "?"], "--timeline"),
        (["--thread", "", "?"], "--thread"),
        (["--nonsense", "?"], "--nonsense"),
    ],
)
def test_wrong_use_names_the_option(arguments: list[str], named: str) -> None:
    done = Runner().invoke(app_for(arguments), arguments)
    assert done.exit_code == 2
    assert named in done.output


def test_no_question_shows_the_help() -> None:
    done = Runner().invoke(app_for([]), [], input="  \n")
    assert done.exit_code == 2
    assert "Usage" in done.output


@pytest.mark.parametrize("name", ["max_parallel", "max_rounds"])
def test_bounds_of_the_options_are_those_of_the_context(name: str) -> None:
    field = Context.model_json_schema()["properties"][name]
    shown = Runner().invoke(app_for([]), ["--help"], env={"COLUMNS": "200"}).output
    assert f"[{field['minimum']}<=x<={field['maximum']}]" in shown


@pytest.mark.parametrize(
    ("arguments", "variables", "line"),
    [
        ((), {"LLM_COMPILER_DEADLINE": "soon"}, "LLM_COMPILER_DEADLINE='soon'"),
        (("--model", "gpt"), {}, "the model 'gpt' has no provider"),
        (
            ("--thread", "a"),
            {"XDG_STATE_HOME": "/dev/null"},
            "conversations cannot be stored in /dev/null",
        ),
    ],
)
def test_missing_setup_is_one_line(
    run: Run, arguments: tuple[str, ...], variables: dict[str, str], line: str
) -> None:
    done = run(*arguments, "?", **variables)
    assert (done.exit_code, done.stdout) == (2, "")
    assert told(done).startswith("llm-compiler: ")
    assert line in told(done)


def test_model_that_refuses_prints_one_line_and_exits_with_1(run: Run, model: Model) -> None:
    model.plan = Reply(status=401)
    done = run("?")
    assert done.exit_code == 1
    assert "HTTP 401" in told(done)
    assert "sk-scripted-key" not in done.stderr


def test_turn_without_an_ok_task_exits_with_1(run: Run, model: Model) -> None:
    model.plan = "answer(1 / 0)"
    model.answer = "That cannot be computed."
    done = run("--quiet", "?")
    assert (done.exit_code, done.stdout) == (1, "That cannot be computed.\n")


@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        ("REPLAN: the height of K2", "Not found: the height of K2"),
        ("It is 4711.", "The joiner's model wrote here what no result has."),
        ("", "wrote nothing; use another model"),
    ],
)
def test_reply_that_is_no_answer_exits_with_1(
    run: Run, model: Model, answer: str, shown: str
) -> None:
    model.answer = answer
    done = run("--quiet", "--max-rounds", "1", "?")
    assert done.exit_code == 1
    assert shown in done.stdout


def test_arithmetic_beside_a_search_that_failed_exits_with_1(run: Run, model: Model) -> None:
    model.plan = 'a = search("Xanadu")\nb = 2 + 3\nanswer(f"{a} {b}")'
    done = run("--quiet", "--max-rounds", "1", "?")
    assert done.exit_code == 1
    assert "I found no answer" in done.stdout


def test_small_talk_exits_with_0(run: Run, model: Model) -> None:
    model.plan, model.answer = "You are welcome!", "You are welcome!"
    assert run("--quiet", "thanks!").exit_code == 0


def test_direct_answer_exits_with_0(run: Run, model: Model) -> None:
    model.plan = 'answer("Hello!")'
    done = run("Hello")
    assert (done.exit_code, done.stdout.splitlines()[0]) == (0, "Hello!")


def test_unexpected_error_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv(DEBUG, raising=False)
    assert explained(RuntimeError("two\nlines")) == 1
    assert capsys.readouterr().err == "llm-compiler: RuntimeError: two lines\n"


def test_unexpected_error_has_a_traceback_on_request(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(DEBUG, "1")
    assert explained(RuntimeError("no")) == 1
    assert "RuntimeError: no" in capsys.readouterr().err


def test_setting_that_is_refused_names_its_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValidationError) as refused:
        Context(max_parallel=0)
    assert explained(refused.value) == 2
    assert capsys.readouterr().err.startswith("llm-compiler: --max-parallel 0: ")


@pytest.mark.parametrize("arguments", [["--help"], ["--max-rounds", "0", "?"]])
def test_help_and_wrong_use_do_not_wait_for_langgraph(arguments: list[str]) -> None:
    program = (
        "import sys; from typer.testing import CliRunner\n"
        "from llm_compiler.cli.program import app_for\n"
        f"CliRunner().invoke(app_for({arguments!r}), {arguments!r})\n"
        "sys.exit('langchain_core' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, timeout=30).returncode == 0


# ── in a terminal ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.slow
def test_live_display_ends_with_plan_answer_and_totals(screen: Callable[..., Screen]) -> None:
    live = screen("ten times three?")
    assert live.end() == 0
    lines = [line.strip() for line in live.plain.splitlines()]
    assert any(line.startswith('✓  k2 = search("K2")      k2.md: K2 K2,') for line in lines)
    assert any(line == "=  thirty = len(k2[:30])  30" for line in lines)
    assert re.search(rf"\n\s+{ANSWER}\s+2 tasks, 1 round, 2 model calls[^✓]*$", live.plain)
    assert "starting" in live.plain
    assert live.text.rindex("\x1b[?25h") > live.text.rindex("\x1b[?25l")  # the cursor is back


@pytest.mark.slow
@pytest.mark.alone
def test_ctrl_c_while_starting(screen: Callable[..., Screen]) -> None:
    live = screen("ten times three?")
    live.read_until("starting")
    status, took = live.interrupt()
    assert status == 130
    assert took < 1.5
    assert "Traceback" not in live.text


@pytest.mark.slow
@pytest.mark.alone
def test_ctrl_c_stops_at_once_with_one_line_and_the_timeline(
    screen: Callable[..., Screen], model: Model, tmp_path: Path
) -> None:
    model.plan = Reply(PLAN, stall_after=PLAN.index("thirty"))
    live = screen("--timeline", str(tmp_path / "turn.svg"), "ten times three?")
    live.read_until(r'✓  k2 = search\("K2"\)')
    status, took = live.interrupt()
    assert status == 130
    assert took < 1.5
    after = live.text[live.text.rindex("\x1b[?25h") :]
    assert re.search(r"llm-compiler: stopped after [\d.]+ s\r\n$", after)
    assert "Traceback" not in live.text
    texts = [node.text for node in ElementTree.parse(tmp_path / "turn.svg").iter()]
    assert 'k2 = search("K2")' in texts


@pytest.mark.slow
@pytest.mark.alone
def test_approval_is_asked_at_the_terminal(screen: Callable[..., Screen], model: Model) -> None:
    model.plan = 'a = search("K2")\nb = search("Denali")\nc = search(a[:2])\nanswer(c)\n'
    live = screen("--thread", "a", "ten times three?", LLM_COMPILER_APPROVE="search")
    live.read_until(r'\nsearch\("K2"\)(.|\n)*Run it\? y, n or e .*: $')
    live.type("y\n")
    live.read_until(r'\nsearch\("Denali"\)(.|\n)*Run it\? y, n or e .*: $')
    live.type("n\n")
    live.read_until(r'\nsearch\("k2"\)(.|\n)*Run it\? y, n or e .*: $')
    status, took = live.interrupt()
    assert status == 130
    assert took < 1.5
    assert re.search(r"✓  a = .*\r\n  ✗  b = .*the person at the terminal said no", live.plain)
    assert "stopped after" in live.plain


def test_an_empty_question_is_refused(run: Run, model: Model) -> None:
    done = run("")
    assert (done.exit_code, model.asked) == (2, [])
    assert "the question is empty" in done.stderr


def test_streams_that_a_shell_has_closed_are_opened_onto_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(sys, name, None)
    open_what_is_closed()
    opened = sys.stdin, sys.stdout, sys.stderr
    try:
        assert [stream.isatty() for stream in opened] == [False] * 3
        assert sys.stdin.read() == ""
        print("nowhere")
    finally:
        for stream in opened:
            stream.close()
