"""The `http.app` of langgraph.json. An app of your own adds `McpTool` to its middleware."""

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import BaseRoute
from starlette.types import Receive, Scope, Send

from llm_compiler.server.mcp_tool import McpTool


class _MiddlewareAlone(Starlette):
    """An app without routes of its own.

    LangGraph Server adds its own to it, also those that it does not publish, and would list all
    of them in `/openapi.json`.
    """

    @property
    def routes(self) -> list[BaseRoute]:
        return []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As Starlette's, but the start and the end go past all middleware.

        The server's own asks for its store, which some servers have only once they have started.
        """
        if scope["type"] == "lifespan":
            await self.router({**scope, "app": self}, receive, send)
        else:
            await super().__call__(scope, receive, send)


app = _MiddlewareAlone(middleware=[Middleware(McpTool)])
