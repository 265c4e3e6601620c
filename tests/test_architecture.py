"""The folders are as docs/architecture.md draws them: what imports what, and where each file is."""

import ast
import re
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
FLOORS = [
    {
        *("errors", "text", "redaction", "retries", "clock", "silent_parser", "thread_messages"),
        *("pacing", "records"),
        *("tools", "prompts"),
    },
    {"language.tasks", "language.reading"},
    {"language.evaluation"},
    {"language.toolbox"},
    {"language.lowering", "language.grammar"},
    {"language"},
    {"scheduling"},
    {"prompting", "observability"},
    {"langgraph_private", "state", "context", "round_messages"},
    {"models", "execution", "mcp"},
    {"run"},
    {"nodes"},
    {"graph"},
    {"__init__", "__main__", "cli", "server"},
]
"""From the ground up."""
NEIGHBOURS = {
    ("errors", "text"),
    ("redaction", "errors"),
    ("redaction", "text"),
    ("retries", "errors"),
    ("state", "round_messages"),
    ("round_messages", "state"),
    ("tools", "prompts"),
    ("__main__", "cli"),
}
"""Files and folders of one floor that may import one another, in this direction."""
IO = set(
    "aiosqlite anyio asyncio filelock httpx io langgraph logging multiprocessing openai os pathlib"
    " random requests shutil socket sqlite3 subprocess tempfile threading time".split()
)
LANGCHAIN = {
    "langchain_core.callbacks.BaseCallbackHandler",
    "langchain_core.callbacks.BaseCallbackManager",
    "langchain_core.callbacks.manager.BaseRunManager",
    "langchain_core.runnables.RunnableConfig",
    "langchain_core.tools.BaseTool",
    "langchain_core.tools.InjectedToolArg",
    "langchain_core.tools.create_schema_from_function",
    "langchain_core.tools.base.get_all_basemodel_annotations",
    "langchain_core.utils.pydantic.get_fields",
}
"""What a tool and its parameters are made of: all that `language` knows of LangChain."""
MODULES = {
    package + ".".join(path.relative_to(ROOT / folder).with_suffix("").parts): path
    for folder, package in (("agent", ""), ("tools", "tools."), ("prompts", "prompts."))
    for path in sorted((ROOT / folder).rglob("*.py"))
}
"""By their names within `llm_compiler`."""


def _imports(path: Path) -> Iterator[str]:
    """The full names that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            assert node.module is not None
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _own(path: Path) -> Iterator[str]:
    """The modules of this package that a file imports."""
    for name in _imports(path):
        package, _, rest = name.partition(".")
        if package == "llm_compiler":
            while rest and rest not in MODULES and f"{rest}.__init__" not in MODULES:
                rest = rest.rpartition(".")[0]
            yield rest or "__init__"


def _room(module: str) -> str:
    """The file or folder of a floor in which a module stands; `language` has floors of its own."""
    room, *parts = module.split(".")
    return f"{room}.{parts[0]}" if room == "language" and len(parts) > 1 else room


@pytest.mark.parametrize("module", MODULES)
def test_a_file_imports_nothing_above_it(module: str) -> None:
    level = {room: number for number, floor in enumerate(FLOORS) for room in floor}
    room = _room(module)
    for other in map(_room, _own(MODULES[module])):
        below = level[other] < level[room] or other == room or (room, other) in NEIGHBOURS
        # The package's own file names what it exports, and the command line uses it as others do.
        assert below or other == "__init__" == room, f"{module} imports {other}"


def test_nothing_imports_in_a_cycle() -> None:
    graph = {
        module: {other for other in _own(path) if other in MODULES and other != module}
        for module, path in MODULES.items()
        if not module.endswith("__init__")
    }
    assert len([*TopologicalSorter(graph).static_order()]) > 80


@pytest.mark.parametrize("room", ["language", "scheduling"])
def test_language_and_rules_do_no_io(room: str) -> None:
    files = [path for module, path in MODULES.items() if module.startswith(f"{room}.")]
    names = {name for path in files for name in _imports(path)}
    assert {name.partition(".")[0] for name in names} & IO == set()
    assert {name for name in names if name.startswith("langchain")} <= LANGCHAIN


def test_the_graph_is_one_screen() -> None:
    assert len((ROOT / "agent" / "graph.py").read_text(encoding="utf-8").splitlines()) <= 100


def test_no_file_is_long() -> None:
    lines = {name: path.read_text(encoding="utf-8").count("\n") for name, path in MODULES.items()}
    assert {name: count for name, count in lines.items() if count > 300} == {}


def test_the_page_leads_to_each_file_once() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| ")]
    named = [name for row in rows for name in re.findall(r"`([\w/]+\.py)`", row)]
    files = [str(path.relative_to(ROOT / "agent")) for path in (ROOT / "agent").rglob("*.py")]
    assert sorted(named) == sorted(name for name in files if not name.endswith("__init__.py"))
