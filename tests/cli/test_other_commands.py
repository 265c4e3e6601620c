"""What is a command and what a question; `library`, `stop`, `--keep`, the timeline's formats."""

import json
from pathlib import Path

import pytest

from llm_compiler.cli import timeline_file
from llm_compiler.cli.ask import app as question
from llm_compiler.cli.command_names import misspelt
from llm_compiler.cli.commands import app as command
from llm_compiler.cli.keeping import KEEP, keep_seconds
from llm_compiler.cli.program import app_for
from llm_compiler.cli.report import Report
from llm_compiler.cli.wording import duration
from tests.cli.program import Model, Run, told

# ── which command ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "arguments",
    [
        "chat",
        "chat --thread a",
        "models --json",
        "stop",
        "threads",
        "threads -h",
        "threads list",
        "threads show a",
        "threads delete a b c",
        "threads shwo a",
        "library",
        "library k2",
        "library k2 --documents .",
        "library --documents . k2",
    ],
)
def test_name_alone_or_before_what_it_takes_is_a_command(arguments: str) -> None:
    assert app_for(arguments.split()) is command


@pytest.mark.parametrize(
    "arguments",
    [
        "",
        "-h",
        "chat with me about K2",
        "models of the T Ford",
        "stop the clock",
        "threads of silk per cocoon",
        "library of Alexandria size",
        "--quiet models of the T Ford",
        "-- chat",
        "chats",
    ],
)
def test_everything_else_is_a_question(arguments: str) -> None:
    assert app_for(arguments.split()) is question


def test_command_behind_its_options_is_told(run: Run, model: Model) -> None:
    done = run("--model", "openai:a", "models")
    assert done.exit_code == 2
    assert "write the command first: llm-compiler models" in done.output
    assert model.asked == []


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        *(("chta", "chat"), ("cht", "chat"), ("stopq", "stop"), ("model", "models")),
        *(("librxry K2", "library"), ("theads show a", "threads"), ("treads", "threads")),
    ],
)
def test_misspelt_command_is_told_and_costs_nothing(arguments: str, name: str) -> None:
    assert misspelt(arguments.split()) == name


def test_what_is_told_of_a_misspelt_command(run: Run, model: Model) -> None:
    done = run("chta", "--keep", "0")
    assert done.exit_code == 2
    told = " ".join(done.output.replace("│", " ").split())
    assert 'no command "chta"; did you mean "chat"?' in told
    assert model.asked == []


@pytest.mark.parametrize(
    "words", ["hello", "Everest?", "what", "that", "chart", "chta?", "chta with me", "Hat", "7", ""]
)
def test_word_that_may_be_a_question_is_one(words: str) -> None:
    assert misspelt(words.split()) is None


@pytest.mark.parametrize("arguments", [["-h"], ["--help"]])
def test_help_names_the_commands_and_the_exit_statuses(run: Run, arguments: list[str]) -> None:
    done = run(*arguments)
    assert done.exit_code == 0
    for word in ("chat", "threads", "library", "models", "stop", "Exit status: 0 answered"):
        assert word in done.stdout


def test_version(run: Run) -> None:
    done = run("--version")
    assert done.exit_code == 0
    assert done.stdout.startswith("llm-compiler")


# ── library ───────────────────────────────────────────────────────────────────────────────────


def test_library_lists_what_can_be_asked(run: Run) -> None:
    shown = run("library").stdout
    assert "Mount Everest" in shown
    assert " pages in the shipped library. " in shown
    assert json.loads(run("library", "--json").stdout)["k2.md"] == "K2"


@pytest.mark.parametrize("name", ["K2", "k2", "k2.md", "Chogori"])
def test_library_shows_a_page_by_any_of_its_names(run: Run, name: str) -> None:
    assert run("library", name).stdout.startswith("# K2\n")


def test_library_of_a_folder(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    done = run("library", "--documents", str(folder))
    assert done.exit_code == 2
    assert "has no Markdown files" in told(done)
    (folder / "tea.md").write_text("# Green tea\n\nSteep it for two minutes.\n")
    assert run("library", "--documents", str(folder)).stdout.startswith("Green tea\n\n1 page in ")
    done = run("library", "--documents", str(folder), "grean tea leaf")
    assert done.exit_code == 2
    assert "did you mean 'Green tea'?" in done.stderr


# ── --keep, stop ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("90", 90),
        ("30s", 30),
        ("5m", 300),
        ("1.5h", 5400),
        (" 2 m ", 120),
        ("24h", 86400),
    ],
)
def test_time_to_keep(text: str, seconds: float) -> None:
    assert keep_seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "-1", "5x", "m", "25h", "1e9", "nan", "٣m", "5m5s"])
def test_what_is_no_time_to_keep_is_told(run: Run, text: str) -> None:
    with pytest.raises(ValueError, match="such as 30s, 5m, 1h or 0"):
        keep_seconds(text)
    done = run("--keep", text, "?")
    assert done.exit_code == 2
    assert "--keep" in done.output


def test_time_to_keep_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert keep_seconds(None) == 300
    monkeypatch.setenv(KEEP, "10s")
    assert keep_seconds(None) == 10
    assert keep_seconds("0") == 0
    monkeypatch.setenv(KEEP, "soon")
    with pytest.raises(ValueError, match=f"{KEEP}='soon' is not a time"):
        keep_seconds(None)


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(1, "1 second"), (90, "90 seconds"), (60, "1 minute"), (300, "5 minutes"), (7200, "2 hours")],
)
def test_time_in_words(seconds: float, told: str) -> None:
    assert duration(seconds) == told


def test_stop_without_a_kept_model(run: Run, tmp_path: Path) -> None:
    done = run("stop", XDG_CACHE_HOME=str(tmp_path))
    assert (done.exit_code, done.stdout) == (0, "no local model is loaded\n")


# ── the timeline's formats ────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", ["turn", "turn.pdf", "turn.svg.txt", "svg", ".svg"])
def test_other_ending_is_an_error_before_anything_runs(
    run: Run, model: Model, tmp_path: Path, name: str
) -> None:
    done = run("--timeline", str(tmp_path / name), "?")
    assert done.exit_code == 2
    assert "--timeline" in done.output
    assert model.asked == []


def test_page_is_drawn(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "turn.HTML"
    assert run("--quiet", "--timeline", str(path), "is 1 < 2?").exit_code == 0
    page = path.read_text("utf-8")
    assert page.startswith("<!doctype html>")
    assert "<title>is 1 &lt; 2?</title>" in page
    assert "<svg " in page


def test_picture_needs_its_library(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("sys.path", [])
    monkeypatch.delitem(__import__("sys").modules, "resvg_py", raising=False)
    why = timeline_file.why_not(tmp_path / "turn.png")
    assert why == "a .png needs resvg; run: pip install resvg-py, or choose .svg or .html"


def test_picture_is_drawn(tmp_path: Path) -> None:
    pytest.importorskip("resvg_py")
    path = tmp_path / "turn.png"
    if (why := timeline_file.why_not(path)) is not None:
        pytest.skip(why)  # no fonts
    timeline_file.write(path, Report())
    assert path.read_bytes().startswith(b"\x89PNG\r\n")
    # 900 pixels wide, drawn twice as large.
    assert int.from_bytes(path.read_bytes()[16:20]) == 1800
