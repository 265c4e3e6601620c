"""The graph's state: plain JSON data, which every checkpointer stores and a person can edit."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from langchain_core.messages import (
    AIMessage,
    AnyMessage,
    BaseMessage,
    HumanMessage,
    MessageLikeRepresentation,
    SystemMessage,
    ToolMessage,
)
from langchain_core.messages.ai import UsageMetadata
from typing_extensions import TypedDict

from llm_compiler.language.tasks.task import OutcomeData, TaskData
from llm_compiler.text import clean, truncated
from llm_compiler.thread_messages import with_messages

_MAX_INSTRUCTIONS_CHARS = 20_000


class RoleUsage(TypedDict):
    """Model tokens of one role in this turn."""

    calls: int
    input: int
    output: int


class InputState(TypedDict):
    """The graph's input: a new user message starts a new turn."""

    messages: Annotated[list[AnyMessage], with_messages]


class Input(TypedDict):
    """An `InputState` as callers may write it: messages may be tuples, dicts or strings too."""

    messages: Sequence[MessageLikeRepresentation] | MessageLikeRepresentation


class State(InputState, total=False):
    """The graph's state. All but `messages` is of this turn."""

    plan: list[TaskData]
    """The tasks of all rounds, in id order, each with its round."""
    outcomes: dict[str, OutcomeData]
    """By id, as a decimal string."""
    names: dict[str, str]
    """What the variables of the plans stand for, as expressions: `$3`, `$4[0]`."""
    turn: str
    """The id of the user's message that began the turn; empty if there was none."""
    round: int
    """Rounds begun, from 1."""
    feedback: str | None
    """What the joiner found missing."""
    usage: dict[str, RoleUsage]
    """By role: planner, joiner, and tools for the models inside tools."""
    seconds: float
    """How long the turn has run, without the time that it waited for a person or was stopped."""


def with_response(kind: Any) -> type[State]:
    """The state with `structured_response`, of a type that checkpointers may load again."""

    class StructuredState(State, total=False):
        structured_response: kind | None
        """The answer as data; None if there is no answer."""

    return StructuredState


def question(state: State) -> str:
    """The user's message of this turn."""
    message = asked_message(state)
    return clean(message.text) if message is not None else ""


def told(state: State) -> str:
    """The system messages of the conversation, which are instructions for planner and joiner."""
    said = (m.text for m in state["messages"] if isinstance(m, SystemMessage))
    return truncated(clean("\n\n".join(filter(None, said))), _MAX_INSTRUCTIONS_CHARS)


def conversation(state: State) -> list[BaseMessage]:
    """The earlier questions and answers, without tool messages."""
    said: list[BaseMessage] = [
        message
        for message in state["messages"]
        if isinstance(message, HumanMessage)
        or (isinstance(message, AIMessage) and message.text and not is_handoff(message))
    ]
    last = max((i for i, m in enumerate(said) if isinstance(m, HumanMessage)), default=0)
    return said[:last]


def is_handoff(message: BaseMessage, tool: str = "") -> bool:
    """Whether a message only says that one agent hands over to another, as the result of `tool`.

    That is how langgraph-supervisor and langgraph-swarm write it.
    """
    if isinstance(message, ToolMessage):
        return tool.startswith(("transfer_to_", "transfer_back_to_"))
    return bool(message.response_metadata.get("__is_handoff_back"))


def asked_by(state: State) -> str:
    """The id of the user's last message, which the planner's turn is about; empty without one."""
    message = asked_message(state)
    return str(message.id or "") if message is not None else ""


def begins_turn(state: State) -> bool:
    """Whether the planner begins a turn: no replan was asked for, or the user has written since."""
    return state["feedback"] is None or state["turn"] != asked_by(state)


def next_round(state: State) -> int:
    """The number of the round that the planner begins."""
    return 1 if begins_turn(state) else state["round"] + 1


def tasks_of_round(state: State) -> list[TaskData]:
    """The tasks of the current round that have an outcome, in id order."""
    return [
        task
        for task in state["plan"]
        if task["round"] == state["round"] and str(task["id"]) in state["outcomes"]
    ]


def outcome_of(state: State, task: TaskData) -> OutcomeData:
    """The outcome of a task that has one."""
    return state["outcomes"][str(task["id"])]


def asked_message(state: State) -> HumanMessage | None:
    """The user's message of this turn."""
    asked = (m for m in reversed(state["messages"]) if isinstance(m, HumanMessage))
    return next(asked, None)


def spent(usage: dict[str, RoleUsage], role: str, more: RoleUsage) -> dict[str, RoleUsage]:
    """`usage` with more calls of a role added."""
    before = usage.get(role, RoleUsage(calls=0, input=0, output=0))
    total = RoleUsage(
        calls=before["calls"] + more["calls"],
        input=before["input"] + more["input"],
        output=before["output"] + more["output"],
    )
    return {**usage, role: total}


def usage_metadata(usage: Mapping[str, RoleUsage]) -> UsageMetadata | None:
    """The tokens of a turn as messages have them; None if no model's server counted any."""
    came = sum(role["input"] for role in usage.values())
    went = sum(role["output"] for role in usage.values())
    if not came + went:
        return None
    return UsageMetadata(input_tokens=came, output_tokens=went, total_tokens=came + went)
