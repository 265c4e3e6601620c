"""The documents of a streamed reply, in whatever dialect they came, as OpenAI's chunks.

Servers that call themselves compatible differ in nearly every field: a whole message in place of a
delta, content as a list of parts, reasoning under several names, usage in every chunk or as text,
calls without an index, errors inside a reply that began with status 200. Here they become alike.
"""

import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Any

import openai

from llm_compiler.models.event_stream import END

_REASONING = ("reasoning_content", "reasoning", "reasoning_details", "thinking", "thought")
"""Names of reasoning beside the text; only the first that is there counts, because some servers
send it under two names."""
_PARTS = ("text", "content", "reasoning", "summary", "thinking")
_INPUT_TOKENS = ("prompt_tokens", "input_tokens")
_OUTPUT_TOKENS = ("completion_tokens", "output_tokens")
_MAX_TOKENS = 2**53
_MAX_DEPTH = 4
_STATUS = {
    "authentication_error": 401,
    "insufficient_quota": 429,
    "invalid_request_error": 400,
    "overloaded_error": 529,
    "permission_error": 403,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
}
"""Of an error that is sent in a reply and names only its kind."""


async def chunks(documents: AsyncIterator[Any], request: Any) -> AsyncGenerator[dict[str, Any]]:
    """Yield a chunk for each document, and the usage in a last one.

    A reply whose end is marked ends with a reason, also if its server gave none.

    Raises:
        openai.APIError: a document is an error.
    """
    usage: Any = None
    calls = _Calls()
    has_ended = False
    async for document in documents:
        if document == END:
            if not has_ended:
                yield _chunk({}, "stop")
            break
        if isinstance(document, list):
            document = document[0] if document else {}
        if not isinstance(document, dict):
            continue
        if (error := _error(document, request)) is not None:
            raise error
        usage = _usage_of(document) or usage
        choice = _first(document.get("choices"))
        reason = choice.get("finish_reason")
        reason = reason if isinstance(reason, str) and reason else None
        has_ended |= reason is not None
        yield _chunk(_delta(choice, calls), reason) | {"model": document.get("model")}
    if usage:
        yield {"choices": [], "usage": _usage(usage)}


def _chunk(delta: dict[str, Any], reason: str | None) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}


def _first(values: Any) -> dict[str, Any]:
    first = values[0] if isinstance(values, list) and values else None
    return first if isinstance(first, dict) else {}


def _delta(choice: Mapping[str, Any], calls: "_Calls") -> dict[str, Any]:
    came = choice.get("delta") or choice.get("message") or {"content": choice.get("text")}
    if not isinstance(came, dict):
        came = {"content": came}
    content = came.get("content")
    delta: dict[str, Any] = {"role": "assistant"}
    if isinstance(content, str):
        delta["content"] = content
    elif content:
        text, reasoning = _of_parts(content)
        delta |= {"content": text, "reasoning_content": reasoning}
    if reasoning := next((text for name in _REASONING if (text := _text(came.get(name)))), ""):
        delta["reasoning_content"] = reasoning
    if isinstance(refusal := came.get("refusal"), str):
        delta["refusal"] = refusal
    called = came.get("tool_calls") or came.get("function_call")
    if called:
        delta["tool_calls"] = calls.of(called if isinstance(called, list) else [called])
    return delta


def _of_parts(content: Any) -> tuple[str, str]:
    """The text and the reasoning of content that is a list of parts, or one part."""
    text: list[str] = []
    reasoning: list[str] = []
    for part in content if isinstance(content, list) else [content]:
        kind = str(part.get("type", "text")) if isinstance(part, dict) else "text"
        (text if kind in ("text", "output_text") else reasoning).append(_text(part))
    return "".join(text), "".join(reasoning)


def _text(value: Any, depth: int = 0) -> str:
    """The text of a part, a list of parts, or a text."""
    if isinstance(value, str):
        return value
    if depth < _MAX_DEPTH and isinstance(value, list):
        return "".join(_text(part, depth + 1) for part in value)
    if depth < _MAX_DEPTH and isinstance(value, dict):
        return next((t for name in _PARTS if (t := _text(value.get(name), depth + 1))), "")
    return ""


class _Calls:
    """The native calls of a reply. Some servers give them no index."""

    def __init__(self) -> None:
        self._ids: list[Any] = []

    def of(self, called: list[Any]) -> list[dict[str, Any]]:
        """The parts of calls, each with its index."""
        parts = []
        for call in called:
            if not isinstance(call, dict):
                continue
            function = call.get("function")
            function = function if isinstance(function, dict) else call
            arguments = function.get("arguments")
            if arguments is not None and not isinstance(arguments, str):
                arguments = json.dumps(arguments)
            name, id, index = function.get("name"), call.get("id"), call.get("index")
            if not isinstance(index, int):
                index = self._index(id, named=bool(name))
            parts.append(
                {"index": index, "id": id, "function": {"name": name, "arguments": arguments}}
            )
        return parts

    def _index(self, id: Any, *, named: bool) -> int:
        if id is not None and id in self._ids:
            return self._ids.index(id)
        if named or not self._ids:
            self._ids.append(id)
        return len(self._ids) - 1


def _usage_of(document: Mapping[str, Any]) -> Any:
    groq = document.get("x_groq")
    return document.get("usage") or (groq.get("usage") if isinstance(groq, dict) else None)


def _usage(usage: Any) -> dict[str, Any]:
    """What a server counted, of which each newer count replaces the one before."""
    counts = usage if isinstance(usage, dict) else {}
    came, went = (
        next((tokens for name in names if (tokens := _tokens(counts.get(name)))), 0)
        for names in (_INPUT_TOKENS, _OUTPUT_TOKENS)
    )
    counted: dict[str, Any] = {"prompt_tokens": came, "completion_tokens": went}
    for name in ("prompt_tokens_details", "completion_tokens_details"):
        if isinstance(details := counts.get(name), dict):
            counted[name] = {key: _tokens(value) for key, value in details.items()}
    return counted | {"total_tokens": came + went}


def _tokens(value: Any) -> int:
    try:
        return min(max(int(value), 0), _MAX_TOKENS)
    except (TypeError, ValueError, OverflowError):
        return 0


def _error(document: Mapping[str, Any], request: Any) -> openai.APIError | None:
    """The error that a document is; None if it is part of a reply."""
    error = document.get("error") or _first(document.get("choices")).get("error")
    if not error and "choices" not in document and ("message" in document or "detail" in document):
        error = document
    if not error:
        return None
    body = error if isinstance(error, dict) else {"message": str(error)}
    said = openai.APIError(str(body.get("message") or body.get("detail")), request, body=body)
    kinds = (body.get("code"), body.get("status"), body.get("status_code"), body.get("type"))
    for kind in kinds:
        status = _STATUS.get(str(kind)) or _tokens(kind)
        if 400 <= status < 600:
            # As the errors have that come with such a status: it decides whether to ask again.
            said.status_code = status  # type: ignore[attr-defined]
            break
    return said
