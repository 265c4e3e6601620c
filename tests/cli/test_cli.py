"""The command line against a scripted model server: in this process, as one, in a terminal (pty).

A process of its own takes seconds to import LangGraph, so only what needs one has one.
"""

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from pydantic import ValidationError
from typer.testing import CliRunner, Result

from llm_compiler.cli.command import DEBUG, explained
from llm_compiler.cli.options import app
from llm_compiler.context import Context
from llm_compiler.prompting.templates import PLANNER
from tests.bench.model_server import Body, ModelServer, Reply, text_of

ROOT = Path(__file__).parents[2]
PLAN = """# one page, and how long its first words are
k2 = search("K2")
thirty = len(k2[:30])
answer(thirty)
"""
ANSWER = "It is 30."
Run = Callable[..., Result]


class Model:
    """What the scripted model says to planner and joiner, and what it was asked."""

    def __init__(self) -> None:
        self.plan: Reply | str = PLAN
        self.answer: Reply | str = ANSWER
        self.asked: list[list[dict[str, Any]]] = []

    def __call__(self, body: Body) -> Reply:
        self.asked.append(body["messages"])
        planning = text_of(body["messages"][0]).startswith(PLANNER.partition("{")[0])
        said = self.plan if planning else self.answer
        return said if isinstance(said, Reply) else Reply(said)


@pytest.fixture
def model() -> Model:
    return Model()


@pytest.fixture
def server(model: Model) -> Iterator[ModelServer]:
    with ModelServer(model, first_token=0, rate=None) as server:
        yield server


@pytest.fixture
def environment(server: ModelServer, tmp_path: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not _of_ours(name)}
    return kept | {
        "OPENAI_BASE_URL": server.base_url,
        "OPENAI_API_KEY": "sk-scripted-key",
        "LLM_COMPILER_MODEL": "openai:scripted",
        "HOME": str(tmp_path),
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "TERM": "xterm-256color",
        "PYTHONWARNINGS": "error",
    }


def _of_ours(name: str) -> bool:
    return name.startswith(("LLM_COMPILER", "OPENAI", "TAVILY", "LANG", "XDG")) or name in (
        "NO_COLOR",
        "FORCE_COLOR",
        "COLUMNS",
        "LINES",
    )


@pytest.fixture
def run(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Run:
    for name in filter(_of_ours, list(os.environ)):
        monkeypatch.delenv(name)

    def run(*arguments: str, stdin: str = "", **more: str) -> Result:
        return CliRunner().invoke(app, arguments, input=stdin, env=environment | more)

    return run


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


def test_question_comes_from_standard_input(run: Run, model: Model) -> None:
    done = run("--quiet", stdin="what is ten times three?\n")
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


def test_thread_without_a_terminal_rejects_what_needs_approval(run: Run) -> None:
    done = run("--json", "--thread", "a", "ten times three?", LLM_COMPILER_APPROVE="search")
    state = json.loads(done.stdout)
    assert state["outcomes"]["1"]["status"] == "rejected"
    assert "nobody could be asked" in state["outcomes"]["1"]["error"]
    assert done.exit_code == 1


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
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 2
    assert named in done.output


def test_no_question_shows_the_help() -> None:
    done = CliRunner().invoke(app, [], input="  \n")
    assert done.exit_code == 2
    assert "Usage" in done.output


@pytest.mark.parametrize("name", ["max_parallel", "max_rounds"])
def test_bounds_of_the_options_are_those_of_the_context(name: str) -> None:
    field = Context.model_json_schema()["properties"][name]
    shown = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "200"}).output
    assert f"[{field['minimum']}<=x<={field['maximum']}]" in shown


@pytest.mark.parametrize(
    ("arguments", "variables", "line"),
    [
        ((), {"LLM_COMPILER_DEADLINE": "soon"}, "LLM_COMPILER_DEADLINE='soon'"),
        (("--model", "gpt"), {}, "the model 'gpt' has no provider"),
        (("--thread", "a"), {"XDG_STATE_HOME": "/dev/null"}, "'a' cannot be stored in /dev/null"),
    ],
)
def test_missing_setup_is_one_line(
    run: Run, arguments: tuple[str, ...], variables: dict[str, str], line: str
) -> None:
    done = run(*arguments, "?", **variables)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith("llm-compiler: ")
    assert line in done.stderr
    assert done.stderr.count("\n") == 1


