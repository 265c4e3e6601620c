"""The package as it is installed: from a wheel, as an editable install, and in the checkout."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.support.links import unlinked
from tests.support.packages import FOLDERS, ROOT, clean, tracked

OWN_FILES = {
    "tools.py": 'def double(x: int) -> int:\n    """Twice x."""\n    return 2 * x\n',
    "prompts/__init__.py": "MINE = True\n",
    "prompts/planner.md": "Not a prompt of the package.\n",
    "agent/__init__.py": "MINE = True\n",
    "agent/graph.py": "MINE = True\n",
}
SCRIPT = """
import json
from langchain_core.language_models import FakeListChatModel
import agent.graph, prompts, tools
from llm_compiler import Context, build_graph, graph

plan, answer = "double(21)", "It is 42."
planner, joiner = (FakeListChatModel(responses=[said]) for said in (plan, answer))
own = build_graph([tools.double], planner=planner, joiner=joiner)
asked = {"messages": [("user", "What is twice 21?")]}
state = own.invoke(asked, context=Context(max_rounds=1))
print(json.dumps({
    "value": state["outcomes"]["1"]["value"],
    "answer": state["messages"][-1].text,
    "mine": agent.graph.MINE and prompts.MINE,
    "graph": graph.get_name(),
}))
"""
IN_CHECKOUT = """
import sys
import agent
import llm_compiler
assert agent is llm_compiler
assert agent.build_graph is llm_compiler.build_graph
assert agent.graph is llm_compiler.graph
assert agent.Context is llm_compiler.Context
loaded = [name for name in sys.modules if name.partition(".")[0] in ("agent", "tools", "prompts")]
assert loaded == ["agent"], loaded
"""


def test_exports_are_few() -> None:
    import llm_compiler

    assert llm_compiler.__all__ == ["Context", "build_graph", "graph"]


@pytest.mark.slow
def test_a_script_beside_files_named_like_our_folders_works(
    installed: Path, tmp_path: Path
) -> None:
    for name, text in {**OWN_FILES, "main.py": SCRIPT}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    ran = subprocess.run(
        [installed, "main.py"],
        cwd=tmp_path,
        env=clean(),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout) == {
        "value": 42,
        "answer": "It is 42.",
        "mine": True,
        "graph": "LLM Compiler",
    }


@pytest.mark.slow
def test_the_command_is_installed_with_it(installed: Path) -> None:
    command = installed.with_name("llm-compiler")
    ran = subprocess.run([command, "--help"], env=clean(), capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert "llm-compiler" in ran.stdout


@pytest.mark.slow
def test_in_the_checkout_agent_is_the_same_package() -> None:
    subprocess.run([sys.executable, "-c", IN_CHECKOUT], cwd=ROOT, check=True, timeout=60)


@pytest.mark.slow
def test_a_wheel_has_every_file_of_the_folders_under_one_name(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        inside = set(archive.namelist())
    files = [path for path in tracked() if path.split("/")[0] in FOLDERS]
    names = {f"llm_compiler/{path.removeprefix('agent/')}" for path in files}
    assert not names - inside
    assert {name.split("/")[0] for name in inside if ".dist-info" not in name} == {"llm_compiler"}


def test_a_file_without_its_link_is_found(tmp_path: Path) -> None:
    checkout, home = tmp_path / "checkout", tmp_path / "site" / "llm_compiler"
    for file in ("agent/graph.py", "tools/search.py", "prompts/planner.md"):
        (checkout / file).parent.mkdir(parents=True)
        (checkout / file).write_text("")
    assert len([*unlinked(checkout, None)]) == 3
    for link, file in (("graph.py", "agent/graph.py"), ("tools/search.py", "tools/search.py")):
        (home / link).parent.mkdir(parents=True)
        (home / link).hardlink_to(checkout / file)
    (home / "prompts").symlink_to(checkout / "prompts")
    assert [*unlinked(checkout, home)] == []
    (checkout / "agent" / "new.py").write_text("")
    (home / "graph.py").unlink()
    (home / "graph.py").write_text("a copy")
    assert sorted(map(str, unlinked(checkout, home))) == ["agent/graph.py", "agent/new.py"]
