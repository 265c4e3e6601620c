"""A handoff: a tool's `Command(graph=Command.PARENT)`, by which a parent graph goes on elsewhere.

It waits until its round has ended, and may be journaled until then, so it is kept as JSON data.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from langchain_core.messages import BaseMessage, message_to_dict, messages_from_dict
from langgraph.types import Command, Send

from llm_compiler.execution.jsonable import as_data

_MESSAGE, _SEND = "__message__", "__send__"


def handoff_data(command: Command[Any]) -> dict[str, Any]:
    """A command to the parent graph as data.

    Raises:
        ToolError: it holds what is neither data, nor a message, nor a `Send`.
    """
    return {"goto": _packed(command.goto), "update": _packed(command.update)}


def command_of(data: Mapping[str, Any]) -> Command[Any]:
    """The command again."""
    goto, update = _unpacked(data["goto"]), _unpacked(data["update"])
    return Command(graph=Command.PARENT, goto=goto, update=update)


def with_messages_before(command: Command[Any], messages: Sequence[BaseMessage]) -> Command[Any]:
    """The command with further messages before its own, if it has any.

    Whoever goes on then knows what was found besides.
    """
    update = command.update
    if not messages or not isinstance(update, dict) or not isinstance(update.get("messages"), list):
        return command
    return replace(command, update={**update, "messages": [*messages, *update["messages"]]})


def _packed(value: Any) -> Any:
    if isinstance(value, BaseMessage):
        return {_MESSAGE: as_data(message_to_dict(value))}
    if isinstance(value, Send):
        return {_SEND: [value.node, _packed(value.arg)]}
    if isinstance(value, list | tuple):
        return [_packed(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _packed(item) for key, item in value.items()}
    return as_data(value)


def _unpacked(data: Any) -> Any:
    if isinstance(data, list):
        return [_unpacked(item) for item in data]
    if not isinstance(data, dict):
        return data
    if data.keys() == {_MESSAGE}:
        return messages_from_dict([data[_MESSAGE]])[0]
    if data.keys() == {_SEND}:
        node, argument = data[_SEND]
        return Send(node, _unpacked(argument))
    return {key: _unpacked(item) for key, item in data.items()}
