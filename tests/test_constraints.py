"""`constraints.txt` is a set of versions that fits what `pyproject.toml` asks for."""

import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]
LINES = [
    line
    for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    if not line.startswith("#")
]
PINNED = {
    canonicalize_name(name): Version(version) for name, version in (x.split("==") for x in LINES)
}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
ASKED = [*PROJECT["dependencies"], *EXTRAS["local"], *EXTRAS["mcp"], *EXTRAS["test"]]
PRIVATE = ("langgraph", "langchain-core", "langchain-openai")


def test_each_package_stands_there_once_and_in_order() -> None:
    assert len(PINNED) == len(LINES)
    assert list(PINNED) == sorted(PINNED)


@pytest.mark.parametrize("asked", ASKED)
def test_what_the_project_asks_for_is_pinned_to_a_version_that_fits(asked: str) -> None:
    requirement = Requirement(asked)
    name = canonicalize_name(requirement.name)
    if name != "setuptools":  # pip freeze leaves it out
        assert PINNED[name] in requirement.specifier


@pytest.mark.parametrize("name", PRIVATE)
def test_where_private_names_are_used_the_next_minor_version_is_excluded(name: str) -> None:
    (requirement,) = (it for it in map(Requirement, PROJECT["dependencies"]) if it.name == name)
    major, minor = PINNED[canonicalize_name(name)].release[:2]
    assert Version(f"{major}.{minor + 1}.0") not in requirement.specifier
