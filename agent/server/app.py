"""The `http.app` of langgraph.json. An app of your own adds `McpTool` to its middleware."""

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import BaseRoute

from llm_compiler.server.mcp_tool import McpTool


class _MiddlewareAlone(Starlette):
    """An app without routes of its own.

    LangGraph Server adds its own to it, also those that it does not publish, and would list all
    of them in `/openapi.json`.
    """

    @property
    def routes(self) -> list[BaseRoute]:
        return []


app = _MiddlewareAlone(middleware=[Middleware(McpTool)])
