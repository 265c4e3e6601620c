"""What a tool returned: its value as JSON data, and what it returned beside it.

| returned | taken |
|---|---|
| data | the value |
| `(data, artifact)` | both, of a tool with `response_format="content_and_artifact"` |
| a ToolMessage | its content and artifact; with `status="error"`, an error |
| `Command(update={"messages": …})` | the call's ToolMessage, and what an AIMessage says |
| `Command(graph=Command.PARENT, …)` | a handoff, and the call's ToolMessage in it |
| a list of these | all of them |
"""

from collections.abc import Mapping
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, ToolMessage, convert_to_messages
from langgraph.types import Command

from llm_compiler.errors import ToolError
from llm_compiler.execution.handoff import handoff_data
from llm_compiler.execution.jsonable import as_data
from llm_compiler.records import record
from llm_compiler.text import clean

_NOT_A_PAIR = (
    "its response_format is 'content_and_artifact', but it returned {}; return (content, artifact)"
)


@record
class Result:
    """The result of a call."""

    value: Any
    artifact: Any = None
    """What is for people and programs, and not for models."""
    command: Mapping[str, Any] | None = None
    """`messages` that the assistant says after it, and a `handoff`."""

    @classmethod
    def of(
        cls, returned: Any, call_id: str, *, has_artifact: bool = False, has_parent: bool = False
    ) -> "Result":
        """Take apart what a tool returned.

        Args:
            returned: By its function.
            call_id: The id of the call.
            has_artifact: Whether it returns a pair.
            has_parent: Whether the graph runs in another one, which a handoff may go to.

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
        handoffs = [it for it in parts if isinstance(it, Command) and it.graph == Command.PARENT]
        if handoffs and not has_parent:
            raise ToolError("it returned a Command for a parent graph, but this graph has none")
        others = [it for it in parts if it not in handoffs]
        messages = [message for part in others for message in _messages(part)]
        handed = [message for part in handoffs for message in _in_update(part.update)]
        # A ToolMessage alone is meant for this call, whatever its id.
        alone = parts == messages and len(messages) == 1
        own = [
            it
            for it in (*handed, *messages)
            if isinstance(it, ToolMessage) and (alone or it.tool_call_id == call_id)
        ]
        if failed := next((it for it in own if it.status == "error"), None):
            raise ToolError(failed.text)
        command: dict[str, Any] = {}
        if said := [_said(it) for it in messages if it not in own]:
            command["messages"] = said
        if handoffs:
            command["handoff"] = handoff_data(handoffs[-1])
        value, artifact = (own[-1].content, own[-1].artifact) if own else (None, None)
        return cls(as_data(value), as_data(artifact), command or None)


def _messages(part: Command[Any] | ToolMessage) -> list[BaseMessage]:
    """The messages that a part brings.

    Raises:
        ToolError: it is a command that does more than that.
    """
    if isinstance(part, ToolMessage):
        return [part]
    if part.graph is not None or part.goto:
        raise ToolError(
            "it returned a Command with goto, which this graph does not follow; return the data,"
            " or hand off with graph=Command.PARENT"
        )
    update = part.update if isinstance(part.update, dict) else {}
    if other := sorted(map(str, update.keys() - {"messages"})):
        raise ToolError(
            f"it returned a Command that updates {', '.join(other)}, but a tool can only update"
            " the messages here; return the data"
        )
    return _in_update(part.update)


def _in_update(update: Any) -> list[BaseMessage]:
    """The messages in the update of a command."""
    given = update.get("messages") if isinstance(update, dict) else update
    if not given:
        return []
    return convert_to_messages(given if isinstance(given, list | tuple) else [given])


def _said(message: BaseMessage) -> str:
    if not isinstance(message, AIMessage) or message.tool_calls:
        raise ToolError(
            f"it returned a Command with a {type(message).__name__} that is not for its call; only"
            " the call's ToolMessage and an AIMessage without calls can be taken"
        )
    return clean(message.text)
