"""The agent as a tool of `/mcp`, which answers with the answer.

LangGraph Server offers each assistant as a tool, and returns what Python writes for the whole
state or, of an error, its class alone. This middleware answers the calls of assistants whose graph
is ours; everything else at `/mcp` is the server's.
"""

import json
import re
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from langchain_core.messages import convert_to_messages
from langgraph_sdk import get_client
from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.errors import LangGraphError
from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from llm_compiler.run.compiled_graph import LLMCompiler

_MAX_ASSISTANTS: Final = 1000
_MAX_NAME_CHARS: Final = 128
_EMPTY: Final = "the question is empty; pass it as the text `messages`"


class McpTool:
    """Answers `tools/call`: with the answer, or with an error that says what is wrong."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST" or not _is_mcp(scope["path"]):
            await self._app(scope, receive, send)
            return
        body = await _body(receive)
        call = _tool_call(body)
        result = None if call is None else await _called(call["params"], Headers(scope=scope))
        if call is not None and result is not None:
            response = JSONResponse({"jsonrpc": "2.0", "id": call["id"], "result": result})
            await response(scope, receive, send)
            return
        read = False

        async def again() -> Message:
            nonlocal read
            if read:
                return await receive()
            read = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self._app(scope, again, send)


def _is_mcp(path: str) -> bool:
    return path.rstrip("/").endswith("/mcp")


async def _body(receive: Receive) -> bytes:
    pieces, more = [], True
    while more:
        message = await receive()
        pieces.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(pieces)


def _tool_call(body: bytes) -> dict[str, Any] | None:
    """The request, if it is a call of a tool."""
    try:
        request = json.loads(body)
    except (ValueError, RecursionError):
        return None
    is_call = isinstance(request, dict) and request.get("method") == "tools/call"
    return request if is_call and "id" in request and _is_dict(request.get("params")) else None


def _is_dict(value: Any) -> bool:
    return isinstance(value, dict)


async def _called(params: dict[str, Any], headers: Mapping[str, str]) -> dict[str, Any] | None:
    """The result of a call; None if the tool is not ours."""
    client = _client()
    try:
        assistants = await client.assistants.search(limit=_MAX_ASSISTANTS, headers=headers)
        named = [it for it in assistants if _tool_name(it["name"]) == params.get("name")]
        if len(named) != 1 or not _is_ours(named[0]["graph_id"]):
            return None
        arguments = params.get("arguments") or {}
        if not _is_dict(arguments) or _is_empty(arguments.get("messages")):
            return _result(_EMPTY, is_error=True)
        state: Any = await client.runs.wait(
            None,
            named[0]["assistant_id"],
            input=arguments,
            context=params.get("context"),
            headers=headers,
            raise_error=False,
        )
    except LangGraphError as error:
        return _result(str(error), is_error=True)
    if (failed := state.get("__error__")) is not None:
        return _result(failed.get("message") or failed["error"], is_error=True)
    answer = _result(convert_to_messages(state["messages"])[-1].text)
    data = state.get("structured_response")
    return {**answer, "structuredContent": data} if _is_dict(data) else answer


def _result(text: str, *, is_error: bool = False) -> dict[str, Any]:
    return {"content": [{"type": "text", "text": text}], "isError": is_error}


def _is_empty(messages: Any) -> bool:
    """Whether there is nothing in the messages. What are no messages, the run refuses."""
    given = messages if isinstance(messages, list) else [messages]
    return not any(it.get("content") if _is_dict(it) else str(it or "").strip() for it in given)


def _is_ours(graph: str) -> bool:
    from langgraph_api.graph import GRAPHS  # the server imports this module before it

    return isinstance(GRAPHS.get(graph), LLMCompiler)


@cache
def _client() -> LangGraphClient:
    """A client of this server, in the process."""
    return get_client(url=None)


def _tool_name(assistant: str) -> str:
    """An assistant's name as LangGraph Server makes it a tool's."""
    name = re.sub(r"\s+", "_", assistant.strip())
    return re.sub(r"[^a-zA-Z0-9_\-.]", "", name)[:_MAX_NAME_CHARS]
