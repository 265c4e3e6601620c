"""A route that someone adds to the server (`http.app` of langgraph.json)."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route


async def whoami(request: Request) -> PlainTextResponse:
    return PlainTextResponse(request.user.identity)


app = Starlette(routes=[Route("/whoami", whoami)])
