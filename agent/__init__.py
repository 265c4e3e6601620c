"""LLM Compiler: a question is compiled into a parallel program of tool calls.

from llm_compiler import build_graph

graph = build_graph([my_tool], planner="openai:gpt-4.1-mini")
graph.invoke({"messages": [("user", "…")]})
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from llm_compiler.context import Context as Context
    from llm_compiler.graph import build_graph as build_graph
    from llm_compiler.graph import graph as graph

__all__ = ["Context", "build_graph", "graph"]

_HOMES = {
    "Context": "llm_compiler.context",
    "build_graph": "llm_compiler.graph",
    "graph": "llm_compiler.graph",
}


class _Package(ModuleType):
    """LangGraph alone takes a second to import, so each name is imported when first used."""

    def __getattr__(self, name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        value = getattr(import_module(_HOMES[name]), name)
        setattr(self, name, value)
        return value

    def __setattr__(self, name: str, value: Any) -> None:
        # Python binds the submodule `llm_compiler.graph` to the name that the graph itself has.
        if name == "graph" and isinstance(value, ModuleType):
            value = value.graph
        super().__setattr__(name, value)


if __name__ == "llm_compiler":
    sys.modules[__name__].__class__ = _Package
else:  # `import agent` in a checkout is the same package: each module exists once
    sys.modules[__name__] = import_module("llm_compiler")
