"""The messages of a thread: which there are, and what more of them come to.

A thread may have many thousands, which LangGraph reduces on the event loop. So sound ones are gone
through by functions of Python's own alone.
"""

import uuid
from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import Any, cast

from langchain_core.messages import (
    AnyMessage,
    BaseMessage,
    BaseMessageChunk,
    RemoveMessage,
    convert_to_messages,
    message_chunk_to_message,
)
from langgraph.graph.message import REMOVE_ALL_MESSAGES, Messages
from langgraph.types import Overwrite

_UNREADABLE = (
    AttributeError,
    LookupError,
    NotImplementedError,
    RecursionError,
    TypeError,
    ValueError,
)
"""What LangChain raises for what is not a message."""
_id, _content = attrgetter("id"), attrgetter("content")


def mended_messages(value: Any) -> list[AnyMessage]:
    """The messages among what is stored in their place, each id once; the same list if sound."""
    if value is None:
        return []
    if _are_sound(value):
        return cast(list[AnyMessage], value)
    messages = (it for it in _read(value) if not isinstance(it, RemoveMessage))
    by_id = {message.id or number: message for number, message in enumerate(messages)}
    return cast(list[AnyMessage], [*by_id.values()])


def with_messages(stored: Any, messages: Any) -> Messages:
    """As `add_messages`, but it never raises, and many messages do not hold the event loop.

    LangGraph stores what is written before it reduces it: if that raised, so would every reading
    of the thread. What is not a message is left out, as is the removal of an unknown message.
    """
    if (both := _appended(stored, messages)) is not None:
        return both
    left, right = _whole(mended_messages(stored)), _whole(_read(messages))
    cleared = [it for it, message in enumerate(right) if message.id == REMOVE_ALL_MESSAGES]
    if cleared:
        left, right = [], right[cleared[-1] + 1 :]
    places = {message.id: place for place, message in enumerate(left)}
    removed = set()
    for message in right:
        place = places.get(message.id)
        if isinstance(message, RemoveMessage):
            if place is not None:
                removed.add(place)
        elif place is None:
            places[message.id] = len(left)
            left.append(message)
        else:
            left[place] = message
            removed.discard(place)
    return cast(
        Messages, [it for place, it in enumerate(left) if place not in removed] if removed else left
    )


def check_messages(values: Any) -> None:
    """Check the messages that a client gives to a run, or writes into a thread.

    Raises:
        ValueError: they are not messages; servers report that as a client error.
    """
    given = values.get("messages", ()) if isinstance(values, Mapping) else ()
    of = given if isinstance(given, Mapping) else {}
    if isinstance(given, Overwrite) or "__overwrite__" in (*of, of.get("type")):
        return  # it bypasses the reducer, and is mended when it is read
    try:
        convert_to_messages([*given] if isinstance(given, list | tuple) else [given])
    except _UNREADABLE as error:
        raise ValueError(f"these are not messages: {error}") from error


def _appended(left: Any, right: Any) -> Messages | None:
    """Sound messages with others behind them, if each of all is whole and has an id of its own."""
    if not isinstance(left, list) or not isinstance(right, list):
        return None
    both = left + right
    kinds = {*map(type, both)}
    if not _are_messages(kinds) or any(issubclass(it, BaseMessageChunk) for it in kinds):
        return None
    ids = {*map(_id, both)}
    if len(ids) < len(both) or not all(ids) or not _have_content(both):
        return None
    return cast(Messages, both)


def _are_sound(value: Any) -> bool:
    """Whether these are messages, of which no two have the same id; of many, found out quickly."""
    if not isinstance(value, list) or not _are_messages({*map(type, value)}):
        return False
    ids = [*filter(None, map(_id, value))]
    return len(ids) == len({*ids}) and _have_content(value)


def _are_messages(kinds: set[type]) -> bool:
    return all(issubclass(it, BaseMessage) and it is not RemoveMessage for it in kinds)


def _have_content(messages: list[BaseMessage]) -> bool:
    contents = {*map(type, map(_content, messages))}
    return all(issubclass(it, str | list) for it in contents)


def _whole(messages: Sequence[BaseMessage]) -> list[BaseMessage]:
    """These messages in a list of their own, each with an id, those that came as chunks too."""
    found = [*messages]
    if any(issubclass(it, BaseMessageChunk) for it in {*map(type, found)}):
        found = [
            message_chunk_to_message(it) if isinstance(it, BaseMessageChunk) else it for it in found
        ]
    if not all(map(_id, found)):
        for message in found:
            message.id = message.id or str(uuid.uuid4())
    return found


def _read(value: Any) -> list[BaseMessage]:
    """The messages among these."""
    if _are_sound(value):
        return cast(list[BaseMessage], value)
    found = []
    for item in value if isinstance(value, list) else [value]:
        message = item
        if not isinstance(item, BaseMessage):
            try:
                [message] = convert_to_messages([item])
            except _UNREADABLE:
                continue
        if isinstance(message.content, str | list):
            found.append(message)
    return found
