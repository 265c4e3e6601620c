"""What a tool returned: its value as JSON data, and what it returned beside it.

data                             the value
(data, artifact)                 of a tool with `response_format="content_and_artifact"`
ToolMessage                      its content, and its artifact; `status="error"` is an error
Command(update={"messages": …})  the content of the call's ToolMessage, and the other messages
Command(graph=Command.PARENT)    a handoff (handoff.py)
a list of these two              all of them
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, ToolMessage, convert_to_messages
from langgraph.types import Command

from llm_compiler.errors import ToolError
from llm_compiler.execution.jsonable import as_data
from llm_compiler.text import clean

_NOT_A_PAIR = (
    "its response_format is 'content_and_artifact', but it returned {}; return (content, artifact)"
)


@dataclass(frozen=True, slots=True)
class Result:
    """The result of a call."""

    value: Any
    artifact: Any = None
    """What is for people and programs, and not for models."""
    messages: Sequence[str] = ()
    """What the assistant says after it."""

    @classmethod
    def of(cls, returned: Any, call_id: str, *, has_artifact: bool) -> "Result":
        """Take apart what a tool returned.

        Raises:
            ToolError: it is an error, no data, or a command that cannot be carried out.
        """
        if has_artifact:
            if not isinstance(returned, tuple) or len(returned) != 2:
                raise ToolError(_NOT_A_PAIR.format(type(returned).__name__))
            return cls(as_data(returned[0]), as_data(returned[1]))
        parts = returned if isinstance(returned, list) else [returned]
        if not parts or not all(isinstance(it, Command | ToolMessage) for it in parts):
            return cls(as_data(returned))
        messages = [message for part in parts for message in _messages(part)]
        # A ToolMessage alone is meant for this call, whatever its id.
        alone = len(messages) == 1 and messages == parts
        own = [
            it
            for it in messages
            if isinstance(it, ToolMessage) and (alone or it.tool_call_id == call_id)
        ]
        if failed := next((it for it in own if it.status == "error"), None):
            raise ToolError(failed.text)
        return cls(
            as_data(own[-1].content) if own else None,
            as_data(own[-1].artifact) if own else None,
            [_said(it) for it in messages if it not in own],
        )


def _messages(part: Command[Any] | ToolMessage) -> list[BaseMessage]:
    """The messages that a part brings.

    Raises:
        ToolError: it is a command that does more than that.
    """
    if isinstance(part, ToolMessage):
        return [part]
    if part.graph is not None or part.goto:
        raise ToolError(
            "it returned a Command with goto, which this graph cannot follow; return the data"
        )
    update = part.update if isinstance(part.update, dict) else {"messages": part.update}
    if other := sorted(map(str, update.keys() - {"messages"})):
        raise ToolError(
            f"it returned a Command that updates {', '.join(other)}, but a tool can only update"
            " the messages here; return the data"
        )
    given = update.get("messages") or []
    return convert_to_messages(given if isinstance(given, list | tuple) else [given])


def _said(message: BaseMessage) -> str:
    if not isinstance(message, AIMessage) or message.tool_calls:
        raise ToolError(
            f"it returned a Command with a {type(message).__name__} that is not for its call; only"
            " the call's ToolMessage and an AIMessage without calls can be taken"
        )
    return clean(message.text)
