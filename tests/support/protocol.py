"""Whether messages follow the chat protocol."""

from collections.abc import Sequence

from langchain_core.messages import AIMessage, AnyMessage, ToolMessage


def follows_protocol(messages: Sequence[AnyMessage]) -> bool:
    """Each `tool_call` has its `ToolMessage` directly after its message; none lacks a call."""
    waiting: list[str | None] = []
    for message in messages:
        if isinstance(message, ToolMessage):
            if not waiting or waiting.pop(0) != message.tool_call_id:
                return False
        elif waiting:
            return False
        elif isinstance(message, AIMessage):
            waiting = [call["id"] for call in message.tool_calls]
    ids = [message.id for message in messages]
    return not waiting and len(set(ids)) == len(ids)
