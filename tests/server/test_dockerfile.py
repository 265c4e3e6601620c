"""What `langgraph build` puts into the image, read from the Dockerfile that it writes.

Nothing is built: it needs no Docker. The Dockerfile adds the project's folder, without what
.dockerignore names, and installs it there with `pip install -e`: so what is added is what runs.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path, PurePosixPath

import pytest

from tests.support.packages import FOLDERS, ROOT, not_ignored, pip, tracked

pytestmark = pytest.mark.slow

IN_IMAGE = """
import importlib, json, pathlib, sys
import llm_compiler

found = {}
for module, name in json.loads(sys.argv[1]):
    found[name] = type(getattr(importlib.import_module(module), name)).__name__
print(json.dumps([found, str(pathlib.Path(llm_compiler.__file__).parents[1])]))
"""


@pytest.fixture(scope="module")
def dockerfile(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("dockerfile") / "Dockerfile"
    command = [str(Path(sys.executable).parent / "langgraph"), "dockerfile", str(path)]
    settings = {**os.environ, "LANGGRAPH_CLI_NO_ANALYTICS": "1"}
    subprocess.run(command, cwd=ROOT, env=settings, check=True, capture_output=True, timeout=60)
    return path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def added(dockerfile: str) -> list[str]:
    """The files of git that get into the image, below the folder that is added."""
    [(source, _)] = re.findall(r"^ADD (\S+) (\S+)$", dockerfile, re.MULTILINE)
    assert source == ".", dockerfile
    return not_ignored(tracked())


def _home(dockerfile: str) -> PurePosixPath:
    [home] = re.findall(r"^ADD \. (\S+)$", dockerfile, re.MULTILINE)
    return PurePosixPath(home)


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_file_of_the_agents_folders_reaches_the_image(added: list[str], folder: str) -> None:
    files = [path for path in tracked() if path.startswith(f"{folder}/")]
    assert files
    assert not set(files) - set(added)


def test_every_prompt_worked_plan_and_document_reaches_the_image(added: list[str]) -> None:
    for folder in ("prompts", "prompts/examples", "tools/library"):
        on_disk = {str(path.relative_to(ROOT)) for path in (ROOT / folder).glob("*.md")}
        assert on_disk
        assert not on_disk - set(added)


def test_what_the_build_itself_needs_reaches_the_image(added: list[str]) -> None:
    assert {"pyproject.toml", "README.md", "LICENSE", "langgraph.json"} <= set(added)


@pytest.mark.parametrize(
    "path",
    [".env", ".env.local", ".git/config", ".venv/bin/python", "venv/bin/python", "build/lib/x.py",
     "agent/__pycache__/graph.pyc", "tests/conftest.py", ".langgraph_api/store.pckl"],
)  # fmt: skip
def test_secrets_and_leftovers_do_not(path: str) -> None:
    assert not_ignored([path]) == []


def test_the_image_installs_the_folder_that_it_adds(dockerfile: str) -> None:
    assert _home(dockerfile).parent == PurePosixPath("/deps")
    [install] = [line for line in dockerfile.splitlines() if line.startswith("RUN for dep in")]
    assert "/deps/*" in install
    assert install.split("pip install")[1].split(";")[0].rstrip(")").split()[-2:] == ["-e", "."]


def test_graph_and_auth_load_from_what_was_added_alone(
    dockerfile: str, wheel: Path, tmp_path: Path
) -> None:
    """The wheel is built from those files, as pip does before it installs a folder."""
    settings = dict(re.findall(r"^ENV (\w+)='(.*)'$", dockerfile, re.MULTILINE))
    [graph] = json.loads(settings["LANGSERVE_GRAPHS"]).values()
    auth = json.loads(settings["LANGGRAPH_AUTH"])
    places = [described["path"].split(":") for described in (graph, auth)]
    site = tmp_path / "site"
    pip("install", "--target", str(site), str(wheel))
    loaded = subprocess.run(
        [sys.executable, "-c", IN_IMAGE, json.dumps(places)],
        cwd=tmp_path,
        # Before an editable copy, as the image has no other.
        env={**os.environ, "PYTHONPATH": str(site), "LLM_COMPILER_AUTH": "open"},
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    found, home = json.loads(loaded.stdout)
    assert found == {"graph": "LLMCompiler", "auth": "Auth"}
    assert home == str(site)
