"""LLM Compiler: a question is compiled into a parallel program of tool calls.

from agent import build_graph

graph = build_graph([my_tool], planner="openai:gpt-4.1-mini")
graph.invoke({"messages": [("user", "…")]})
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agent.context import Context
    from agent.graph import build_graph, graph

__all__ = ["Context", "build_graph", "graph"]

_HOMES = {"Context": "agent.context", "build_graph": "agent.graph", "graph": "agent.graph"}


class _Package(ModuleType):
    """LangGraph alone takes a second to import, so each name is imported when first used."""

    def __getattr__(self, name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        value = getattr(import_module(_HOMES[name]), name)
        setattr(self, name, value)
        return value

    def __setattr__(self, name: str, value: Any) -> None:
        # Python binds the submodule `agent.graph` to this name, which is the graph's.
        if name == "graph" and isinstance(value, ModuleType):
            value = value.graph
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
