"""Which model a role uses: the same rule for the graph, for reports and for an early start."""

import pytest

from llm_compiler.models.choice import chosen


def test_the_choice_goes_from_role_to_model_to_key_to_local(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    nothing: dict[str, str] = {}
    assert chosen("planner", nothing.get)[0] == "local"
    monkeypatch.setenv("OPENAI_API_KEY", "x")
    assert chosen("planner", nothing.get)[0] == "openai:gpt-4.1-mini"
    assert chosen("joiner", {"model": "local"}.get) == ("local", "model is set")
    settings = {"model": "local", "planner_model": "openai:big"}
    assert chosen("planner", settings.get) == ("openai:big", "planner_model is set")
    assert chosen("joiner", settings.get)[0] == "local"
    assert chosen("joiner", {"planner_model": "x:a"}.get) == ("x:a", "planner_model is set")