def test_model_that_refuses_prints_one_line_and_exits_with_1(run: Run, model: Model) -> None:
    model.plan = Reply(status=401)
    done = run("?")
    assert (done.exit_code, done.stderr.count("\n")) == (1, 1)
    assert "HTTP 401" in done.stderr
    assert "sk-scripted-key" not in done.stderr


def test_turn_without_an_ok_task_exits_with_1(run: Run, model: Model) -> None:
    model.plan = "answer(1 / 0)"
    model.answer = "That cannot be computed."
    done = run("--quiet", "?")
    assert (done.exit_code, done.stdout) == (1, "That cannot be computed.\n")


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
        "import sys; from typer.testing import CliRunner; from llm_compiler.cli.options import app;"
        f"CliRunner().invoke(app, {arguments!r}); sys.exit('langchain_core' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, timeout=30).returncode == 0


# ── in a terminal ─────────────────────────────────────────────────────────────────────────────


class Screen:
    """A program in a terminal of its own."""

    def __init__(self, environment: dict[str, str], *arguments: str) -> None:
        self.text = ""
        self._pid, self._terminal = pty.fork()
        if not self._pid:
            os.chdir(ROOT)
            environment = environment | {"COLUMNS": "100", "LINES": "30"}
            program = [sys.executable, "-m", "llm_compiler", *arguments]
            os.execve(sys.executable, program, environment)

    @property
    def plain(self) -> str:
        """Its text without what moves the cursor and sets colours."""
        return re.sub(r"\x1b\[[\d;?]*\w", "", self.text)

    def read_until(self, pattern: str, within: float = 20.0) -> None:
        """Read on until the pattern has been on the screen."""
        ends = time.monotonic() + within
        while not re.search(pattern, self.plain):
            left = ends - time.monotonic()
            assert left > 0, f"no {pattern!r} in {self.text!r}"
            if not self._read(left):
                assert re.search(pattern, self.plain), f"no {pattern!r} in {self.text!r}"

    def type(self, text: str) -> None:
        os.write(self._terminal, text.encode())

    def end(self) -> int:
        """Read to the end; return the exit status."""
        while self._read(20.0):
            pass
        os.close(self._terminal)
        _, status = os.waitpid(self._pid, 0)
        return os.waitstatus_to_exitcode(status)

    def interrupt(self) -> tuple[int, float]:
        """Press Ctrl-C; return the exit status and the seconds that it took."""
        began = time.monotonic()
        self.type("\x03")
        status = self.end()
        return status, time.monotonic() - began

    def kill(self) -> None:
        try:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
        except (ProcessLookupError, ChildProcessError):
            pass

    def _read(self, seconds: float) -> bool:
        if not select.select([self._terminal], [], [], seconds)[0]:
            return False
        try:
            data = os.read(self._terminal, 65536)
        except OSError:  # how Linux tells that the other side is closed
            return False
        self.text += data.decode(errors="replace")
        return bool(data)


@pytest.fixture
def screen(environment: dict[str, str]) -> Iterator[Callable[..., Screen]]:
    screens = []

    def screen(*arguments: str, **variables: str) -> Screen:
        screens.append(Screen(environment | variables, *arguments))
        return screens[-1]

    yield screen
    for one in screens:
        one.kill()


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
    live.read_until(r'\nsearch\("K2"\)(.|\n)*Run it\? y or n: $')
    live.type("y\n")
    live.read_until(r'\nsearch\("Denali"\)(.|\n)*Run it\? y or n: $')
    live.type("n\n")
    live.read_until(r'\nsearch\("k2"\)(.|\n)*Run it\? y or n: $')
    status, took = live.interrupt()
    assert status == 130
    assert took < 1.5
    assert re.search(r"✓  a = .*\r\n  ✗  b = .*the person at the terminal said no", live.plain)
    assert "stopped after" in live.plain
