"""The graph's state: plain JSON data, which every checkpointer stores and a person can edit."""

from collections.abc import Sequence
from typing import Annotated

from langchain_core.messages import (
    AIMessage,
    AnyMessage,
    BaseMessage,
    HumanMessage,
    MessageLikeRepresentation,
    ToolMessage,
)
from langgraph.graph.message import add_messages
from typing_extensions import TypedDict

from llm_compiler.language.arguments import clean
from llm_compiler.language.task import OutcomeData, TaskData


class RoleUsage(TypedDict):
    """Model tokens of one role in this turn."""

    calls: int
    input: int
    output: int


class Question(TypedDict):
    """The graph's input: a new user message starts a new turn."""

    messages: Annotated[list[AnyMessage], add_messages]


class Input(TypedDict):
    """A `Question` as callers may write it: messages may be tuples, dicts or strings too."""

    messages: Sequence[MessageLikeRepresentation] | MessageLikeRepresentation


class State(Question, total=False):
    """The graph's state. All but `messages` is of this turn."""

    plan: list[TaskData]
    """The tasks of all rounds, in id order."""
    outcomes: dict[str, OutcomeData]
    """By id, as a decimal string."""
    round: int
    """Rounds begun, from 1."""
    feedback: str | None
    """What the joiner found missing."""
    usage: dict[str, RoleUsage]
    """By role: planner, joiner, and tools for the models inside tools."""
    seconds: float
    """How long the turn has run, without the time that it waited for a person or was stopped."""


def question(state: State) -> str:
    """The user's message of this turn."""
    asked = (m for m in reversed(state["messages"]) if isinstance(m, HumanMessage))
    message = next(asked, None)
    return clean(message.text) if message is not None else ""


def conversation(state: State) -> list[BaseMessage]:
    """The earlier questions and answers, without the noise of their tools."""
    said: list[BaseMessage] = [
        message
        for message in state["messages"]
        if isinstance(message, HumanMessage)
        or (isinstance(message, AIMessage) and not message.tool_calls and message.text)
    ]
    last = max((i for i, m in enumerate(said) if isinstance(m, HumanMessage)), default=0)
    return said[:last]


def begins_turn(state: State) -> bool:
    """Whether this is no replan: behind one the round's last tool message stands last."""
    return not state.get("messages") or not isinstance(state["messages"][-1], ToolMessage)


def next_round(state: State) -> int:
    """The number of the round that the planner begins."""
    return 1 if begins_turn(state) else state["round"] + 1


def spent(usage: dict[str, RoleUsage], role: str, more: RoleUsage) -> dict[str, RoleUsage]:
    """`usage` with more calls of a role added."""
    before = usage.get(role, RoleUsage(calls=0, input=0, output=0))
    total = RoleUsage(
        calls=before["calls"] + more["calls"],
        input=before["input"] + more["input"],
        output=before["output"] + more["output"],
    )
    return {**usage, role: total}
