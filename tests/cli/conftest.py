"""The command line against a scripted model server: in this process, as one, in a terminal."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import Result

from llm_compiler.cli.program import app_for
from llm_compiler.models.local.server import LOCAL_SERVERS
from tests.bench.model_server import ModelServer
from tests.cli.program import Model, Run, Runner, Screen, of_ours


@pytest.fixture
def model() -> Model:
    return Model()


@pytest.fixture
def server(model: Model) -> Iterator[ModelServer]:
    with ModelServer(model, first_token=0, rate=None) as server:
        yield server


@pytest.fixture
def environment(server: ModelServer, tmp_path: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not of_ours(name)}
    return kept | {
        "OPENAI_BASE_URL": server.base_url,
        "OPENAI_API_KEY": "sk-scripted-key",
        "LLM_COMPILER_MODEL": "openai:scripted",
        "HOME": str(tmp_path),
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "TERM": "xterm-256color",
        "PYTHONWARNINGS": "error",
    }


@pytest.fixture
def run(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    for name in filter(of_ours, list(os.environ)):
        monkeypatch.delenv(name)

    def run(*arguments: str, stdin: str = "", **more: str) -> Result:
        return Runner().invoke(app_for(arguments), arguments, input=stdin, env=environment | more)

    yield run
    # A command has what this process starts kept, and says so if something is. Later tests start
    # local models here.
    LOCAL_SERVERS.keep(0.0)


@pytest.fixture
def screen(environment: dict[str, str]) -> Iterator[Callable[..., Screen]]:
    screens = []

    def screen(*arguments: str, **variables: str) -> Screen:
        screens.append(Screen(environment | variables, *arguments))
        return screens[-1]

    yield screen
    for one in screens:
        one.kill()
