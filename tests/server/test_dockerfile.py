"""What `langgraph build` puts into the image, read from the Dockerfile that it writes.

Nothing is built: it needs no Docker. The Dockerfile adds the project's folder, without what
.dockerignore names, and installs it there with `pip install -e`: so what is added is what runs.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

import pathspec
import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("agent", "tools", "prompts")
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
    return _not_ignored(_tracked())


def _tracked() -> list[str]:
    """What git has or would take, so that a file made a moment ago is checked too."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return [path for path in listed.stdout.splitlines() if (ROOT / path).is_file()]


def _not_ignored(paths: Iterable[str]) -> list[str]:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    # As Docker reads it: a pattern without ** is anchored at the top.
    anchored = [re.sub(r"^(!?)(?!\*\*)", r"\1/", line) for line in lines if line and line[0] != "#"]
    ignored = pathspec.PathSpec.from_lines("gitignore", anchored)
    return [path for path in paths if not ignored.match_file(path)]


def _home(dockerfile: str) -> PurePosixPath:
    [home] = re.findall(r"^ADD \. (\S+)$", dockerfile, re.MULTILINE)
    return PurePosixPath(home)


def _copied(paths: Iterable[str], folder: Path) -> Path:
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / path, folder / path)
    return folder


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_file_of_the_agents_folders_reaches_the_image(added: list[str], folder: str) -> None:
    files = [path for path in _tracked() if path.startswith(f"{folder}/")]
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
    assert _not_ignored([path]) == []


def test_the_image_installs_the_folder_that_it_adds(dockerfile: str) -> None:
    assert _home(dockerfile).parent == PurePosixPath("/deps")
    [install] = [line for line in dockerfile.splitlines() if line.startswith("RUN for dep in")]
    assert "/deps/*" in install
    assert install.split("pip install")[1].split(";")[0].rstrip(")").split()[-2:] == ["-e", "."]


def test_graph_and_auth_load_from_what_was_added_alone(
    dockerfile: str, added: list[str], tmp_path: Path
) -> None:
    settings = dict(re.findall(r"^ENV (\w+)='(.*)'$", dockerfile, re.MULTILINE))
    [graph] = json.loads(settings["LANGSERVE_GRAPHS"]).values()
    auth = json.loads(settings["LANGGRAPH_AUTH"])
    places = [described["path"].split(":") for described in (graph, auth)]
    site = tmp_path / "site"
    _pip("install", "--target", str(site), str(_copied(added, tmp_path / "deps")))
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


def _pip(verb: str, *arguments: str) -> None:
    command = [sys.executable, "-m", "pip", verb, "-q", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, *arguments], check=True, capture_output=True, timeout=100)


def test_a_wheel_has_every_prompt_and_document_too(added: list[str], tmp_path: Path) -> None:
    """The image needs none; `pip install` from anywhere else does."""
    _pip("wheel", "--wheel-dir", str(tmp_path), str(_copied(added, tmp_path / "source")))
    [wheel] = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        inside = set(archive.namelist())
    files = [path for path in added if path.split("/")[0] in FOLDERS]
    names = {f"llm_compiler/{path.removeprefix('agent/')}" for path in files}
    assert not names - inside
    assert {name.split("/")[0] for name in inside if ".dist-info" not in name} == {"llm_compiler"}
