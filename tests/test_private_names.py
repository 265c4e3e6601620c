"""No private name of another package is used outside of `agent/langgraph_private.py`."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("agent", "tools", "prompts")
FILES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
TREES = {path: ast.parse(path.read_text("utf-8")) for path in FILES}
HOME = ROOT / "agent" / "langgraph_private.py"
NAMES = {
    "CONFIG_KEY_CHECKPOINTER",
    "CONFIG_KEY_CHECKPOINT_MAP",
    "CONFIG_KEY_DURABILITY",
    "CONFIG_KEY_SCRATCHPAD",
    "CONFIG_KEY_SEND",
    "CONFIG_KEY_TASK_ID",
    "NS_END",
    "NS_SEP",
    "PregelScratchpad",
    "RESUME",
    "_V2StreamingCallbackHandler",
}
"""What is imported there; what each means is tested in `test_langgraph_private.py`."""
OF_OTHERS = {
    "_fields": "of an ast node, which Python documents",
    "_exit": "os._exit, which Python documents",
    "_llm_type": "LangChain documents it: every chat model has it",
}
"""Underscore names that are used and are neither ours nor private to LangGraph and LangChain."""


@pytest.mark.parametrize("file", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_private_names_are_in_one_file(file: Path) -> None:
    tree = TREES[file]
    found = [*_private_imports(tree), *_private_texts(tree), *_foreign_attributes(tree)]
    assert file == HOME or found == []


@pytest.mark.parametrize(
    "source",
    [
        "saver = config['configurable']['__pregel_checkpointer']",
        "from langgraph._internal import _constants",
        "from langchain_core.tools.base import _get_runnable_config_param",
        "import langgraph._internal._constants as constants",
        "graph._an_attribute_of_langgraph",
    ],
)
def test_a_private_name_is_found(source: str) -> None:
    tree = ast.parse(source)
    found = [*_private_imports(tree), *_private_texts(tree), *_foreign_attributes(tree)]
    assert len(found) == 1


def test_private_names_of_other_packages_are_listed() -> None:
    used = {node.attr for tree in TREES.values() for node in _attributes(tree, ast.Load)}
    assert OF_OTHERS.keys() <= used


def test_each_private_import_is_listed() -> None:
    imported = {name.rpartition(".")[2] for name in _private_imports(TREES[HOME])}
    assert imported == NAMES


def _private_imports(tree: ast.AST) -> Iterator[str]:
    """Names that begin with `_`, or come from a module that does, of other packages."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module != "__future__":
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        yield from (name for name in names if any(part[:1] == "_" for part in name.split(".")))


def _private_texts(tree: ast.AST) -> Iterator[str]:
    """Texts that LangGraph reserves."""
    for node in ast.walk(tree):
        text = node.value if isinstance(node, ast.Constant) else None
        if isinstance(text, str) and (text.startswith("__pregel") or text == "__resume__"):
            yield text


def _foreign_attributes(tree: ast.AST) -> list[str]:
    """Attributes that begin with one `_` and that this package does not define."""
    used = {node.attr for node in _attributes(tree, ast.Load)}
    hidden = {name for name in used if name[0] == "_" and name[:2] != "__"}
    return sorted(hidden - OURS - OF_OTHERS.keys())


def _attributes(tree: ast.AST, context: type[ast.expr_context]) -> Iterator[ast.Attribute]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, context):
            yield node


def _defined(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
    for attribute in _attributes(tree, ast.Store):
        yield attribute.attr


OURS = {name for tree in TREES.values() for name in _defined(tree)}
