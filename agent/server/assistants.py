"""Assistants on a server: one whose context has what is no setting is refused when it is made.

Where a server has another `auth`, its runs are refused instead (run/settings.py).
"""

from collections.abc import Mapping
from typing import Any

from langgraph_sdk import Auth

from llm_compiler.context import unknown_settings
from llm_compiler.run.compiled_graph import LLMCompiler


async def check_settings(ctx: Auth.types.AuthContext, value: Mapping[str, Any]) -> None:
    """Raises HTTPException 422: the context has a name that is no setting; it says what is meant.

    Of a graph of someone else's, nothing is known.
    """
    from langgraph_api.graph import GRAPHS  # importing it takes a server's environment

    graph = value.get("graph_id")
    graphs = [GRAPHS.get(graph)] if graph else [*GRAPHS.values()]
    if not all(isinstance(it, LLMCompiler) for it in graphs):
        return
    if message := unknown_settings(value.get("context") or ()):
        raise Auth.exceptions.HTTPException(status_code=422, detail=message)
