"""The local model is started early only where a question will need it."""

import threading
from pathlib import Path
from typing import Any

import pytest

from llm_compiler.cli.local_start import start_local_model
from llm_compiler.models.local.server import LOCAL_SERVER
from llm_compiler.models.local.weights import VARIABLE


@pytest.mark.parametrize(
    ("settings", "variables"),
    [
        ({"model": "openai:x"}, {}),
        ({"planner_model": "openai:x", "model": "local"}, {}),
        ({}, {"LLM_COMPILER_PLANNER_MODEL": "local:other.gguf"}),
        ({}, {"OPENAI_API_KEY": "sk-x"}),
        ({"model": "local"}, {}),  # its weights are not at hand
        ({}, {VARIABLE: "nowhere.gguf"}),
    ],
)
def test_nothing_starts_that_is_not_needed_or_not_at_hand(
    settings: dict[str, Any],
    variables: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda name: str(tmp_path))
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    LOCAL_SERVER.stop()  # a test before may have used it
    before = {*threading.enumerate()}
    start_local_model(settings, 0.0)
    for thread in {*threading.enumerate()} - before:
        thread.join()
    assert not LOCAL_SERVER._running()
