"""`--tools FILE.py:NAME`: a function, a tool or a list of them, from a Python file."""

import difflib
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Callable, Iterable, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from types import ModuleType
from typing import Any

from langchain_core.tools import BaseTool

from llm_compiler.cli.tool_places import file_and_name
from llm_compiler.errors import SetupError
from llm_compiler.execution.function_tool import as_tool
from llm_compiler.redaction import one_line
from llm_compiler.text import quoted
from llm_compiler.tools import SHIPPED


def tools_given(places: Iterable[str]) -> list[BaseTool] | None:
    """The shipped tools and those given, which hide shipped ones of their names; None if no place
    is given.

    Raises:
        SetupError: a file cannot be run, or what it has under a name is no tool.
    """
    modules: dict[Path, ModuleType] = {}
    given = [as_tool(it) for place in places for it in _at(place, modules)]
    names = {tool.name for tool in given}
    return [*(it for it in SHIPPED if it.name not in names), *given] if given else None


def _at(place: str, modules: dict[Path, ModuleType]) -> Sequence[BaseTool | Callable[..., Any]]:
    path, name = file_and_name(place)
    if path not in modules:
        modules[path] = _run(path, place)
    found = getattr(modules[path], name, None)
    if found is None:
        raise SetupError(f"--tools {place}: the file has no {name}; {_has(modules[path], name)}")
    several = list(found) if isinstance(found, list | tuple | set) else [found]
    for one in several:
        if not isinstance(one, BaseTool) and (isinstance(one, type) or not callable(one)):
            shown = quoted(repr(one), 60)
            raise SetupError(f"--tools {place}: {shown} is neither a function nor a tool")
    if not several:
        raise SetupError(f"--tools {place}: the list is empty")
    return several


def _run(path: Path, place: str) -> ModuleType:
    """Run a file as `python FILE.py` would import its neighbours, but not as `__main__`."""
    name = f"llm_compiler_tools_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Dataclasses and Pydantic look their module up.
    sys.modules[name] = module
    sys.path.insert(0, str(path.parent))
    try:
        # What it prints is no part of the answer.
        with redirect_stdout(sys.stderr):
            spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        where = [frame.lineno for frame in traceback.extract_tb(error.__traceback__)
                 if frame.filename == str(path)]  # fmt: skip
        line = f", line {where[-1]}" if where else ""
        raise SetupError(f"--tools {place}: {path.name}{line}: {one_line(error)}") from error
    return module


def _has(module: ModuleType, name: str) -> str:
    """What the file has that may be meant."""
    there = [
        key
        for key, value in vars(module).items()
        if not key.startswith("_")
        and (isinstance(value, BaseTool | list) or inspect.isfunction(value))
    ]
    if near := difflib.get_close_matches(name, there, 1):
        return f"did you mean {near[0]}?"
    return f"it has {', '.join(there)}" if there else "it has no function, tool or list"
