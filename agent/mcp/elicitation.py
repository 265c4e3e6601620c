"""Asks a person what a server asks in the middle of a call, with LangGraph's `interrupt`.

The question has the shape of an approval, so that whatever shows approvals can show it, and beside
that the shape in which LangChain's own MCP adapter asks. It is answered in either:

    {"decisions": [{"type": "edit", "edited_action": {"name": …, "args": {…}}}]}
    {"responses": {"input": {"action": "accept", "content": {…}}}}

To approve is to accept with the defaults that the server names, to reject is to decline.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from langgraph.types import interrupt
from mcp import MCPError, UrlElicitationRequiredError
from mcp.types import URL_ELICITATION_REQUIRED, ElicitRequestParams, ElicitResult

from llm_compiler.errors import PlanError
from llm_compiler.language.toolbox import schema_checks
from llm_compiler.text import clean, quoted, shortened

Ask = Callable[[ElicitRequestParams], ElicitResult]
"""Answers what a server asks, or raises what ends the call."""

_KEY = "input"
_MAX_MESSAGE_CHARS = 2000
_DECISIONS = {"approve": "accept", "edit": "accept", "reject": "decline"}
_ACTIONS = ("accept", "decline", "cancel")
_HOW = (
    "resume with {'decisions': [{'type': 'edit', 'edited_action': {'name': …, 'args': {…}}}]},"
    " or with the type 'approve' or 'reject'"
)


def ask_person(tool: str, server: str, params: ElicitRequestParams) -> ElicitResult:
    """The person's answer. A wrong one is asked for again, with what is wrong under `error`.

    Raises:
        GraphInterrupt: nobody has answered yet.
    """
    question = question_of(tool, server, params)
    while True:
        answer = interrupt(question)
        try:
            return result_of(params, answer)
        except PlanError as error:
            question = {**question, "error": str(error)}


def addresses_visited(error: MCPError, ask: Ask) -> bool:
    """Whether a call that failed until a person visits addresses can begin again.

    False also if its error is another.
    """
    if error.code != URL_ELICITATION_REQUIRED:
        return False
    asked = UrlElicitationRequiredError.from_error(error.error).elicitations
    return bool(asked) and all(ask(params).action == "accept" for params in asked)


def question_of(tool: str, server: str, params: ElicitRequestParams) -> dict[str, Any]:
    message = shortened(clean(params.message), _MAX_MESSAGE_CHARS)
    asked: dict[str, Any] = {"key": _KEY, "message": message, "mode": params.mode}
    description = f"The MCP server {server!r} asks: {message}"
    decisions = ["approve", "edit", "reject"]
    if params.mode == "url":
        asked["url"] = clean(params.url)
        description = f"{description} (approve when you have visited {asked['url']})"
        decisions.remove("edit")
    else:
        asked["requested_schema"] = params.requested_schema
    return {
        "type": "mcp_elicitation",
        "tool_name": tool,
        "server": server,
        "requests": [asked],
        "action_requests": [{"name": tool, "args": _form(params), "description": description}],
        "review_configs": [{"action_name": tool, "allowed_decisions": decisions}],
    }


def result_of(params: ElicitRequestParams, answer: Any) -> ElicitResult:
    """What a person answered, as the server gets it.

    Raises:
        PlanError: it is no answer, or not what the server asked for.
    """
    action, content = _action(answer)
    if action != "accept":
        return ElicitResult(action=action)
    if params.mode == "url":
        return ElicitResult(action="accept")
    given = {name: value for name, value in content.items() if value is not None}
    content = {**_defaults(params), **given}
    _check(params.requested_schema, content)
    try:
        return ElicitResult(action="accept", content=content)
    except ValueError as error:
        raise PlanError(
            "an answer holds strings, numbers, true, false and lists of strings"
        ) from error


def _action(answer: Any) -> tuple[Any, dict[str, Any]]:
    """The action that an answer in any of its shapes stands for, and its content."""
    given = answer
    if isinstance(answer, Mapping):
        decisions, responses = answer.get("decisions"), answer.get("responses")
        if isinstance(decisions, Sequence) and len(decisions) == 1:
            given = decisions[0]
        elif isinstance(responses, Mapping) and len(responses) == 1:
            [given] = responses.values()
    given = given if isinstance(given, Mapping) else {"type": given}
    edited = given.get("edited_action")
    content = edited.get("args") if isinstance(edited, Mapping) else given.get("content")
    kind = given.get("action", given.get("type"))
    action = _DECISIONS.get(kind, kind) if isinstance(kind, str) else None
    if action not in _ACTIONS:
        raise PlanError(f"{quoted(str(answer))} is no answer; {_HOW}")
    if content is not None and not isinstance(content, Mapping):
        raise PlanError(f"the content {quoted(str(content))} has no fields; {_HOW}")
    return action, dict(content or {})


def _check(schema: Mapping[str, Any], content: Mapping[str, Any]) -> None:
    try:
        refused = next(schema_checks.errors_of(schema_checks.validator_for(schema), content), None)
    except Exception:  # an invalid schema may raise anything; the server checks the answer itself
        return
    if refused is not None:
        place = ".".join(map(str, refused.path))
        raise PlanError(f"{place}: " * bool(place) + shortened(refused.message, 200))


def _form(params: ElicitRequestParams) -> dict[str, Any]:
    """The fields to fill in, with what the server proposes."""
    return dict.fromkeys(_fields(params)) | _defaults(params)


def _defaults(params: ElicitRequestParams) -> dict[str, Any]:
    fields = _fields(params).items()
    return {
        name: field["default"]
        for name, field in fields
        if isinstance(field, Mapping) and "default" in field
    }


def _fields(params: ElicitRequestParams) -> Mapping[str, Any]:
    fields = params.requested_schema.get("properties") if params.mode == "form" else None
    return fields if isinstance(fields, Mapping) else {}
