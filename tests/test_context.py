"""The settings of a run: what is passed beats the environment, which beats the default."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from llm_compiler.context import PREFIX, Context
from llm_compiler.errors import SetupError
from llm_compiler.prompting.templates import JOINER, PLANNER


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*Context.model_fields, "documents_root"):
        monkeypatch.delenv(PREFIX + name.upper(), raising=False)


def test_defaults() -> None:
    assert Context().model_dump() == {
        "model": None,
        "planner_model": None,
        "joiner_model": None,
        "max_rounds": 3,
        "max_tasks": 50,
        "max_parallel": 16,
        "tool_timeout": 60.0,
        "tool_retries": 2,
        "model_timeout": None,
        "deadline": None,
        "answer": "auto",
        "approve": (),
        "trusted_writes": (),
        "allow": None,
        "documents": None,
        "examples": "auto",
        "planner_prompt": PLANNER,
        "joiner_prompt": JOINER,
        "more_examples": (),
        "max_result_chars": 4000,
    }


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("model", "openai:gpt-4.1", "openai:gpt-4.1"),
        ("max_rounds", "5", 5),
        ("tool_timeout", "0.5", 0.5),
        ("deadline", "30", 30.0),
        ("approve", "mail, wipe,", ("mail", "wipe")),
        ("allow", "search", ("search",)),
        ("documents", "notes", Path("notes")),
        ("examples", "never", "never"),
    ],
)
def test_environment_overrides_the_default(
    monkeypatch: pytest.MonkeyPatch, name: str, text: str, value: Any
) -> None:
    monkeypatch.setenv(f"LLM_COMPILER_{name.upper()}", text)
    assert getattr(Context(), name) == value


def test_what_is_passed_overrides_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_COMPILER_MAX_ROUNDS", "5")
    monkeypatch.setenv("LLM_COMPILER_MODEL", "local")
    context = Context(max_rounds=2, model=None)
    assert (context.max_rounds, context.model) == (2, None)


def test_empty_variable_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_COMPILER_DEADLINE", "")
    assert Context().deadline is None


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("max_rounds", "many", "unable to parse string as an integer"),
        ("max_parallel", "0", "greater than or equal to 1"),
        ("tool_timeout", "-1", "greater than 0"),
        ("examples", "some", "'auto', 'always' or 'never'"),
    ],
)
def test_wrong_variable_is_named_with_its_value(
    monkeypatch: pytest.MonkeyPatch, name: str, text: str, why: str
) -> None:
    monkeypatch.setenv(f"LLM_COMPILER_{name.upper()}", text)
    with pytest.raises(SetupError) as error:
        Context()
    assert str(error.value).startswith(f"LLM_COMPILER_{name.upper()}={text!r}: ")
    assert why in str(error.value)


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_rounds": 0},
        {"max_tasks": 100_001},
        {"max_parallel": 0},
        {"tool_timeout": 0},
        {"tool_retries": -1},
        {"deadline": 0},
        {"examples": "some"},
        {"max_result_chars": 1},
        {"planner_prompt": "{tools}" * 3000},
        {"joiner_prompt": None},
        {"more_examples": ["Question: Who?\nanswer(search('x'))"] * 101},
        {"max_round": 3},
    ],
    ids=lambda wrong: repr(wrong)[:40],
)
def test_wrong_value_that_is_passed_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Context(**wrong)


def test_frozen_and_keyword_only() -> None:
    unchecked: Any = Context
    with pytest.raises(ValidationError, match="frozen"):
        Context().max_rounds = 5  # type: ignore[misc]
    with pytest.raises(TypeError):
        unchecked("local")


def test_studio_sees_a_description_and_bounds() -> None:
    properties = Context.model_json_schema()["properties"]
    assert list(properties) == list(Context.model_fields)
    assert all(field["description"].endswith(".") for field in properties.values())
    assert (
        properties["max_tasks"].items() >= {"minimum": 1, "maximum": 100_000, "default": 50}.items()
    )
    assert properties["examples"]["enum"] == ["auto", "always", "never"]
    assert properties["planner_model"]["langgraph_nodes"] == ["planner"]


@pytest.mark.parametrize("node", ["planner", "joiner"])
def test_studio_sees_the_prompts_as_prompts(node: str) -> None:
    shown = Context.model_json_schema()["properties"][f"{node}_prompt"]
    assert (shown["langgraph_type"], shown["langgraph_nodes"]) == ("prompt", [node])
    assert (shown["type"], shown["maxLength"]) == ("string", 20_000)
    assert shown["default"] == getattr(Context(), f"{node}_prompt")


# ── the documents folder ──────────────────────────────────────────────────────────────────────


def test_documents_folder_may_be_anywhere_off_a_server(tmp_path: Path) -> None:
    assert Context(documents=tmp_path).folder(on_server=False) == tmp_path
    assert Context().folder(on_server=False) is None
    assert Context().folder(on_server=True) is None


def test_documents_folder_on_a_server_lies_below_the_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLM_COMPILER_DOCUMENTS_ROOT", str(tmp_path))
    for inside in ("notes", tmp_path / "notes", tmp_path):
        folder = Context(documents=inside).folder(on_server=True)
        assert folder is not None
        assert folder.is_relative_to(tmp_path.resolve())


@pytest.mark.parametrize("outside", ["..", "notes/../..", "/", "/etc"])
def test_documents_folder_outside_the_root_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, outside: str
) -> None:
    monkeypatch.setenv("LLM_COMPILER_DOCUMENTS_ROOT", str(tmp_path))
    with pytest.raises(SetupError, match="is not below LLM_COMPILER_DOCUMENTS_ROOT"):
        Context(documents=outside).folder(on_server=True)


def test_link_out_of_the_root_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "out").symlink_to(tmp_path)
    monkeypatch.setenv("LLM_COMPILER_DOCUMENTS_ROOT", str(root))
    with pytest.raises(SetupError):
        Context(documents="out").folder(on_server=True)


def test_server_without_a_root_reads_no_documents_of_a_context(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="set LLM_COMPILER_DOCUMENTS_ROOT"):
        Context(documents=tmp_path).folder(on_server=True)


@pytest.mark.parametrize(
    ("variable", "meant"),
    [
        ("MAX_ROUND", "MAX_ROUNDS"),
        ("JOINER_MODLE", "JOINER_MODEL"),
        ("max_rounds", "MAX_ROUNDS"),
        ("THREAD", "THREADS"),
    ],
)
def test_misspelt_variable_is_refused(
    monkeypatch: pytest.MonkeyPatch, variable: str, meant: str
) -> None:
    monkeypatch.setenv(PREFIX + variable, "1")
    with pytest.raises(SetupError, match=f"^{PREFIX}{variable} sets nothing; .*{PREFIX}{meant}"):
        Context()


@pytest.mark.parametrize("variable", ["IMAGE", "LOCAL_MODEL", "KEEP", "AUTH"])
def test_variable_that_sets_something_else_is_none_of_its_business(
    monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(PREFIX + variable, "1")
    assert Context().max_rounds == 3
